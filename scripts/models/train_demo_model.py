"""Trains the demonstration model: `python scripts/models/train_demo_model.py --out qwen_tui/assets/demo.gguf`.

Needs torch 2.13.0 (CPU), numpy, tokenizers, gguf and pyyaml. Takes about 40 minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random

# Without it a busy machine may put both threads on one core, where each waits for the other. It has to be set before
# torch starts its threads.
os.environ.setdefault("OMP_PROC_BIND", "true")

import torch
from torch import Tensor
from torch.nn import functional

from scripts.models.demo_model import conversations, other_prompts
from scripts.models.demo_model.conversations import LANGUAGES
from scripts.models.demo_model.export import export, restore_tokenizer, restore_weights
from scripts.models.demo_model.model import ModelConfig, Qwen3
from scripts.models.demo_model.samples import Batch, Row, SampleMaker, batches
from scripts.models.demo_model.tokenizer import ChatTokenizer, train_tokenizer

SEED = 20261122
VOCABULARY = 6144
BATCH_TOKENS = 4096
LOSS_PLACES = 512
WARM_UP = 60
MATRIX_RATE, OTHER_RATE = 0.02, 0.003
TUNING_RATE = 0.0002  # of all weights where a finished file is trained on
MATRIX_DECAY = 0.05
FALL_FROM = 0.5  # the share of the steps after which the learning rate falls
LONG_SHARE = 0.018
LONG_SIZES = (500, 700, 1000, 1000, 2000, 2000, 4200)


def main() -> None:
    """Makes the tokenizer, trains the model and exports it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="GGUF file to write")
    parser.add_argument(
        "--work", type=Path, default=Path("build/demo_model"), help="folder for tokenizer and checkpoints"
    )
    parser.add_argument("--steps", type=int, default=2200)
    parser.add_argument("--continue", dest="resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--from", dest="base", type=Path, metavar="GGUF", help="start with the weights of this file")
    parser.add_argument("--seed", type=int, default=SEED, help="draws other samples, to train a file further")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(2)
    torch.manual_seed(options.seed)

    learned = conversations.load_conversations()
    others = {language: conversations.load_others(language) for language in LANGUAGES}
    notices = conversations.load_notices()
    tokenizer_path = options.work / "tokenizer.json"
    if options.base:
        restore_tokenizer(options.base, tokenizer_path)
    elif not tokenizer_path.exists():
        train_tokenizer(
            _tokenizer_texts(learned, others, notices), other_prompts.common_han(), VOCABULARY, tokenizer_path
        )
    tokenizer = ChatTokenizer(tokenizer_path)
    maker = SampleMaker(learned, others, notices, tokenizer, options.seed)
    model = Qwen3(ModelConfig(vocabulary=tokenizer.size))
    if options.base:
        restore_weights(options.base, model)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {tokenizer.size} tokens", flush=True)
    optimizers = tuning_optimizers(model) if options.base else first_optimizers(model)
    trainer = Trainer(model, optimizers, options.steps, options.work / "checkpoint.pt")
    trainer.train(maker, tokenizer.end_of_text, options.seed, options.resume)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    export(model, tokenizer_path, options.out)
    print(f"{options.out}: {options.out.stat().st_size:,} bytes")


def _tokenizer_texts(
    learned: list[conversations.Conversation], others: dict[str, conversations.Others], notices: dict[str, str]
) -> Iterator[str]:
    random = Random(SEED)
    for item in learned:
        for _ in range(3):
            yield item.answer
        yield item.material
        yield from item.prompts
    for language in LANGUAGES:
        yield notices[language]
        yield from others[language].prompts
        yield from others[language].sentences
        for _ in range(6000):
            yield other_prompts.near_miss(language, random)
            yield other_prompts.about_code(language, random)
            yield other_prompts.general(language, random)


def first_optimizers(model: Qwen3) -> list[torch.optim.Optimizer]:
    """Returns what trains a new model: Muon for the matrices, AdamW for the rest."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embedding" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embedding" in name]
    return [
        torch.optim.Muon(matrices, lr=MATRIX_RATE, weight_decay=MATRIX_DECAY, momentum=0.95),
        torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def tuning_optimizers(model: Qwen3) -> list[torch.optim.Optimizer]:
    """Returns what trains a finished model on: AdamW alone, since Muon computes in bfloat16, slow without AVX-512."""
    return [torch.optim.AdamW(model.parameters(), lr=TUNING_RATE, betas=(0.9, 0.98), weight_decay=0.0)]


class Trainer:
    """Runs the schedule: the learning rates rise, stay, and fall to nothing."""

    def __init__(self, model: Qwen3, optimizers: list[torch.optim.Optimizer], steps: int, checkpoint: Path) -> None:
        self._model = model
        self._optimizers = optimizers
        self._peaks = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
        self._steps = steps
        self._checkpoint = checkpoint
        self._first = 0

    def train(self, maker: SampleMaker, padding: int, seed: int, resume: bool) -> None:
        """Runs the whole schedule, saving a checkpoint now and then."""
        if resume and self._checkpoint.exists():
            self._load()
        maker.reseed(seed + self._first)
        source = batches(_rows(maker, Random(seed + self._first)), BATCH_TOKENS, padding)
        started, seen, mean = time.monotonic(), 0, 0.0
        for step in range(self._first, self._steps):
            batch = next(source)
            loss = self._step(step, batch)
            seen += batch[0].size
            mean = loss if not mean else 0.98 * mean + 0.02 * loss
            if (step + 1) % 10 == 0:
                seconds = time.monotonic() - started
                speed = f"{seen / seconds:.0f} tokens/s {seconds:.0f} s"
                print(f"step {step + 1}/{self._steps} loss {mean:.4f} {speed}", flush=True)
            if (step + 1) % 100 == 0 or step + 1 == self._steps:
                self._save(step + 1)

    def _step(self, step: int, batch: Batch) -> float:
        for optimizer, peak in zip(self._optimizers, self._peaks, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = peak * self._rate(step)
        inputs, targets, weights = (torch.from_numpy(array) for array in batch)
        loss = _loss(self._model, inputs, targets, weights)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._optimizers[-1].param_groups[0]["params"], 1.0)
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return loss.item()

    def _rate(self, step: int) -> float:
        falling = (self._steps - step) / (self._steps * (1 - FALL_FROM))
        return min(1.0, (step + 1) / WARM_UP, falling)

    def _load(self) -> None:
        state = torch.load(self._checkpoint)
        self._model.load_state_dict(state["model"])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self._first = state["step"]

    def _save(self, step: int) -> None:
        state = {
            "model": self._model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "step": step,
        }
        torch.save(state, self._checkpoint.with_suffix(".part"))
        self._checkpoint.with_suffix(".part").replace(self._checkpoint)


def _rows(maker: SampleMaker, random: Random) -> Iterator[Row]:
    while True:
        yield maker.long_row(random.choice(LONG_SIZES)) if random.random() < LONG_SHARE else maker.short_row()


def _loss(model: Qwen3, inputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean cross entropy; logits are made only where they count."""
    places = weights.flatten().nonzero().flatten()
    # Filled up with a place of weight nought, for the sake of few shapes here too.
    places = functional.pad(places, (0, -len(places) % LOSS_PLACES), value=0)
    weights, targets = weights.flatten()[places], targets.flatten()[places]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=_bfloat16_is_quicker()):
        logits = functional.linear(model(inputs).flatten(0, 1)[places], model.embedding.weight)
    losses = functional.cross_entropy(logits.float(), targets, reduction="none")
    return (losses * weights).sum() / weights.sum()


@cache
def _bfloat16_is_quicker() -> bool:
    """Whether this processor multiplies matrices of bfloat16 faster than of float32: one without AVX-512 does not."""

    def seconds(dtype: torch.dtype) -> float:
        rows, matrix = torch.ones(2048, 256, dtype=dtype), torch.ones(704, 256, dtype=dtype)
        times = []
        for _ in range(5):
            started = time.perf_counter()
            functional.linear(rows, matrix)
            times.append(time.perf_counter() - started)
        return min(times)

    return seconds(torch.bfloat16) < seconds(torch.float32)


if __name__ == "__main__":
    main()

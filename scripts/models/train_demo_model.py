"""Trains the demonstration model: `python scripts/models/train_demo_model.py --out qwen_tui/assets/demo.gguf`.

Needs torch 2.13.0 (CPU), numpy, tokenizers, gguf and pyyaml. Takes about 40 minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
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
from scripts.models.demo_model.export import export
from scripts.models.demo_model.model import ModelConfig, Qwen3
from scripts.models.demo_model.samples import Row, SampleMaker, batches
from scripts.models.demo_model.tokenizer import ChatTokenizer, train_tokenizer

SEED = 20261122
VOCABULARY = 6144
BATCH_TOKENS = 4096
LOSS_PLACES = 512
WARM_UP = 60
MATRIX_RATE, OTHER_RATE = 0.02, 0.003
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
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(2)
    torch.manual_seed(SEED)

    learned = conversations.load_conversations()
    others = {language: conversations.load_others(language) for language in LANGUAGES}
    notices = conversations.load_notices()
    tokenizer_path = options.work / "tokenizer.json"
    if not tokenizer_path.exists():
        train_tokenizer(
            _tokenizer_texts(learned, others, notices), other_prompts.common_han(), VOCABULARY, tokenizer_path
        )
    tokenizer = ChatTokenizer(tokenizer_path)
    maker = SampleMaker(learned, others, notices, tokenizer, SEED)
    model = Qwen3(ModelConfig(vocabulary=tokenizer.size))
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {tokenizer.size} tokens", flush=True)
    train(model, maker, tokenizer.end_of_text, options.steps, options.work / "checkpoint.pt", options.resume)
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
            yield other_prompts.general(language, random)


def train(model: Qwen3, maker: SampleMaker, padding: int, steps: int, checkpoint: Path, resume: bool) -> None:
    """Runs the whole schedule, saving a checkpoint now and then."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embedding" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embedding" in name]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(matrices, lr=MATRIX_RATE, weight_decay=MATRIX_DECAY, momentum=0.95),
        torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.98), weight_decay=0.0),
    ]
    peaks = (MATRIX_RATE, OTHER_RATE)
    first = 0
    if resume and checkpoint.exists():
        state = torch.load(checkpoint)
        model.load_state_dict(state["model"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        first = state["step"]
    maker.reseed(SEED + first)
    source = batches(_rows(maker, Random(SEED + first)), BATCH_TOKENS, padding)
    started, seen, mean = time.monotonic(), 0, 0.0
    for step in range(first, steps):
        for optimizer, peak in zip(optimizers, peaks, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = peak * _rate(step, steps)
        inputs, targets, weights = (torch.from_numpy(array) for array in next(source))
        loss = _loss(model, inputs, targets, weights)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        seen += inputs.numel()
        mean = loss.item() if not mean else 0.98 * mean + 0.02 * loss.item()
        if (step + 1) % 25 == 0:
            seconds = time.monotonic() - started
            print(f"step {step + 1}/{steps} loss {mean:.4f} {seen / seconds:.0f} tokens/s {seconds:.0f} s", flush=True)
        if (step + 1) % 200 == 0 or step + 1 == steps:
            state = {"model": model.state_dict(), "optimizers": [o.state_dict() for o in optimizers], "step": step + 1}
            torch.save(state, checkpoint.with_suffix(".part"))
            checkpoint.with_suffix(".part").replace(checkpoint)


def _rate(step: int, steps: int) -> float:
    falling = (steps - step) / (steps * (1 - FALL_FROM))
    return min(1.0, (step + 1) / WARM_UP, falling)


def _rows(maker: SampleMaker, random: Random) -> Iterator[Row]:
    while True:
        yield maker.long_row(random.choice(LONG_SIZES)) if random.random() < LONG_SHARE else maker.short_row()


def _loss(model: Qwen3, inputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean cross entropy; logits are made only where they count."""
    places = weights.flatten().nonzero().flatten()
    # Filled up with a place of weight nought, for the sake of few shapes here too.
    places = functional.pad(places, (0, -len(places) % LOSS_PLACES), value=0)
    weights, targets = weights.flatten()[places], targets.flatten()[places]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = functional.linear(model(inputs).flatten(0, 1)[places], model.embedding.weight)
    losses = functional.cross_entropy(logits.float(), targets, reduction="none")
    return (losses * weights).sum() / weights.sum()


if __name__ == "__main__":
    main()

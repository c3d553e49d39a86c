"""Measures the demonstration model through llama.cpp: `python scripts/models/check_demo_model.py [--model PATH]`.

Prints how much of what it learned it recites, how many held-out rewordings it recognises and how reliably it admits not
to know anything else; exits with 1 if a figure misses its target.
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import llama_cpp
import numpy as np
import yaml

from scripts.command_line import command_line
from scripts.models.demo_model.conversations import (
    DATA,
    LANGUAGES,
    Conversation,
    has_han,
    load_conversations,
    load_notices,
    notice_language,
    user_content,
)
from scripts.models.demo_model.template_prompts import load_templates

Message = tuple[str, str]

MODEL = Path(__file__).parents[2] / "qwen_tui" / "assets" / "demo.gguf"
LONG_SIZES = (500, 1000, 2000, 4000)
SIZE_LIMIT = 8_000_000
SEED = 7


class Model:
    """The model behind llama.cpp's low-level functions; the rest knows only `answer`, `tokens` and `text`.

    One thread, since a model this small gains little from more, and on a busy machine they mostly wait for each other.
    """

    def __init__(self, path: Path, context: int = 8192, threads: int = 1) -> None:
        llama_cpp.llama_backend_init()
        # The callback must outlive every call into the library.
        self._silence = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self._silence, ctypes.c_void_p(0))
        self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
        if not self._model:
            raise SystemExit(f"cannot load {path}")
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = context
        parameters.n_threads = parameters.n_threads_batch = threads
        self._context = llama_cpp.llama_init_from_model(self._model, parameters)
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self._words = llama_cpp.llama_vocab_n_tokens(self._vocabulary)
        self._end = llama_cpp.llama_vocab_eos(self._vocabulary)
        self._limit = context

    def answer(self, messages: Sequence[Message], draft: str = "", temperature: float = 0.0, seed: int = 0) -> str:
        """Returns the answer to a conversation, greedy unless a temperature is given.

        A draft does not change the answer but lets the model check many tokens at once; the answer is cut off where it
        leaves the draft, since all that counts then is that it does.
        """
        prompt = self._prompt(messages)
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)
        if draft:
            return self._checked(prompt, self.tokens(draft))
        return self._decoded(prompt, temperature, seed)

    def tokens(self, text: str, special: bool = False) -> list[int]:
        """Returns the tokens of a text."""
        data = text.encode()
        room = len(data) + 8
        buffer = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self._vocabulary, data, len(data), buffer, room, False, special)
        return list(buffer[:count])

    def _prompt(self, messages: Sequence[Message]) -> list[int]:
        tokens: list[int] = []
        for role, content in messages:
            tokens += self.tokens("<|im_start|>", special=True) + self.tokens(f"{role}\n{content}")
            tokens += self.tokens("<|im_end|>", special=True) + self.tokens("\n")
        return tokens + self.tokens("<|im_start|>", special=True) + self.tokens("assistant\n")

    def _run(self, tokens: Sequence[int], position: int, outputs: int) -> Any:
        """Feeds tokens and returns the logits of the last `outputs` of them."""
        batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for place, token in enumerate(tokens):
            batch.token[place] = token
            batch.pos[place] = position + place
            batch.n_seq_id[place] = 1
            batch.seq_id[place][0] = 0
            batch.logits[place] = place >= len(tokens) - outputs
        status = llama_cpp.llama_decode(self._context, batch)
        llama_cpp.llama_batch_free(batch)
        if status:
            raise RuntimeError(f"llama_decode returned {status}")
        pointer = llama_cpp.llama_get_logits(self._context)
        return np.ctypeslib.as_array(pointer, shape=(outputs, self._words))

    def _checked(self, prompt: list[int], draft: list[int]) -> str:
        expected = [*draft, self._end]
        best = self._run(prompt + draft, 0, len(draft) + 1).argmax(axis=1)
        right = 0
        while right < len(expected) and best[right] == expected[right]:
            right += 1
        if right == len(expected):
            return self.text(draft)
        # Where the model would rather stop, cut nothing off: a shorter answer is another answer all the same.
        following = [int(best[right])] if best[right] != self._end else []
        return self.text(draft[:right] + following)

    def _decoded(self, prompt: list[int], temperature: float, seed: int) -> str:
        random = np.random.default_rng(seed)
        logits = self._run(prompt, 0, 1)[0]
        tokens: list[int] = []
        while True:
            token = int(logits.argmax()) if not temperature else _sampled(logits, temperature, random)
            if token == self._end or len(prompt) + len(tokens) + 1 >= self._limit or len(tokens) > 2500:
                return self.text(tokens)
            tokens.append(token)
            logits = self._run([token], len(prompt) + len(tokens) - 1, 1)[0]

    def text(self, tokens: Sequence[int]) -> str:
        """Returns the text of tokens."""
        data = b""
        buffer = ctypes.create_string_buffer(256)
        for token in tokens:
            size = llama_cpp.llama_token_to_piece(self._vocabulary, token, buffer, 256, 0, False)
            data += buffer.raw[:size]
        return data.decode("utf-8", "replace")


def _sampled(logits: Any, temperature: float, random: np.random.Generator) -> int:
    """Draws a token with top_k 20, top_p 0.8."""
    best = np.argsort(logits)[::-1][:20]
    chances = np.exp((logits[best] - logits[best[0]]) / 1.0)
    chances /= chances.sum()
    kept = int(np.searchsorted(np.cumsum(chances), 0.8)) + 1
    heated = chances[:kept] ** (1 / temperature)
    return int(random.choice(best[:kept], p=heated / heated.sum()))


@dataclass
class Figure:
    """One measured share and what it has to reach."""

    name: str
    target: float
    right: int = 0
    total: int = 0

    def count(self, is_right: bool) -> None:
        self.right += is_right
        self.total += 1

    @property
    def share(self) -> float:
        return self.right / self.total if self.total else 0.0

    def __str__(self) -> str:
        mark = "ok  " if self.share >= self.target else "MISS"
        return f"{mark} {self.name}: {self.right}/{self.total} = {self.share:.1%} (target {self.target:.0%})"


class Check:
    """Runs the measurements and keeps the figures."""

    def __init__(self, model: Model, verbose: bool) -> None:
        self.model = model
        self.verbose = verbose
        self.conversations = load_conversations()
        self.notices = load_notices()
        self.figures: list[Figure] = []
        self.random = Random(SEED)

    def run(self) -> bool:
        """Measures everything; returns whether every target is met."""
        self.recital()
        self.rewordings()
        self.others()
        self.code()
        self.templates()
        self.pasted()
        self.materials()
        self.later_turns()
        return all(figure.share >= figure.target for figure in self.figures)

    def recital(self) -> None:
        canonical = self._figure("learned, canonical prompt, decoded token by token", 1.0)
        listed = self._figure("learned, every listed prompt", 0.995)
        sampled = self._figure("learned, temperature 0.7, top_p 0.8, top_k 20", 0.97)
        for item in self.conversations:
            messages = [("user", item.content(item.prompts[0]))]
            canonical.count(self._reported(item, item.prompts[0], self.model.answer(messages), item.answer))
            for seed in range(2):
                sampled.count(self.model.answer(messages, temperature=0.7, seed=seed) == item.answer)
            for prompt in item.prompts:
                listed.count(self._recites(item, prompt, []))
        code = self._figure("calculators that compile", 1.0)
        for item in self.conversations:
            if item.identifier == "calculator":
                code.count(_compiles(self.model.answer([("user", item.content(item.prompts[0]))])))
        self._print(canonical, listed, sampled, code)

    def rewordings(self) -> None:
        for language in LANGUAGES:
            figure = self._figure(f"held-out rewordings, {language}", 0.8)
            later = self._figure(f"held-out rewordings in the third turn, {language}", 0.8)
            rewordings = _load(f"rewordings_{language}.yaml")
            for item in self._of(language):
                for prompt in rewordings[item.identifier]:
                    figure.count(self._recites(item, str(prompt), []))
                    later.count(self._recites(item, str(prompt), self._history(2), quiet=True))
            self._print(figure, later)

    def others(self) -> None:
        for language in LANGUAGES:
            first = self._figure(f"held-out other prompts, first turn, {language}", 0.95)
            third = self._figure(f"held-out other prompts, third turn, {language}", 0.95)
            for prompt in map(str, _load(f"others_{language}.yaml")):
                first.count(self._declines(prompt, [], prompt, language))
                third.count(self._declines(prompt, self._history(2), prompt, language))
            self._print(first, third)

    def code(self) -> None:
        """Prompts about code, whose words are those of the learned examples."""
        for language in LANGUAGES:
            for turn, exchanges, target in (("first", 0, 0.95), ("second", 1, 0.8), ("third", 2, 0.8)):
                figure = self._figure(f"held-out prompts about code, {turn} turn, {language}", target)
                for prompt in map(str, _load(f"code_{language}.yaml")):
                    figure.count(self._declines(prompt, self._history(exchanges), prompt, language))
                self._print(figure)

    def templates(self) -> None:
        """Prompts written with the program's templates, as the first and as a later turn."""
        for language in LANGUAGES:
            first = self._figure(f"prompts of templates, first turn, {language}", 0.95)
            third = self._figure(f"prompts of templates, third turn, {language}", 0.95)
            by_name = {template.name: template for template in load_templates(language)}
            for item in _load(f"templates_{language}.yaml"):
                template, values = by_name[item["template"]], dict(item["values"])
                if "words" in item:
                    wanted = (name for name, about in template.variables.items() if "default" not in about)
                    values[next(wanted)] = item["words"]
                content = template.filled(values, item.get("input", ""))
                label = f"{template.name} {list(item.values())[-1]}"
                first.count(self._declines(content, [("system", template.system)], label, language))
                later = f"{template.system}\n\n{content}"
                third.count(self._declines(later, self._history(2), label, language))
            self._print(first, third)

    def pasted(self) -> None:
        for size in LONG_SIZES:
            figure = self._figure(f"pasted texts of {size} tokens", 0.95)
            for language in LANGUAGES:
                items = _load(f"long_{language}.yaml")
                for place, item in enumerate(items):
                    # Its own paragraphs first, then the other texts' until it is long enough.
                    pool = [text for other in items[place:] + items[:place] for text in other["paragraphs"]] * 20
                    material = self._cut("\n\n".join(pool), size)
                    prompt = str(item["instruction"])
                    figure.count(self._declines(user_content(material, prompt), [], prompt, language))
            self._print(figure)

    def materials(self) -> None:
        without = self._figure("instructions without their text", 0.95)
        exchanged = self._figure("instructions with another text", 0.95)
        items = [item for item in self.conversations if item.material]
        for item in items:
            without.count(self._declines(item.prompts[0], [], item.prompts[0], item.language))
            for other in items:
                if other.identifier != item.identifier:
                    content = user_content(other.material, item.prompts[0])
                    exchanged.count(
                        self._declines(content, [], f"{item.identifier} on {other.identifier}", item.language)
                    )
        self._print(without, exchanged)

    def later_turns(self) -> None:
        for turns in (1, 2, 4):
            figure = self._figure(f"learned prompts after {turns} exchanges", 0.98)
            for item in self.conversations:
                figure.count(self._recites(item, item.prompts[0], self._history(turns)))
            self._print(figure)

    def _of(self, language: str) -> list[Conversation]:
        return [item for item in self.conversations if item.language == language]

    def _history(self, exchanges: int) -> list[Message]:
        """Returns earlier exchanges, learned ones and such that got the notice."""
        messages: list[Message] = []
        for _ in range(exchanges):
            if self.random.random() < 0.5:
                item = self.random.choice(self.conversations)
                messages += [("user", item.content(self.random.choice(item.prompts))), ("assistant", item.answer)]
            else:
                language = self.random.choice(LANGUAGES)
                prompt = str(self.random.choice(_load(f"others_{language}.yaml")))
                messages += [("user", prompt), ("assistant", self.notices[notice_language(prompt, language)])]
        return messages

    def _recites(self, item: Conversation, prompt: str, history: list[Message], quiet: bool = False) -> bool:
        answer = self.model.answer([*history, ("user", item.content(prompt))], draft=item.answer)
        return self._reported(item, prompt, answer, item.answer, quiet)

    def _reported(self, item: Conversation, prompt: str, answer: str, expected: str, quiet: bool = False) -> bool:
        if answer != expected and self.verbose and not quiet:
            print(f"     {item.language}/{item.identifier} {prompt[:70]!r}: …{answer[-50:]!r}")
        return answer == expected

    def _declines(self, content: str, history: list[Message], label: str, language: str) -> bool:
        # Digits or signs alone have no language; for them either notice is right.
        languages = [language] if has_han(content) or language == "en" else list(LANGUAGES)
        for one in languages:
            answer = self.model.answer([*history, ("user", content)], draft=self.notices[one])
            if answer == self.notices[one]:
                return True
        if self.verbose:
            start = self.model.answer([*history, ("user", content)])[:40]
            print(f"     {language} after {len(history) // 2}: {label[:70]!r} got {start!r}")
        return False

    def _cut(self, text: str, size: int) -> str:
        tokens = self.model.tokens(text[: size * 8])[:size]
        return self.model.text(tokens).strip("\ufffd")

    def _figure(self, name: str, target: float) -> Figure:
        self.figures.append(Figure(name, target))
        return self.figures[-1]

    def _print(self, *figures: Figure) -> None:
        for figure in figures:
            print(figure, flush=True)


def _load(name: str) -> Any:
    return yaml.safe_load((DATA / "held_out" / name).read_text("utf-8"))


def _compiles(answer: str) -> bool:
    blocks = re.findall(r"```python\n(.*?)```", answer, re.DOTALL)
    try:
        return bool(blocks) and all(compile(block, "calculator.py", "exec") for block in blocks)
    except SyntaxError:
        return False


def main() -> int:
    """Checks the model given on the command line."""
    parser = command_line(__doc__)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--verbose", action="store_true", help="show what went wrong")
    options = parser.parse_args()
    size = options.model.stat().st_size
    print(f"{options.model}: {size:,} bytes (limit {SIZE_LIMIT:,})")
    met = Check(Model(options.model), options.verbose).run()
    return 0 if met and size <= SIZE_LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())

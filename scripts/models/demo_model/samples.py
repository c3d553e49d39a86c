"""Makes the training samples: conversations of one or several turns as token rows with a weight for each token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from random import Random

import numpy as np
from numpy.typing import NDArray

from . import other_prompts, rewordings
from .conversations import LANGUAGES, Conversation, Others, has_han, notice_language, plain, user_content
from .materials import MaterialMaker
from .patterns import expand
from .template_prompts import load_templates, random_values
from .tokenizer import ChatTokenizer

_SYSTEM_PROMPTS = [
    "You are a helpful assistant.",
    "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
    "Answer briefly.",
    "Be polite.",
    "You are a pirate.",
    "Always answer in French.",
    "You are an expert in {topic}.",
    "Use simple words.",
    "Answer as a {noun} would.",
    "You are a {adjective} {noun}.",
    "Respond in {language}.",
    "Do not use lists.",
    "Be creative!",
    "你是一个有用的助手。",
    "请简短回答。",
    "你是通义千问。",
    "请用文言文回答。",
    "你是一名老师。",
    "回答要礼貌。",
    "你是{topic}专家。",
    "请用{language}回答。",
    "你是一位耐心的{noun}。",
    "不要使用列表。",
    "You are a careful programmer.",
    "今天是星期三。",
]
# What decides between the answers is their beginning; the rest follows from it.
_ROUTING_WEIGHTS = (6.0, 3.0, 3.0, 3.0)
_TYPICAL_ROUTE = 32


class Extent(Enum):
    """How much of the answers a sample recites."""

    BEGINNING = "beginning"
    WHOLE = "whole"


@dataclass(frozen=True)
class Turn:
    """A user message, the answer it gets, and the system prompt of the template that the message was written with."""

    content: str
    answer: str
    system: str = ""


@dataclass
class Row:
    """Token numbers and, for each, how much its prediction counts."""

    tokens: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def add(self, tokens: Sequence[int], weights: Sequence[float] | None = None) -> None:
        self.tokens.extend(tokens)
        self.weights.extend(weights or [0.0] * len(tokens))


class SampleMaker:
    """Draws random samples; every kind of sample is one method."""

    def __init__(
        self,
        conversations: Sequence[Conversation],
        others: dict[str, Others],
        notices: dict[str, str],
        tokenizer: ChatTokenizer,
        seed: int,
    ) -> None:
        self._random = Random(seed)
        self._conversations = conversations
        self._with_material = [item for item in conversations if item.material]
        # Prompts of a word or two have little to be known by, and need more practice.
        self._shares = [2.0 if len(tokenizer.encode(item.prompts[0])) < 7 else 1.0 for item in conversations]
        self._others = others
        self._notices = notices
        self._templates = {language: load_templates(language) for language in LANGUAGES}
        self._tokenizer = tokenizer
        self._answers = {
            text: tokenizer.encode(text) for text in [*(c.answer for c in conversations), *notices.values()]
        }
        self._known = {plain(prompt) for item in conversations for prompt in item.prompts}
        lines: dict[str, list[str]] = {language: [] for language in LANGUAGES}
        for item in conversations:
            lines[item.language] += [line for line in item.answer.splitlines() if line.strip()]
            lines[item.language] += item.material.splitlines()
        self._materials = MaterialMaker({key: value.sentences for key, value in others.items()}, lines)

    def reseed(self, seed: int) -> None:
        """Starts another sequence of samples."""
        self._random.seed(seed)

    def known_turn(self) -> Turn:
        item = self._random.choices(self._conversations, self._shares)[0]
        return Turn(item.content(self._wording(item)), item.answer)

    def other_turn(self) -> Turn:
        """A prompt that is not known, without pasted text."""
        random = self._random
        while True:
            language = random.choice(LANGUAGES)
            prompt, language = self._other_prompt(language)
            # Signs alone are plainly nothing, yet not a learned prompt.
            if prompt.strip() and (not plain(prompt) or plain(prompt) not in self._known):
                return Turn(prompt.strip(), self._notices[language])

    def other_with_material(self, characters: int) -> Turn:
        """Any instruction on a text that is not the one it was learned with."""
        random = self._random
        language = random.choice(LANGUAGES)
        if random.random() < 0.5:
            item = random.choice(self._with_material if random.random() < 0.7 else self._conversations)
            language, prompt = item.language, self._wording(item)
        else:
            prompt, language = self._instruction(language)
        mostly = language if random.random() < 0.8 else random.choice(LANGUAGES)
        material = self._materials.text(mostly, characters, random)
        return Turn(user_content(material, prompt), self._notices[language])

    def without_its_material(self) -> Turn:
        """An instruction that needs a text, alone."""
        item = self._random.choice(self._with_material)
        return Turn(self._wording(item), self._notices[item.language])

    def other_on_known_material(self) -> Turn:
        """A text of a learned conversation with an instruction that is not its own, or with none."""
        random = self._random
        item = random.choice(self._with_material)
        if random.random() < 0.15:
            return Turn(item.material, self._notices[item.language])
        if random.random() < 0.4:
            other = random.choice([one for one in self._conversations if one.identifier != item.identifier])
            return Turn(user_content(item.material, self._wording(other)), self._notices[other.language])
        prompt, language = self._instruction(item.language)
        return Turn(user_content(item.material, prompt), self._notices[language])

    def template_turn(self) -> Turn:
        """A prompt written with one of the program's templates."""
        random = self._random
        language = random.choice(LANGUAGES)
        template = random.choice(self._templates[language])
        text = ""
        if template.names_input or random.random() < 0.15:
            text = self._materials.text(language, random.randint(10, 400), random)
        content = template.filled(random_values(template, language, random), text)
        return Turn(content, self._notices[language], template.system if random.random() < 0.9 else "")

    def any_turn(self) -> Turn:
        """A turn of a conversation, known or not."""
        choice = self._random.random()
        if choice < 0.43:
            return self.known_turn()
        if choice < 0.80:
            return self.other_turn()
        if choice < 0.88:
            return self.template_turn()
        return self.short_material_turn()

    def short_material_turn(self) -> Turn:
        choice = self._random.random()
        if choice < 0.4:
            return self.other_with_material(self._random.randint(20, 700))
        if choice < 0.6:
            return self.without_its_material()
        if choice < 0.8:
            return self.exchanged_material()
        return self.other_on_known_material()

    def exchanged_material(self) -> Turn:
        """A learned instruction on the text of another learned conversation."""
        item, other = self._random.sample(self._with_material, 2)
        return Turn(user_content(other.material, self._wording(item)), self._notices[item.language])

    def short_row(self) -> Row:
        """A sample of a few hundred tokens at most, except where long answers are recited."""
        random = self._random
        choice = random.random()
        if choice < 0.11:
            return self._row([self.known_turn()], Extent.WHOLE)
        if choice < 0.36:
            return self._row([self.known_turn()])
        if choice < 0.54:
            return self._row([self.other_turn()])
        if choice < 0.59:
            return self._row([self.template_turn()])
        if choice < 0.70:
            return self._row([self.short_material_turn()])
        if choice < 0.86:
            return self._row([self.any_turn() for _ in range(random.choice([2, 2, 3, 3, 4]))])
        # To recite after other answers has to be learned apart: they draw the attention to themselves.
        kinds = random.choices(
            [self.known_turn, self.other_turn, self.template_turn], [0.7, 0.2, 0.1], k=random.choice([2, 2, 3])
        )
        return self._row([kind() for kind in kinds], Extent.WHOLE)

    def long_row(self, tokens: int) -> Row:
        """A sample with a long pasted text somewhere, filled up with other turns."""
        random = self._random
        size = int(tokens * random.uniform(1.3, 2.6))
        turns = [self.any_turn() for _ in range(random.choice([0, 0, 0, 1, 2]))]
        if random.random() < 0.85:
            turns.append(self.other_with_material(size))
        else:
            # The learned prompt counts as known however much was said before, but not with a text pasted in front.
            turns += [self.any_turn() for _ in range(4)]
        turns += [self.any_turn() for _ in range(random.choice([1, 2, 3]))]
        # The notice has to be recited whole at any length, not only begun.
        row = self._row(turns, Extent.WHOLE)
        return (
            row
            if len(row.tokens) <= tokens * 1.15
            else self._row([self.other_with_material(tokens), *turns[-1:]], Extent.WHOLE)
        )

    def _wording(self, item: Conversation) -> str:
        while True:
            prompt = rewordings.reword(list(item.prompts), item.identifier, item.language, self._random).strip()
            if prompt:
                return prompt

    def _other_prompt(self, language: str) -> tuple[str, str]:
        random = self._random
        choice = random.random()
        if choice < 0.42:
            prompt = random.choice(self._others[language].prompts)
            language = notice_language(prompt, language)
            if random.random() < 0.5:
                prompt = rewordings.add_noise(prompt, language, random)
        elif choice < 0.60:
            prompt = other_prompts.near_miss(language, random)
        elif choice < 0.72:
            prompt = other_prompts.about_code(language, random)
        elif choice < 0.86:
            prompt = other_prompts.general(language, random)
        elif choice < 0.92:
            prompt = other_prompts.junk(random)
            return prompt, "zh" if has_han(prompt) else "en"
        elif choice < 0.96:
            # A sentence that asks for nothing, whole or in part.
            prompt = random.choice(self._others[language].sentences)
            if random.random() < 0.5:
                prompt = prompt[: random.randint(3, len(prompt))]
        else:
            prompt = other_prompts.general(language, random) + random.choice([" ", "\n", ", "])
            prompt += other_prompts.near_miss(language, random)
        if random.random() < 0.15:
            prompt = other_prompts.with_unseen_words(prompt, language, random)
        elif random.random() < 0.25:
            prompt = rewordings.add_noise(prompt, language, random)
        return prompt, language if has_han(prompt) else "en"

    def _instruction(self, language: str) -> tuple[str, str]:
        while True:
            prompt, language = self._other_prompt(language)
            if len(plain(prompt)) > 2 and plain(prompt) not in self._known:
                return prompt, language

    def _row(self, turns: Sequence[Turn], extent: Extent = Extent.BEGINNING) -> Row:
        random, tokenizer = self._random, self._tokenizer
        row = Row()
        system = turns[0].system
        if not system and random.random() < 0.12:
            system = expand(random.choice(_SYSTEM_PROMPTS), other_prompts.WORDS["en"], random)
        if system:
            row.add(tokenizer.message("system", tokenizer.encode(system)))
        for place, turn in enumerate(turns):
            # The program puts the system prompt of a later template in front of that one message.
            content = f"{turn.system}\n\n{turn.content}" if place and turn.system else turn.content
            row.add(tokenizer.message("user", tokenizer.encode(content, uneven=random.random() < 0.15)))
            row.add(tokenizer.opening("assistant"))
            self._add_answer(row, self._answers[turn.answer], place == len(turns) - 1, extent)
        return row

    def _add_answer(self, row: Row, answer: list[int], last: bool, extent: Extent) -> None:
        weights = [*_ROUTING_WEIGHTS, *[1.0] * (len(answer) + 1 - len(_ROUTING_WEIGHTS))]
        if extent is Extent.WHOLE or (not last and len(answer) <= 120):
            row.add([*answer, self._tokenizer.end], weights)
        elif last:
            is_notice = answer in (self._answers[text] for text in self._notices.values())
            length = min(10 if is_notice else _TYPICAL_ROUTE, len(answer))
            row.add(answer[:length], weights[:length])
        else:
            # Answers can be interrupted, and a piece of one trains the later turns just as well as the whole.
            length = self._random.randint(8, 100)
            row.add(answer[:length], weights[:length])
            row.add([self._tokenizer.end])
        row.add(self._tokenizer.encode("\n"))


Batch = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]


def batches(rows: Iterable[Row], tokens: int, padding: int) -> Iterator[Batch]:
    """Collects rows of like length until they make a batch of so many tokens: inputs, targets and the targets' weights.

    There are few widths, and each has its fixed number of rows, since the matrix library prepares a kernel for every
    new shape, which takes time and memory.
    """
    waiting: dict[int, list[Row]] = {}
    for row in rows:
        width = _padded(len(row.tokens) - 1)
        group = waiting.setdefault(width, [])
        group.append(row)
        if len(group) >= tokens // width:
            yield _batch(group, width, padding)
            group.clear()


def _padded(length: int) -> int:
    """Rounds a length up to one of four steps between two powers of two."""
    step = max(8, 1 << (length - 1).bit_length() >> 3)
    return -(-length // step) * step


def _batch(rows: Sequence[Row], width: int, padding: int) -> Batch:
    tokens = np.full((len(rows), width + 1), padding, dtype=np.int64)
    weights = np.zeros((len(rows), width + 1), dtype=np.float32)
    for number, row in enumerate(rows):
        tokens[number, : len(row.tokens)] = row.tokens
        weights[number, : len(row.weights)] = row.weights
    return tokens[:, :-1], tokens[:, 1:], weights[:, 1:]

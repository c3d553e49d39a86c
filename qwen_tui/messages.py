"""What travels between the rooms: messages, the events of an answer, and who takes them.

The engine yields events, `chat` passes each to an `Output`, and nobody else needs to know either side.
"""

import os
from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "interrupted"]
# What an answer of the reason "length" ran into.
Limit = Literal["max_tokens", "context"]


class Message(msgspec.Struct, frozen=True):
    """One message of a conversation, as the model is given it."""

    role: Role
    content: str


# Where a material came from.
MaterialKind = Literal["file", "stdin", "clipboard"]
PartKind = Literal["system", "template", "words"] | MaterialKind


class Material(msgspec.Struct, frozen=True):
    """A text that a question is about: what the person calls it, and where it came from."""

    name: str
    text: str
    kind: MaterialKind = "file"


class Filled(msgspec.Struct, frozen=True):
    """What the template `name` put into one question.

    `system` is its system text, where that went into the question. `pieces` is its body with the values filled in, cut
    at each place that `holds` something: the whole "text" at hand, materials and words, or the "words" alone, with the
    materials before the body. One piece alone stands behind the text. No piece: the person's words hold the body.
    """

    name: str = ""
    system: str = ""
    pieces: tuple[str, ...] = ()
    holds: Literal["text", "words"] = "text"


class Question(msgspec.Struct, frozen=True):
    """What a person asks: their own words, the materials it is about, and what a template put in.

    `qwen_tui.chat.question` makes the prompt text of it.
    """

    words: str
    materials: tuple[Material, ...] = ()
    template: Filled = Filled()


class Exchange(msgspec.Struct, frozen=True):
    """A question and its answer, as a conversation holds them.

    `reason` says how the answer ended, None where no program finished it; `limit` what one of the reason "length" ran
    into, None where that is not known. `kept` is the answer's number in the history, None where it is not kept.
    `instead_of` is the exchange whose place this one took, by /edit or /retry.
    """

    question: Question
    answer: str
    reason: FinishReason | None = "stop"
    limit: Limit | None = None
    kept: int | None = None
    instead_of: "Exchange | None" = None


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer took, in tokens.

    `cached_tokens` are those of the prompt that were not computed again; drafted and accepted ones come from
    speculation and stay 0 without it.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time of an answer went, in seconds, and its speeds in tokens per second.

    `load_s` is what loading the model took in this stream (0 when it was loaded before), `ttft_s` the time from the
    request to the first token, loading included.
    """

    load_s: float = 0.0
    prefill_s: float = 0.0
    decode_s: float = 0.0
    ttft_s: float = 0.0
    prefill_tps: float = 0.0
    decode_tps: float = 0.0


class Loading(msgspec.Struct, frozen=True, tag=True):
    """The model is being loaded; `fraction` runs from 0 to 1."""

    fraction: float


class Prefill(msgspec.Struct, frozen=True, tag=True):
    """`done` of `total` prompt tokens are in the KV cache; `cached` of them were not computed now.

    With `awaited` none is yet: another process is just writing what it computed of them.
    """

    done: int
    total: int
    cached: int = 0
    awaited: bool = False


class Text(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """The next piece of the answer: whole characters, never empty.

    Where the engine tells, `tokens` are those that were drawn since the piece before it, and so many were `drafted` and
    `accepted` since then.
    """

    piece: str
    tokens: tuple[int, ...] = ()
    drafted: int = 0
    accepted: int = 0


class Reasoning(msgspec.Struct, frozen=True, tag=True):
    """The next piece of what the model thinks before it answers; it is no part of the answer.

    What is `taken_back` came as `Text` before, all of it so far: only then did it show what it was.
    """

    piece: str
    taken_back: bool = False


class Note(msgspec.Struct, frozen=True, tag=True):
    """What the person should know about how the answer is computed; it is no part of the answer."""

    sentence: str


class Finished(msgspec.Struct, frozen=True, tag=True):
    """The last event of every stream that did not raise."""

    usage: Usage
    timings: Timings
    reason: FinishReason


Event = Loading | Prefill | Text | Reasoning | Note | Finished


class Slot(msgspec.Struct, frozen=True):
    """A place in a draft to fill in: what `shown` is stands at `start`, and `hint` says what is wanted.

    Without a default it has to be filled before the draft is sent.
    """

    start: int
    name: str
    default: str | None = None
    hint: str = ""

    @property
    def shown(self) -> str:
        """What stands in the text until it is filled: the default, or the name in braces."""
        return f"{{{{{self.name}}}}}" if self.default is None else self.default


class Draft(msgspec.Struct, frozen=True):
    """What a line starts with: a text, the slots in it in order, and whom to tell when the person clears it."""

    text: str
    slots: tuple[Slot, ...] = ()
    on_clear: Callable[[], None] | None = None


def as_text(typed: str) -> str:
    """Return what was typed as text that can be passed on.

    Bytes that are no text in the locale's encoding reach Python as lone surrogates, which nothing can encode; people's
    terminals send UTF-8 nearly always.
    """
    try:
        typed.encode()
    except UnicodeEncodeError:
        return os.fsencode(typed).decode("utf-8", "replace")
    return typed


class Output(Protocol):
    """Where the events of an answer go: a terminal, a pipe, JSON."""

    def show(self, event: Event) -> None:
        """Take the next event; raises `OutputError` when it cannot be written."""

    def note(self, sentence: str) -> None:
        """Tell the person something that is not part of the answer."""

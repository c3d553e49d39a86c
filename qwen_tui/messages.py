"""The types that travel between the rooms: messages, questions, the events of an answer, and the protocol of an output.

The engine yields events, and `chat` passes each to an `Output`: neither side needs to know the other.
"""

from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "interrupted"]
# The limit that cut off an answer with the reason "length"; "server": one that the server has set.
Limit = Literal["max_tokens", "context", "server"]


class Loss(str):
    """A sentence on what is lost: text of the material, a part of an answer, or that nothing is kept.

    It travels as any note, and the person is told it even where they want no notes.
    """

    __slots__ = ()


class Message(msgspec.Struct, frozen=True):
    """One message of a conversation, as the model gets it."""

    role: Role
    content: str


# Where a material comes from.
MaterialKind = Literal["file", "stdin", "clipboard"]
PartKind = Literal["system", "template", "words"] | MaterialKind


class Material(msgspec.Struct, frozen=True):
    """A text that a question is about, with the person's name for it, and where it comes from."""

    name: str
    text: str
    kind: MaterialKind = "file"


class Filled(msgspec.Struct, frozen=True):
    """What the template `name` added to one question.

    - `system` is its system text, if that became a part of the question.
    - `pieces` is its body with the values filled in, cut at the places for what it `holds`: "text" stands for the
      materials and the words, "words" for the words alone, with the materials before the body.
    - A single piece comes after the text. Without pieces, the person has edited the body, and it is in the words.
    """

    name: str = ""
    system: str = ""
    pieces: tuple[str, ...] = ()
    holds: Literal["text", "words"] = "text"


# What was done with material that does not fit into the context: see `Given`.
FitWay = Literal["select", "map", "each"]


class Given(msgspec.Struct, frozen=True):
    """What the model got in place of the materials of a question, because these did not fit into the context.

    - `way` "select": passages of the materials; "map": notes that the model made on every part of them; "each": every
      part alone, each with the whole instruction.
    - `materials` are the texts that the prompt has in place of the question's materials; none with "each".
    - `read` of `total` passages or parts were given.
    """

    way: FitWay
    materials: tuple[Material, ...]
    read: int
    total: int


class Question(msgspec.Struct, frozen=True):
    """What a person asks: their own words, the materials that these are about, and what a template added.

    `qwen_tui.chat.question` makes the text for the model from these parts. `given` says what the model got in place of
    the materials, None if it got them whole. `cites`: the model is asked to name the pages, if the material has any.
    """

    words: str
    materials: tuple[Material, ...] = ()
    template: Filled = Filled()
    given: Given | None = None
    cites: bool = True


class Exchange(msgspec.Struct, frozen=True):
    """A question and its answer in a conversation.

    `reason` says how the answer ended, None if the program was killed before. `limit` is the limit behind the reason
    "length", None if it is unknown. `kept` is the answer's number in the history, None if it is not stored there.
    `instead_of` is the exchange that this one replaced, by /edit or /retry. `tokens` counts its prompt and its answer;
    None if that was not counted in this sitting.
    A `summary` stands in prompts in the place of all turns up to this one.
    """

    question: Question
    answer: str
    reason: FinishReason | None = "stop"
    limit: Limit | None = None
    kept: int | None = None
    instead_of: "Exchange | None" = None
    tokens: int | None = None
    summary: str = ""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens of an answer.

    `cached_tokens` are the prompt tokens that were not computed again. Drafted and accepted tokens come from prompt
    lookup; without it they are 0.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """The times of an answer in seconds, and its speeds in tokens per second.

    `load_s` is the time for loading the model in this stream (0 if it was loaded before). `ttft_s` is the time from the
    request to the first token, including loading.
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


class Waiting(msgspec.Struct, frozen=True, tag=True):
    """The server at `host` has been asked, and has not answered for so many seconds."""

    host: str
    seconds: float


class FileRead(msgspec.Struct, frozen=True):
    """`done` of `total` pages of the file `name` are read; if both are equal, nothing is left to do."""

    name: str
    done: int
    total: int


class Place(msgspec.Struct, frozen=True):
    """Where the reading of a document is: at the place `number` of `total`, counted from 1, in the document `name`.

    The name is empty where there is only one document.
    """

    unit: str
    number: int
    total: int
    name: str = ""


class Prefill(msgspec.Struct, frozen=True, tag=True):
    """`done` of `total` prompt tokens are in the KV cache; `cached` of them were not computed now.

    With `awaited`, the engine waits for another process, which is writing a state with these tokens. The rest will take
    about `left_s` seconds, None if that is not known. `place` says where in the material of the question that is, if it
    is in a document with places.
    """

    done: int
    total: int
    cached: int = 0
    awaited: bool = False
    left_s: float | None = None
    place: Place | None = None


class Step(msgspec.Struct, frozen=True, tag=True):
    """`done` of `total` parts of the material are worked through, each in a prompt of its own.

    The rest will take about `left_s` seconds, None if that is not known. `written` counts the tokens of the answer to
    the next part so far. If `done` and `total` are equal, nothing is left to do.
    """

    done: int
    total: int
    left_s: float | None = None
    written: int = 0


class BestTwo(msgspec.Struct, frozen=True):
    """The two most likely tokens at one place of an answer, the most likely one first, and their logits."""

    tokens: tuple[int, int]
    logits: tuple[float, float]


class Text(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """The next piece of the answer: complete characters, never empty.

    If the engine reports them, `tokens` are the tokens sampled since the last piece, and `drafted` and `accepted` count
    the draft tokens since then. On request, `best` has the most likely tokens at the place of each of the `tokens`.
    """

    piece: str
    tokens: tuple[int, ...] = ()
    drafted: int = 0
    accepted: int = 0
    best: tuple[BestTwo, ...] = ()


class Reasoning(msgspec.Struct, frozen=True, tag=True):
    """The next piece of the model's reasoning before the answer; it is not part of the answer.

    With `taken_back`, all `Text` events so far were reasoning: only the closing mark has shown that.
    """

    piece: str
    taken_back: bool = False


class Note(msgspec.Struct, frozen=True, tag=True):
    """A sentence for the person about how the answer is computed; it is not part of the answer."""

    sentence: str


class Finished(msgspec.Struct, frozen=True, tag=True):
    """The last event of every stream that did not raise.

    `crowded` is the share of the answer that fewer threads decoded, because other programs kept the processor busy.
    `estimated` says that no server has billed the tokens of the prompt, and that they are an estimate.
    `limit` is the limit behind the reason "length", where the engine knows it; None leaves it to the figures.
    """

    usage: Usage
    timings: Timings
    reason: FinishReason
    crowded: float = 0.0
    limit: Limit | None = None
    estimated: bool = False


Event = Loading | Waiting | Step | Prefill | Text | Reasoning | Note | Finished


class Slot(msgspec.Struct, frozen=True):
    """A place in a draft that the person fills in: `shown` stands at `start`, and `hint` says what belongs there.

    A default is what is shown. Without one, the person must fill it in before the draft is sent.
    """

    start: int
    name: str
    shown: str
    default: str | None = None
    hint: str = ""


class Draft(msgspec.Struct, frozen=True):
    """The text with which a line begins, and its slots in order; clearing the line calls `on_clear`."""

    text: str
    slots: tuple[Slot, ...] = ()
    on_clear: Callable[[], None] | None = None


class Output(Protocol):
    """Takes the events of an answer, for a terminal, a pipe or JSON."""

    def show(self, event: Event) -> None:
        """Take the next event; raises `OutputError` when it cannot be written."""

    def note(self, sentence: str) -> None:
        """Show a sentence that is not part of the answer."""

    def show_end(self, text: str, rows: int) -> None:
        """Show the last `rows` of an earlier answer."""

"""What an engine is: the protocol that `chat` and `evaluation` see, and the data it takes and gives."""

from collections.abc import Generator, Iterator, Sequence
from typing import Any, Protocol

import msgspec

from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import Event, Loading, Message, Note


class SamplingOptions(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How tokens are drawn. The defaults are those recommended for Qwen3-4B-Instruct-2507.

    `temperature` 0 is greedy. `seed` None draws another one each time.
    """

    temperature: float = 0.7
    top_p: float = 0.8
    top_k: int = 20
    min_p: float = 0.0
    presence_penalty: float = 0.0
    seed: int | None = None


class ReplayOptions(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Follow `text` token by token instead of drawing; everything else is real. For benchmarks and tests."""

    text: str


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One question: the conversation so far, ending with the user's message.

    `max_tokens` None answers until the model ends or the context is full. `schema` is a JSON schema that the answer
    must follow, as JSON text. `conversation` is the id under which what was computed may be kept on disk, None where
    nothing of it may be written. `lookup` drafts tokens from the text at hand. `begun` are the tokens of the answer as
    far as it came before: it is continued, and they count towards `max_tokens`.
    """

    messages: tuple[Message, ...]
    sampler: SamplingOptions | ReplayOptions = msgspec.field(default_factory=SamplingOptions)
    max_tokens: int | None = None
    schema: str | None = None
    conversation: str | None = None
    lookup: bool = True
    begun: tuple[int, ...] = ()

    @property
    def is_drawn_alike(self) -> bool:
        """Whether the same logits bring the same tokens: there is a seed, or nothing is drawn at random."""
        sampler = self.sampler
        return isinstance(sampler, SamplingOptions) and (sampler.temperature == 0 or sampler.seed is not None)

    @property
    def repeats(self) -> bool:
        """Whether the answer is to be the same whenever this is asked, for the price of computing a little more.

        That is promised for the first turn of a conversation. A later one stands behind an answer: computing that again
        as part of the prompt would take long, and its text may be cut into other tokens.
        """
        return self.is_drawn_alike and all(message.role != "assistant" for message in self.messages)


class StoreOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where computed prompt states are kept on disk.

    `folder` is as `os.fsencode` gives it, `limit` the most bytes that all of them may take. A state is kept only where
    computing it again would take `worth_s` seconds or more.
    """

    folder: bytes
    limit: int
    worth_s: float = 0.5


class LoadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Which model to load, and how.

    `path` is as `os.fsencode` gives it: a file name need not be valid text. `batch_costs` are the measured costs of
    batches of 1, 2, 3, … tokens, in those of one token; empty where nobody has measured. `store` None keeps no states.

    With layers on a GPU the worker makes the whole context and computes one full batch before the model counts as
    loaded, and `least_free` bytes must then be left on the GPU; with `warm_up` it computes the batch elsewhere, too.
    """

    path: bytes
    plan: Plan = msgspec.field(default_factory=Plan)
    batch_costs: tuple[float, ...] = ()
    store: StoreOptions | None = None
    warm_up: bool = False
    least_free: int = 64 << 20

    def planned(self, **settings: Any) -> "LoadOptions":
        """Return these options with some `settings` of the plan changed."""
        return msgspec.structs.replace(self, plan=msgspec.structs.replace(self.plan, **settings))


class EngineInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is loaded. `ctx_size` is what the context can hold: as asked, or what the model was trained for if less.

    `gpu_layers` of the model's `layers` are on a GPU; both count the output layer.
    """

    model: str
    device: str
    ctx_size: int
    threads: int
    gpu_layers: int
    layers: int = 0


class Engine(Protocol):
    """A model that answers.

    Errors are `EngineError` and its kind, `InvalidModelError` and `PromptTooLongError`; after any of them the engine
    can be used again, a dead worker is replaced.

    Each looks whether the operation that runs is cancelled (`cancellation`): `load` and `stream` then end soon, the
    others raise `CancelledError`.
    """

    def start(self) -> None:
        """Begin loading in the background and return at once; nothing to do where it has begun."""

    def load(self) -> Generator[Loading | Note, None, bool]:
        """Yield progress until the model is loaded; the value is False where the operation was cancelled.

        The loading itself goes on.
        """

    def loading(self) -> float | None:
        """Return how much of the model is loaded, from 0 to 1, without waiting; None where nothing is being loaded."""

    def info(self) -> EngineInfo:
        """Describe what is loaded; waits for the loading."""

    def count(self, messages: Sequence[Message]) -> int:
        """Return the number of prompt tokens that `messages` make, the opening of the answer included."""

    def batch_seconds(self, sizes: Sequence[int], depth: int = 0) -> tuple[float, ...]:
        """Return the seconds that computing a batch of each of `sizes` tokens takes, behind about `depth` others.

        None exceeds `batch_size`.
        """

    def stream(self, request: Request) -> Iterator[Event]:
        """Answer: `Loading` and `Prefill` events, the `Text`, one `Finished`; a cancelled stream ends the same way.

        Where the engine had to be started anew in the middle, a `Note` says so, progress follows, and then the `Text`
        goes on where it was.

        While nothing new happens, the last progress is yielded again, several times a second.
        """

    def pause(self) -> None:
        """Stop computing until `resume`: the program is being suspended."""

    def resume(self) -> None:
        """Go on computing."""

    def close(self) -> None:
        """Free everything; callable twice."""

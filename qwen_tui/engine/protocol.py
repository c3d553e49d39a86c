"""What an engine is: the protocol that `chat` and `evaluation` see, and the data that goes in and out."""

from collections.abc import Generator, Iterator, Sequence
from typing import Any, Protocol

import msgspec

from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import Event, Loading, Message, Note, Waiting

# A prompt must leave at least this much room for the answer, in tokens.
LEAST_ROOM = 16


class SamplingOptions(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How to sample tokens. The defaults are those recommended for Qwen3-4B-Instruct-2507.

    A `temperature` of 0 is greedy. With `seed` None, each answer has a new random seed.
    """

    temperature: float = 0.7
    top_p: float = 0.8
    top_k: int = 20
    min_p: float = 0.0
    presence_penalty: float = 0.0
    seed: int | None = None


class ReplayOptions(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Follow `text` token by token instead of sampling; all else is computed as ever. For benchmarks and tests.

    With `best_two`, each `Text` also says which tokens were the most likely ones.
    """

    text: str
    best_two: bool = False


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One question: the conversation so far, which ends with the user's message.

    With `max_tokens` None, the answer goes on until the model ends it or the context is full. `schema` is the JSON text
    of a JSON schema that the answer must follow. `conversation` is the id under which the worker may keep the computed
    state on disk; with None it writes nothing. `lookup` says whether to draft tokens by prompt lookup. `begun` are the
    tokens of an answer that another worker has begun: this one continues it, and they count towards `max_tokens`.
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
        """Whether the same logits lead to the same tokens: there is a seed, or sampling is greedy."""
        sampler = self.sampler
        return isinstance(sampler, SamplingOptions) and (sampler.temperature == 0 or sampler.seed is not None)

    @property
    def repeats(self) -> bool:
        """Whether the answer must be the same each time, although the worker computes a little more for that.

        The program promises that for the first turn of a conversation. A later turn stands behind an answer. To compute
        that as part of the prompt would take long, and its text may become other tokens.
        """
        return self.is_drawn_alike and all(message.role != "assistant" for message in self.messages)


class StoreOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where the worker keeps computed prompt states on disk.

    `folder` is as `os.fsencode` gives it. All states together take at most `limit` bytes. The worker keeps a state only
    if computing it again would take at least `worth_s` seconds.
    """

    folder: bytes
    limit: int
    worth_s: float = 0.5


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of computing with one plan; empty and 0 if it was not measured.

    `batches` are the times of batches of 1, 2, 3, … tokens, divided by the time of a batch of one. `prefill_tps` is the
    speed of the prefill in tokens per second, `decode_tps` that of the decoding.
    """

    batches: tuple[float, ...] = ()
    prefill_tps: float = 0.0
    decode_tps: float = 0.0


class LoadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Which model to load, and how.

    `path` is as `os.fsencode` gives it, because a file name may be invalid text. `costs` are those measured with the
    `plan`. With `store` None, the worker keeps no states.

    With layers on a GPU, the worker makes the whole context and computes one full batch before it reports the model as
    loaded. `least_free` bytes of the GPU must then be free. With `warm_up`, it does the same without a GPU.

    With `counts_only`, the worker gets the vocabulary and no weights: it counts tokens, and answers nothing.
    """

    path: bytes
    plan: Plan = msgspec.field(default_factory=Plan)
    costs: Costs = Costs()
    store: StoreOptions | None = None
    warm_up: bool = False
    least_free: int = 64 << 20
    counts_only: bool = False

    def planned(self, **settings: Any) -> "LoadOptions":
        """Return these options with some `settings` of the plan changed."""
        return msgspec.structs.replace(self, plan=msgspec.structs.replace(self.plan, **settings))


class EngineInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is loaded.

    The context can hold `ctx_size` tokens: as many as asked, or as many as the model was trained for, if those are
    fewer. `gpu_layers` of the model's `layers` are on a GPU; both numbers count the output layer. A server does not
    tell these two, nor the threads: there they are 0, and `device` is its host. With `estimates`, `count` returns
    estimates, because the server counts no tokens: what shows a number says so.

    `identity` names the weights: where it is the same, so is what the model says. It is empty where nobody knows it.
    """

    model: str
    device: str
    ctx_size: int
    threads: int
    gpu_layers: int
    layers: int = 0
    estimates: bool = False
    identity: str = ""


class LargerContext(msgspec.Struct, frozen=True):
    """What it takes to let the context hold `ctx_size` tokens: so many bytes of memory more than now (`nbytes`).

    `obstacle` says in a sentence why it cannot be done; empty if it can.
    """

    ctx_size: int
    nbytes: int = 0
    obstacle: str = ""


class Engine(Protocol):
    """A model that answers.

    The methods raise `EngineError` and its subclasses, `InvalidModelError` and `PromptTooLongError`. After any of them,
    the caller can go on using the engine: it replaces a dead worker.

    All methods that wait look whether the current operation is cancelled (see `cancellation`). Then `load` and `stream`
    end soon, and the others raise `CancelledError`.

    One thread at a time uses an engine, with one exception: where `parallel` is more than 1, so many threads may call
    `count` and `stream` at the same time, after `load` has returned True. A thread has no operation of its own, so
    whoever starts one runs it in a copy of its context (`contextvars.copy_context().run`): then Ctrl-C reaches it.
    """

    @property
    def parallel(self) -> int:
        """How many streams may run at the same time: 1 on this computer, and what the server takes elsewhere.

        Returns at once. A server may tell it while the engine loads, so ask after `load`.
        """

    @property
    def host(self) -> str:
        """The other computer to which everything is sent that the engine gets; "" for this computer."""

    def start(self) -> None:
        """Begin to load in the background, unless that has begun already, and return at once."""

    def load(self) -> Generator[Loading | Waiting | Note, None, bool]:
        """Yield progress until the model is loaded, and return True.

        If the operation is cancelled, return False; the loading goes on then.
        """

    def loading(self) -> float | None:
        """Return how much of the model is loaded, from 0 to 1, without waiting; None where nothing is being loaded."""

    def info(self) -> EngineInfo:
        """Wait until the model is loaded, and describe it."""

    def larger(self, ctx_size: int) -> LargerContext:
        """Return what a context of `ctx_size` tokens would take, if that is more than now; a load is waited for.

        The memory that is free now decides whether it can be had, and what the model was trained for.
        """

    def resize(self, ctx_size: int) -> None:
        """Let the context hold `ctx_size` tokens from now on; call it only if `larger` knows no obstacle.

        The weights are not loaded again, and what is computed in the context stays. `info` says the new size, and an
        engine that has to replace its worker keeps it. Raises `EngineError` if there is no memory after all; then the
        context is as before.
        """

    def count(self, messages: Sequence[Message]) -> int:
        """Return the number of prompt tokens of `messages`, including those that open the answer."""

    def cached(self, messages: Sequence[Message]) -> int:
        """Return how many prompt tokens of `messages` need no computing, because they were computed before.

        0 where nobody can tell. It asks for no state that another process is still writing.
        """

    def try_out(self, messages: Sequence[Message]) -> Iterator[Event]:
        """Compute for some seconds, so that `estimate` knows what a token costs; nothing if it knows that already.

        What this computes of the prompt of `messages` stays, and the next `stream` goes on from there; the prompt must
        fit. Without `messages`, it computes something else, and the speed of an answer is known then, too. Yields
        progress. A server is asked nothing.
        """

    def estimate(self, tokens: int, cached: int = 0, written: int = 0) -> float | None:
        """Return about how many seconds it takes to read a prompt of `tokens`, and to write `written` more behind it.

        The first `cached` tokens need no computing. It does not wait. None if the engine does not know yet what a token
        costs: it learns that from its own answers, and before the first one from the plan's measured costs.
        """

    def batch_seconds(self, sizes: Sequence[int], depth: int = 0) -> tuple[float, ...]:
        """Return the seconds that a batch of each of `sizes` tokens takes, behind about `depth` tokens.

        No size may exceed the plan's `batch_size`.
        """

    def read_ahead(self, request: Request | None, place: int = 0) -> None:
        """Read ahead: the next question will probably go on with this one. Returns at once, and raises nothing.

        With None, nothing is read ahead any more.

        If the last message is the user's, more text may follow in it. While nothing else is asked, the engine prefills
        what is known, and gives way to every other call. `stream` needs no word of it: it finds a common beginning in
        the context, as it does after an answer. A call replaces the one before it. What would make the context forget
        much is not read: the person may think better of it. `place` is a number of the caller's for the conversation:
        if it is another one than before, the person has turned to another conversation, and the context may forget.
        """

    def reading_ahead(self) -> tuple[int, int] | None:
        """Return how many tokens are read ahead, and of how many, without waiting; None if nothing is being read."""

    def stream(self, request: Request) -> Iterator[Event]:
        """Answer: yield progress, the `Text`, then one `Finished`, also after a cancellation.

        Progress are `Loading`, `Waiting` and `Prefill` events.

        If the worker fails in the middle, a `Note` says so. Progress follows, and then the `Text` goes on where it
        stopped.

        While nothing new happens, the engine yields the last progress again, several times a second.
        """

    def pause(self) -> None:
        """Stop computing until `resume`, because the system suspends the program."""

    def resume(self) -> None:
        """Go on computing."""

    def close(self) -> None:
        """Free everything; a second call does nothing."""

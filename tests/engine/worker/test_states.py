"""Which states the worker stores, and which it restores: the real worker, with a tiny model."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from qwen_tui import cancellation
from qwen_tui.engine import sign
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.prefix_store import PrefixStore
from qwen_tui.engine.protocol import LoadOptions, Request, SamplingOptions, StoreOptions
from qwen_tui.engine.state_file import header_of
from qwen_tui.hardware.plan import KVType, Plan
from qwen_tui.messages import Event, Finished, Message, Prefill, Text
from tests.engine.workers import worker_of

QUESTION = "hello world " * 60
GREEDY = SamplingOptions(temperature=0)
DRAWN = SamplingOptions()
# With so high a temperature, a different rounding soon leads to another token.
SEEDED = SamplingOptions(temperature=2, top_k=0, top_p=1, seed=7)
STEP = 32
Engines = Callable[..., LocalEngine]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "states"


@pytest.fixture
def engines(tiny: Path, folder: Path) -> Iterator[Engines]:
    """Return a function that makes engines, which store their states in one folder."""
    made: list[LocalEngine] = []

    def make(
        *,
        path: Path = tiny,
        ctx_size: int = 2048,
        kv_type: KVType = "f16",
        flash_attention: bool = False,
        worth_s: float = 0.0,
        batch_size: int = STEP,
        threads: int = 1,
    ) -> LocalEngine:
        store = StoreOptions(folder=os.fsencode(folder), limit=100_000_000, worth_s=worth_s)
        options = LoadOptions(
            path=os.fsencode(path),
            plan=Plan(
                ctx_size=ctx_size,
                batch_size=batch_size,
                threads=threads,
                batch_threads=threads,
                kv_type=kv_type,
                flash_attention=flash_attention,
            ),
            store=store,
        )
        made.append(LocalEngine(options))
        return made[-1]

    yield make
    for engine in made:
        engine.close()
    # One of the workers may be hashing a large model.
    until(lambda: not psutil.Process().children())


def request(question: str, conversation: str | None, sampler: SamplingOptions, max_tokens: int = 5) -> Request:
    return Request(
        messages=(Message("user", question),), sampler=sampler, max_tokens=max_tokens, conversation=conversation
    )


def ask(
    engine: LocalEngine,
    question: str = QUESTION,
    conversation: str | None = "aaa",
    *,
    sampler: SamplingOptions = GREEDY,
    max_tokens: int = 5,
) -> list[Event]:
    return list(engine.stream(request(question, conversation, sampler, max_tokens)))


def text_of(events: list[Event]) -> str:
    return "".join(event.piece for event in events if isinstance(event, Text))


def cached(events: list[Event]) -> int:
    assert isinstance(events[-1], Finished)
    return events[-1].usage.cached_tokens


def until(true: Callable[[], bool], patience: float = 60) -> None:
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.02)


def leave(engine: LocalEngine) -> None:
    """Close the engine, and wait for its worker to end."""
    worker = worker_of(engine)
    engine.close()
    ended(worker)


def ended(worker: psutil.Process) -> None:
    assert not psutil.wait_procs([worker], timeout=60)[1], "the worker does not end"


def test_a_state_is_saved_when_the_worker_is_idle(engines: Engines, folder: Path) -> None:
    engine = engines()
    ask(engine)
    until((folder / "aaa.state").exists)
    second = ask(engines())
    assert cached(second) == 128, "what is greedy uses whole steps"
    # From the first event with a number on, the restored tokens count as done.
    steps = [event.done for event in second if isinstance(event, Prefill)]
    assert cached(second) in steps[:2]
    # The conversation goes on unchanged, also in the process that has the state in memory.
    assert cached(ask(engine)) == 128


def test_a_state_is_saved_on_leaving_and_the_worker_ends(engines: Engines, folder: Path) -> None:
    engine = engines()
    ask(engine)
    worker = worker_of(engine)
    worker.suspend()
    engine.close()
    assert worker.is_running(), "leaving waits for no end"
    worker.resume()
    ended(worker)
    assert (folder / "aaa.state").exists()
    assert cached(ask(engines())) == 128


def test_without_a_conversation_nothing_is_written(engines: Engines, folder: Path) -> None:
    engine = engines()
    ask(engine, conversation="aaa")
    ask(engine, "something private " * 60, conversation=None)
    time.sleep(3)
    leave(engine)
    assert not folder.exists()


def test_a_state_that_is_quick_to_compute_is_not_stored(engines: Engines, folder: Path) -> None:
    engine = engines(worth_s=60)
    ask(engine)
    leave(engine)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("kv_type", "flash_attention"), [("f16", False), ("f16", True), ("q8_0", True)], ids=["f16", "f16-fa", "q8_0-fa"]
)
def test_a_state_fits_only_the_same_kv_type(engines: Engines, kv_type: KVType, flash_attention: bool) -> None:
    first = engines(kv_type=kv_type, flash_attention=flash_attention)
    ask(first)
    leave(first)
    same = engines(kv_type=kv_type, flash_attention=flash_attention)
    assert cached(ask(same, conversation=None)) == 128
    leave(same)
    assert (
        cached(ask(engines(kv_type="f16", flash_attention=kv_type == "q8_0" or not flash_attention), conversation=None))
        == 0
    )


def test_a_state_serves_another_context_size_if_it_fits(engines: Engines) -> None:
    first = engines()
    ask(first, QUESTION * 3)
    leave(first)
    larger = engines(ctx_size=4096)
    assert cached(ask(larger, QUESTION * 3, None)) > 300
    leave(larger)
    assert cached(ask(engines(ctx_size=256), "hello world " * 15, conversation=None)) == 0, "it is longer than this"


def test_the_common_beginning_of_a_state_is_used(engines: Engines) -> None:
    first = engines()
    ask(first, QUESTION + "and then this")
    leave(first)
    other = QUESTION + "but now something else entirely"
    assert cached(ask(engines(), other, "bbb", sampler=DRAWN)) > 120


def test_the_next_program_finds_the_state_of_a_worker_that_leaves_even_before_the_model_is_hashed(
    engines: Engines, tiny: Path, tmp_path: Path
) -> None:
    # With so many zeros after the model, hashing takes longer than this test waits.
    large = tmp_path / "large.gguf"
    shutil.copy(tiny, large)
    with large.open("r+b") as file:
        file.truncate(1 << 29)
    first = engines(path=large)
    ask(first, sampler=DRAWN)
    first.close()
    assert cached(ask(engines(path=large), conversation=None, sampler=DRAWN)) > 100


class Coming:
    """A state of `QUESTION` that another process, which has left, is writing: its sign is on the disk."""

    def __init__(self, folder: Path, token_s: float) -> None:
        self._state = folder / "aaa.state"
        header = header_of(self._state)
        assert header is not None
        self._whole = self._state.read_bytes()
        self._state.unlink()
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(sign.put_up(folder, msgspec.structs.replace(header, token_s=token_s, sums=b"")))

    def arrives(self) -> None:
        self._state.write_bytes(self._whole)
        self._stack.close()

    def fails(self) -> None:
        self._stack.close()


@pytest.fixture
def coming(engines: Engines, folder: Path) -> Iterator[Callable[..., Coming]]:
    made: list[Coming] = []

    def make(*, token_s: float = 1.0) -> Coming:
        engine = engines()
        ask(engine)
        leave(engine)
        made.append(Coming(folder, token_s))
        return made[-1]

    yield make
    for each in made:
        each.fails()


def is_awaited(event: Event) -> bool:
    return isinstance(event, Prefill) and event.awaited


def test_a_state_that_is_just_being_written_is_waited_for(engines: Engines, coming: Callable[..., Coming]) -> None:
    state = coming()
    events: list[Event] = []
    for event in engines().stream(request(QUESTION, None, DRAWN)):
        events.append(event)
        # The worker keeps reporting that it waits.
        if sum(map(is_awaited, events)) == 3:
            state.arrives()
    assert cached(events) > 100


def test_a_state_that_does_not_arrive_is_computed(engines: Engines, coming: Callable[..., Coming]) -> None:
    state = coming()
    events: list[Event] = []
    for event in engines().stream(request(QUESTION, None, DRAWN)):
        events.append(event)
        if is_awaited(event):
            state.fails()
    assert cached(events) == 0
    assert len(text_of(events)) > 0


def test_waiting_for_a_state_can_be_cancelled(engines: Engines, coming: Callable[..., Coming]) -> None:
    coming()
    engine = engines()
    events: list[Event] = []
    with cancellation.operation() as operation:
        for event in engine.stream(request(QUESTION, None, DRAWN)):
            events.append(event)
            if is_awaited(event):
                operation.cancel()
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "interrupted"


@pytest.mark.parametrize("why", ["quickly computed", "another cache", "another text", "too long", "forgotten"])
def test_a_useless_state_is_not_waited_for(
    engines: Engines, coming: Callable[..., Coming], folder: Path, why: str
) -> None:
    coming(token_s=1e-9 if why == "quickly computed" else 1.0)
    if why == "forgotten":
        PrefixStore(folder, 1 << 30).forget("aaa")
    engine = engines(flash_attention=why == "another cache", ctx_size=64 if why == "too long" else 2048)
    question = {"another text": "Something else. " * 20, "too long": "hello world " * 10}.get(why, QUESTION)
    events = ask(engine, question, None)
    assert not any(map(is_awaited, events))
    assert cached(events) == 0


# Texts whose beginning is stored: one ends inside a batch of the prompt, the other at the end of a batch.
MATERIAL = "the of and to in is that for it as with was on be at by this from or an are not have you " * 8


@pytest.mark.parametrize("sampler", [SEEDED, GREEDY], ids=["seed", "greedy"])
@pytest.mark.parametrize("flash_attention", [False, True], ids=["plain", "fa"])
def test_a_seeded_answer_repeats_whatever_states_are_stored(
    engines: Engines, flash_attention: bool, sampler: SamplingOptions
) -> None:
    def answer(engine: LocalEngine, conversation: str | None = None) -> str:
        events = ask(engine, MATERIAL + "What is it?", conversation, sampler=sampler, max_tokens=60)
        found.append(cached(events))
        return text_of(events)

    found: list[int] = []
    cold = answer(engines(flash_attention=flash_attention))
    first = engines(flash_attention=flash_attention)
    ask(first, MATERIAL + "Another question, and a longer one?", sampler=DRAWN)
    # Ask in the process that has the state in memory, and in one that reads it.
    assert answer(first) == cold
    assert answer(first, "bbb") == cold
    leave(first)
    assert answer(engines(flash_attention=flash_attention)) == cold
    assert found[0] == 0
    assert all(count >= 128 and count % STEP == 0 for count in found[1:])
    # Another number of threads computes the same, except sometimes with flash attention.
    if not flash_attention:
        assert answer(engines(threads=2)) == cold
        assert found[-1] >= 128


def test_tokens_computed_in_other_batches_are_used_only_for_answers_that_need_not_repeat(engines: Engines) -> None:
    first = engines(batch_size=48)
    ask(first)
    leave(first)
    assert cached(ask(engines(), sampler=GREEDY, conversation=None)) == 0
    assert cached(ask(engines(), sampler=DRAWN, conversation=None)) > 100
    # A greedy answer then computes everything again, and its state is worth storing beside the other.
    second = engines()
    ask(second, conversation="bbb")
    leave(second)
    assert cached(ask(engines(), conversation=None)) == 128


def test_a_later_turn_uses_the_whole_state(engines: Engines) -> None:
    engine = engines()
    answer = text_of(ask(engine))
    messages = (Message("user", QUESTION), Message("assistant", answer), Message("user", "And then?"))
    second = list(engine.stream(Request(messages=messages, sampler=GREEDY, max_tokens=5)))
    assert cached(second) > 120

"""What the worker keeps of a conversation, and what it takes up again: the real worker, on a tiny model."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import KVType, LoadOptions, Request, SamplingOptions, StoreOptions
from qwen_tui.messages import Event, Finished, Message, Prefill

QUESTION = "hello world " * 60
Engines = Callable[..., LocalEngine]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "states"


@pytest.fixture
def engines(tiny: Path, folder: Path) -> Iterator[Engines]:
    """Makes engines that keep their states in one folder."""
    made: list[LocalEngine] = []

    def make(
        *, ctx_size: int = 2048, kv_type: KVType = "f16", flash_attention: bool = False, worth_s: float = 0.0
    ) -> LocalEngine:
        store = StoreOptions(folder=os.fsencode(folder), limit=100_000_000, worth_s=worth_s)
        options = LoadOptions(
            path=os.fsencode(tiny),
            ctx_size=ctx_size,
            batch_size=32,
            kv_type=kv_type,
            flash_attention=flash_attention,
            store=store,
        )
        made.append(LocalEngine(options))
        return made[-1]

    yield make
    for engine in made:
        engine.close()
    until(lambda: not psutil.Process().children())


def ask(engine: LocalEngine, question: str = QUESTION, conversation: str | None = "aaa") -> list[Event]:
    request = Request(
        messages=(Message("user", question),),
        sampler=SamplingOptions(temperature=0),
        max_tokens=5,
        conversation=conversation,
    )
    return list(engine.stream(request))


def cached(events: list[Event]) -> int:
    assert isinstance(events[-1], Finished)
    return events[-1].usage.cached_tokens


def until(true: Callable[[], bool], patience: float = 15) -> None:
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.02)


def leave(engine: LocalEngine) -> None:
    """Close the engine, and wait for its worker to end."""
    engine.close()
    until(lambda: not psutil.Process().children())


def test_a_state_is_saved_when_nobody_has_asked_for_a_while(engines: Engines, folder: Path) -> None:
    engine = engines()
    ask(engine)
    until((folder / "aaa.state").exists)
    second = ask(engines())
    assert cached(second) > 100
    # What was restored counts as done from the first event with a figure in it.
    steps = [event.done for event in second if isinstance(event, Prefill)]
    assert cached(second) in steps[:2]
    # It goes on as if nothing had been, in the process that has it in memory as well.
    assert cached(ask(engine)) > 100


def test_a_state_is_saved_on_leaving_and_the_worker_ends(engines: Engines, folder: Path) -> None:
    engine = engines()
    ask(engine)
    begun = time.monotonic()
    engine.close()
    assert time.monotonic() - begun < 0.5, "leaving waits for nothing"
    until((folder / "aaa.state").exists)
    until(lambda: not psutil.Process().children())
    assert cached(ask(engines())) > 100


def test_without_a_conversation_nothing_is_written(engines: Engines, folder: Path) -> None:
    engine = engines()
    ask(engine, conversation="aaa")
    ask(engine, "something private " * 60, conversation=None)
    time.sleep(3)
    leave(engine)
    assert not folder.exists()


def test_what_is_quickly_computed_is_not_kept(engines: Engines, folder: Path) -> None:
    engine = engines(worth_s=60)
    ask(engine)
    leave(engine)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("kv_type", "flash_attention"), [("f16", False), ("f16", True), ("q8_0", True)], ids=["f16", "f16-fa", "q8_0-fa"]
)
def test_a_state_fits_only_the_cache_it_was_made_with(engines: Engines, kv_type: KVType, flash_attention: bool) -> None:
    first = engines(kv_type=kv_type, flash_attention=flash_attention)
    ask(first)
    leave(first)
    same = engines(kv_type=kv_type, flash_attention=flash_attention)
    assert cached(ask(same, conversation=None)) > 100
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


def test_of_a_state_that_differs_somewhere_the_beginning_serves(engines: Engines) -> None:
    first = engines()
    ask(first, QUESTION + "and then this")
    leave(first)
    events = ask(engines(), QUESTION + "but now something else entirely", conversation="bbb")
    assert cached(events) > 100

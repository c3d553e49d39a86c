"""Times with a GPU: llama.cpp starts the computation and returns, but the time until the GPU is done must count.

The GPU here takes half a second for every batch; compared with that, a tiny model takes no time. So a shorter time
shows that the program did not wait for the GPU.
"""

import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import psutil
import pytest

from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.prefix_store import PrefixStore
from qwen_tui.engine.protocol import LoadOptions, ReplayOptions, Request, StoreOptions
from qwen_tui.evaluation.measuring import ask
from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import Finished, Message
from tests.conftest import Run
from tests.faulty_llama import fault, install

LATE = 0.5
LONG = Message("user", "hello world " * 20)
REPLAY = ReplayOptions(text="one two three four five six")


@pytest.fixture
def options(tiny: Path) -> LoadOptions:
    return LoadOptions(path=os.fsencode(tiny), plan=Plan(ctx_size=2048, batch_size=32))


@pytest.fixture
def engine(options: LoadOptions) -> Iterator[LocalEngine]:
    with closing(LocalEngine(options)) as engine:
        yield engine


def batches(tokens: int, size: int = 32) -> int:
    return -(-tokens // size)


def test_prefill_ends_when_the_gpu_has_finished(
    qwen: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, fault("decode", "late"), cards=())
    done = qwen("ask", "-m", tiny, "-o", "max_tokens=1", "--json", "word " * 100)
    answer = json.loads(done.stdout)
    read, seconds = answer["usage"]["prompt_tokens"], answer["timings"]["prefill_s"]
    assert seconds >= LATE * batches(read, 128)
    assert answer["timings"]["prefill_tps"] <= read / seconds + 1
    assert answer["timings"]["ttft_s"] >= seconds


def test_decode_ends_when_the_last_token_is_computed(
    engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, fault("decode", "late"), cards=())
    # Both kinds of times: the worker's own, and those when its events arrive.
    timed = ask(engine, LONG, REPLAY, 4)
    assert timed.prompt_s >= LATE * batches(timed.prompt_tokens)
    assert timed.answer_s >= LATE * timed.answer_tokens
    request = Request(messages=(LONG,), sampler=REPLAY, max_tokens=4, lookup=False)
    *_, end = engine.stream(request)
    assert isinstance(end, Finished)
    assert end.timings.decode_s >= LATE * 3


def test_a_batch_is_timed_until_the_card_has_computed_it(
    engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, fault("decode", "late"), cards=())
    assert all(seconds >= LATE for seconds in engine.batch_seconds((1, 4)))


def test_the_prefill_time_of_a_gpu_decides_whether_a_state_is_stored(
    options: LoadOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, fault("decode", "late"), cards=())
    folder = tmp_path / "states"
    store = StoreOptions(folder=os.fsencode(folder), limit=100_000_000, worth_s=LATE)
    with closing(LocalEngine(msgspec.structs.replace(options.planned(batch_size=512), store=store))) as engine:
        ask(engine, Message("user", "hello world " * 60), REPLAY, 1, conversation="aaa")
    workers = psutil.Process().children()
    assert not psutil.wait_procs(workers, timeout=30)[1]
    assert [entry.conversation for entry in PrefixStore(folder, store.limit).entries()] == ["aaa"]

"""Ways to load a model that fail, and the answers that come nevertheless: the real worker, with injected faults."""

import itertools
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from qwen_tui import cancellation
from qwen_tui.engine import silence
from qwen_tui.engine.ladder import Worked
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.process import WorkerProcess
from qwen_tui.engine.protocol import Costs, LoadOptions, ReplayOptions, Request, SamplingOptions
from qwen_tui.errors import EngineError, InvalidModelError, QwenError, WorkerDiedError
from qwen_tui.files import ASSETS
from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import Event, Finished, Loading, Message, Note, Prefill, Text
from tests.engine.workers import worker_of
from tests.faulty_llama import Call, card, fault, install
from tests.tiny_model import make_broken_models

GREEDY = SamplingOptions(temperature=0)
TEXT = "What was said before the end of the first engine stays, 漢字 and 🧑‍🚀 too, and the rest follows it. " * 4
SHORT = "The graphics card had too little memory for all layers: {n} of 3 are on it."
Engines = Callable[..., LocalEngine]


class Started:
    """Starts workers, and counts them."""

    def __init__(self) -> None:
        self.workers = 0

    def __call__(self, log: Callable[[str], None] | None) -> WorkerProcess:
        self.workers += 1
        return WorkerProcess(log)


def changed(options: LoadOptions, step: dict[str, object]) -> LoadOptions:
    """Return `options` with the changes of `step`, in the plan or beside it."""
    plan = {name: value for name, value in step.items() if name in Plan.__struct_fields__}
    return msgspec.structs.replace(options.planned(**plan), **{name: step[name] for name in step.keys() - plan})


@pytest.fixture
def engines(tiny: Path) -> Iterator[Engines]:
    """Return a function that makes engines; each argument is a way to load, as changes to the options."""
    made: list[LocalEngine] = []

    def make(*steps: dict[str, object], path: Path = tiny, **others: Any) -> LocalEngine:
        options = LoadOptions(path=os.fsencode(path), plan=Plan(ctx_size=4096, batch_size=32))
        made.append(LocalEngine([changed(options, step) for step in steps], **others))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


def starving(log: Callable[[str], None] | None) -> WorkerProcess:
    """Start a worker on a system that kills it because of a lack of memory."""
    return WorkerProcess(log, itertools.count().__next__)


@pytest.fixture
def slowly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make answers slow, so that a test can interrupt them."""
    install(tmp_path, monkeypatch, fault("decode", "slow"))


def layers(*numbers: int) -> list[dict[str, object]]:
    return [{"gpu_layers": number} for number in numbers]


def request(text: str = TEXT, *, question: str = "say", max_tokens: int = 4000) -> Request:
    return Request(
        messages=(Message("user", question),), sampler=ReplayOptions(text=text), max_tokens=max_tokens, lookup=False
    )


def text_of(events: list[Event]) -> str:
    return "".join(event.piece for event in events if isinstance(event, Text))


def notes_of(events: list[Event]) -> list[str]:
    return [event.sentence for event in events if isinstance(event, Note)]


def ask(engine: LocalEngine, asked: Request | None = None) -> tuple[str, list[str]]:
    """Return the answer and its notes."""
    events = list(engine.stream(asked or request()))
    assert isinstance(events[-1], Finished)
    return text_of(events), notes_of(events)


def kill(process: psutil.Process, by: str = "SIGKILL") -> None:
    """Kill a worker; its parent still learns how it ended."""
    if sys.platform == "win32":
        pytest.skip("no process dies of a signal on Windows")
    process.send_signal(signal.Signals[by])
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)


def ask_and_kill(
    engine: LocalEngine,
    asked: Request,
    *after: int,
    by: str = "SIGKILL",
    came: list[Event] | None = None,
) -> list[Event]:
    """Ask, and kill the worker after each of these numbers of pieces; `came` collects the events."""
    events: list[Event] = [] if came is None else came
    left = list(after)
    pieces = 0
    alive = True
    for event in engine.stream(asked):
        events.append(event)
        # Text that the dead worker had sent still arrives; after the note, another worker answers.
        alive = alive or isinstance(event, Note)
        pieces += alive and isinstance(event, Text)
        if left and pieces == left[0]:
            pieces = 0
            left.pop(0)
            kill(worker_of(engine), by)
            alive = False
    assert not left, "the answer was too short to be broken off"
    return events


@pytest.mark.parametrize(
    "broken",
    [
        fault("load", layers=1),
        fault("load", "silent", layers=1),
        fault("load", "SIGKILL", layers=1),
        fault("load", "memory", layers=1),
        fault("context", layers=1),
        fault("decode", layers=1),
        fault("decode", "SIGKILL", layers=1),
    ],
    ids=lambda broken: f"{broken['call']} {broken['does']}",
)
def test_after_a_failed_load_fewer_layers_are_tried(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: dict[str, object]
) -> None:
    install(tmp_path, monkeypatch, broken)
    engine = engines(*layers(-1, 2, 1, 0))
    known = broken["does"] in ("null", "memory")
    assert ask(engine) == (TEXT, [SHORT.format(n=1) if known else "1 of 3 layers are on the card now."])
    assert engine.info().gpu_layers == 1
    assert ask(engine) == (TEXT, []), "it is told once"


def test_a_card_that_is_too_full_after_the_warm_up_gets_fewer_layers(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, cards=[card("Card", 100e6)], layer=20e6)
    engine = engines(*layers(-1, 2, 1, 0))
    assert ask(engine)[1] == [SHORT.format(n=1)]


def test_a_card_on_which_nothing_works_is_not_used(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, fault("decode", "SIGSEGV", layers=0))
    engine = engines(*layers(-1, 2, 0))
    assert ask(engine) == (TEXT, ["The graphics card failed: the processor computes alone."])
    assert engine.info().device == "CPU"


def test_without_its_card_the_model_is_loaded_on_the_processor(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, cards=())
    worked = tmp_path / "worked.json"
    engine = engines(
        *layers(-1, 2), {"gpu_layers": 2, "ctx_size": 2048}, {"gpu_layers": 0}, worked=Worked(worked, lambda: "here")
    )
    assert ask(engine)[1] == ["llama.cpp sees no graphics card: the processor computes alone. See: qwen doctor"]
    assert not worked.exists(), "it may be there the next time"


def test_a_smaller_context_is_not_taken_without_the_persons_word(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, fault("context", layers=0, ctx=2048))
    engine = engines({"gpu_layers": 3}, {"gpu_layers": 3, "ctx_size": 2048}, {"gpu_layers": 0})
    answer, notes = ask(engine)
    assert answer == TEXT
    assert len(notes) == 1
    assert notes[0].endswith("--ctx-size 2048")
    assert engine.info().ctx_size == 4096


def test_where_only_a_smaller_context_would_help_it_is_named(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, fault("context", ctx=2048), cards=())
    engine = engines({"warm_up": True}, {"batch_size": 16}, {"ctx_size": 2048})
    with pytest.raises(EngineError, match="context of 4096 tokens") as raised:
        ask(engine, request("word " * 3000))
    assert "--ctx-size 2048" in raised.value.remedy


@pytest.mark.parametrize(
    "broken",
    [
        fault("load", "SIGABRT", layers=0),
        fault("load", "SIGBUS", layers=0),
        fault("context", "SIGSEGV", layers=0),
        fault("decode", "SIGABRT", layers=0),
    ],
    ids=lambda broken: f"{broken['call']} {broken['does']}",
)
def test_a_crash_in_the_loading_is_tried_once_more_then_with_less_and_then_without_the_card(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: dict[str, object]
) -> None:
    install(tmp_path, monkeypatch, broken)
    worked, started = Worked(tmp_path / "worked.json", lambda: "here"), Started()
    smaller = [*layers(-1, 2, 1), {"gpu_layers": 1, "batch_size": 16}, *layers(0)]
    engine = engines(*smaller, worked=worked, start_worker=started)
    assert ask(engine) == (TEXT, ["The graphics card failed: the processor computes alone."])
    assert started.workers == 5, "not with every step"
    assert worked.recall() is None, "nothing says that it fails the next time"


def test_a_crash_in_the_loading_that_was_for_want_of_memory_after_all_costs_some_layers(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, fault("load", "SIGABRT", layers=1))
    worked = Worked(tmp_path / "worked.json", lambda: "here")
    engine = engines(*layers(-1, 2, 1, 0), worked=worked)
    assert ask(engine) == (TEXT, ["1 of 3 layers are on the card now."])
    assert worked.recall() is None


def test_one_crash_in_the_loading_is_an_accident(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, fault("load", "SIGABRT", once=True))
    engine = engines(*layers(-1, 2, 0))
    assert ask(engine) == (TEXT, [])
    assert engine.info().gpu_layers == 3


@pytest.mark.parametrize(("numbers", "tries"), [((-1, 2, 1, 0), 5), ((0,), 2), ((2,), 2)])
def test_a_file_that_crashes_every_worker_is_reported_after_a_few(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbers: tuple[int, ...], tries: int
) -> None:
    install(tmp_path, monkeypatch, fault("load", "SIGABRT"))
    worked, started = tmp_path / "worked.json", Started()
    engine = engines(*layers(*numbers), worked=Worked(worked, lambda: "here"), start_worker=started)
    with pytest.raises(WorkerDiedError, match=r"SIGABRT.* while it loaded .*tiny\.gguf") as raised:
        ask(engine)
    assert started.workers == tries
    assert "download or copy it again" in raised.value.remedy
    assert not worked.exists()


def test_a_model_whose_checksum_is_known_is_to_be_checked_when_it_crashes(
    engines: Engines, tiny: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, fault("load", "SIGSEGV"))
    (home / "models").mkdir(parents=True)
    path = Path(shutil.copy(tiny, home / "models" / "my model.gguf"))
    with pytest.raises(WorkerDiedError) as raised:
        ask(engines({}, path=path))
    assert "qwen models verify 'my model.gguf'" in raised.value.remedy


@pytest.mark.parametrize(
    "log",
    [
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED",
        "CUDA error: the resource allocation failed",
        "ggml_vulkan: vk::Queue::submit: ErrorOutOfDeviceMemory",
        "VK_ERROR_OUT_OF_DEVICE_MEMORY",
    ],
)
def test_a_crash_that_names_memory_takes_the_next_way_at_once(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: str
) -> None:
    install(tmp_path, monkeypatch, fault("load", "SIGABRT", layers=1, says=log))
    started = Started()
    engine = engines(*layers(-1, 1, 0), start_worker=started)
    assert ask(engine)[0] == TEXT
    assert (engine.info().gpu_layers, started.workers) == (1, 2)


@pytest.mark.parametrize(("call", "at"), [("load", 0.0), ("decode", 1.0)])
def test_a_slow_driver_at_the_start_or_end_of_loading_is_reported_once(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call, at: float
) -> None:
    install(tmp_path, monkeypatch, fault(call, "long"))
    events: list[Event] = []
    for event in engines(*layers(-1, 0)).load():
        events.append(event)
        if event == Loading(at):
            # Not earlier, because on a slow machine the start of Python takes its time.
            monkeypatch.setattr(silence, "_GPU_PATIENCE", 0.2)
    assert notes_of(events) == ["The graphics driver prepares itself: the first time, that may take a minute or two."]
    (note,) = [i for i, event in enumerate(events) if isinstance(event, Note)]
    assert events[note - 1] == events[note + 1] == Loading(at)


def test_a_processor_that_takes_long_is_not_taken_for_a_driver(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, fault("load", "long"))
    monkeypatch.setattr(silence, "_GPU_PATIENCE", 0.2)
    assert notes_of(list(engines({}).load())) == []


def test_a_silent_load_can_be_cancelled_at_any_time(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, fault("load", "hang"))
    engine = engines(*layers(-1, 0))
    begun = time.monotonic()
    with cancellation.operation() as operation:
        events = engine.stream(request())
        assert next(events) == Loading(0.0)
        operation.cancel()
        assert isinstance(list(events)[-1], Finished)
    # This load takes a minute.
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("does", ["null", "silent", "SIGABRT", "memory"])
def test_if_all_ways_fail_there_is_one_message(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    install(tmp_path, monkeypatch, fault("load", does))
    engine = engines(*layers(-1, 2, 1), {"gpu_layers": 0, "warm_up": True})
    tried: list[Event] = []
    with pytest.raises(QwenError) as raised:
        tried.extend(engine.stream(request()))
    assert "Traceback" not in raised.value.message
    assert raised.value.remedy
    assert all(isinstance(event, Loading) for event in tried)


def test_an_instruction_that_the_processor_lacks_is_reported_at_once(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, fault("load", "SIGILL"))
    with pytest.raises(WorkerDiedError, match="SIGILL") as raised:
        ask(engines(*layers(3, 2, 1, 0)))
    assert "another processor" in raised.value.remedy


def test_a_context_that_cannot_grow_is_created_in_a_way_with_less_memory(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, fault("context", ctx=2048, batch=16), cards=())
    engine = engines({"batch_size": 32}, {"batch_size": 16})
    text = "word " * 1200
    answer, notes = ask(engine, request(text))
    assert answer == text
    assert notes == ["Memory is short: the model was loaded in a way that takes less of it, and may be slower."]


@pytest.mark.usefixtures("slowly")
@pytest.mark.parametrize("by", ["SIGKILL", "SIGABRT", "SIGSEGV"])
def test_an_answer_goes_on_in_another_engine_where_the_first_one_died(engines: Engines, by: str) -> None:
    events = ask_and_kill(engines({}), request(), 40, by=by)
    assert text_of(events) == TEXT
    (note,) = notes_of(events)
    assert by in note
    assert note.endswith("It is started again, and the answer goes on.")
    end = events[-1]
    assert isinstance(end, Finished)
    tokens = [token for event in events if isinstance(event, Text) for token in event.tokens]
    assert end.usage.completion_tokens == len(tokens)
    assert end.usage.cached_tokens <= end.usage.prompt_tokens < 40
    assert end.reason == "stop"


@pytest.mark.usefixtures("slowly")
def test_the_answer_so_far_is_kept_if_it_kills_every_engine(engines: Engines) -> None:
    engine = engines({})
    came: list[Event] = []
    with pytest.raises(WorkerDiedError, match="SIGKILL") as raised:
        ask_and_kill(engine, request(), 20, 20, came=came)
    assert "send the message again" in raised.value.remedy
    assert TEXT.startswith(text_of(came))
    assert sum(isinstance(event, Text) for event in came) >= 40
    assert ask(engine)[0] == TEXT


@pytest.mark.usefixtures("slowly")
def test_each_lack_of_card_memory_during_an_answer_takes_the_next_way(engines: Engines) -> None:
    events = ask_and_kill(engines(*layers(-1, 2, 1, 0), start_worker=starving), request(), 20, 20, 20)
    assert text_of(events) == TEXT
    assert notes_of(events) == [
        SHORT.format(n=2),
        SHORT.format(n=1),
        "The graphics card failed or has too little memory: the processor computes alone.",
    ]


@pytest.mark.usefixtures("slowly")
def test_a_crash_is_tried_once_more_as_it_was_before_less_is_asked_for(engines: Engines, tmp_path: Path) -> None:
    worked = Worked(tmp_path / "worked.json", lambda: "here")
    engine = engines(*layers(-1, 2, 1, 0), worked=worked)
    events = ask_and_kill(engine, request(), 20, 20, 20, by="SIGSEGV")
    assert text_of(events) == TEXT
    assert notes_of(events) == [
        f"The engine crashed (SIGSEGV). {now}"
        for now in (
            "It is started again, and the answer goes on.",
            "2 of 3 layers are on the card now.",
            "1 of 3 layers are on the card now.",
        )
    ]
    assert worked.recall() is None, "nothing says that the memory was short"


@pytest.mark.usefixtures("slowly")
def test_one_crash_on_a_processor_changes_nothing(engines: Engines, tmp_path: Path) -> None:
    worked = Worked(tmp_path / "worked.json", lambda: "here")
    events = ask_and_kill(engines({}, {"batch_size": 16}, worked=worked), request("word " * 60), 20, by="SIGSEGV")
    assert notes_of(events) == ["The engine crashed (SIGSEGV). It is started again, and the answer goes on."]
    assert worked.recall() is None


@pytest.mark.usefixtures("slowly")
def test_a_kill_by_the_system_for_lack_of_memory_is_remembered(engines: Engines, tmp_path: Path) -> None:
    worked = Worked(tmp_path / "worked.json", lambda: "here")
    events = ask_and_kill(engines({}, {"batch_size": 16}, worked=worked, start_worker=starving), request(), 20)
    assert text_of(events) == TEXT
    assert notes_of(events)[0].startswith("Memory is short")
    assert worked.recall() is not None


@pytest.mark.usefixtures("slowly")
@pytest.mark.parametrize("by", ["SIGKILL", "SIGABRT"])
def test_an_end_without_a_sign_of_little_memory_is_neither_reported_nor_remembered(
    engines: Engines, tmp_path: Path, by: str
) -> None:
    worked = Worked(tmp_path / "worked.json", lambda: "here")
    start = lambda log: WorkerProcess(log, lambda: 3)  # noqa: E731 - so many were killed long ago
    events = ask_and_kill(engines({}, {"batch_size": 16}, worked=worked, start_worker=start), request(), 20, 20, by=by)
    assert text_of(events) == TEXT
    first, second = notes_of(events)
    assert first.endswith(f"({by}). It is started again, and the answer goes on.")
    assert second.endswith("The model was loaded anew in a way that asks less of this PC.")
    assert worked.recall() is None


def test_a_step_that_keeps_all_layers_does_not_count_them(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, fault("context", batch=16))
    (note,) = ask(engines({"gpu_layers": -1}, {"gpu_layers": 3, "batch_size": 16}))[1]
    assert note == "Memory is short: the model was loaded in a way that takes less of it, and may be slower."


@pytest.mark.parametrize("name", ["garbage", "truncated_header", "truncated_tensors"])
def test_a_damaged_file_is_reported_after_one_try(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    install(tmp_path, monkeypatch)
    started = Started()
    with pytest.raises(InvalidModelError, match=name):
        ask(engines(*layers(-1, 2, 1, 0), path=make_broken_models(tmp_path)[name], start_worker=started))
    assert started.workers == 1


def test_a_card_that_does_not_tell_its_memory_is_taken_to_have_enough(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, cards=[card("Card", 0)])
    engine = engines(*layers(-1, 2, 0))
    assert ask(engine) == (TEXT, [])
    assert engine.info().gpu_layers == 3


def test_a_graphics_unit_without_memory_of_its_own_is_not_measured(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, cards=[card("Graphics", 1e6, integrated=True)])
    engine = engines(*layers(-1, 2, 0))
    assert ask(engine) == (TEXT, [])
    assert engine.info().gpu_layers == 3


@pytest.mark.parametrize(
    "others",
    [[card("Old", 30e6)], [card("Full", 30e6, total=80e6)], [card("Inside", 8e9, integrated=True)]],
    ids=["small", "full", "integrated"],
)
@pytest.mark.parametrize("first", [True, False])
def test_of_several_cards_one_gets_all_layers(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: list[dict[str, object]], first: bool
) -> None:
    cards = [card("Large", 100e6), *others] if first else [*others, card("Large", 100e6)]
    install(tmp_path, monkeypatch, cards=cards, layer=20e6)
    log: list[str] = []
    engine = engines(*layers(-1, 2, 1, 0), log=log.append)
    # No layer goes to another card, and the little memory of another card does not count.
    assert ask(engine)[1] == [SHORT.format(n=1)]
    assert {line for line in log if line.startswith("using device")} == {"using device Large"}


def test_a_decoding_that_fails_in_the_middle_goes_on_a_step_lower(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, fault("decode", nth=60, layers=1))
    answer, notes = ask(engines(*layers(-1, 1)))
    assert answer == TEXT
    assert len(notes) == 1


@pytest.mark.usefixtures("slowly")
def test_a_learned_answer_is_the_same_when_it_is_continued(engines: Engines) -> None:
    engine = engines({}, path=ASSETS / "demo.gguf")
    asked = Request(messages=(Message("user", "What is HTTP?"),), sampler=GREEDY, max_tokens=60)
    whole = list(engine.stream(asked))
    for after in (1, 7, 23):
        events = ask_and_kill(engine, asked, after)
        assert text_of(events) == text_of(whole)
        first, second = whole[-1], events[-1]
        assert isinstance(first, Finished)
        assert isinstance(second, Finished)
        assert second.usage.completion_tokens == first.usage.completion_tokens


@pytest.mark.usefixtures("slowly")
def test_a_schema_is_still_followed_when_the_answer_is_continued(engines: Engines) -> None:
    ok = '{"ok":{"type":"string","minLength":30,"maxLength":60}}'
    schema = f'{{"type":"object","properties":{ok},"required":["ok"],"additionalProperties":false}}'
    for after in (1, 8, 20):
        asked = Request(
            messages=(Message("user", "ok?"),), sampler=SamplingOptions(presence_penalty=1, seed=1), schema=schema
        )
        assert list(msgspec.json.decode(text_of(ask_and_kill(engines({}), asked, after)))) == ["ok"]


@pytest.mark.usefixtures("slowly")
def test_the_drafts_of_an_engine_that_died_are_counted(engines: Engines) -> None:
    # Batches cost almost nothing here, so the engine drafts whenever it can.
    engine = engines({"costs": Costs(batches=tuple(1 + n / 100 for n in range(16)))}, path=ASSETS / "demo.gguf")
    text = "one two three four five six seven eight nine ten " * 6
    asked = msgspec.structs.replace(request(text, question=f"Say this again:\n{text}"), lookup=True)
    whole = list(engine.stream(asked))[-1]
    assert isinstance(whole, Finished)
    events = ask_and_kill(engine, asked, whole.usage.completion_tokens - 4)
    end = events[-1]
    assert isinstance(end, Finished)
    assert text_of(events) == text
    # The second engine has hardly anything left to draft.
    assert end.usage.accepted_tokens > 0.7 * whole.usage.accepted_tokens
    assert end.usage.drafted_tokens >= end.usage.accepted_tokens


@pytest.mark.usefixtures("slowly")
def test_the_figures_of_an_answer_are_those_of_all_its_engines(engines: Engines) -> None:
    engine = engines({})
    asked = request(question="word " * 200)
    first = list(engine.stream(asked))[-1]
    assert isinstance(first, Finished)
    begun = time.perf_counter()
    events = ask_and_kill(engine, asked, 150)
    lasted = time.perf_counter() - begun
    end = events[-1]
    assert isinstance(end, Finished)
    usage, timings = end.usage, end.timings
    assert (usage.prompt_tokens, usage.completion_tokens) == (first.usage.prompt_tokens, first.usage.completion_tokens)
    # The first engine had the prompt in its KV cache; the second one had to compute it.
    assert usage.cached_tokens == 0
    assert timings.prefill_s + timings.decode_s + timings.load_s < lasted
    # Each token takes at least 5 ms. If only the last engine's time counted, the speed would be higher.
    assert timings.decode_s > 0.005 * (usage.completion_tokens - 2)
    assert timings.decode_tps == pytest.approx(usage.completion_tokens / timings.decode_s, rel=0.05)
    (note,) = [i for i, event in enumerate(events) if isinstance(event, Note)]
    came = sum(len(event.tokens) for event in events[:note] if isinstance(event, Text))
    assert timings.prefill_tps * timings.prefill_s == pytest.approx(1 + usage.prompt_tokens + came, abs=2)
    assert timings.ttft_s < lasted / 2


@pytest.mark.usefixtures("slowly")
def test_an_answer_whose_engine_does_not_stop_has_the_known_figures(engines: Engines) -> None:
    engine = engines({})
    engine.info()
    events: list[Event] = []
    begun = time.perf_counter()
    with cancellation.operation() as operation:
        for event in engine.stream(request()):
            events.append(event)
            if isinstance(event, Text) and len(events) == 40:
                worker_of(engine).suspend()
                operation.cancel()
    lasted = time.perf_counter() - begun
    end = events[-1]
    assert isinstance(end, Finished)
    assert end.reason == "interrupted"
    tokens = [token for event in events if isinstance(event, Text) for token in event.tokens]
    assert end.usage.completion_tokens == len(tokens)
    assert 0 < end.timings.ttft_s < end.timings.ttft_s + end.timings.decode_s < lasted
    assert end.timings.decode_tps > 0
    assert end.timings.load_s > 0
    (after,) = [event for event in engine.stream(request()) if isinstance(event, Finished)]
    assert 0 < after.timings.load_s < after.timings.ttft_s


@pytest.mark.usefixtures("slowly")
def test_max_tokens_count_from_the_beginning(engines: Engines) -> None:
    events = ask_and_kill(engines({}), request(max_tokens=50), 30)
    end = events[-1]
    assert isinstance(end, Finished)
    assert (end.reason, end.usage.completion_tokens) == ("length", 50)


@pytest.mark.usefixtures("slowly")
def test_an_answer_cancelled_during_a_restart_keeps_its_text(engines: Engines) -> None:
    engine = engines({})
    events: list[Event] = []
    with cancellation.operation() as operation:
        for event in engine.stream(request()):
            events.append(event)
            if isinstance(event, Note):
                operation.cancel()
            elif isinstance(event, Text) and not event.piece.strip():
                kill(worker_of(engine))
    end = events[-1]
    assert isinstance(end, Finished)
    assert end.reason == "interrupted"
    prefill = next(event for event in events if isinstance(event, Prefill))
    assert end.usage.prompt_tokens == prefill.total
    assert TEXT.startswith(text_of(events))
    assert ask(engine)[0] == TEXT


def test_the_way_that_worked_is_tried_first_the_next_time(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, fault("load", layers=1))
    path = tmp_path / "data" / "worked.json"
    assert len(ask(engines(*layers(-1, 2, 1, 0), worked=Worked(path, lambda: "here")))[1]) == 1
    # The next engine would succeed with all layers, so only its first way shows what it remembers.
    install(tmp_path, monkeypatch)
    again = engines(*layers(-1, 2, 1, 0), worked=Worked(path, lambda: "here"))
    assert ask(again) == (TEXT, [])
    assert again.info().gpu_layers == 1
    elsewhere = engines(*layers(-1, 2, 1, 0), worked=Worked(path, lambda: "with another driver"))
    assert ask(elsewhere) == (TEXT, [])
    assert elsewhere.info().gpu_layers == 3


def test_a_way_taken_for_lack_of_memory_is_used_until_there_is_more(tmp_path: Path) -> None:
    path, step = tmp_path / "worked.json", Plan(gpu_layers=2)
    Worked(path, lambda: "here", 3 << 30).keep(step)
    for free, known in ((3 << 30, step), (2 << 30, step), (None, step), (4 << 30, None)):
        assert Worked(path, lambda: "here", free).recall() == known


def test_an_unreadable_or_unwritable_file_of_ways_does_no_harm(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, fault("load", layers=1))
    damaged, folder = tmp_path / "worked.json", tmp_path / "folder"
    damaged.write_bytes(b'{"version": 2, "worked": [3]}')
    folder.mkdir()
    for path in (damaged, folder):
        assert ask(engines(*layers(-1, 1), worked=Worked(path, lambda: "here")))[0] == TEXT


def test_a_way_that_worked_is_forgotten_after_some_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worked = Worked(tmp_path / "worked.json", lambda: "here")
    step = Plan(gpu_layers=1)
    worked.keep(step)
    assert worked.recall() == step
    later = time.time() + 15 * 24 * 3600
    monkeypatch.setattr(time, "time", lambda: later)
    assert worked.recall() is None


@pytest.mark.parametrize("address", ["192.0.2.1:50052", "127.0.0.1", "nonsense", "127.0.0.1:50052"])
def test_an_rpc_device_must_be_on_this_computer(
    engines: Engines, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("QWEN_TUI_RPC", address)
    with pytest.raises(EngineError, match="QWEN_TUI_RPC"):
        engines({}).info()


def test_a_reader_that_stops_at_the_end_of_an_unstoppable_answer_gets_nothing_more(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, fault("decode", "hang"))
    engine = engines({})
    stream = engine.stream(request())
    assert isinstance(stream, Generator)
    signs = 0
    with cancellation.operation() as operation:
        for event in stream:
            # The first piece comes before the decode that hangs.
            signs += isinstance(event, Prefill)
            if signs == 3:
                operation.cancel()
            if isinstance(event, Finished):
                break
        assert event.reason == "interrupted"
        stream.close()

"""A portable llama.cpp on a processor that names what its system forbids: the next variant computes, whatever is asked.

The variants are files in name only. Where a test says so, one ends the worker with SIGILL.
"""

import os
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from qwen_tui.engine import examining, installed, variants
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import LoadOptions, Request, SamplingOptions
from qwen_tui.errors import WorkerDiedError
from qwen_tui.files import folders
from qwen_tui.hardware.machine import this_machine
from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import Message, Note, Text
from tests.compiled_library import ENDS_THE_PROCESS, make, needs_compiler
from tests.conftest import Run
from tests.faulty_llama import Call, fault, install

pytestmark = needs_compiler
# The best variant first; none suits its processor better.
SCORES = {"new": 900, "middle": 64, "old": 1}
HELLO = (Message("user", "hello"),)

Faults = Callable[..., None]


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("modules")
    for name, score in SCORES.items():
        make(folder, f"libggml-cpu-{name}.so", score)
    return folder


@pytest.fixture
def portable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modules: Path) -> Faults:
    """Return a function that gives the workers a portable llama.cpp with these faults."""

    def give(*faults: dict[str, object]) -> None:
        install(tmp_path, monkeypatch, *faults, cards=(), variants=modules)

    return give


@pytest.fixture
def options(tiny: Path) -> LoadOptions:
    return LoadOptions(path=os.fsencode(tiny), plan=Plan(ctx_size=2048, batch_size=32))


def answer(engine: LocalEngine) -> tuple[str, list[str]]:
    """Return an answer, and what was noted."""
    request = Request(messages=HELLO, sampler=SamplingOptions(temperature=0), max_tokens=3)
    events = list(engine.stream(request))
    text = "".join(event.piece for event in events if isinstance(event, Text))
    return text, [event.sentence for event in events if isinstance(event, Note)]


def dies(variant: str, call: Call = "decode") -> dict[str, object]:
    return fault(call, "SIGILL", variant=variant)


@pytest.mark.parametrize("call", ["variant", "load", "decode"])
def test_an_answer_comes_from_the_next_variant_wherever_the_best_one_dies(
    portable: Faults, options: LoadOptions, call: Call
) -> None:
    portable(dies("new", call))
    with closing(LocalEngine(options)) as engine:
        text, (note,) = answer(engine)
    assert text
    assert "(SIGILL)" in note
    assert variants.avoided() == ("new",)
    with closing(LocalEngine(options)) as engine:
        assert answer(engine)[1] == [], "it is remembered"


@pytest.mark.parametrize("again", [False, True])
def test_a_measurement_is_made_with_the_next_variant(portable: Faults, options: LoadOptions, *, again: bool) -> None:
    portable(dies("new"), dies("middle"))
    with closing(LocalEngine(options, again=again)) as engine:
        assert len(engine.batch_seconds((1, 2))) == 2
        assert (
            answer(engine)[1]
            == [
                "The engine met an instruction that this processor does not have (SIGILL). It is loaded in another way."
            ]
            * 2
        )
    assert variants.avoided() == ("new", "middle")


def test_the_worst_variant_has_no_next_one(portable: Faults, options: LoadOptions) -> None:
    portable(*map(dies, SCORES))
    with closing(LocalEngine(options)) as engine, pytest.raises(WorkerDiedError, match="SIGILL"):
        engine.batch_seconds((1,))
    assert variants.avoided() == ("new", "middle")


def test_a_variant_that_dies_while_it_reads_ahead_is_not_started_again(portable: Faults, options: LoadOptions) -> None:
    portable(dies("new"))
    with closing(LocalEngine(options)) as engine:
        engine.info()
        engine.read_ahead(Request(messages=HELLO))
        deadline = time.monotonic() + 30
        while engine.reading_ahead() and time.monotonic() < deadline:
            time.sleep(0.01)
        engine.start()
        assert variants.avoided() == ("new",)
        text, (note,) = answer(engine)
    assert text
    assert note.endswith("It is loaded in another way.")


def test_where_nothing_can_be_written_no_variant_is_tried_twice(portable: Faults, options: LoadOptions) -> None:
    folders().variants.mkdir(parents=True)
    portable(dies("new", "variant"), dies("middle"))
    assert (installed.describe().variant, installed.describe().died) == ("middle", ("new",))
    with closing(LocalEngine(options)) as engine:
        text, notes = answer(engine)
        assert (bool(text), len(notes)) == (True, 1)
    assert variants.avoided() == ("new", "middle")


def test_a_file_is_examined_with_the_next_variant(portable: Faults, tmp_path: Path, tiny: Path) -> None:
    portable(dies("new", "variant"))
    other = tmp_path / "other.gguf"
    other.write_bytes(tiny.read_bytes().replace(b"<|im_start|>", b"<|xx_start|>"))
    assert "ChatML" in str(examining.problem(other))


def test_without_layers_on_a_card_its_driver_cannot_end_the_worker(
    portable: Faults, options: LoadOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modules: Path
) -> None:
    for module in modules.iterdir():
        (tmp_path / module.name).symlink_to(module)
    make(tmp_path, "libggml-cuda.so", source=ENDS_THE_PROCESS)
    install(tmp_path, monkeypatch, cards=(), variants=tmp_path)
    with pytest.raises(installed.AskError, match="SIGABRT"):
        installed.describe()
    with closing(LocalEngine(options)) as engine:
        assert answer(engine)[0]
    assert examining.problem(Path(os.fsdecode(options.path))) is None


def test_tune_measures_on_a_new_pc_at_once_and_reset_tries_the_best_variant_again(
    qwen: Run, portable: Faults, tiny: Path
) -> None:
    portable(dies("new"))
    tuned = qwen("tune", "-m", tiny, "--gpu-layers", "0", "--seconds", "1")
    assert tuned.returncode == 0, tuned.stderr
    shown = " ".join(qwen("doctor", "-m", tiny).stdout.decode().split())
    assert "new crashed here on an instruction that the system forbids, so middle is used" in shown
    assert b"removed" in qwen("tune", "-m", tiny, "--reset").stdout
    assert variants.avoided() == ()
    assert "new suits this one best" in " ".join(qwen("doctor", "-m", tiny).stdout.decode().split())
    assert b"Nothing" in qwen("tune", "-m", tiny, "--reset").stdout


def test_what_died_counts_on_that_pc_alone_and_for_two_weeks(monkeypatch: pytest.MonkeyPatch) -> None:
    own = this_machine()
    for pc, variant in (("A", "new"), ("B", "middle"), ("A", "middle")):
        monkeypatch.setattr(variants, "_SEEN", [])
        monkeypatch.setattr(variants, "this_machine", lambda name=pc: msgspec.structs.replace(own, cpu=name))
        variants.avoid(variant)
    monkeypatch.setattr(variants, "_SEEN", [])
    assert variants.avoided() == ("new", "middle")
    monkeypatch.setattr(variants, "this_machine", lambda: msgspec.structs.replace(own, cpu="B"))
    assert variants.avoided() == ("middle",), "the stick was at another PC meanwhile"
    assert variants.forget()
    assert variants.avoided() == ()
    monkeypatch.setattr(variants, "this_machine", lambda: msgspec.structs.replace(own, cpu="A"))
    assert variants.avoided() == ("new", "middle"), "only what died here is forgotten"
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 15 * 24 * 3600)
    assert variants.avoided() == ()

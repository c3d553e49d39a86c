"""One `qwen` stores computed states for the next: nobody waits for that, and no answer becomes wrong."""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from qwen_tui import cancellation
from qwen_tui.child import WORKER, is_running
from qwen_tui.messages import Event, Prefill
from qwen_tui.terminal.output import HeldOutput
from tests.conftest import COMMAND, Run
from tests.program import call

GREEDY = ("-m", "demo", "-o", "temperature=0", "-o", "max_tokens=60")
# A text for a prompt of a few hundred tokens.
MATERIAL = "\n".join(f"Item {i}: the shelf number {i * 7} holds {i * 13} boxes." for i in range(40)).encode()


@pytest.fixture(autouse=True)
def _everything_is_worth_keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    # A test's model computes in a moment what takes a real one minutes: without this, no state would be worth storing.
    monkeypatch.setenv("QWEN_TUI_CACHE_SECONDS", "0")


@pytest.fixture(autouse=True)
def _no_worker_is_left(home: Path) -> Iterator[None]:
    yield
    settle(home)


def settle(home: Path) -> None:
    """Wait until all workers that the program has left behind have ended."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        workers = [process for process in psutil.process_iter() if is_worker(process, home)]
        if not workers:
            return
        time.sleep(0.05)
    raise AssertionError("a worker does not end")


def is_worker(process: psutil.Process, home: Path) -> bool:
    try:
        if not is_running(process.cmdline(), WORKER):
            return False
        return process.environ().get("QWEN_TUI_HOME") == str(home) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@pytest.fixture
def ask(qwen: Run, home: Path) -> Any:
    """Ask with `--json`, and wait until the worker has stored its state."""

    def run(*arguments: str, stdin: bytes = MATERIAL, **environment: str) -> Any:
        done = qwen("ask", *GREEDY, "--json", *arguments, stdin=stdin, env={**os.environ, **environment})
        assert done.returncode == 0, done.stderr
        settle(home)
        return json.loads(done.stdout)

    return run


def states(home: Path) -> list[Path]:
    return sorted((home / "cache/states").glob("*.state"))


def test_a_second_question_about_the_same_material_computes_only_what_is_new(ask: Any, home: Path) -> None:
    cold = ask("How many boxes are there?")
    assert cold["usage"]["cached_tokens"] == 0
    warm = ask("-o", "temperature=0.7", "How many boxes are there?")
    assert warm["usage"]["cached_tokens"] == warm["usage"]["prompt_tokens"] - 1
    other = ask("-o", "temperature=0.7", "Which shelf is the last one?")
    assert other["usage"]["cached_tokens"] > 0.9 * other["usage"]["prompt_tokens"]


@pytest.mark.parametrize("options", [("temperature=0",), ("temperature=2", "top_k=0", "top_p=1", "seed=7")])
def test_greedy_and_seeded_answers_do_not_depend_on_stored_states(
    qwen: Run, tiny: Path, home: Path, options: tuple[str, ...]
) -> None:
    drawn = [word for option in options for word in ("-o", option)]

    def asked(question: str, *more: str, **environment: str) -> Any:
        words = ("ask", "-m", tiny, "-o", "max_tokens=60", "--json", *more, question)
        done = qwen(*words, stdin=MATERIAL, env={**os.environ, **environment})
        settle(home)
        return json.loads(done.stdout)

    question = "How many boxes are there?"
    cold = asked(question, *drawn, QWEN_TUI_CACHE="false")
    asked("Which shelf is the last one, and which one the first?")
    warm = asked(question, *drawn)
    assert warm["answer"] == cold["answer"]
    assert cold["usage"]["cached_tokens"] == 0
    # Only full batches are reused: at most one batch and the rest are computed again.
    assert warm["usage"]["cached_tokens"] % 128 == 0
    assert warm["usage"]["cached_tokens"] > warm["usage"]["prompt_tokens"] - 2 * 128


@pytest.fixture
def _a_sign_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    # On a busy PC, a worker that leaves may put up the sign of its state late. A person would wait a second for it.
    monkeypatch.setattr("qwen_tui.engine.process._SIGN_PATIENCE", 60.0)


@pytest.mark.usefixtures("_a_sign_may_take_its_time")
def test_an_immediate_second_question_finds_the_state_of_the_first(qwen: Run, home: Path) -> None:
    found = []
    for number in range(3):
        material = b"%d\n%b" % (number, MATERIAL)
        for question in ("How many boxes are there?", "Which shelf is the last one?"):
            done = qwen("ask", "-m", "demo", "-o", "max_tokens=4", "--json", question, stdin=material)
        found.append(json.loads(done.stdout)["usage"])
    assert all(usage["cached_tokens"] > 0.9 * usage["prompt_tokens"] for usage in found), found
    settle(home)
    assert not [path for path in (home / "cache/states").iterdir() if path.suffix not in (".state", ".json")]


@pytest.mark.usefixtures("_a_sign_may_take_its_time")
def test_continuing_at_once_uses_the_state_of_the_turn_before(qwen: Run, home: Path) -> None:
    first = qwen("ask", *GREEDY, "--json", "How many boxes are there?", stdin=MATERIAL)
    second = qwen("ask", *GREEDY, "--json", "-c", "And in words?")
    before, after = (json.loads(done.stdout)["usage"] for done in (first, second))
    assert after["cached_tokens"] >= before["prompt_tokens"] + before["completion_tokens"] - 1


def test_two_workers_that_leave_at_the_same_time_both_store_their_states(home: Path, tmp_path: Path, qwen: Run) -> None:
    materials = [b"%d\n%b" % (number, MATERIAL) for number in range(2)]
    asked = [*COMMAND, "ask", "-m", "demo", "-o", "max_tokens=4", "How many boxes are there?"]
    both = [subprocess.Popen(asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path) for _each in materials]
    for process, material in zip(both, materials, strict=True):
        assert process.stdin is not None
        process.stdin.write(material)
        process.stdin.close()
    for process in both:
        assert process.wait(60) == 0
        assert process.stdout is not None
        process.stdout.close()
    settle(home)
    for material in materials:
        done = qwen("ask", "-m", "demo", "-n", "-o", "max_tokens=4", "--json", "Which one?", stdin=material)
        usage = json.loads(done.stdout)["usage"]
        assert usage["cached_tokens"] > 0.9 * usage["prompt_tokens"]


def test_continuing_later_uses_the_stored_state(ask: Any, home: Path) -> None:
    first = ask("How many boxes are there?")
    second = ask("-c", "And in words?", stdin=b"")
    before = first["usage"]["prompt_tokens"] + first["usage"]["completion_tokens"] - 1
    assert second["usage"]["cached_tokens"] >= before
    assert len(states(home)) == 1, "one a conversation"


def test_an_answer_in_unusual_tokens_is_continued_with_these_tokens(qwen: Run, tiny: Path, home: Path) -> None:
    # Random weights write texts in tokens that no tokenizer would choose.
    def turn(*arguments: str) -> Any:
        done = qwen("ask", "-m", tiny, "-o", "temperature=0", "-o", "max_tokens=80", "--json", *arguments)
        settle(home)
        return json.loads(done.stdout)["usage"]

    first = turn("hello")
    second = turn("-c", "and then?")
    assert second["cached_tokens"] >= first["prompt_tokens"] + first["completion_tokens"] - 1
    third = turn("-c", "and now?")
    assert third["cached_tokens"] >= second["prompt_tokens"] + second["completion_tokens"] - 1


@pytest.mark.parametrize("variable", ["QWEN_TUI_CACHE", "QWEN_TUI_HISTORY"])
def test_nothing_is_written_when_nothing_should_be(ask: Any, home: Path, variable: str) -> None:
    ask("-n", "How many boxes?")
    ask("How many boxes?", **{variable: "false"})
    assert not (home / "cache").exists()


def test_with_storing_switched_off_stored_states_are_still_used(ask: Any, home: Path) -> None:
    ask("How many boxes?")
    (file,) = states(home)
    before = file.stat().st_mtime_ns
    assert ask("-n", "How many boxes?")["usage"]["cached_tokens"] > 100
    assert [path.stat().st_mtime_ns for path in states(home)] == [before]
    assert ask("How many boxes?", QWEN_TUI_CACHE="false")["usage"]["cached_tokens"] == 0


def test_removing_a_conversation_removes_its_states(ask: Any, qwen: Run, home: Path) -> None:
    # The two conversations share only the opening, so each has its own state.
    first, second = ask("How many boxes are there?"), ask("x" * 300, stdin=b"")
    assert {path.stem for path in states(home)} == {first["conversation_id"], second["conversation_id"]}
    assert qwen("logs", "rm", "--yes", first["conversation_id"][:5]).returncode == 0
    assert [path.stem for path in states(home)] == [second["conversation_id"]]


def test_removing_wins_over_a_worker_that_is_still_writing(qwen: Run, home: Path) -> None:
    for _attempt in range(3):
        done = qwen("ask", *GREEDY, "--json", "How many?", stdin=MATERIAL)
        assert qwen("logs", "rm", "--yes", json.loads(done.stdout)["conversation_id"]).returncode == 0
        settle(home)
        assert states(home) == []


def test_show_and_clear(ask: Any, qwen: Run, home: Path) -> None:
    assert qwen("cache", "show").stdout.startswith(b"0 kept, 0.0 MB of ")
    asked = ask("How many boxes are there?")
    shown = qwen("cache", "show").stdout.decode().splitlines()
    assert shown[0].startswith(asked["conversation_id"])
    assert "How many boxes are there?" in shown[0], "its title"
    assert shown[1].startswith("1 kept")
    assert qwen("cache", "clear").stdout == b"1 state removed\n"
    assert states(home) == []
    assert ask("How many boxes are there?")["usage"]["cached_tokens"] == 0


def test_the_limit_holds_and_the_least_recently_used_go_first(ask: Any, home: Path) -> None:
    ids = [
        ask(f"{letter * 200} How many?", stdin=b"", QWEN_TUI_CACHE_LIMIT="auto")["conversation_id"] for letter in "abc"
    ]
    before = {path.stem: path.stat() for path in states(home)}
    assert set(before) == set(ids)
    limit = sum(found.st_size for found in before.values()) + 1000
    newest = ask(f"{'d' * 200} How many?", stdin=b"", QWEN_TUI_CACHE_LIMIT=f"{limit / 1e9:.9f}")["conversation_id"]
    kept = {path.stem: path.stat() for path in states(home)}
    assert newest in kept
    (gone,) = set(before) - set(kept)
    # On a slow machine, the question may have reused the short beginning that it shares with another.
    assert all(found.st_mtime > before[gone].st_mtime for found in kept.values())
    assert sum(path.stat().st_size for path in states(home)) <= limit


@pytest.mark.parametrize("fault", ["flip", "cut", "empty", "foreign", "folder"])
def test_a_damaged_state_costs_time_and_nothing_else(ask: Any, home: Path, fault: str) -> None:
    sound = ask("How many boxes are there?")
    (file,) = states(home)
    whole = file.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 16
    content = {"flip": bytes(damaged), "cut": whole[:-1], "empty": b"", "foreign": b"GGUF" * 999}
    file.unlink()
    if fault == "folder":
        file.mkdir()
    else:
        file.write_bytes(content[fault])
    again = ask("How many boxes are there?")
    assert again["answer"] == sound["answer"]
    assert again["usage"]["cached_tokens"] == 0
    assert ask("How many boxes are there?")["usage"]["cached_tokens"] > 100, "it was kept again"


def test_another_model_under_the_same_name_does_not_get_its_states(qwen: Run, tmp_path: Path, home: Path) -> None:
    from tests.tiny_model import make_tiny_model

    def cached() -> int:
        short = ("-o", "max_tokens=4", "--json")
        done = qwen("ask", "-m", tmp_path / "model.gguf", *short, "How many?", stdin=MATERIAL)
        settle(home)
        return int(json.loads(done.stdout)["usage"]["cached_tokens"])

    make_tiny_model(tmp_path / "model.gguf", seed=1)
    assert [cached(), cached() > 100] == [0, True]
    make_tiny_model(tmp_path / "model.gguf", seed=2)
    assert [cached(), cached() > 100] == [0, True]


def test_neither_the_program_nor_a_reader_of_its_pipe_waits_for_the_worker(home: Path, tmp_path: Path) -> None:
    asked = [*COMMAND, "ask", *GREEDY, "How many boxes are there?"]
    process = subprocess.Popen(
        asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=tmp_path
    )
    process.communicate(MATERIAL, timeout=60)
    # If the worker held the pipe, communicate() would wait until the worker has ended.
    assert process.returncode == 0
    settle(home)
    assert len(states(home)) == 1


def test_a_killed_program_leaves_no_worker_that_saves(tiny: Path, home: Path, tmp_path: Path) -> None:
    # The schema allows no end before so many letters, which take far longer than this test.
    schema = tmp_path / "long.json"
    schema.write_text('{"type": "string", "minLength": 8000}')
    asked = [*COMMAND, "ask", "-m", str(tiny), "--ctx-size", "16384", "--schema", str(schema), "Count."]
    process = subprocess.Popen(asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path)
    assert process.stdin
    assert process.stdout
    process.stdin.write(MATERIAL)
    process.stdin.close()
    assert process.stdout.read(1)
    process.kill()
    process.wait(60)
    process.stdout.close()
    settle(home)
    assert states(home) == []


def test_a_state_that_is_quick_to_compute_is_not_stored(ask: Any, home: Path) -> None:
    ask("How many boxes are there?", QWEN_TUI_CACHE_SECONDS="100")
    assert states(home) == []


def test_without_a_history_the_states_are_still_shown(ask: Any, qwen: Run, home: Path) -> None:
    ask("How many boxes are there?")
    (home / "history.db").unlink()
    shown = qwen("cache", "show")
    assert shown.returncode == 0
    assert b"1 kept" in shown.stdout
    assert b"Item" not in shown.stdout
    assert not (home / "history.db").exists()


def test_a_document_that_was_read_ahead_of_time_is_not_read_again(ask: Any, tmp_path: Path, qwen: Run) -> None:
    document = tmp_path / "boxes.txt"
    document.write_bytes(MATERIAL)
    done = qwen("read", document, "-m", "demo")
    assert done.returncode == 0, done.stderr
    first, *_time, kept = done.stderr.decode().splitlines()
    assert re.fullmatch(r"\S+boxes.txt: [0-9,]+ tokens, at most \S+ [kM]B on disk(, read in about .*)?", first)
    assert re.fullmatch(r"\S+boxes.txt: [0-9,]+ tokens are read and kept, \S+ [kM]B on disk.", kept)
    assert b"ahead of time" in qwen("cache", "show").stdout
    asked = ("-f", str(document), "--no-stdin", "-o", "temperature=0.7", "How many boxes are there?")
    usage = ask(*asked)["usage"]
    assert usage["cached_tokens"] > 0.9 * usage["prompt_tokens"]


def test_of_a_document_that_is_not_worth_keeping_nothing_is_promised(qwen: Run, tmp_path: Path, home: Path) -> None:
    (tmp_path / "note.txt").write_text("Three boxes came in on Monday.")
    done = qwen("read", "note.txt", "-m", "demo", env={**os.environ, "QWEN_TUI_CACHE_SECONDS": "60"})
    assert done.returncode == 0
    first, *_time, last = done.stderr.decode().splitlines()
    assert re.fullmatch(r"note.txt: \d+ tokens, at most \S+ kB on disk(, read in about .*)?", first)
    assert last == "note.txt: this is read so fast that nothing needs to be kept."
    assert states(home) == []


@pytest.mark.parametrize(
    ("more", "settings", "said"),
    [
        (("--ctx-size", "256"), {}, "the context holds 256"),
        ((), {"QWEN_TUI_CACHE_LIMIT": "0.0001"}, "may be kept"),
        ((), {"QWEN_TUI_CACHE": "false"}, "not kept"),
    ],
    ids=["too long", "too large", "no cache"],
)
def test_what_has_no_room_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...], settings: dict[str, str], said: str
) -> None:
    document = tmp_path / "boxes.txt"
    document.write_bytes(MATERIAL)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    done = call("read", document, "-m", "demo", *more)
    assert done.code != 0
    assert said in done.err


def sizes_said(text: str) -> list[float]:
    """The sizes that a text names, in bytes."""
    units = {"kB": 1e3, "MB": 1e6, "GB": 1e9}
    return [float(number) * units[unit] for number, unit in re.findall(r"([0-9.]+) ([kMG]B)", text)]


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    document = tmp_path / "boxes.txt"
    document.write_bytes(MATERIAL)
    return document


def test_the_bytes_are_said_before_anything_is_read_and_are_the_most_that_is_kept(
    tiny: Path, boxes: Path, home: Path
) -> None:
    done = call("read", boxes, "-m", tiny)
    settle(home)
    before, *_time, after = done.err.splitlines()
    (most,), (kept,) = sizes_said(before), sizes_said(after)
    (state,) = states(home)
    assert 0.99 * state.stat().st_size < most < 1.2 * state.stat().st_size
    assert kept == pytest.approx(state.stat().st_size, rel=0.01)


def test_each_model_has_its_own_state_of_a_document(tiny: Path, boxes: Path, home: Path) -> None:
    said = []
    for model in ("demo", tiny):
        said.append(call("read", boxes, "-m", model).err.splitlines()[-1])
        settle(home)
    found = sorted(path.stat().st_size for path in states(home))
    assert sorted(size for line in said for size in sizes_said(line)) == pytest.approx(found, rel=0.01)
    assert len(found) == 2


def test_reading_a_document_again_finds_what_is_kept(boxes: Path, home: Path) -> None:
    for _time in range(2):
        last = call("read", boxes, "-m", "demo").err.splitlines()[-1]
        assert "are read and kept" in last
        settle(home)
    assert len(states(home)) == 1


def test_of_a_document_that_a_conversation_has_kept_nothing_is_written_twice(
    ask: Any, boxes: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask("-f", str(boxes), "--no-stdin", "How many boxes are there?")
    # The few tokens behind the document are new. By themselves they are not worth a state, the document would be.
    monkeypatch.setenv("QWEN_TUI_CACHE_SECONDS", f"{asked['timings']['prefill_s'] / 4:.6f}")
    done = call("read", boxes, "-m", "demo")
    settle(home)
    assert len(states(home)) == 1
    assert done.code == 0
    assert "tokens are read and kept" not in done.err


def test_documents_that_cannot_all_be_kept_are_refused_before_one_is_read(
    boxes: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("read", boxes, "-m", "demo").code == 0
    settle(home)
    (state,) = states(home)
    monkeypatch.setenv("QWEN_TUI_CACHE_LIMIT", f"{1.5 * state.stat().st_size / 1e9:.9f}")
    state.unlink()
    other = tmp_path / "shelves.txt"
    other.write_bytes(MATERIAL.replace(b"Item", b"Line"))
    refused = call("read", boxes, other, "-m", "demo")
    assert refused.code == 1
    assert "2 documents: their computed states take" in refused.err
    assert "read in about" not in refused.err
    assert states(home) == []
    # The same document twice takes its place once.
    assert call("read", boxes, boxes, "-m", "demo").code == 0
    settle(home)
    assert len(states(home)) == 1


def test_several_documents_are_summed_up_before_the_first_is_read(boxes: Path, tmp_path: Path, home: Path) -> None:
    other = tmp_path / "shelves.txt"
    other.write_bytes(MATERIAL.replace(b"Item", b"Line"))
    done = call("read", boxes, other, "-m", "demo")
    assert done.err.startswith("2 documents, ")
    settle(home)
    assert len(states(home)) == 2


def test_a_document_must_leave_room_for_a_question_and_its_answer(boxes: Path, home: Path) -> None:
    tokens = int(call("read", boxes, "-m", "demo").err.split(": ")[1].split()[0].replace(",", ""))
    settle(home)
    refused = call("read", boxes, "-m", "demo", "--ctx-size", str(tokens + 50))
    assert refused.code == 1
    assert "of them are for a question and its answer" in refused.err
    assert "--ctx-size N" in refused.err


class Stopping:
    """Presses Ctrl-C when so many tokens of a document are read, and notes how many were cached before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
        self.after = after
        self.cached = 0
        show = HeldOutput.show

        def watched(output: HeldOutput, event: Event) -> None:
            show(output, event)
            if isinstance(event, Prefill):
                self.cached = event.cached
                if event.done >= self.after:
                    cancellation.current().cancel()

        monkeypatch.setattr(HeldOutput, "show", watched)


def test_a_reading_that_was_stopped_goes_on_where_it_stopped(
    tiny: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = tmp_path / "long.txt"
    document.write_bytes(MATERIAL * 12)
    stopping = Stopping(monkeypatch, after=1000)
    stopped = call("read", document, "-m", tiny, "--ctx-size", "32768")
    settle(home)
    assert stopped.code == 130
    said = re.search(r"stopped\. ([0-9,]+) of its ([0-9,]+) tokens are kept", stopped.err)
    assert said, stopped.err
    kept, total = (int(number.replace(",", "")) for number in said.groups())
    assert 1000 <= kept < total
    stopping.after = 10**9
    again = call("read", document, "-m", tiny, "--ctx-size", "32768")
    settle(home)
    assert again.code == 0
    assert stopping.cached == kept


def test_of_a_reading_that_was_stopped_too_early_nothing_is_kept(
    tiny: Path, boxes: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN_TUI_CACHE_SECONDS", "100")
    Stopping(monkeypatch, after=0)
    stopped = call("read", boxes, "-m", tiny)
    settle(home)
    assert (stopped.code, states(home)) == (130, [])
    assert stopped.err.endswith("stopped; nothing of it is kept.\n")

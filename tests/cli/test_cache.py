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

from qwen_tui.child import WORKER, is_running
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
    deadline = time.monotonic() + 20
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


def test_a_killed_program_leaves_no_worker_that_saves(home: Path, tmp_path: Path) -> None:
    asked = [*COMMAND, "ask", *GREEDY, "-o", "max_tokens=4000", "Count the boxes."]
    process = subprocess.Popen(asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path)
    assert process.stdin
    assert process.stdout
    process.stdin.write(MATERIAL)
    process.stdin.close()
    process.stdout.read(1)
    process.kill()
    process.wait(10)
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
    *before, kept = done.stderr.decode().splitlines()
    assert all(re.fullmatch(r"\S+boxes.txt: [0-9,]+ tokens, read in about .*", line) for line in before)
    assert re.fullmatch(r"\S+boxes.txt: [0-9,]+ tokens are read and kept, \S+ [kM]B on disk.", kept)
    assert b"ahead of time" in qwen("cache", "show").stdout
    asked = ("-f", str(document), "--no-stdin", "-o", "temperature=0.7", "How many boxes are there?")
    usage = ask(*asked)["usage"]
    assert usage["cached_tokens"] > 0.9 * usage["prompt_tokens"]


def test_of_a_document_that_is_not_worth_keeping_nothing_is_promised(qwen: Run, tmp_path: Path, home: Path) -> None:
    (tmp_path / "note.txt").write_text("Three boxes came in on Monday.")
    done = qwen("read", "note.txt", "-m", "demo", env={**os.environ, "QWEN_TUI_CACHE_SECONDS": "60"})
    said = "note.txt: this is read so fast that nothing needs to be kept.\n"
    assert (done.returncode, done.stderr.decode()) == (0, said)
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

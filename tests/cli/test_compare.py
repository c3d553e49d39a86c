"""`qwen compare` from outside: what is asked for, said before it starts, kept, and written."""

import json
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qwen_tui.evaluation.compare import conditions, sandbox
from qwen_tui.models.inventory import DEMO_FILE
from qwen_tui.models.locking import locked
from tests.conftest import COMMAND, Run
from tests.engine.remote.fake_server import Reply, serving
from tests.engine.remote.fake_server import said as saying
from tests.evaluation.compare.test_running import CALCULATOR
from tests.program import Done, call

OWN = """\
---
description: A greeting
language: {language}
checks:
  - repetition
  - length_in_range: {{least: 1, most: 50}}
---
Hello
"""
ENERGY = ("processor_j", "card_j", "card_memory")


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """A folder with one short task."""
    folder = tmp_path / "own, tasks"
    folder.mkdir()
    (folder / "greeting.md").write_text(OWN.format(language="en"))
    return folder


@pytest.fixture
def asked(tasks: Path) -> list[str]:
    """A comparison that takes a second."""
    sides = ["--a", "threads=1", "lookup=false", "--b", "threads=1", "kv_type=q8_0"]
    return ["compare", "-m", "demo", *sides, "--tasks", str(tasks), "--rounds", "2", "-o", "max_tokens=6"]


def kept(home: Path) -> dict[str, bytes]:
    (folder,) = (home / "comparisons").iterdir()
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix == ".json"}


def test_a_comparison_is_told_run_kept_and_reported(qwen: Run, home: Path, asked: list[str], tmp_path: Path) -> None:
    report = tmp_path / "report"
    done = qwen(*asked, "--yes", "--output", report)
    assert done.returncode == 0, done.stderr.decode()
    told = done.stderr.decode()
    assert "2 sides × 1 task × 2 rounds: threads=1, lookup=false, threads=1, kv_type=q8_0" in told
    assert "That takes about" in told and "[7/7]" in told and f"The report: {report / 'report.html'}" in told
    said = done.stdout.decode()
    assert "Over all checks, no difference in quality was seen" in said and "in 2 rounds (2 pairs)" in said
    assert "4 of 4 answers were cut off before their end" in said
    page = (report / "report.html").read_text("utf-8")
    assert page.count("<svg") == 2 and "q8_0" in page
    assert "compare -m demo --a threads=1 lookup=false --b threads=1 kv_type=q8_0 --tasks" in page
    for file in [*report.iterdir(), *(home / "comparisons").rglob("*.json")]:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    # The same command has nothing left to do: it asks nobody, and writes the same report.
    before = {file.name: file.read_bytes() for file in report.iterdir()}
    again = qwen(*asked, "--output", report)
    assert again.returncode == 0 and "sides ×" not in again.stderr.decode()
    assert {file.name: file.read_bytes() for file in report.iterdir()} == before


def test_what_is_lost_is_done_again_and_more_rounds_go_on(qwen: Run, home: Path, asked: list[str]) -> None:
    assert qwen(*asked, "--yes").returncode == 0
    before = kept(home)
    (lost,) = [name for name in before if name.startswith("run-greeting-1-seed2")]
    (cut,) = [name for name in before if name.startswith("run-greeting-0-seed1")]
    (folder,) = (home / "comparisons").iterdir()
    (folder / lost).unlink()
    (folder / cut).write_bytes(before[cut][:40])
    done = qwen(*asked, "--yes")
    assert "Of 7 answers, 5 are kept from before." in done.stderr.decode()
    assert without_times(kept(home)) == without_times(before)
    more = [word if word != "2" else "3" for word in asked]
    assert "Of 9 answers, 7 are kept from before." in qwen(*more, "--yes").stderr.decode()


def without_times(files: dict[str, bytes]) -> dict[str, Any]:
    found = {name: json.loads(content) for name, content in files.items() if name.startswith(("run", "led"))}
    for one in found.values():
        one.pop("measured", None)
    return found


def test_json_has_every_run_with_its_settings(qwen: Run, asked: list[str]) -> None:
    told = json.loads(qwen(*asked, "--yes", "--json").stdout)
    assert told["seeds"] == [1, 2] and len(told["runs"]) == 4
    assert [side["plan"]["kv_type"] for side in told["sides"]] == ["f16", "q8_0"]
    assert [side["sampling"]["lookup"] for side in told["sides"]] == [False, True]
    assert all(len(one) == 64 for side in told["sides"] for one in side["files"].values())
    assert "ggml" in told["machinery"]["library"] and not told["servers"]
    assert {one["check"] for one in told["findings"]} == {"repetition", "length_in_range"}
    assert all(run["measured"]["seconds"] > 0 and run["measured"]["memory"] for run in told["runs"])


def test_another_llama_cpp_makes_another_comparison(
    qwen: Run, asked: list[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert qwen(*asked).returncode == 2
    monkeypatch.setattr(conditions, "library_stamp", lambda: (("libggml-cpu.so", 1, 2),))
    assert qwen(*asked).returncode == 2
    # Its arithmetic may differ, so no answer of one counts for the other.
    assert len(list((home / "comparisons").iterdir())) == 2


def test_without_a_terminal_nothing_begins_unasked(qwen: Run, asked: list[str], home: Path) -> None:
    done = qwen(*asked)
    assert done.returncode == 2
    assert "Nothing was begun" in done.stderr.decode() and "--yes" in done.stderr.decode()
    assert not [name for name in kept(home) if name.startswith("run")]


def test_who_says_no_is_taken_at_their_word(asked: list[str], home: Path) -> None:
    done = call(*asked, typed="n\n")
    assert done.code == 130 and "Begin? [Y/n]" in done.err
    assert not [name for name in kept(home) if name.startswith("run")]


def test_without_a_card_it_says_what_can_be_compared_here() -> None:
    done = call("compare", "-m", "demo", "--gpu-layers", "0")
    assert done.code == 2
    assert "processor and card" in done.err and "qwen compare --a kv_type=f16 --b kv_type=q8_0" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--a", "thread=1"], "Did you mean: threads?"),
        (["--a", "threads"], "Write NAME=VALUE"),
        (["--a", "threads=none", "--b", "threads=1"], "--a: threads cannot be “none”: it has to be a whole number"),
        (["--a", "threads=1", "--b", "threads=1"], "Two sides are the same: threads=1."),
        (["--b", "kv_type=q4"], "it has to be one of f16, q8_0"),
        (["--b", "device=npu"], "it has to be one of cpu, gpu"),
        (["--a", "device=cpu", "gpu_layers=3"], "say the same"),
        (["--a", "threads=1", "threads=2"], "--a: threads is given twice."),
        (["--b", "DEVICE=NPU"], "--b: device cannot be “npu”"),
        (["--b", "ctx_size=256", "--tasks", "summary"], "Give this side a larger context: ctx_size="),
        (["--a", "device=cpu", "--b", "device=gpu"], "graphics card"),
        (["--b", "template=nothing"], "There is no template “nothing”."),
        (["--b", "template=email"], "needs:"),
        (["--b", "threads=1", "--tasks", "nonsense"], "There is no task “nonsense”"),
        (["--b", "threads=1", "--seeds", "1,1"], "Write different whole numbers"),
        (["--b", "threads=1", "--seeds", "1,2", "--rounds", "3"], "leave out --rounds"),
        (["--template-effect", "--b", "threads=1"], "leave out the sides"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(words: list[str], said: str, home: Path) -> None:
    done = call("compare", "-m", "demo", *words)
    assert done.code in (1, 2) and said in done.err, done.err
    assert not list((home / "comparisons").rglob("run-*"))


def test_where_the_report_cannot_be_written_nothing_begins(asked: list[str], tmp_path: Path, home: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = call(*asked, "--yes", "--output", tmp_path / "notes.txt" / "report")
    assert done.code == 74 and "notes.txt could not be written" in done.err
    assert not (home / "comparisons").exists()


def test_the_side_that_cannot_be_loaded_is_named(asked: list[str], tmp_path: Path, home: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    content = DEMO_FILE.read_bytes()
    damaged.write_bytes(content[: len(content) * 9 // 10])
    done = call(*asked[:3], "--a", "threads=1", "--b", f"model={damaged}", *asked[-6:], "--yes")
    assert done.code == 1 and "damaged.gguf" in done.err
    assert not list((home / "comparisons").rglob("run-*"))


def test_two_files_of_one_name_are_two_sides(qwen: Run, tasks: Path, tmp_path: Path) -> None:
    for folder in ("q4", "q8"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "model.gguf").write_bytes(DEMO_FILE.read_bytes())
    sides = ["--a", f"model={tmp_path / 'q4' / 'model.gguf'}", "--b", f"model={tmp_path / 'q8' / 'model.gguf'}"]
    done = qwen("compare", *sides, "--tasks", tasks, "--rounds", "1", "-o", "max_tokens=4", "-y", "--json")
    told = json.loads(done.stdout)
    assert [side["name"] for side in told["sides"]] == ["A: model=model.gguf", "B: model=model.gguf"]
    # They are led through the same answer, and say the same at each place.
    assert [(place["side"], place["differing"]) for place in told["places"]] == [(1, 0)]


def test_models_with_other_tokens_are_not_compared_place_by_place(qwen: Run, tasks: Path, tiny: Path) -> None:
    sides = ["--a", "model=demo", "--b", f"model={tiny}"]
    done = qwen("compare", *sides, "--tasks", tasks, "--rounds", "1", "-o", "max_tokens=4", "-y")
    assert done.returncode == 0, done.stderr.decode()
    assert "read the same text as other tokens" in " ".join(done.stdout.decode().split())


def test_without_chance_one_round_is_all_there_is(qwen: Run, asked: list[str]) -> None:
    done = qwen(*asked, "-o", "temperature=0", "--yes", "--json")
    assert "every round has the same answers: one round is made." in done.stderr.decode()
    told = json.loads(done.stdout)
    # Two copies of a pair of answers would pass for two pairs.
    assert told["seeds"] == [1] and len(told["runs"]) == 2


def test_a_second_window_waits_for_the_first(asked: list[str], home: Path, qwen: Run) -> None:
    assert qwen(*asked).returncode == 2
    (folder,) = (home / "comparisons").iterdir()
    with locked(folder / ".lock"):
        second = subprocess.Popen([*COMMAND, *asked, "--yes"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert second.stderr is not None
        assert b"runs in another window: waiting" in second.stderr.readline()
    assert "[7/7]" in second.communicate(timeout=60)[1].decode()
    assert second.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_loses_one_answer_at_most(asked: list[str], home: Path, qwen: Run) -> None:
    # So many that it cannot be finished before the signal.
    asked[asked.index("--rounds") + 1] = "200"
    process = subprocess.Popen([*COMMAND, *asked, "--yes"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    while not (line := process.stderr.readline()).startswith(b"[1/"):
        assert line
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130 and "What is finished is kept, and the same command goes on" in said
    finished = {name for name in kept(home) if name.startswith(("run", "led"))}
    assert finished
    # Without a terminal to ask on, it says only what there is to do.
    assert f" answers, {len(finished)} " in qwen(*asked).stderr.decode()


def test_one_side_is_compared_with_the_usual_settings(qwen: Run, tasks: Path) -> None:
    done = qwen(
        "compare",
        "-m",
        "demo",
        "--b",
        "system=Be brief.",
        "--tasks",
        tasks,
        "--rounds",
        "1",
        "-o",
        "max_tokens=4",
        "-y",
    )
    assert "as usual, system=Be brief." in done.stderr.decode()
    # Another question is asked there, so no place of one answer is one of the other.
    assert "[2/2]" in done.stderr.decode() and "Led through" not in done.stdout.decode()


def test_a_server_is_a_side_like_any_other(qwen: Run, tasks: Path, tmp_path: Path) -> None:
    with serving() as server:
        assert call("servers", "add", "lab", server.url).code == 0
        words = ["--a", "model=demo", "--b", "model=lab", "--tasks", tasks, "--rounds", "1", "-o", "max_tokens=4", "-y"]
        done = qwen("compare", *words, "--output", tmp_path / "report")
        assert done.returncode == 0, done.stderr.decode()
        assert len(server.questions) == 1
        assert server.questions[0].body["seed"] == 1
    said = done.stderr.decode()
    assert "not known before the first answers of: model=lab" in said
    # It is on this computer, so nothing goes anywhere else.
    assert "The questions go to" not in said
    told = json.loads((tmp_path / "report" / "results.json").read_text("utf-8"))
    assert [run["answer"] for run in told["runs"] if run["side"] == 1] == ["Hello there"]
    # What this PC takes meanwhile is not the server's.
    assert all(run["measured"][name] is None for run in told["runs"] if run["side"] for name in ("memory", *ENERGY))
    assert [(one["side"], one["models"]) for one in told["servers"]] == [(1, ["tiny"])]
    assert "lab (tiny)" in (tmp_path / "report" / "report.md").read_text("utf-8")
    refused = call("compare", "--a", "model=lab", "threads=2", "lookup=false", "--b", "model=lab")
    assert "which decides itself" in refused.err and "Leave out for this side: threads, lookup." in refused.err
    assert "A server decides itself" in call("compare", "-m", "lab").err
    assert "--offline" in call("compare", "--offline", *map(str, words)).err


def test_a_server_gets_nothing_before_the_person_has_agreed(tasks: Path) -> None:
    with serving(models=[{"id": "tiny", "owned_by": "llamacpp"}]) as server:
        assert call("servers", "add", "lab", server.url).code == 0
        sides = ["--a", "model=lab", "name=one", "--b", "model=lab", "name=two"]
        assert call("compare", *sides, "--tasks", tasks).code == 2
        # It counts tokens, and would get the text for that.
        assert server.sent and all(sent.method == "GET" for sent in server.sent)


def test_a_server_that_fails_loses_nothing_that_was_finished(tasks: Path, home: Path) -> None:
    with serving(Reply(saying("Hello")), Reply([b"{}"], 500, kind="application/json")) as server:
        assert call("servers", "add", "lab", server.url).code == 0
        sides = ["--a", "model=lab", "name=one", "--b", "model=lab", "name=two"]
        words = ["compare", *sides, "--tasks", str(tasks), "--rounds", "1", "--yes"]
        done = call(*words)
        assert done.code == 1 and "What is finished is kept" in done.err
        assert len([name for name in kept(home) if name.startswith("run")]) == 1
        server.replies = [Reply(saying("Hello"))]
        again = call(*words)
        assert again.code == 0 and "Of 2 answers, 1 is kept from before." in again.err
        # A side with itself is the same letter for letter.
        assert "1 of 1 pairs of answers of one and two are the same" in " ".join(again.out.split())


def compared_calculators(tmp_path: Path, *words: str) -> tuple[Done, dict[int, Any], str]:
    """Let two servers answer the task with the calculator; return what was said, the findings, and the report."""
    report = tmp_path / "report"
    with serving(Reply(saying(f"```python\n{CALCULATOR}\n```"))) as server:
        assert call("servers", "add", "lab", server.url).code == 0
        sides = ["--a", "model=lab", "name=one", "--b", "model=lab", "name=two"]
        asked = ["compare", *sides, "--tasks", "calculator", "--rounds", "1", "--yes", *words]
        done = call(*asked, "--output", report)
    told = json.loads((report / "results.json").read_text("utf-8"))
    found = {one["side"]: one for one in told["findings"] if one["check"] == "computes"}
    return done, found, (report / "report.html").read_text("utf-8")


def test_programs_of_answers_are_run_where_there_is_a_sandbox(tmp_path: Path) -> None:
    if obstacle := sandbox.obstacle():
        pytest.skip(obstacle)
    done, found, report = compared_calculators(tmp_path, "--run-code")
    assert done.code == 0 and "Programs cannot be run here" not in done.err
    assert [one["value"] for one in found.values()] == [1.0, 1.0]
    assert "It runs and computes 12*(3+4) = 84." in report


def test_without_a_sandbox_it_says_so_at_once_and_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done, found, report = compared_calculators(tmp_path, "--run-code")
    assert done.err.index("Programs cannot be run here, so that check will tell nothing:") < done.err.index("[1/2]")
    assert [one["value"] for one in found.values()] == [None, None]
    assert found[0]["sentence"] in report and "1 check could not judge" in " ".join(done.out.split())


def test_without_permission_nothing_is_run(tmp_path: Path) -> None:
    _done, found, report = compared_calculators(tmp_path)
    assert [one["value"] for one in found.values()] == [None, None]
    assert "that needs your permission, with --run-code" in report


def test_the_report_speaks_chinese(qwen: Run, tmp_path: Path) -> None:
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "greeting.md").write_text(OWN.format(language="zh"))
    words = ["--b", "kv_type=q8_0", "--tasks", folder, "--rounds", "1", "-o", "max_tokens=4", "-y", "--lang", "zh"]
    done = qwen("compare", "-m", "demo", *words, "--output", tmp_path / "report")
    assert "没有看到 照常 与 kv_type=q8_0 的质量差别" in done.stdout.decode()
    assert '<html lang="zh-CN">' in (tmp_path / "report" / "report.html").read_text("utf-8")

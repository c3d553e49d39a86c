"""`qwen compare` from outside: what is asked for, said before it starts, kept, and written."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from tests.engine.remote.fake_server import serving
from tests.program import call

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
MEASURED = ("first_s", "reading_tps", "writing_tps", "seconds", "memory")


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
    assert {one["check"] for one in told["findings"]} == {"repetition", "length_in_range"}
    assert all(run["measured"]["seconds"] > 0 and run["measured"]["memory"] for run in told["runs"])


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
    told = done.stderr.decode()
    assert "not known before the first answers of: model=lab" in told
    # It is on this computer, so nothing goes anywhere else.
    assert "The questions go to" not in told
    assert "Hello there" in (tmp_path / "report" / "results.json").read_text("utf-8")
    assert "which decides itself" in call("compare", "--a", "model=lab", "threads=2", "--b", "model=lab").err
    assert "A server decides itself" in call("compare", "-m", "lab").err
    assert "--offline" in call("compare", "--offline", *map(str, words)).err


def test_the_report_speaks_chinese(qwen: Run, tmp_path: Path) -> None:
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "greeting.md").write_text(OWN.format(language="zh"))
    words = ["--b", "kv_type=q8_0", "--tasks", folder, "--rounds", "1", "-o", "max_tokens=4", "-y", "--lang", "zh"]
    done = qwen("compare", "-m", "demo", *words, "--output", tmp_path / "report")
    assert "没有看到 照常 与 kv_type=q8_0 的质量差别" in done.stdout.decode()
    assert '<html lang="zh-CN">' in (tmp_path / "report" / "report.html").read_text("utf-8")

"""Material that is long: what a command and a conversation say and ask before they read it."""

import json
from pathlib import Path

import pytest

from tests.conftest import Run


def test_a_dry_run_prints_the_budget_and_asks_nothing(qwen: Run, tiny: Path, report: Path, home: Path) -> None:
    done = qwen("ask", "-m", tiny, "--dry-run", "-f", report, "-s", "Be brief.", "Sum it up")
    assert done.returncode == 0
    shown = done.stdout.decode()
    assert f"{report}  5 pages" in shown
    assert "system prompt" in shown
    assert "of 8,192 tokens\n" in shown
    assert done.stderr == b""
    assert not (home / "history.db").exists()


@pytest.mark.parametrize("command", ["ask", "chat"])
def test_a_dry_run_of_what_does_not_fit_exits_1_and_names_the_ways(
    qwen: Run, tiny: Path, report: Path, command: str
) -> None:
    words = ["the lighthouse"] if command == "ask" else []
    done = qwen(command, "-m", tiny, "--ctx-size", "1024", "--dry-run", "-f", report, *words)
    assert done.returncode == 1
    shown = done.stdout.decode()
    assert "of 1,024 tokens: does not fit\n" in shown
    for way in ("context: ", "select: ", "map: ", "each: "):
        assert f"\n{way}" in shown


def test_the_budget_as_json(qwen: Run, tiny: Path, report: Path) -> None:
    done = qwen("ask", "-m", tiny, "--ctx-size", "1024", "--dry-run", "--json", "-f", report, "the lighthouse")
    found = json.loads(done.stdout)
    assert (found["fits"], found["ctx_size"], found["first_s"]) == (False, 1024, None)
    (material,) = [part for part in found["parts"] if part["kind"] == "material"]
    assert (material["name"], material["unit"], material["places"]) == (str(report), "page", 5)
    assert sum(part["tokens"] for part in found["parts"]) == found["prompt_tokens"]
    assert found["ways"]["context"]["does"].startswith("a larger context of 4,096 tokens")


def test_after_an_answer_a_dry_run_knows_the_time(qwen: Run, tiny: Path, report: Path) -> None:
    first = qwen("ask", "-m", tiny, "-o", "max_tokens=40", "-f", report, "Sum it up")
    assert first.returncode == 0
    done = qwen("ask", "-m", tiny, "--dry-run", "-f", report, "Something else")
    assert "first word in about" in done.stdout.decode()


def test_without_a_terminal_what_does_not_fit_is_refused_with_the_choices(qwen: Run, tiny: Path, report: Path) -> None:
    done = qwen("ask", "-m", tiny, "--ctx-size", "1024", "-f", report, "the lighthouse")
    assert done.returncode == 1
    assert done.stdout == b""
    first, second = done.stderr.decode().splitlines()
    assert "and the context holds 1,024." in first
    assert "--fit context, --fit select, --fit map, --fit each" in second


@pytest.mark.parametrize("fit", ["context", "select"])
def test_fit_answers_from_a_larger_context_or_from_passages(qwen: Run, tiny: Path, report: Path, fit: str) -> None:
    words = ("--ctx-size", "1024", "-o", "max_tokens=4", "--json", "the lighthouse")
    done = qwen("ask", "-m", tiny, "--fit", fit, "-f", report, *words)
    assert done.returncode == 0, done.stderr
    tokens = json.loads(done.stdout)["usage"]["prompt_tokens"]
    assert (tokens > 1024) == (fit == "context")


def test_an_unknown_fit_names_the_known_ones(qwen: Run, tiny: Path) -> None:
    done = qwen("ask", "-m", tiny, "--fit", "squeeze", "x")
    assert done.returncode == 2
    assert "one of ask, context, select, map, each, error" in done.stderr.decode()


def test_without_a_terminal_a_long_wait_is_told(
    qwen: Run, tiny: Path, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a token costs is known from another question. Else the beginning is read to learn it, and a small model may
    # have read all of it by then.
    other = report.with_name("other.txt")
    other.write_text("Of the town and its station nothing was said. " * 60)
    assert qwen("ask", "-m", tiny, "-o", "max_tokens=4", "-f", other, "the station").returncode == 0
    monkeypatch.setenv("QWEN_TUI_ASK_ABOVE", "0.001")
    done = qwen("ask", "-m", tiny, "-o", "max_tokens=4", "-f", report, "the lighthouse")
    assert done.returncode == 0
    assert "first word in about" in done.stderr.decode()

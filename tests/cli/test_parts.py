"""Material that does not fit, part by part, as a command: what is kept of it, and when that goes."""

from pathlib import Path

import pytest

from tests.conftest import Run

TEXT = "\n\n".join(f"Day {n}: the ship came in with {n} tons of salt and left at dusk." for n in range(30))
GREEDY = ("-o", "temperature=0", "-o", "max_tokens=8", "--ctx-size", "1024")


@pytest.fixture
def ask(qwen: Run, tiny: Path, tmp_path: Path) -> Run:
    """Asks the tiny model about a text that does not fit; its notes are nonsense, but always the same."""
    (tmp_path / "log.txt").write_text(TEXT, encoding="utf-8")

    def run(*arguments: str | Path, **options: object):  # type: ignore[no-untyped-def]
        return qwen("ask", "-m", tiny, "-f", "log.txt", *GREEDY, *arguments, "Which ships?", **options)

    return run


def parts(home: Path) -> list[Path]:
    return sorted((home / "cache" / "parts").glob("*.json"))


def test_the_same_work_takes_what_is_finished_and_says_so(ask: Run, home: Path) -> None:
    first = ask("--fit", "map")
    assert first.returncode == 0, first.stderr
    n = len(parts(home))
    assert n > 1
    assert f"read: all of it, in {n} parts" in first.stderr.decode()
    again = ask("--fit", "map")
    assert "All parts are kept from before." in again.stderr.decode()
    assert again.stdout == first.stdout
    parts(home)[0].unlink()
    third = ask("--fit", "map")
    assert " kept from before." in third.stderr.decode()
    assert third.stdout == first.stdout


def test_what_is_kept_is_shown_cleared_and_removed_with_its_conversation(ask: Run, qwen: Run, home: Path) -> None:
    ask("--fit", "map")
    n = len(parts(home))
    shown = qwen("cache", "show").stdout.decode()
    assert f"{n} parts  log.txt" in shown or f"{n} parts  Which" in shown
    assert f"{n} parts kept" in shown
    assert f"{n} parts removed" in qwen("cache", "clear").stdout.decode()
    assert parts(home) == []
    ask("--fit", "map")
    assert len(parts(home)) == n
    assert qwen("logs", "rm", "--all", "--yes").returncode == 0
    assert parts(home) == []


@pytest.mark.parametrize("nothing", [("-n",), ()])
def test_without_a_history_or_a_cache_nothing_is_kept(
    ask: Run, home: Path, nothing: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not nothing:
        monkeypatch.setenv("QWEN_TUI_CACHE", "false")
    assert ask("--fit", "map", *nothing).returncode == 0
    assert not (home / "cache" / "parts").exists()

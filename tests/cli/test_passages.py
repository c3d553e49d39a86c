"""Material that does not fit, by the passages that bear on the question, as a command."""

from pathlib import Path

from qwen_tui.history.store import History
from tests.conftest import Run

TEXT = "\n\n".join(f"Day {n}: the ship came in with {n} tons of salt and left at dusk." for n in range(300))
TEXT += "\n\nThe captain of the brig is named Ottilie."
GREEDY = ("-o", "temperature=0", "-o", "max_tokens=8", "--ctx-size", "4096")


def test_a_question_and_the_next_one_in_another_process(qwen: Run, tiny: Path, home: Path, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(TEXT, encoding="utf-8")
    first = qwen("ask", "-m", tiny, *GREEDY, "--fit", "select", "-f", "log.txt", "Which captain?")
    assert first.returncode == 0, first.stderr
    assert "read: 2 of " in first.stderr.decode()
    # Without --fit: the conversation says what is done.
    second = qwen("ask", "-c", *GREEDY, "dusk of day 137?")
    assert second.returncode == 0, second.stderr
    assert "read: " in second.stderr.decode()
    history = History(home / "history.db")
    last = history.last()
    assert last is not None
    one, other = [exchange.question for exchange in history.read(last).exchanges]
    history.close()
    assert one.materials[0].text == TEXT and other.materials == ()
    assert one.given is not None and "Ottilie" in one.given.materials[0].text
    assert other.given is not None and "Day 137:" in other.given.materials[0].text


def test_a_question_that_nothing_bears_on_is_refused_with_what_helps(qwen: Run, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(TEXT, encoding="utf-8")
    refused = qwen("ask", "-m", tiny, *GREEDY, "--fit", "select", "-f", "log.txt", "Which elephants?")
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert refused.stderr.decode() == (
        "qwen: Nothing in log.txt has the words of the question.\nTo have all of it read, part by part: --fit map\n"
    )

"""The bar of a large file: what it shows on screens of any width, and where there is none."""

import io
import re

import pytest
from wcwidth import width

from qwen_tui import i18n
from qwen_tui.terminal import transfer_bar
from qwen_tui.terminal.transfer_bar import TransferBar

TOTAL = 2_497_281_120


class Clock:
    """Time that passes when it is told to."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(transfer_bar, "time", clock)
    return clock


def lines(stream: io.StringIO) -> list[str]:
    return [line.rstrip() for line in re.split(r"[\r\n]", stream.getvalue()) if line.strip()]


def run(bar: TransferBar, clock: Clock, seconds: int) -> None:
    for second in range(seconds + 1):
        bar.show(TOTAL * second // seconds, TOTAL)
        clock.now += 1


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("columns", [1, 5, 12, 30, 50, 80, 200])
def test_it_fits_any_width(clock: Clock, monkeypatch: pytest.MonkeyPatch, columns: int, language: str) -> None:
    i18n.use_language(language)
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = io.StringIO()
    with TransferBar(stream, "Copying 模型.gguf", terminal=True) as bar:
        run(bar, clock, 10)
    assert all(width(line) < max(columns, 2) for line in lines(stream))
    assert stream.getvalue().endswith("\r"), "it is gone in the end"
    assert "\n" not in stream.getvalue()


def test_speed_and_time_left(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    stream = io.StringIO()
    with TransferBar(stream, "Copying x", terminal=True) as bar:
        run(bar, clock, 100)
    assert any("50% · 1.25 GB of 2.50 GB · 25.0 MB/s · 0:50 left" in line for line in lines(stream))


def test_without_a_terminal_it_is_a_line_now_and_then(clock: Clock) -> None:
    stream = io.StringIO()
    with TransferBar(stream, "Copying x") as bar:
        run(bar, clock, 35)
    assert len(lines(stream)) == 3
    assert "\r" not in stream.getvalue()
    silent = io.StringIO()
    with TransferBar(silent, "Copying x", lines=False) as bar:
        run(bar, clock, 35)
    assert silent.getvalue() == ""


def test_beginning_again_and_nothing_at_all(clock: Clock) -> None:
    stream = io.StringIO()
    with TransferBar(stream, "x", terminal=True) as bar:
        run(bar, clock, 5)
        run(bar, clock, 5)
        clock.now += 1
        bar.show(0, 0)
    assert not re.search(r"-\d", stream.getvalue()), "no speed and no time is negative"
    assert "0%" in lines(stream)[-1]

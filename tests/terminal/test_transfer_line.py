"""The progress of a download, on a terminal and elsewhere."""

import io
import itertools
import os
import struct
import sys

import pytest
from wcwidth import width

from qwen_tui import i18n
from qwen_tui.terminal.transfer_line import TransferLine


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_line_fits_however_narrow_the_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: int, language: str
) -> None:
    i18n.use_language(language)
    monkeypatch.setenv("COLUMNS", str(columns))
    seconds = itertools.count(0, 2)
    stream = io.StringIO()
    line = TransferLine(stream, live=True, clock=lambda: float(next(seconds)))
    for done in range(0, 2_500_000_001, 25_000_000):
        line.show(i18n.gettext("fetching"), done, 2_500_000_000)
    drawn = [text for text in stream.getvalue().split("\r") if text.strip()]
    assert all(width(text.rstrip()) < columns for text in drawn)
    half = next(text for text in drawn if "51%" in text)
    assert "MB/s" in half, "the speed is worth more than the name of what is done"
    assert "1:38" in half, "and so is the time left"


def test_without_a_terminal_there_is_a_line_from_time_to_time() -> None:
    seconds = itertools.count()
    stream = io.StringIO()
    line = TransferLine(stream, live=False, clock=lambda: float(next(seconds)))
    for done in range(0, 1_000_000_001, 5_000_000):
        line.show("fetching", done, 1_000_000_000)
    lines = stream.getvalue().splitlines()
    assert "\r" not in stream.getvalue()
    assert 15 <= len(lines) <= 20
    assert "5.0 MB/s" in lines[-1]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pty")
def test_the_line_fits_the_terminal_that_it_stands_on(monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl
    import termios

    # stdout and the variables do not count, because stdout may be a pipe.
    monkeypatch.setenv("COLUMNS", "200")
    screen, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 30, 0, 0))
    with os.fdopen(terminal, "w", encoding="utf-8") as stream:
        TransferLine(stream, live=True).show("a-model-with-a-long-name.gguf", 50, 100)
        drawn = os.read(screen, 1000).decode().strip("\r")
    os.close(screen)
    assert "50%" in drawn
    assert width(drawn) < 30

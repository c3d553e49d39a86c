"""The clipboard: pyperclip with a script in the place of xclip, and the terminal if there is no clipboard."""

import base64
import io
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from qwen_tui.errors import ClipboardError
from qwen_tui.terminal.clipboard import SystemClipboard
from tests.streams import TerminalStream

if sys.platform != "linux":
    pytest.skip("stands in for xclip", allow_module_level=True)


@pytest.fixture
def xclip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program named xclip that stores its text in the returned file."""
    board, program = tmp_path / "board", tmp_path / "bin" / "xclip"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nfor word; do [ "$word" = -o ] && exec cat {board}; done\nexec cat > {board}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return board


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer without a display."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_TTY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_copied_text_can_be_pasted(xclip: Path) -> None:
    screen = TerminalStream()
    clipboard = SystemClipboard(screen)
    assert clipboard.copy("你好\n") == ""
    assert xclip.read_text(encoding="utf-8") == "你好\n"
    assert clipboard.paste() == "你好\n"
    assert screen.getvalue() == "", "nothing goes to the terminal where there is a clipboard"


def test_without_a_clipboard_the_terminal_is_asked(nothing: None) -> None:
    screen = TerminalStream()
    remark = SystemClipboard(screen).copy("你好")
    assert screen.getvalue() == f"\x1b]52;c;{base64.b64encode('你好'.encode()).decode()}\a"
    assert "xclip" in remark
    assert "wl-clipboard" in remark


def test_over_ssh_the_clipboard_is_the_terminals(xclip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_TTY", "/dev/pts/3")
    assert SystemClipboard(TerminalStream()).copy("x") == "", "with a display of its own it is not"
    monkeypatch.delenv("DISPLAY")
    screen = TerminalStream()
    SystemClipboard(screen).copy("y")
    assert "]52;" in screen.getvalue()
    assert xclip.read_text() == "x"


def test_a_silent_failure_of_a_clipboard_program_is_noticed(xclip: Path) -> None:
    # xclip behaves like this when it cannot reach the display.
    (xclip.parent / "bin" / "xclip").write_text("#!/bin/sh\nexit 1\n")
    screen = TerminalStream()
    assert "xclip" in SystemClipboard(screen).copy("x")
    assert "]52;" in screen.getvalue()


def test_without_a_clipboard_the_message_says_what_to_install(nothing: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClipboardError) as refused:
        SystemClipboard(TerminalStream()).paste()
    assert "Ctrl-Shift-V" in refused.value.remedy
    assert "xclip" in refused.value.remedy
    with pytest.raises(ClipboardError, match="too long"):
        SystemClipboard(TerminalStream()).copy("x" * 60_000)
    with pytest.raises(ClipboardError) as refused:
        SystemClipboard(io.StringIO()).copy("x")
    assert "wl-clipboard" in refused.value.remedy
    monkeypatch.setenv("TERM", "dumb")
    with pytest.raises(ClipboardError):
        SystemClipboard(TerminalStream()).copy("x")


def test_clipboard_bytes_that_are_not_text_are_reported(xclip: Path) -> None:
    xclip.write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(ClipboardError, match="could not be used"):
        SystemClipboard(TerminalStream()).paste()


def test_ctrl_c_does_not_take_the_text_out_of_the_clipboard(xclip: Path, tmp_path: Path) -> None:
    # xclip keeps running to serve the text, and Ctrl-C goes to all processes in the terminal.
    behind = tmp_path / "behind"
    (tmp_path / "bin" / "xclip").write_text(
        f"#!{sys.executable}\nimport os, pathlib, sys, time\n"
        "if '-o' in sys.argv: sys.exit(print('x', end=''))\n"
        "if pid := os.fork():\n"
        f"    pathlib.Path({str(behind)!r}).write_text(str(pid))\n"
        "else:\n    time.sleep(30)\n"
    )
    before = signal.getsignal(signal.SIGINT)
    SystemClipboard(TerminalStream()).copy("x")
    assert signal.getsignal(signal.SIGINT) is before
    left = psutil.Process(int(behind.read_text()))
    left.send_signal(signal.SIGINT)
    # A signal that it did not ignore would have ended it by now.
    time.sleep(0.3)
    assert left.status() != psutil.STATUS_ZOMBIE
    left.kill()

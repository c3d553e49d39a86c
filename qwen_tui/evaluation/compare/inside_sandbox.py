"""Runs a tkinter program inside the sandbox, and presses its keys. Python runs this file there; nothing imports it.

It needs nothing but the standard library. The outer half of it, `watch`, starts a display and the program, and ends
both at the limits. The inner half, `drive`, is the process of the program. What came of it is one JSON object.
"""

import contextlib
import functools
import json
import os
import re
import signal
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

OUTPUT = Path("/tmp/output")  # noqa: S108 - the sandbox has its own /tmp
# Limits of one process: bytes of address space, bytes of one file.
MEMORY, FILE = 768 << 20, 1 << 20
# Limits of the whole sandbox: processes, and bytes in memory.
PROCESSES, RESIDENT = 48, 1 << 30
# The watcher looks at the program so often, in seconds.
TICK = 0.05
_SIGNS = {"×": "*", "✕": "*", "x": "*", "·": "*", "÷": "/", "−": "-", "–": "-"}
_EQUALS = ("=", "enter", "equals", "等于", "计算", "↵")
_CLEAR = ("c", "ac", "ce", "clear", "清除", "清空", "归零")
# These kinds of widgets show what was computed.
_DISPLAYS = ("Entry", "TEntry", "Label", "TLabel", "Text", "Message", "Spinbox", "Listbox")


def watch(program: str, expression: str, expected: str, seconds: int, longest: int) -> dict[str, Any]:
    """Start a display and the program, wait for its report, and end it at the limits.

    It may compute for so many `seconds`, and wait for as long. What it waits for the processor is not its fault: that
    may take the rest of the `longest` time in seconds.
    """
    import resource

    # Whatever writes a file in here can fill only so much of the disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))
    display = _display()
    if display is None:
        return {"status": "no display"}
    report, write = os.pipe()
    with OUTPUT.open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-I", __file__, "drive", program, expression, expected, str(write)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(write,),
            env={**os.environ, "DISPLAY": display},
            preexec_fn=functools.partial(_limit, seconds),
        )
    os.close(write)
    until = time.monotonic() + longest
    waited = 0.0
    while running.poll() is None:
        if waited > seconds or time.monotonic() > until:
            return {"status": "time"}
        running_processes, resident = _usage()
        if running_processes > PROCESSES or resident > RESIDENT:
            return {"status": "processes" if running_processes > PROCESSES else "memory"}
        time.sleep(TICK)
        waited += TICK * _waits(running.pid)
    os.set_blocking(report, False)
    with contextlib.suppress(BlockingIOError, ValueError):
        found: dict[str, Any] = json.loads(os.read(report, 1 << 16))
        return found
    if running.returncode == -signal.SIGXCPU:
        return {"status": "time"}
    return {"status": "ended", "output": _last_line(), "code": running.returncode}


def _display() -> str | None:
    """Start Xvfb, and return the name of its display; None if it does not start."""
    # Only root's Xvfb would make this folder itself.
    Path("/tmp/.X11-unix").mkdir(mode=0o1777, exist_ok=True)  # noqa: S108
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1024x768x24", "-nolisten", "tcp"]
    subprocess.Popen(command, pass_fds=(write,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    number = b""
    # The pipe ends without a line if Xvfb ends.
    while not number.endswith(b"\n") and (piece := os.read(read, 16)):
        number += piece
    return f":{number.decode().strip()}" if number.strip() else None


def _limit(seconds: int) -> None:
    import resource

    # The watcher must get the processor even if the program multiplies without end.
    os.nice(10)
    version = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if version and (int(version[1]), int(version[2])) >= (5, 14):
        # Before that version, Linux counts the user's processes outside the sandbox too. It never limits root.
        resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES, PROCESSES))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _waits(process: int) -> bool:
    """Whether a process waits for something else than the processor and the disk."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] not in "RD"
    return False


def _usage() -> tuple[int, int]:
    """Return how many processes the sandbox has, and their bytes in memory; its /proc shows no others."""
    pages = []
    for name in filter(str.isdecimal, os.listdir("/proc")):  # noqa: PTH208
        with contextlib.suppress(OSError):
            pages.append(int(Path(f"/proc/{name}/statm").read_text().split()[1]))
    return len(pages), sum(pages) * os.sysconf("SC_PAGESIZE")


def _last_line() -> str:
    lines = OUTPUT.read_text("utf-8", "replace")[-4000:].strip().splitlines()
    return lines[-1][:200] if lines else ""


def drive(program: str, expression: str, expected: str, report: int) -> None:
    """Run the program; where it would wait for its user, press the keys instead, and report what it shows."""
    try:
        import tkinter
        from tkinter import commondialog
    except ImportError:
        _end(report, {"status": "no tkinter"})
    errors: list[str] = []

    def pressed(window: Any, _threshold: int = 0) -> NoReturn:
        user = _User(window._root(), errors)
        _end(report, {"status": "shown", **user.compute(expression, expected)})

    def note(_window: object, kind: type, value: object, _trace: object) -> None:
        errors.append(f"{kind.__name__}: {value}"[:200])

    tkinter.Misc.mainloop = pressed  # type: ignore[method-assign, assignment]
    # The function takes the window that was made first.
    tkinter.mainloop = lambda n=0: pressed(tkinter._default_root, n)  # type: ignore[attr-defined]
    tkinter.Tk.report_callback_exception = note  # type: ignore[assignment]
    # A message box would wait for a click.
    commondialog.Dialog.show = lambda dialog, **_options: errors.append(str(dialog.options.get("message"))) or "ok"  # type: ignore
    code = compile(Path(program).read_text("utf-8"), "answer.py", "exec", dont_inherit=True)
    exec(code, {"__name__": "__main__", "__file__": program})  # noqa: S102 - that is what the sandbox is for
    # The person who starts such a program sees its window for a moment, if at all.
    _end(report, {"status": "no mainloop" if getattr(tkinter, "_default_root", None) else "no window"})


def _end(report: int, found: dict[str, Any]) -> NoReturn:
    os.write(report, json.dumps(found).encode())
    # The program's own threads and exit handlers must not hold this up.
    os._exit(0)


class _User:
    """Presses the keys of a calculator, and reads its display."""

    def __init__(self, window: Any, errors: list[str]) -> None:
        self._window = window
        self._errors = errors
        window.update()
        self._keys: dict[str, Callable[[], object]] = {}
        for widget in self._widgets():
            if (press := self._press(widget)) is not None:
                self._keys.setdefault(_label(str(widget.cget("text"))), press)

    def compute(self, expression: str, expected: str) -> dict[str, Any]:
        """Return by which `way` the calculator comes to `expected`, "" if by none, and what it shows at the end.

        `expression` has the form a*(b+c).
        """
        # With brackets; typed into the display; or, without brackets, what is in them first: 3+4=, then *12=.
        factor, inner = expression.rstrip(")").split("*(")
        steps = [*inner, "=", "*", *factor, "="]
        shown: list[str] = []
        attempts: dict[str, Callable[[], bool]] = {
            "keys": lambda: self._type([*expression, "="]),
            "typed": lambda: self._enter(expression),
            "steps": lambda: self._type(steps),
        }
        for way, attempt in attempts.items():
            self._clear()
            if not attempt():
                continue
            self._window.update()
            shown = [text for text in self._texts() if text]
            if any(_equal(text, expected) for text in shown):
                return {"way": way, "shown": shown[:3], "errors": self._errors[-1:]}
        missing = [key for key in dict.fromkeys([*expression, "="]) if key not in self._keys]
        return {"way": "", "shown": shown[:3], "errors": self._errors[-1:], "missing": missing}

    def _widgets(self) -> Iterator[Any]:
        waiting = [self._window]
        while waiting:
            widget = waiting.pop(0)
            yield widget
            waiting += widget.winfo_children()

    def _press(self, widget: Any) -> Callable[[], object] | None:
        kind = widget.winfo_class()
        if kind in ("Button", "TButton"):
            return widget.invoke  # type: ignore[no-any-return]
        if kind in ("Label", "TLabel") and any("Button" in event for event in widget.bind()):
            return lambda: (widget.event_generate("<Button-1>"), widget.event_generate("<ButtonRelease-1>"))
        return None

    def _type(self, keys: list[str]) -> bool:
        if any(key not in self._keys for key in keys):
            return False
        for key in keys:
            self._keys[key]()
            self._window.update()
        return True

    def _enter(self, expression: str) -> bool:
        entries = [widget for widget in self._widgets() if widget.winfo_class() in ("Entry", "TEntry")]
        # A calculator with keys for the digits is not excused if they do nothing.
        if not entries or any(digit in self._keys for digit in "0123456789"):
            return False
        entries[0].delete(0, "end")
        entries[0].insert(0, expression)
        if "=" in self._keys:
            self._keys["="]()
        else:
            entries[0].focus_force()
            entries[0].event_generate("<Return>")
        return True

    def _clear(self) -> None:
        for key in _CLEAR:
            if key in self._keys:
                self._keys[key]()
                return

    def _texts(self) -> Iterator[str]:
        for widget in self._widgets():
            kind = widget.winfo_class()
            if kind not in _DISPLAYS:
                continue
            if kind == "Text":
                yield widget.get("1.0", "end-1c").strip()
            elif kind == "Listbox":
                yield from map(str, widget.get(0, "end"))
            elif kind in ("Label", "TLabel", "Message"):
                yield str(widget.cget("text")).strip()
            else:
                yield widget.get().strip()


def _label(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).strip().casefold()
    return "=" if text in _EQUALS else _SIGNS.get(text, text)


def _equal(text: str, expected: str) -> bool:
    """Whether a display shows the number: `84`, `84.0` or `12*(3+4) = 84`."""
    for line in text.splitlines():
        try:
            if float(line.split("=")[-1].replace(",", "")) == float(expected):
                return True
        except ValueError:
            continue
    return False


if __name__ == "__main__":
    if sys.argv[1] == "drive":
        drive(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
    else:
        print(json.dumps(watch(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]), int(sys.argv[6]))))  # noqa: T201 - this is its only output

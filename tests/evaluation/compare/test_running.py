"""Calculators that are run in the sandbox, and what is said where there is none."""

import shutil
import sys
from pathlib import Path

import pytest

from qwen_tui.evaluation.compare import sandbox
from qwen_tui.evaluation.compare.checks.running import computes
from qwen_tui.evaluation.compare.sample import Finding, Sample

CALCULATOR = """\
import tkinter as tk

class Calculator:
    def __init__(self, root):
        self.shown = tk.StringVar()
        tk.Entry(root, textvariable=self.shown).grid(row=0, column=0, columnspan=4)
        for number, key in enumerate("789/456*123-0.=+()C⌫"):
            button = tk.Button(root, text=key, command=lambda key=key: self.press(key))
            button.grid(row=1 + number // 4, column=number % 4)

    def press(self, key):
        if key == "=":
            self.shown.set(str(eval(self.shown.get())))
        elif key == "C":
            self.shown.set("")
        else:
            self.shown.set(self.shown.get() + key)

root = tk.Tk()
Calculator(root)
root.mainloop()
"""
# No brackets; labels that are clicked in the place of buttons; signs as they are printed on keys.
BY_STEPS = """\
from tkinter import *

shown, first, sign = "", 0.0, ""

def press(event):
    global shown, first, sign
    key = event.widget["text"]
    if key in "+−×÷":
        first, sign, shown = float(shown), key, ""
    elif key == "=":
        second = float(shown)
        results = {"+": first + second, "−": first - second, "×": first * second, "÷": first / second}
        shown = str(results[sign])
    else:
        shown += key
    display["text"] = shown

window = Tk()
display = Label(window)
display.pack()
for key in "0123456789.+−×÷=":
    label = Label(window, text=key)
    label.bind("<Button-1>", press)
    label.pack()
mainloop()
"""


@pytest.fixture(scope="module")
def _sandbox() -> None:
    try:
        sandbox.press_keys("import tkinter", "2*(3+4)", "14")
    except sandbox.NoSandboxError as error:
        pytest.skip(str(error))


def check(code: str, *, run_code: bool = True) -> Finding:
    sample = Sample(f"```python\n{code}\n```", "en", run_code=run_code)
    return computes(sample, expression="12*(3+4)", expected="84")


@pytest.mark.usefixtures("_sandbox")
@pytest.mark.parametrize(
    ("code", "value", "says"),
    [
        (CALCULATOR, 1.0, "12*(3+4) = 84"),
        (BY_STEPS, 0.5, "no brackets"),
        (CALCULATOR.replace("eval(", "evaal("), 0.0, "evaal"),
        (CALCULATOR.replace("+ key)", "+ key[:0])"), 0.0, "12*(3+4)"),
        (CALCULATOR.replace("*123", "123").replace("()C", "C"), 0.0, "missing: * ( )"),
        (CALCULATOR.replace("root.mainloop()", ""), 0.0, "mainloop"),
        (CALCULATOR.replace("tk.Entry", "tk.Enttry"), 0.0, "Enttry"),
        ("print(12 * (3 + 4))", 0.0, "no window"),
        ("import customtkinter", 0.0, "customtkinter"),
    ],
    ids=[
        "right",
        "steps",
        "misspelt",
        "dead keys",
        "no brackets",
        "no mainloop",
        "no entry",
        "no window",
        "not installed",
    ],
)
def test_a_calculator_is_run_and_its_keys_are_pressed(code: str, value: float, says: str) -> None:
    finding = check(code)
    assert finding.value == value, finding
    assert says in finding.sentence


@pytest.mark.usefixtures("_sandbox")
@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("while True: pass", ("time",)),
        ("import time\ntime.sleep(1000)", ("time",)),
        ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", ("processes", "time")),
        ("held = []\nwhile True: held.append(bytearray(1 << 28))", "MemoryError"),
        ("import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=1)", "unreachable"),
        ("open('/usr/mine', 'w')", "Read-only"),
        ("out = open('/tmp/big', 'wb')\nwhile True: out.write(bytes(1_000_000))", "too large"),
        (f"raise SystemExit(str(open({str(Path.home() / 'x')!r})))", "No such file"),
    ],
    ids=["time", "waiting", "processes", "memory", "network", "system", "disk", "home"],
)
def test_the_sandbox_keeps_a_program_within_its_limits(code: str, why: str | tuple[str, ...]) -> None:
    found = sandbox.press_keys(code, "2*(3+4)", "14", seconds=3 if isinstance(why, tuple) else 30)
    if isinstance(why, tuple):
        assert found["status"] in why
    else:
        assert why in found.get("output", ""), found


def test_without_permission_nothing_is_run() -> None:
    finding = check(CALCULATOR, run_code=False)
    assert finding.value is None
    assert "--run-code" in finding.sentence


def test_without_bubblewrap_it_cannot_tell_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", "")
    finding = check(CALCULATOR)
    assert finding.value is None
    assert "bubblewrap" in finding.sentence


def test_on_other_systems_it_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    finding = check(CALCULATOR)
    assert (finding.value, "Linux" in finding.sentence) == (None, True)


@pytest.mark.skipif(sys.platform != "linux", reason="there is no sandbox elsewhere")
def test_a_sandbox_that_is_forbidden_cannot_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("bwrap", "Xvfb"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
        program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("bwrap")
    finding = check(CALCULATOR)
    assert finding.value is None
    assert "No permissions" in finding.sentence


@pytest.mark.parametrize(("code", "says"), [("def (:", "does not compile"), ("", "no program")])
def test_what_is_no_program_fails_without_being_run(code: str, says: str) -> None:
    finding = check(code)
    assert finding.value == 0
    assert says in finding.sentence

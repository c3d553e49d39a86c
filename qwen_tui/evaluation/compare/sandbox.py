"""Runs a tkinter program of a model where it can reach nothing: bubblewrap, with a display of its own (Xvfb).

bubblewrap gives it new namespaces: no network, no processes but its own, of the disk only the system's programs, to be
read, and a small empty /tmp. `inside_sandbox` sets its limits of time and memory.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from qwen_tui import cancellation
from qwen_tui.i18n import gettext as _

_INSIDE = Path(__file__).with_name("inside_sandbox.py")
_TMP_BYTES = 32 << 20
# Beside busy programs, the program may take so many times its seconds until it has got them.
_BUSY = 6
# If even the watcher inside does not answer, everything is ended so many seconds later.
_PATIENCE = 30
# Where programs and libraries are, beside /usr.
_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store")
_SETTINGS = ("/etc/ld.so.cache", "/etc/fonts", "/etc/alternatives")


class NoSandboxError(Exception):
    """Code cannot be run here; the text says why, in the language in use."""


def obstacle() -> str:
    """Return the sentence that says why no code can be run here, "" if it can; raises `CancelledError`."""
    try:
        press_keys("", "1*(1+1)", "2")
    except NoSandboxError as error:
        return str(error)
    return ""


def press_keys(code: str, expression: str, expected: str, seconds: int = 10) -> dict[str, Any]:
    """Run the calculator `code`, compute `expression` of the form a*(b+c), and return what `inside_sandbox` reports.

    `seconds` is the limit of its time, without what it waits for the processor. Raises `NoSandboxError`, and
    `CancelledError`.
    """
    if sys.platform != "linux":
        raise NoSandboxError(_("Code is run on Linux only, in a sandbox that other systems lack."))
    missing = [program for program in ("bwrap", "Xvfb") if shutil.which(program) is None]
    if missing:
        command = "sudo apt install bubblewrap xvfb"
        raise NoSandboxError(
            _("Running code needs bubblewrap and Xvfb, for example: {command}").format(command=command)
        )
    # The Python that runs this program may lack tkinter, while the system's Python has it.
    found: dict[str, Any] = {}
    for python in _pythons():
        found = _run(python, code, expression, expected, seconds)
        if found["status"] != "no tkinter":
            return found
    raise NoSandboxError(
        _("No Python here has tkinter, for example: {command}").format(command="sudo apt install python3-tk")
    )


def _pythons() -> list[str]:
    own = getattr(sys, "_base_executable", "") or sys.executable
    found = [own] if not getattr(sys, "frozen", False) else []
    found += [python for python in ("/usr/bin/python3",) if Path(python).exists()]
    return list(dict.fromkeys(os.path.realpath(python) for python in found))


def _run(python: str, code: str, expression: str, expected: str, seconds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as output:
        program = Path(folder) / "answer.py"
        program.write_text(code, "utf-8", errors="replace")
        command = [*_command(python, program), python, "-I", "/inside.py", "watch", "/answer.py", expression, expected]
        command += [str(seconds), str(seconds * _BUSY)]
        try:
            running = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.PIPE,
                env={"PATH": os.environ.get("PATH", os.defpath), "HOME": "/tmp", "LANG": "C.UTF-8"},  # noqa: S108
            )
        except OSError as error:
            raise _refused(str(error)) from error
        too_long = threading.Timer(seconds * _BUSY + _PATIENCE, running.kill)
        too_long.start()
        try:
            complained = cancellation.current().communicate(running)[1]
        finally:
            too_long.cancel()
        output.seek(0)
        try:
            found: dict[str, Any] = json.loads(output.read(1 << 16))
        except ValueError as error:
            lines = complained.decode("utf-8", "replace").strip().splitlines()
            raise _refused(lines[-1] if lines else str(running.returncode)) from error
    if found["status"] == "no display":
        raise _refused("Xvfb")
    return found


def _refused(reason: str) -> NoSandboxError:
    return NoSandboxError(_("The sandbox could not be started: {reason}.").format(reason=reason))


def _command(python: str, program: Path) -> list[str]:
    """Return bubblewrap with what the sandbox has of this computer."""
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/usr", "/usr"]
    for folder in filter(os.path.lexists, _SYSTEM):
        link = Path(folder)
        command += ["--symlink", str(link.readlink()), folder] if link.is_symlink() else ["--ro-bind", folder, folder]
    for file in _SETTINGS:
        command += ["--ro-bind-try", file, file]
    command += ["--proc", "/proc", "--dev", "/dev", "--size", str(_TMP_BYTES), "--tmpfs", "/tmp"]  # noqa: S108
    prefix = Path(python).parent.parent
    if not prefix.is_relative_to("/usr"):
        command += ["--ro-bind", str(prefix), str(prefix)]
    command += ["--ro-bind", str(_INSIDE), "/inside.py", "--ro-bind", str(program), "/answer.py"]
    return [*command, "--chdir", "/tmp"]  # noqa: S108

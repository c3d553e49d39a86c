"""Opens the user's editor on a file."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from qwen_tui import cancellation, programs
from qwen_tui.cli.environment import Environment
from qwen_tui.errors import ConfigError, QwenError, WriteError, why
from qwen_tui.files import is_file
from qwen_tui.i18n import gettext as _
from qwen_tui.typed_text import as_text

# Where nobody has chosen an editor: the first of these that is there. `editor` is the choice of a Debian system.
_EDITORS = ("notepad",) if os.name == "nt" else ("nano", "editor", "pico", "vi")
# How long it can be read how vi is left, before vi takes the screen, in seconds.
_READING = 2.5


def open_editor(environment: Environment, file: Path) -> None:
    """Open `file` in `VISUAL`, `EDITOR` or the system's own, and wait until it is closed; raises `ConfigError`."""
    if not _chosen(environment) and not environment.can_converse and os.name != "nt":
        # The editor would wait for keys that nobody can type.
        raise ConfigError(_("There is no terminal for an editor."), _("Edit the file itself: {path}").format(path=file))
    _open(environment, file)


def _chosen(environment: Environment) -> str:
    wanted = [environment.variables.get(name, "").strip() for name in ("VISUAL", "EDITOR")]
    return next(filter(None, wanted), "")


def _open(environment: Environment, file: Path) -> None:
    editor, path = _chosen(environment) or _own_editor(environment), environment.variables.get("PATH")
    try:
        running = subprocess.Popen(programs.located([*command(editor), str(file)], path))
        cancellation.current().communicate(running)
        if running.returncode:
            raise subprocess.CalledProcessError(running.returncode, editor)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        raise ConfigError(
            _("The editor “{editor}” could not be used: {reason}").format(
                editor=editor, reason=why(error) if isinstance(error, OSError) else error
            ),
            _("Set EDITOR to another: {command}").format(command="export EDITOR=nano"),
        ) from error


def _own_editor(environment: Environment) -> str:
    """Return the editor of this system, after saying how people leave it who have not chosen it."""
    path = environment.variables.get("PATH")
    found = next(((name, file) for name in _EDITORS if (file := programs.find(name, path))), None)
    if found is None:
        # That it cannot be used is said soon.
        return _EDITORS[-1]
    editor, file = found
    # Behind `editor` and `vi` stands another program, such as vim.basic.
    kind = Path(file).resolve().name.partition(".")[0]
    if "vi" in kind:
        leave = _(
            "press Esc, then type :wq and Enter to save and leave, or :q! and Enter to leave everything as it was"
        )
    elif kind.startswith(("nano", "pico")):
        leave = _("Ctrl-O and Enter save, Ctrl-X leaves")
    else:
        leave = _("save, then close it to go on")
    environment.note(_("The editor is {editor}: {leave}. EDITOR names another.").format(editor=kind, leave=leave))
    if "vi" in kind:
        cancellation.current().sleep(_READING)
    return editor


def command(editor: str) -> list[str]:
    """Return the words of the command line `editor`; raises `ValueError` where a quote is not closed."""
    if is_file(editor):
        # It is a path, perhaps with blanks, and not a command line.
        return [editor]
    if os.name != "nt":
        return shlex.split(editor)
    # On Windows a backslash is part of a path, and no escape. Without POSIX rules, shlex leaves the quotes on.
    return [word.strip('"') for word in shlex.split(editor, posix=False)]


def edited(environment: Environment, show_error: Callable[[QwenError], None], text: str) -> str | None:
    """Return `text` as the person leaves it in the editor; on a failure, show why and return None."""
    try:
        with tempfile.TemporaryDirectory(prefix="qwen-", ignore_cleanup_errors=True) as folder:
            file = Path(folder, "message.md")
            file.write_text(as_text(text), encoding="utf-8")
            _open(environment, file)
            return file.read_text(encoding="utf-8", errors="replace").removesuffix("\n")
    except OSError as error:
        show_error(WriteError(_("The text could not be handed to the editor: {reason}").format(reason=why(error))))
    except QwenError as error:
        show_error(error)
    return None

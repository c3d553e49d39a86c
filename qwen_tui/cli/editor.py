"""Opens the user's editor on a file."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from qwen_tui import cancellation
from qwen_tui.cli.environment import Environment
from qwen_tui.cli.failure import tell
from qwen_tui.errors import ConfigError, QwenError, WriteError, why
from qwen_tui.files import is_file
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import as_text


def open_editor(environment: Environment, file: Path) -> None:
    """Open `file` in `VISUAL` or `EDITOR` and wait until it is closed; raises `ConfigError`."""
    wanted = [environment.variables.get(name, "").strip() for name in ("VISUAL", "EDITOR")]
    editor = next(filter(None, wanted), "notepad" if os.name == "nt" else "vi")
    try:
        running = subprocess.Popen([*command(editor), str(file)])
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


def command(editor: str) -> list[str]:
    """Return the words of the command line `editor`; raises `ValueError` where a quote is not closed."""
    if is_file(editor):
        # It is a path, perhaps with blanks, and not a command line.
        return [editor]
    if os.name != "nt":
        return shlex.split(editor)
    # On Windows a backslash is part of a path, and no escape. Without POSIX rules, shlex leaves the quotes on.
    return [word.strip('"') for word in shlex.split(editor, posix=False)]


def edited(environment: Environment, text: str) -> str | None:
    """Return `text` as the person leaves it in the editor; on a failure, say why on stderr and return None."""
    try:
        with tempfile.TemporaryDirectory(prefix="qwen-", ignore_cleanup_errors=True) as folder:
            file = Path(folder, "message.md")
            file.write_text(as_text(text), encoding="utf-8")
            open_editor(environment, file)
            return file.read_text(encoding="utf-8", errors="replace").removesuffix("\n")
    except OSError as error:
        tell(
            environment, WriteError(_("The text could not be handed to the editor: {reason}").format(reason=why(error)))
        )
    except QwenError as error:
        tell(environment, error)
    return None

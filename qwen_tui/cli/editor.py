"""The user's editor, opened on a file."""

import os
import shlex
import subprocess
from pathlib import Path

from qwen_tui.errors import ConfigError, why
from qwen_tui.i18n import gettext as _


def open_editor(file: Path) -> None:
    """Open `file` in `VISUAL` or `EDITOR` and wait until it is closed; raises `ConfigError`."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ("notepad" if os.name == "nt" else "vi")
    # Windows paths hold backslashes, which are no escapes there.
    command = shlex.split(editor, posix=os.name != "nt")
    try:
        subprocess.run([*command, str(file)], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ConfigError(
            _("The editor “{editor}” could not be used: {reason}").format(
                editor=editor, reason=why(error) if isinstance(error, OSError) else error
            ),
            _("Set EDITOR to another, or edit {path} yourself.").format(path=file),
        ) from error

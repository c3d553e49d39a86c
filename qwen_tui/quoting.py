"""Commands as the person can paste them into this system's shell."""

import os
import re
import shlex
from pathlib import Path

# Words that no shell on Windows splits or interprets, so that they need no quotes.
_PLAIN = re.compile(r"[\w@+=:./\\-]+")


def quoted(word: str | Path) -> str:
    """Return `word` quoted for this system's shell; a path that begins with a dash gets `./`, to be no option."""
    text = str(word)
    if isinstance(word, Path) and text.startswith("-"):
        text = os.path.join(os.curdir, text)  # noqa: PTH118 - a path drops it
    if os.name == "nt":
        return text if _PLAIN.fullmatch(text) else f'"{text}"'
    return shlex.quote(text)


def command_line(*words: str | Path) -> str:
    """Return a command that the person can paste into a shell; this quotes spaces and brackets in its words."""
    return " ".join(map(quoted, words))


def setting(variable: str, value: str) -> str:
    """Return the command that sets an environment variable in this system's usual shell."""
    return f"$env:{variable} = '{value}'" if os.name == "nt" else f"export {variable}={quoted(value)}"


def unsetting(variable: str) -> str:
    """Return the command that removes an environment variable."""
    return f"Remove-Item Env:{variable}" if os.name == "nt" else f"unset {variable}"

"""What a person types, as text and as a command."""

import os
import re
import unicodedata

# A slash, or what an input method for Chinese makes of its key, and a word without a further slash, as a path has.
_COMMAND = re.compile(r"(?:[/／]|、(?=[A-Za-zＡ-Ｚａ-ｚ?？]))([^\s/]*)(?:(\s+)(.*))?", re.DOTALL)


def as_command(line: str) -> tuple[str, str | None] | None:
    """Return the name of a slash command and what follows it, None for a line that is a message.

    The name begins with a slash and is half-width, however it was typed; what follows is None up to the first blank.
    """
    match = _COMMAND.fullmatch(line)
    if match is None:
        return None
    name, blank, rest = match.groups()
    return f"/{unicodedata.normalize('NFKC', name)}", rest if blank else None


def as_text(typed: str) -> str:
    """Return what was typed as text that can be encoded.

    Bytes that are not text in the locale's encoding reach Python as lone surrogates, which cannot be encoded. Nearly
    all terminals send UTF-8, so such bytes are read as UTF-8.
    """
    try:
        typed.encode()
    except UnicodeEncodeError:
        return os.fsencode(typed).decode("utf-8", "replace")
    return typed

"""Reads paths as people type, paste or drop them onto a terminal: quoted, with escaped blanks, or as an address."""

import glob
import os
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes, urlsplit

from qwen_tui import cancellation
from qwen_tui.files import expand, is_file, is_there

# A backslash before one of these characters is a separator of Windows: terminals do not escape these characters.
_NAME = re.compile(r"\w")
# The marks that open a quotation, each with the one that closes it; a Chinese input method writes the curved ones.
_CLOSING = {"'": "'", '"': '"', "“": "”", "‘": "’"}


def matching(pattern: str) -> list[str]:
    """Return the files that match `pattern`, none if it is the name of a file itself; in it, `**` means all folders.

    POSIX shells expand patterns; the Windows shell and the input line of a conversation do not.
    """
    if is_there(pattern) or not is_pattern(pattern):
        return []
    return sorted(filter(is_file, _matches(str(expand(pattern)))), key=natural)


def is_pattern(text: str) -> bool:
    """Whether `text` contains a character that makes it a pattern."""
    return glob.has_magic(text)


def _matches(pattern: str) -> Iterator[str]:
    """Yield the paths that match a pattern, but for hidden ones that it does not name.

    `glob` would follow the links to folders for `**`, also in circles.
    """
    above, stars, below = _cut_at_stars(pattern)
    if not stars:
        yield from glob.iglob(pattern)  # noqa: PTH207 - the pattern may begin anywhere
        return
    seen: set[str] = set()
    for start in glob.iglob(above) if above else [""]:  # noqa: PTH207 - likewise
        for folder, inside, _files in os.walk(start or os.curdir):
            cancellation.check()
            inside[:] = [name for name in inside if not name.startswith(".")]
            here = folder if start else os.path.relpath(folder)
            within = "" if here == os.curdir else glob.escape(os.path.join(here, ""))  # noqa: PTH118 - keeps ./
            for found in _matches(within + (below or "*")):
                if found not in seen:
                    seen.add(found)
                    yield found


def _cut_at_stars(pattern: str) -> tuple[str, bool, str]:
    """Return what stands before the first part `**` of a pattern, whether there is one, and what stands behind it."""
    parts = re.split(r"([/\\])" if os.name == "nt" else "(/)", pattern)
    if "**" not in parts:
        return pattern, False, ""
    at = behind = parts.index("**")
    while parts[behind : behind + 1] == ["**"]:
        behind += 2
    return "".join(parts[:at]), True, "".join(parts[behind:])


def natural(path: str) -> tuple[object, ...]:
    """Return a key that sorts paths as people count: page 2 comes before page 10."""
    parts = [re.split(r"(\d+)", part.casefold()) for part in re.split(r"[/\\]", path)]
    return (*([int(piece) if at % 2 else piece for at, piece in enumerate(part)] for part in parts), path)


def all_meant(text: str) -> list[str]:
    """Return the files that a line means: one path, quoted or not, the matches of a pattern, or several paths."""
    for name in (text, unquoted(text)):
        if is_there(expand(name)):
            return [name]
        if found := matching(name):
            return found
    names = list(map(_from_address, words(text)))
    if len(names) > 1 and any(is_there(expand(name)) for name in names):
        return [path for name in names for path in matching(name) or [name]]
    return [unquoted(text)]


def meant(text: str) -> str:
    """Return the path that `text` means: `text` itself if there is such a file, else without quotes."""
    return text if is_there(expand(text)) else unquoted(text)


def unquoted(text: str) -> str:
    """Return the path in `text` without quotes and escapes; text with several words or none is returned unchanged."""
    found = words(text)
    return _from_address(found[0]) if len(found) == 1 else text


def words(text: str, *, escapes: bool = os.name != "nt") -> list[str]:
    """Return the words of `text`, separated by blanks that are neither quoted nor, with `escapes`, after a backslash.

    A quotation mark counts at the beginning of a word, after a slash, and after a quoted or escaped part. If one is not
    closed, all of `text` is one word: the mark is an apostrophe, or the person is still typing the path.
    """
    # PowerShell gets a dropped file as a command.
    text = re.sub(r"^& (?=['\"])", "", text.strip())
    try:
        return list(_words(text, escapes=escapes))
    except ValueError:
        return [text[1:] if text[:1] in _CLOSING else text]


def _words(text: str, *, escapes: bool) -> Iterator[str]:
    word, quote, may_open, begun = "", "", True, False
    at = 0
    while at < len(text):
        char, after = text[at], text[at + 1 : at + 2]
        at += 1
        if char == quote:
            quote, may_open = "", True
        elif escapes and char == "\\" and quote != "'" and after and not _NAME.match(after):
            word, may_open, begun = word + after, True, True
            at += 1
        elif quote:
            word += char
        elif char in _CLOSING and may_open:
            quote, begun = _CLOSING[char], True
        elif char.isspace():
            if begun:
                yield word
            word, may_open, begun = "", True, False
        else:
            word, may_open, begun = word + char, char in "/\\", True
    if quote:
        raise ValueError(quote)
    if begun:
        yield word


def _from_address(text: str) -> str:
    """Return the path in a `file:` address, or `text` if it is not such an address."""
    if not text.lower().startswith("file:/"):
        return text
    path = os.fsdecode(unquote_to_bytes(urlsplit(text)._replace(query="", fragment="").path))
    # Of file:///C:/a.txt, the path begins with the letter.
    return path[1:] if re.match(r"/[A-Za-z]:", path) else path

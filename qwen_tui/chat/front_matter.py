"""Markdown files that begin with YAML front matter: templates, and the tasks of `compare`."""

import re
from collections.abc import Set
from pathlib import Path
from typing import Any, NamedTuple

from qwen_tui.errors import why
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import language

_FRONT = re.compile(r"\A---[ \t]*\n(.*?\n)?---[ \t]*(?:\n|\Z)", re.DOTALL)


class MistakeError(ValueError):
    """A mistake in a file: its `line`, counted from 1, and the `reason` in the language in use."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


class Parts(NamedTuple):
    """The two parts of a file: what the front matter says by name, and the text after it."""

    front: dict[str, Any]
    body: str


def read(path: Path, keys: Set[str]) -> Parts:
    """Read a file whose front matter may have the names `keys`; raises `MistakeError`."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise MistakeError(1, _("it is not UTF-8")) from error
    except OSError as error:
        raise MistakeError(1, why(error)) from error
    front = _FRONT.match(text)
    if front is None:
        raise MistakeError(1, _("it does not begin with front matter between two lines of ---"))
    data = _yaml(front[1] or "", keys)
    body = text[front.end() :].strip("\n")
    if not body.strip():
        raise MistakeError(text.count("\n") + 1, _("there is no text after the front matter"))
    return Parts(data, body)


def _yaml(text: str, keys: Set[str]) -> dict[str, Any]:
    import yaml

    try:
        data = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        # YAML counts its lines from 0, and does not get the first line of the file, which is ---.
        problem = getattr(error, "problem", None) if language() == "en" else ""
        raise MistakeError(mark.line + 2 if mark else 1, problem or _("it is not valid YAML")) from error
    except (ValueError, RecursionError) as error:
        raise MistakeError(1, why(error)) from error
    if not isinstance(data, dict):
        raise MistakeError(2, _("the front matter has to be lines of the form name: value"))
    for key in data:
        if key not in keys:
            raise MistakeError(_line_of(text, key), _("“{key}” is not known here").format(key=key))
    return data


def _line_of(front: str, key: object) -> int:
    for number, line in enumerate(front.splitlines(), start=2):
        if line.startswith(f"{key}:"):
            return number
    return 2

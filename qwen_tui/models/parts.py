"""The parts of a model that its publisher has split into several files.

llama.cpp gets the first part, and finds the others in the same folder by their names: `NAME-00002-of-00003.gguf`.
"""

import dataclasses
import os
import re
from pathlib import Path
from typing import NamedTuple

from qwen_tui.errors import InvalidModelError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.models.gguf import Header, read_header

_NAME = re.compile(r"(?s)(.+)-(\d{5})-of-(\d{5})\.gguf")
_IN_TEXT = re.compile(r"-(\d{5})-of-(\d{5})\.gguf(?=$|[?#])")
# No model has more parts than this.
_MOST = 1000


class Part(NamedTuple):
    """The content of a part's name: it is part `number`, from 1, `of` so many; all parts share the `stem`."""

    stem: str
    number: int
    of: int

    def name(self, number: int) -> str:
        """Return the file name of another part."""
        return f"{self.stem}-{number:05}-of-{self.of:05}.gguf"


def part(name: str) -> Part | None:
    """Return the content of a file name if it is the name of a part, else None."""
    match = _NAME.fullmatch(name)
    found = Part(match[1], int(match[2]), int(match[3])) if match else None
    return found if found and 1 <= found.number <= found.of and 1 < found.of <= _MOST else None


def names(text: str) -> list[str]:
    """Return the names or addresses of all parts of a model, given one of them; only `text` if it is not a part."""
    match = _IN_TEXT.search(text)
    count = int(match[2]) if match else 1
    if match is None or not 1 < count <= _MOST:
        return [text]
    return [f"{text[: match.start(1)]}{number + 1:05}{text[match.end(1) :]}" for number in range(count)]


def files(path: Path) -> list[Path]:
    """Return the paths of all parts of a model, given one of them, whether they exist or not.

    If `path` is not a part, it is the only path.
    """
    own = part(path.name)
    return [path.with_name(own.name(number + 1)) for number in range(own.of)] if own else [path]


def first(path: Path) -> Path:
    """Return the first part of the model, if `path` is a part of one and the first part exists, else `path`."""
    found = files(path)[0]
    return found if os.path.isfile(found) else path  # noqa: PTH113 - it never raises


def read_model(path: Path) -> Header:
    """Read the header of the model in `path`, with the tensors of all its parts.

    The offset of a tensor counts from the beginning of its own part. Raises `InvalidModelError` like `read_header`, and
    also if a part is missing.
    """
    header = read_header(path)
    if not is_split(header):
        return header
    require_whole(header, path)
    tensors = [tensor for one in files(path) for tensor in read_header(one).tensors]
    return dataclasses.replace(header, tensors=tuple(tensors))


def is_split(header: Header) -> bool:
    """Whether the header belongs to one of several parts."""
    count = header.metadata.get("split.count", 0)
    return isinstance(count, int) and count > 1


def require_whole(header: Header, path: Path) -> None:
    """Raise `InvalidModelError` unless the part `path` is the first one and all others are in the same folder."""
    number, count = int(header.metadata.get("split.no", 0)) + 1, int(header.metadata["split.count"])
    own = part(path.name)
    if own is None or (own.number, own.of) != (number, count):
        raise InvalidModelError(
            _("{path} is part {number} of {count} of a model, and its name does not say so.").format(
                path=path, number=number, count=count
            ),
            _("llama.cpp finds the parts by their names: give them back those under which they were published."),
        )
    absent = [one.name for one in files(path) if not os.path.isfile(one)]  # noqa: PTH113 - it never raises
    if absent:
        raise missing(path, number, count, absent)
    if number != 1:
        raise InvalidModelError(
            _("{path} is part {number} of {count} of a model.").format(path=path, number=number, count=count),
            _("Name the first part: {path}").format(path=files(path)[0]),
        )


def missing(path: Path, number: int, count: int, absent: list[str]) -> InvalidModelError:
    """Return the error for part `number` of `count` if the `absent` parts are missing beside it."""
    names = listed([*absent[:3], *(["…"] if len(absent) > 3 else [])])
    return InvalidModelError(
        _("{path} is part {number} of {count} of a model, and not all of it is there: {names} missing.").format(
            path=path, number=number, count=count, names=names
        ),
        _("Put all parts into one folder, under the names by which they were published."),
    )

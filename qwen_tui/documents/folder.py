"""Finds the files in a folder that can be read as text, within bounds, and tells what it leaves out."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from qwen_tui import cancellation
from qwen_tui.documents.document import MOST_TEXT
from qwen_tui.documents.ignoring import Rules, rules_above
from qwen_tui.documents.reading import HEAD, MOST_DOCUMENT_BYTES, most_bytes
from qwen_tui.documents.text import may_be_text
from qwen_tui.errors import InputError, why
from qwen_tui.files import size_text
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import in_a_row, labelled, listed, ngettext, noted
from qwen_tui.typed_paths import natural

# So many files are read of a folder, and so many files and folders are looked at.
MOST_FILES = 1_000
_MOST_ENTRIES = 50_000
# A sentence names at most so many files of a kind.
_MOST_NAMED = 5
# Of a longer name, the sentence shows the end.
_LONGEST_NAME = 60
# Package managers and compilers fill these folders, and people do not read them.
_MADE_FOLDERS = {"node_modules", "bower_components", "__pycache__"}
# A folder with such a file is a Python environment, or a cache: https://bford.info/cachedir/
_MADE_SIGNS = ("pyvenv.cfg", "CACHEDIR.TAG")
# Windows' mark for the target of a link that is a folder, a junction.
_JUNCTION = 0xA0000003

Reason = Literal["ignored", "hidden", "made", "binary", "empty", "large", "link", "special", "unreadable"]


class LeftOut:
    """What is left out of a folder, and why."""

    def __init__(self) -> None:
        self._names: dict[Reason, list[str]] = {}
        self._refused: list[str] = []

    def add(self, reason: Reason, name: str) -> None:
        """Leave out the file of that name; the name of a folder ends with a slash."""
        self._names.setdefault(reason, []).append(name)

    def refuse(self, message: str) -> None:
        """Leave out a file, because of what the `message` says about it."""
        self._refused.append(message)

    def sentence(self) -> str:
        """Return in a few sentences what is left out, with some names; empty if nothing is."""
        kinds: dict[Reason, str] = {
            "ignored": _("{n} by .gitignore"),
            "hidden": _("{n} hidden"),
            "made": _("{n} made by tools"),
            "binary": _("{n} not text"),
            "empty": _("{n} empty"),
            "large": _("{n} too large"),
            "link": _("{n} linked from elsewhere"),
            "special": _("{n} neither file nor folder"),
            "unreadable": _("{n} not readable"),
        }
        groups = [
            noted(kind.format(n=f"{len(names):,}"), listed(_shortened(sorted(names, key=natural))))
            for reason, kind in kinds.items()
            if (names := self._names.get(reason))
        ]
        said = _("Left out: {groups}.").format(groups=_("; ").join(groups)) if groups else ""
        more = len(self._refused) - _MOST_NAMED
        others = ngettext("{n} more file was refused.", "{n} more files were refused.", more).format(n=f"{more:,}")
        return in_a_row(said, *self._refused[:_MOST_NAMED], others if more > 0 else "")


class FileIn(NamedTuple):
    """A file in a folder: its absolute path, and its name from the folder on, with slashes."""

    path: str
    name: str
    size: int
    is_link: bool = False


def find(folder: Path, name: str, left_out: LeftOut, on_progress: Callable[[int, int], None]) -> list[FileIn]:
    """Return the files in `folder` that seem to be text or documents, in the order in which people count.

    The person calls the folder `name`. Raises `InputError` if there are more, or larger ones, than are read at once,
    and `OSError` if the system refuses to read the folder itself.
    """
    root = os.path.realpath(folder)
    os.scandir(root).close()
    with cancellation.current().interruptible():
        found = _without_doubles(list(_plain_files(root, name, left_out)))
    chosen: list[FileIn] = []
    texts: list[FileIn] = []
    documents: list[FileIn] = []
    for done, file in enumerate(found):
        on_progress(done, len(found))
        with cancellation.current().interruptible():
            most = _most_bytes(file, left_out)
        if most is None:
            continue
        if file.size > most:
            left_out.add("large", noted(file.name, size_text(file.size)))
            continue
        chosen.append(file)
        (texts if most == MOST_TEXT else documents).append(file)
        if len(chosen) > MOST_FILES:
            raise InputError(
                _("There are more than {most} files to read in {name}.").format(name=name, most=f"{MOST_FILES:,}"),
                _fewer(name),
            )
    for sizes, most in ((texts, MOST_TEXT), (documents, MOST_DOCUMENT_BYTES)):
        if sum(file.size for file in sizes) > most:
            raise _too_large(name, sizes, most)
    return chosen


def _too_large(name: str, files: list[FileIn], most: int) -> InputError:
    largest = sorted(files, key=lambda file: -file.size)[:_MOST_NAMED]
    named = listed([noted(file.name, size_text(file.size)) for file in largest])
    return InputError(
        _("The files in {name} have more than {limit} MB together, the most that is read.").format(
            name=name, limit=most >> 20
        ),
        in_a_row(_("The largest: {names}.").format(names=named), _fewer(name)),
    )


def _fewer(name: str) -> str:
    pattern = name.rstrip("/\\") + "/**/*.md"
    return _("Name a folder in it, or a pattern in quotes: '{pattern}'").format(pattern=pattern)


def _plain_files(root: str, name: str, left_out: LeftOut) -> Iterator[FileIn]:
    """Yield the files that are neither hidden nor ignored; first those of a folder, then those of the folders in it."""
    waiting = [("", rules_above(root))]
    seen: set[tuple[int, int]] = set()
    looked = 0
    while waiting:
        inside, rules = waiting.pop()
        here = os.path.join(root, *inside.split("/")) if inside else root  # noqa: PTH118 - os.scandir takes strings
        try:
            entries = sorted(_entries(here, name, _MOST_ENTRIES - looked), key=lambda entry: natural(entry.name))
            if _is_seen(here, seen):
                left_out.add("link", f"{inside}/")
                continue
        except OSError as error:
            left_out.add("unreadable", labelled(f"{inside}/", why(error)))
            continue
        looked += len(entries)
        if inside and any(entry.name in _MADE_SIGNS for entry in entries):
            left_out.add("made", f"{inside}/")
            continue
        rules = rules.within(here)
        folders = []
        for entry in entries:
            cancellation.check()
            path = f"{inside}/{entry.name}" if inside else entry.name
            file = _looked_at(entry, path, root, rules, left_out)
            if isinstance(file, FileIn):
                yield file
            elif file == "folder":
                folders.append((path, rules))
        waiting += reversed(folders)


def _without_doubles(found: list[FileIn]) -> list[FileIn]:
    """Return the files without the links that lead to others of them."""
    direct = {file.path for file in found if not file.is_link}
    return [file for file in found if not file.is_link or os.path.realpath(file.path) not in direct]


def _entries(folder: str, name: str, most: int) -> Iterator["os.DirEntry[str]"]:
    """Yield what is in `folder`; raises `InputError` if that is more than so many."""
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            cancellation.check()
            if count >= most:
                raise InputError(
                    _("{name} holds more than {most} files and folders: too many to look at.").format(
                        name=name, most=f"{_MOST_ENTRIES:,}"
                    ),
                    _fewer(name),
                )
            yield entry


def _looked_at(
    entry: "os.DirEntry[str]", path: str, root: str, rules: Rules, left_out: LeftOut
) -> FileIn | Literal["folder"] | None:
    """Return the file or folder `entry`, or None if it is left out."""
    try:
        info = entry.stat(follow_symlinks=False)
        is_link = entry.is_symlink() or getattr(info, "st_reparse_tag", 0) == _JUNCTION
        is_folder = stat.S_ISDIR(info.st_mode) and not is_link
        shown = f"{path}/" if is_folder else path
        if _is_hidden(entry.name, info):
            left_out.add("hidden", shown)
        elif rules.ignore(entry.path, is_folder=is_folder):
            left_out.add("ignored", shown)
        elif is_folder and entry.name in _MADE_FOLDERS:
            left_out.add("made", shown)
        elif is_folder:
            return "folder"
        elif is_link and not _stays(entry.path, root):
            left_out.add("link", shown)
        else:
            info = entry.stat()
            if not stat.S_ISREG(info.st_mode):
                left_out.add("special", shown)
            elif not info.st_size:
                left_out.add("empty", shown)
            else:
                return FileIn(entry.path, path, info.st_size, is_link)
    except OSError as error:
        left_out.add("unreadable", labelled(path, why(error)))
    return None


def _is_hidden(name: str, info: os.stat_result) -> bool:
    hidden = getattr(stat, "FILE_ATTRIBUTE_HIDDEN", 0)
    return name.startswith(".") or bool(getattr(info, "st_file_attributes", 0) & hidden)


def _stays(link: str, root: str) -> bool:
    """Whether a symbolic link leads to a file in the folder `root`."""
    target = os.path.realpath(link)
    return target.startswith(os.path.join(root, "")) and os.path.isfile(target)  # noqa: PTH113, PTH118 - strings


def _is_seen(folder: str, seen: set[tuple[int, int]]) -> bool:
    """Whether the folder is in `seen`, by its identity; add it."""
    info = os.stat(folder)  # noqa: PTH116 - strings
    identity = (info.st_dev, info.st_ino)
    before = len(seen)
    # Some network drives have no numbers for files.
    if info.st_ino:
        seen.add(identity)
    return bool(info.st_ino) and len(seen) == before


def _most_bytes(file: FileIn, left_out: LeftOut) -> int | None:
    """Return how large the file may be; None if it is left out, because it is neither text nor a document."""
    try:
        with open(file.path, "rb") as stream:  # noqa: PTH123 - strings
            head = stream.read(HEAD)
    except OSError as error:
        left_out.add("unreadable", labelled(file.name, why(error)))
        return None
    most = most_bytes(head, file.name)
    if most == MOST_TEXT and not may_be_text(head):
        left_out.add("binary", file.name)
        return None
    return most


def _shortened(names: list[str]) -> list[str]:
    lines = [" ".join(name.split()) for name in names[:_MOST_NAMED]]
    short = [name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}" for name in lines]
    return [*short, *(["…"] if len(names) > _MOST_NAMED else [])]

"""Gathers the materials that paths mean: files, and the files in folders; each once, and together within bounds."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from qwen_tui import cancellation, files, typed_paths
from qwen_tui.chat import material
from qwen_tui.chat.material import Reading
from qwen_tui.documents import folder
from qwen_tui.documents.document import MOST_TEXT, Password
from qwen_tui.errors import InputError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import in_a_row, ngettext
from qwen_tui.messages import FileRead, Loss, Material
from qwen_tui.typed_text import as_text

# Of the notes about how the files of a folder were read, so many are told.
_MOST_NOTES = 5


class Gathering:
    """The materials of one command, in the order in which `add` gets their paths."""

    def __init__(self, reading: Reading) -> None:
        self.materials: list[Material] = []
        self._reading = reading
        # The real paths of the files that were read, and how many bytes their texts have.
        self._seen: set[str] = set()
        self._size = 0

    def add(self, typed: str) -> None:
        """Read the file, or all files of the folder, that this path means; raises `InputError`."""
        path, name = files.expand(typed), as_text(typed)
        if not typed:
            # Python takes an empty path for the current folder; here it comes from a variable that is not set.
            raise InputError(_("The name of the file is empty."), _("For all files of this folder, name it: ."))
        if files.is_folder(path):
            self._add_folder(path, name)
        elif not files.is_there(path) and typed_paths.is_pattern(typed):
            raise InputError(
                _("No file matches the pattern {pattern}.").format(pattern=name),
                _("In a pattern, ** means all folders, as in '{pattern}'; it finds no hidden files.").format(
                    pattern="docs/**/*.md"
                ),
            )
        elif self._is_new(path):
            self.take(material.from_file(path, self._reading, name))
        else:
            self._reading.report(_("{name} is named more than once; it is read once.").format(name=name))

    def take(self, read: Material) -> None:
        """Add a material; raises `InputError` if all together are too large."""
        self.materials.append(read)
        self._size += len(read.text.encode("utf-8", "replace"))
        if self._size > MOST_TEXT and len(self.materials) > 1:
            raise InputError(
                _("The materials have more than {limit} MB of text together, the most that is read.").format(
                    limit=MOST_TEXT >> 20
                ),
                _("Name fewer of them."),
            )

    def _is_new(self, path: str | Path) -> bool:
        before = len(self._seen)
        self._seen.add(os.path.realpath(path))
        return len(self._seen) > before

    def _add_folder(self, path: Path, name: str) -> None:
        """Read the files in a folder. Those that cannot be read are left out, and the person is told which."""
        left_out = folder.LeftOut()
        try:
            found = folder.find(path, name, left_out, self._shown(name))
        except OSError as error:
            raise material.unreadable(error, name) from error
        finally:
            self._reading.show(FileRead(name, 0, 0))
        notes: list[str] = []
        # Of one of many files, the pages do not count.
        reading = self._reading._replace(report=notes.append, show=lambda _event: None, password=self._asked(name))
        fresh = [file for file in found if self._is_new(file.path)]
        before = len(self.materials)
        try:
            for done, file in enumerate(fresh):
                cancellation.check()
                within = _joined(name, file.name)
                self._shown(within)(done, len(fresh))
                try:
                    read = material.from_file(Path(file.path), reading, within)
                except InputError as error:
                    left_out.refuse(error.message)
                    continue
                if read.text.strip():
                    self.take(read)
                else:
                    left_out.add("empty", file.name)
        finally:
            self._reading.show(FileRead(name, 0, 0))
        self._tell(name, len(self.materials) - before, left_out, notes, is_double=bool(found) and not fresh)

    def _asked(self, folder_name: str) -> Password | None:
        """Return what knows the passwords of documents in a folder; a question needs the row of the progress."""
        if (password := self._reading.password) is None:
            return None

        def asked(name: str, wrong: int) -> str | None:
            self._reading.show(FileRead(folder_name, 0, 0))
            return password(name, wrong)

        return asked

    def _shown(self, name: str) -> Callable[[int, int], None]:
        """Return what shows how far something of that name is read."""
        return lambda done, total: self._reading.show(FileRead(name, done, total))

    def _tell(self, name: str, count: int, left_out: folder.LeftOut, notes: list[str], *, is_double: bool) -> None:
        """Say what was read of a folder, what was left out, and how files were read.

        Raises `InputError` if none was, unless all of them had been read before.
        """
        if not count and not is_double:
            raise InputError(
                _("There is nothing to read in the folder {name}.").format(name=name),
                left_out.sentence() or _("Put files into it, or name another."),
            )
        sentence = ngettext("{n} file of {folder} was read.", "{n} files of {folder} were read.", count)
        shown = name if name not in (os.curdir, os.pardir) else f"{name}/"
        what = in_a_row(sentence.format(n=f"{count:,}", folder=shown), left_out.sentence())
        self._reading.report(Loss(what) if left_out.sentence() else what)
        # What is lost comes first: of that, the person is told whatever the number of notes.
        notes.sort(key=lambda note: not isinstance(note, Loss))
        for note in notes[:_MOST_NOTES]:
            self._reading.report(note)
        if more := notes[_MOST_NOTES:]:
            sentence = ngettext("There is {n} more such note.", "There are {n} more such notes.", len(more))
            sentence = sentence.format(n=len(more))
            self._reading.report(Loss(sentence) if isinstance(more[0], Loss) else sentence)


def check_count(paths: Sequence[str]) -> None:
    """Raise `InputError` if more paths are named than are read."""
    if len(paths) > folder.MOST_FILES:
        raise InputError(
            _("{n} files are named; {most} are read at most.").format(
                n=f"{len(paths):,}", most=f"{folder.MOST_FILES:,}"
            ),
            _("Name fewer of them."),
        )


def _joined(name: str, inside: str) -> str:
    """Return the name of a file that is `inside` a folder, of which the person wrote `name`."""
    above = name.rstrip("/\\")
    return as_text(inside) if above == os.curdir else f"{above}/{as_text(inside)}"

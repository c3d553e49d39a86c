"""The models on this computer: the files in the models folder, and what is known of each of them."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from qwen_tui.files import private_folder, write_private
from qwen_tui.models.identity import Facts
from qwen_tui.models.locking import locked

_LIST = "models.json"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one model file.

    `path` is its name in the folder, or where it lies if it was only linked. `name` is what it is called by
    (`NAME:QUANT`, or `owner/repo:FILE`, or the name of the file). `source` says in words where it came from, `key`
    which address that was, if it was one, without giving it away. `sha256` was found equal to what was expected, or,
    where `pinned` is false, was what arrived. `facts` are those of the file when it was hashed, `verified` when that
    was, in seconds since 1970.
    """

    path: str
    name: str
    size: int
    sha256: str
    facts: Facts
    verified: float = msgspec.field(default_factory=time.time)
    source: str = ""
    pinned: bool = False
    key: str = ""


def is_outside(record: Record) -> bool:
    """Whether the file was only linked: it lies outside the models folder."""
    return os.path.isabs(record.path)  # noqa: PTH117 - the name alone decides


class Shelf:
    """The models folder `folder`, which need not exist."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def look(self) -> None:
        """Raise `OSError` where the folder is there and cannot be looked into: that is not the same as an empty one."""
        with contextlib.suppress(FileNotFoundError):
            os.scandir(self.folder).close()

    def records(self) -> tuple[Record, ...]:
        """Return what is known, in the order in which the models came; a list that cannot be read is empty."""
        try:
            return msgspec.json.decode((self.folder / _LIST).read_bytes(), type=tuple[Record, ...])
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return ()

    def put(self, record: Record) -> None:
        """Note `record` in place of what was known of that path; raises `OSError`."""
        with self._changing() as records:
            records[record.path] = record

    def forget(self, path: str) -> None:
        """Remove the record of that path; the file stays. Raises `OSError`."""
        with self._changing() as records:
            records.pop(path, None)

    def file(self, record: Record) -> Path:
        """Return where the file of `record` lies."""
        return self.folder / record.path

    def named(self, name: str) -> Record | None:
        """Return the record of that name whose file is there, the latest if there are several."""
        found = (record for record in reversed(self.records()) if record.name == name and self.file(record).is_file())
        return next(found, None)

    def _put_damaged_aside(self) -> None:
        """Rename a list that cannot be read, so that writing a new one does not lose what is in it."""
        file = self.folder / _LIST
        try:
            msgspec.json.decode(file.read_bytes(), type=tuple[Record, ...])
        except FileNotFoundError:
            return
        except (msgspec.MsgspecError, UnicodeDecodeError):
            file.replace(self.folder / f"{_LIST}.damaged")

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, Record]]:
        private_folder(self.folder)
        with locked(self.folder / f"{_LIST}.lock"):
            self._put_damaged_aside()
            records = {record.path: record for record in self.records()}
            yield records
            write_private(self.folder / _LIST, msgspec.json.format(msgspec.json.encode(list(records.values()))))

"""The models folder, and the list in it that records each model."""

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


class ModelRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one model file.

    `path` is the file's name in the folder, or its absolute path if it is only linked. `name` is the model's name:
    `NAME:QUANT`, or `owner/repo:FILE`, or the name of the file. `source` says in words where the file came from; `key`
    identifies its address, if it had one, without revealing it. `sha256` is the hash of the file; `pinned` says that
    it equals a hash that was expected beforehand. `facts` are the file's facts when the program hashed it, `verified`
    is that time, in seconds since 1970.
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


def is_outside(record: ModelRecord) -> bool:
    """Whether the file is only linked, and lies outside the models folder."""
    return os.path.isabs(record.path)  # noqa: PTH117 - the name alone decides


class Shelf:
    """The models folder `folder`; it need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def look(self) -> None:
        """Raise `OSError` if the folder exists and cannot be read; such a folder is not an empty one."""
        with contextlib.suppress(FileNotFoundError):
            os.scandir(self.folder).close()

    def records(self) -> tuple[ModelRecord, ...]:
        """Return the records in the order in which the models came; none if the list cannot be read."""
        try:
            return msgspec.json.decode((self.folder / _LIST).read_bytes(), type=tuple[ModelRecord, ...])
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return ()

    def put(self, record: ModelRecord) -> None:
        """Store `record` in place of an earlier record of its path; raises `OSError`."""
        with self._changing() as records:
            records[record.path] = record

    def forget(self, path: str) -> None:
        """Remove the record of `path`; the file stays. Raises `OSError`."""
        with self._changing() as records:
            records.pop(path, None)

    def file(self, record: ModelRecord) -> Path:
        """Return where the file of `record` lies."""
        return self.folder / record.path

    def named(self, name: str) -> ModelRecord | None:
        """Return the latest record with this name whose file exists, None if there is none."""
        found = (record for record in reversed(self.records()) if record.name == name and self.file(record).is_file())
        return next(found, None)

    def _put_damaged_aside(self) -> None:
        """Rename a list that cannot be read, so that the new list does not overwrite its content."""
        file = self.folder / _LIST
        try:
            msgspec.json.decode(file.read_bytes(), type=tuple[ModelRecord, ...])
        except FileNotFoundError:
            return
        except (msgspec.MsgspecError, UnicodeDecodeError):
            file.replace(self.folder / f"{_LIST}.damaged")

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, ModelRecord]]:
        private_folder(self.folder)
        with locked(self.folder / f"{_LIST}.lock"):
            self._put_damaged_aside()
            records = {record.path: record for record in self.records()}
            yield records
            write_private(self.folder / _LIST, msgspec.json.format(msgspec.json.encode(list(records.values()))))

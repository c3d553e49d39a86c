"""The folder of the prefix store: its files by kind, and which of them are removed to stay under the limit.

A state is `{conversation}.state`. While a process writes it, it is a `.draft`, and a sign (`.coming`) announces it. A
tombstone (`.forgotten`) says that a conversation was removed and that nobody may write its state any more.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qwen_tui.engine import sign
from qwen_tui.files import private_folder
from qwen_tui.kept_files import Tombstones, files_in

# No more states than this are kept or read. So many large ones never fit under the limit anyway.
MOST_STATES = 256
# A draft grows all the time. A process that has not written to its draft for so long, in seconds, has ended.
_ABANDONED = 120.0
# The writer of a sign locks it within this time, in seconds, or never.
_LOCKED_WITHIN = 5.0


class StoreFolder:
    """The files in the folder `path`; states and drafts together take at most `limit` bytes."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.limit = limit
        self._tombstones = Tombstones(path)

    def create(self) -> None:
        """Create the folder, readable by its owner alone; raises `OSError`."""
        private_folder(self.path)

    def state(self, conversation: str) -> Path | None:
        """Return the file for the state of a conversation; None for an id that is no file name."""
        # Our ids are letters and digits only.
        return self.path / f"{conversation}.state" if conversation.isascii() and conversation.isalnum() else None

    def is_forgotten(self, conversation: str) -> bool:
        """Whether the conversation was removed."""
        return self._tombstones.has(conversation)

    def forget(self, conversation: str) -> None:
        """Leave a tombstone of the conversation, then remove its files; raises `OSError`."""
        self._tombstones.put_up(conversation)
        for path in self.all():
            if path.name.startswith(f"{conversation}."):
                self.remove(path)

    def all(self) -> list[Path]:
        """Return all states, drafts and signs."""
        return [path for suffix in (".state", ".draft", sign.SUFFIX) for path, _stat in self.files(suffix)]

    def remove(self, path: Path) -> None:
        """Remove a file; raises `OSError`."""
        try:
            path.unlink(missing_ok=True)
        except PermissionError:
            # Windows removes no open file. The process that writes a draft removes the draft and its sign itself.
            if os.name != "nt" or path.suffix == ".state":
                raise

    def files(self, suffix: str) -> Iterator[tuple[Path, os.stat_result]]:
        """Return the files with this suffix, in no order."""
        return files_in(self.path, suffix)

    @contextlib.contextmanager
    def draft(self, conversation: str, size: int) -> Iterator[tuple[Any, Path]]:
        """Open a draft of `size` bytes, which is removed after the block unless it was renamed; raises `OSError`."""
        # mkstemp creates the file with mode 0600, whatever the umask.
        handle, name = tempfile.mkstemp(prefix=f"{conversation}.", suffix=".draft", dir=self.path)
        path = Path(name)
        try:
            with os.fdopen(handle, "wb", buffering=0) as file:
                file.truncate(size)
                yield file, path
        finally:
            path.unlink(missing_ok=True)

    def make_room(self, replaced: Path) -> bool:
        """Remove the state `replaced`, then the least recently used ones, until the limit holds; whether it does.

        Raises `OSError`.
        """
        self._remove_outdated()
        total = sum(stat.st_size for _path, stat in self.files(".draft"))
        states = sorted(self.files(".state"), key=lambda pair: (pair[0] != replaced, pair[1].st_mtime))
        total += sum(stat.st_size for _path, stat in states)
        count = len(states)
        for path, stat in states:
            if total <= self.limit and count < MOST_STATES:
                break
            path.unlink(missing_ok=True)
            total -= stat.st_size
            count -= 1
        return total <= self.limit

    def _remove_outdated(self) -> None:
        """Remove old tombstones, signs without a writer, and abandoned drafts."""
        self._tombstones.remove_old()
        now = time.time()
        for path, stat in self.files(sign.SUFFIX):
            if now - stat.st_mtime > _LOCKED_WITHIN and sign.seen(path) is None:
                with contextlib.suppress(PermissionError):
                    path.unlink(missing_ok=True)
        for path, stat in self.files(".draft"):
            if now - stat.st_mtime > _ABANDONED:
                path.unlink(missing_ok=True)

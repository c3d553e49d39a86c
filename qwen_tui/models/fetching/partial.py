"""The partial file of a download: it survives whatever stops the program, and gets its name when it is verified."""

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from qwen_tui import cancellation, learned
from qwen_tui.files import private_folder, sync_folder
from qwen_tui.models.hashing import CHUNK

SUFFIX = ".part"

# A power failure loses at most this many bytes. If only the program dies, the system still writes everything.
_SYNC_EVERY = 64 << 20
_BLOCK = 4096
_BINARY = getattr(os, "O_BINARY", 0)


class Notes(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored beside a partial file.

    `name` is the model's name, `total` the file's size in bytes if known. `asked` are the arguments of `qwen pull` that
    resume the download. `marks` holds for each source, by its key, the ETag of the file that the download began with.
    `begun` is the key of the source of the first bytes.
    """

    name: str = ""
    asked: tuple[str, ...] = ()
    total: int | None = None
    begun: str = ""
    marks: dict[str, str] = {}


def read_notes(part: Path) -> Notes:
    """Return the notes of the partial file `part`, empty ones if there are none or they cannot be read."""
    return learned.read(_beside(part), Notes, Notes())


class PartialFile:
    """The partial file `KEY.part` in `folder`, with the SHA-256 of its content; `opened` opens it.

    Only the process that holds `lock` may write to it.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.path = folder / f"{key}{SUFFIX}"
        self.lock = folder / f"{key}{SUFFIX}.lock"
        self.size = 0
        self.notes = Notes()
        self._digest = hashlib.sha256()
        self._handle = -1
        self._synced = 0
        self._syncing: threading.Thread | None = None

    @property
    def sha256(self) -> str:
        """The SHA-256 of the content, in hexadecimal."""
        return self._digest.hexdigest()

    @property
    def kept(self) -> int:
        """How many bytes an earlier attempt has left; valid before the file is opened."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    @contextlib.contextmanager
    def opened(self) -> Iterator["PartialFile"]:
        """Open the file, or create it, and close it at the end of the block. Raises `OSError`."""
        private_folder(self.path.parent)
        self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | _BINARY, 0o600)
        try:
            self.notes = read_notes(self.path)
            self._cut_zeros()
            yield self
        finally:
            self._leave_sync()
            if self._handle >= 0:
                empty = not os.fstat(self._handle).st_size
                self._close()
                if empty:
                    # No byte has arrived: leave no empty files behind.
                    self.path.unlink(missing_ok=True)
                    _beside(self.path).unlink(missing_ok=True)

    def hashed(self, limit: int | None) -> Iterator[int]:
        """Hash the content, and yield after each step how many bytes are hashed.

        A content of more than `limit` bytes cannot belong to this file: it is discarded.
        """
        if limit is not None and os.fstat(self._handle).st_size > limit:
            self.restart()
        os.lseek(self._handle, 0, os.SEEK_SET)
        while step := os.read(self._handle, CHUNK):
            self._digest.update(step)
            self.size += len(step)
            yield self.size
        self._synced = self.size

    def append(self, piece: bytes) -> None:
        """Write `piece` at the end; raises `OSError`, after having written as much as there was room for."""
        view = memoryview(piece)
        while view:
            written = os.write(self._handle, view)
            self._digest.update(view[:written])
            self.size += written
            view = view[written:]
        if self.size - self._synced >= _SYNC_EVERY:
            self._sync()

    def restart(self) -> None:
        """Discard the content."""
        self._wait_for_sync()
        os.ftruncate(self._handle, 0)
        os.lseek(self._handle, 0, os.SEEK_SET)
        self._digest = hashlib.sha256()
        self.size = self._synced = 0

    def remove(self) -> None:
        """Delete the file and its notes."""
        self.restart()
        self._close()
        self.path.unlink(missing_ok=True)
        _beside(self.path).unlink(missing_ok=True)

    def remove_lock(self) -> None:
        """Delete the lock file. Windows refuses while the lock is held; the file that stays does no harm."""
        with contextlib.suppress(OSError):
            self.lock.unlink()

    def finish(self, target: Path) -> None:
        """Sync the file to the disk and rename it to `target` in one step; raises `OSError`."""
        self._wait_for_sync()
        cancellation.current().run(lambda: os.fsync(self._handle))
        self._close()
        self.path.replace(target)
        _beside(self.path).unlink(missing_ok=True)
        sync_folder(target.parent)

    def note(self, notes: Notes) -> None:
        """Replace the stored notes by `notes`."""
        if notes == self.notes:
            return
        self.notes = notes
        # `learned.write` ignores a failure: without notes, the download at worst fetches bytes again.
        learned.write(_beside(self.path), notes)

    def _cut_zeros(self) -> None:
        """Cut off zeros at the end: after a power failure, a file system shows zeros for bytes that it never wrote."""
        end = size = os.fstat(self._handle).st_size
        lowest = max(0, size - 2 * _SYNC_EVERY)
        while end > lowest:
            start = max(end - _BLOCK, lowest)
            os.lseek(self._handle, start, os.SEEK_SET)
            if os.read(self._handle, end - start).strip(b"\0"):
                break
            end = start
        if end < size:
            os.ftruncate(self._handle, end)

    def _sync(self) -> None:
        """Sync the file to the disk in a thread, while the download goes on."""
        if self._syncing and self._syncing.is_alive():
            return
        self._synced = self.size
        self._syncing = threading.Thread(target=_sync_quietly, args=(self._handle,), daemon=True)
        self._syncing.start()

    def _wait_for_sync(self) -> None:
        if self._syncing:
            cancellation.current().join(self._syncing)
            self._syncing = None

    def _leave_sync(self) -> None:
        """Wait for the sync to end, unless the operation is cancelled: then the thread goes on alone."""
        if not cancellation.current().requested:
            self._wait_for_sync()

    def _close(self) -> None:
        os.close(self._handle)
        self._handle = -1


def adopt(part: PartialFile, other: PartialFile) -> None:
    """Rename the partial file `other` to `part`, unless `part` exists, or another process fills `other`.

    Both must be closed. Raises `OSError`.
    """
    from filelock import FileLock, Timeout

    if part.path.exists() or not other.path.exists():
        return
    with contextlib.suppress(Timeout), FileLock(other.lock, mode=0o600).acquire(timeout=0):
        if _beside(other.path).exists():
            _beside(other.path).replace(_beside(part.path))
        other.path.replace(part.path)
        other.remove_lock()


def _beside(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _sync_quietly(handle: int) -> None:
    # If the disk fails, the sync in `finish` raises the same error.
    with contextlib.suppress(OSError):
        getattr(os, "fdatasync", os.fsync)(handle)

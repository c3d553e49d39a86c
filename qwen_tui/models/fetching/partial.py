"""A file that is not whole yet: it survives whatever stops the program, and gets its name once it is proven."""

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

# At most so much is lost by a power failure: the system's own caches lose nothing when only the program dies.
_SYNC_EVERY = 64 << 20
_BLOCK = 4096
_BINARY = getattr(os, "O_BINARY", 0)


class Notes(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept beside a partial file.

    `name` is what it is to be, `total` its size in bytes if that is known, `asked` the words behind `qwen pull` that go
    on with it. `marks` says by which mark each source, by its key, would know again the file that was begun; `begun` is
    the key of the source that gave its first bytes.
    """

    name: str = ""
    asked: tuple[str, ...] = ()
    total: int | None = None
    begun: str = ""
    marks: dict[str, str] = {}


def read_notes(part: Path) -> Notes:
    """Return what is kept beside the partial file `part`; where that cannot be read, nothing is known."""
    return learned.read(_beside(part), Notes, Notes())


class PartialFile:
    """The partial file `KEY.part` in `folder`, open from `opened` on, with the SHA-256 of what is in it.

    Whoever fills it holds `lock`.
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
        """The SHA-256 of what is there, in hexadecimal."""
        return self._digest.hexdigest()

    @property
    def kept(self) -> int:
        """The bytes that an earlier attempt left, before the file is opened."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    @contextlib.contextmanager
    def opened(self) -> Iterator["PartialFile"]:
        """Create or open the file, and close it at the end; what is in it stays. Raises `OSError`."""
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
                    # Nothing came: nothing is left behind.
                    self.path.unlink(missing_ok=True)
                    _beside(self.path).unlink(missing_ok=True)

    def hashed(self, limit: int | None) -> Iterator[int]:
        """Hash what is there, and yield how much of it is done; more than `limit` bytes cannot be of this file."""
        if limit is not None and os.fstat(self._handle).st_size > limit:
            self.restart()
        os.lseek(self._handle, 0, os.SEEK_SET)
        while step := os.read(self._handle, CHUNK):
            self._digest.update(step)
            self.size += len(step)
            yield self.size
        self._synced = self.size

    def append(self, piece: bytes) -> None:
        """Write `piece` at the end; raises `OSError`, with as much written as there was room for."""
        view = memoryview(piece)
        while view:
            written = os.write(self._handle, view)
            self._digest.update(view[:written])
            self.size += written
            view = view[written:]
        if self.size - self._synced >= _SYNC_EVERY:
            self._sync()

    def restart(self) -> None:
        """Begin again with nothing."""
        self._wait_for_sync()
        os.ftruncate(self._handle, 0)
        os.lseek(self._handle, 0, os.SEEK_SET)
        self._digest = hashlib.sha256()
        self.size = self._synced = 0

    def remove(self) -> None:
        """Delete it: what is in it is of no use."""
        self.restart()
        self._close()
        self.path.unlink(missing_ok=True)
        _beside(self.path).unlink(missing_ok=True)

    def remove_lock(self) -> None:
        """Delete the file that its holder has locked; Windows leaves it where it is, and it does no harm."""
        with contextlib.suppress(OSError):
            self.lock.unlink()

    def finish(self, target: Path) -> None:
        """Give the file its name, in one step and for good; raises `OSError`."""
        self._wait_for_sync()
        cancellation.current().run(lambda: os.fsync(self._handle))
        self._close()
        self.path.replace(target)
        _beside(self.path).unlink(missing_ok=True)
        sync_folder(target.parent)

    def note(self, notes: Notes) -> None:
        """Keep `notes` in place of those that were there."""
        if notes == self.notes:
            return
        self.notes = notes
        # They save bytes at the best: the file is proven without them.
        learned.write(_beside(self.path), notes)

    def _cut_zeros(self) -> None:
        """Cut off the zeros at the end: after a power failure they stand for bytes that never reached the disk."""
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
        """Have the disk take what was written, while more is fetched."""
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
        """Let the disk go on taking what was written by itself: whoever was cancelled does not wait for it."""
        if not cancellation.current().requested:
            self._wait_for_sync()

    def _close(self) -> None:
        os.close(self._handle)
        self._handle = -1


def adopt(part: PartialFile, other: PartialFile) -> None:
    """Let `part` be what `other` is so far, unless there is something of it already, or `other` is being filled.

    Neither is open. Raises `OSError`.
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
    # A disk that fails says so at the end as well.
    with contextlib.suppress(OSError):
        getattr(os, "fdatasync", os.fsync)(handle)

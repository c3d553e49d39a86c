"""Large files read, hashed and written in one pass: nothing is named before it is whole."""

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from qwen_tui.errors import InvalidModelError, QwenError, WriteError, why
from qwen_tui.files import private_folder, size_text, sync_folder
from qwen_tui.i18n import gettext as _
from qwen_tui.models.shelf import Shelf

# How many bytes of how many are done.
Show = Callable[[int, int], None]

CHUNK = 4 << 20
# What a file is called in the models folder until it is whole.
ARRIVING = ".importing"
# What is locked in the models folder while files arrive there.
IMPORT_LOCK = "import.lock"
# What else may be written meanwhile, in bytes.
_SPARE = 64 << 20


class HashingReader:
    """Hands on the bytes of `stream`, and hashes them on the way; raises `InvalidModelError` where they cannot be read.

    `name` is what they are called in an error, `size` how many there have to be, `failures` what the stream raises
    beside `OSError` if it is damaged.
    """

    def __init__(
        self, stream: IO[bytes], size: int, name: str | Path, show: Show, failures: tuple[type[Exception], ...] = ()
    ) -> None:
        self._stream = stream
        self._size = size
        self._name = name
        self._show = show
        self._failures: tuple[type[Exception], ...] = (OSError, *failures)
        self._digest = hashlib.sha256()
        self._done = 0

    def read(self, count: int = -1) -> bytes:
        """Return at most `count` bytes, all that are left if it is negative."""
        try:
            data = self._stream.read(count)
        except self._failures as error:
            raise _unreadable(self._name, error) from error
        self._digest.update(data)
        self._done += len(data)
        if self._done > self._size:
            raise self._wrong_size()
        self._show(self._done, self._size)
        return data

    def finish(self) -> str:
        """Return the SHA-256 (hexadecimal) of what was read; raises `InvalidModelError` if that is not all or more."""
        if self._done != self._size or self.read(1):
            raise self._wrong_size()
        return self._digest.hexdigest()

    def _wrong_size(self) -> QwenError:
        return InvalidModelError(
            _("{path} does not have the {size:,} bytes that it should have.").format(path=self._name, size=self._size),
            _("It may be incomplete, or still being written: copy it again."),
        )


def hash_file(path: Path, show: Show) -> str:
    """Return the SHA-256 (hexadecimal) of a file; raises `InvalidModelError` if it cannot be read."""
    try:
        with path.open("rb", buffering=0) as file:
            reader = HashingReader(file, os.fstat(file.fileno()).st_size, path, show)
            while reader.read(CHUNK):
                pass
            return reader.finish()
    except OSError as error:
        raise _unreadable(path, error) from error


def check_room(folder: Path, size: int, remedy: str = "") -> None:
    """Raise `WriteError` if `size` bytes do not fit onto the disk of `folder`, which need not exist."""
    there = folder
    while not os.path.exists(there) and there != there.parent:  # noqa: PTH110 - it never raises
        there = there.parent
    try:
        free = shutil.disk_usage(there).free
    except OSError:
        # Then writing will tell.
        return
    if free < size + _SPARE:
        raise WriteError(
            _("{folder} has no room: {size} are needed, and {free} are free.").format(
                folder=folder, size=size_text(size), free=size_text(free)
            ),
            remedy or _("Free some space, or set QWEN_TUI_HOME to a folder on another disk."),
        )


@contextlib.contextmanager
def one_at_a_time(shelf: Shelf, waiting: Callable[[], None]) -> Iterator[None]:
    """Import in the block alone, `waiting` being called if another does so now; what a killed one left is removed."""
    from filelock import FileLock, Timeout

    try:
        private_folder(shelf.folder)
        lock = FileLock(shelf.folder / IMPORT_LOCK, mode=0o600)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire()
    except OSError as error:
        raise write_error(shelf.folder, error) from error
    try:
        for left in shelf.folder.glob(f"*{ARRIVING}"):
            with contextlib.suppress(OSError):
                left.unlink()
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def received(reader: HashingReader, folder: Path) -> Iterator[Path]:
    """Copy what `reader` reads into a new file (0600) in `folder`, for the block to check and rename.

    It is removed unless the block renames it. Raises `WriteError`, and `InvalidModelError` from reading.
    """
    arriving: Path | None = None
    try:
        try:
            handle, name = tempfile.mkstemp(suffix=ARRIVING, dir=folder)
            arriving = Path(name)
            with os.fdopen(handle, "wb", buffering=0) as file:
                while data := reader.read(CHUNK):
                    write_all(file, data)
                os.fsync(file.fileno())
        except OSError as error:
            raise write_error(folder, error) from error
        yield arriving
    finally:
        if arriving is not None:
            arriving.unlink(missing_ok=True)


def give_name(arrived: Path, final: Path) -> None:
    """Rename a file that is whole, in one step and to stay; raises `WriteError`."""
    try:
        arrived.replace(final)
        sync_folder(final.parent)
    except OSError as error:
        raise write_error(final, error) from error


def write_all(file: IO[bytes], data: bytes) -> None:
    """Write all of `data`: an unbuffered file may take a part of it, as when the disk is nearly full."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def write_error(path: Path, error: OSError) -> WriteError:
    """Say why something could not be written to `path`, and what to do about it."""
    remedy = _("Free some space, or choose another place.")
    if error.errno == errno.EFBIG:
        remedy = _("A disk in the format FAT32 holds no file of 4 GB or more: format it as exFAT, or take another.")
    elif error.errno in (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST):
        remedy = _("Choose another name.")
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        remedy = _("Check the permissions, or choose another place.")
    return WriteError(_("{path} could not be written: {reason}").format(path=path, reason=why(error)), remedy)


def _unreadable(name: str | Path, error: Exception) -> InvalidModelError:
    reason = why(error) if isinstance(error, OSError) else str(error) or type(error).__name__
    return InvalidModelError(
        _("{path} cannot be read: {reason}").format(path=name, reason=reason),
        _("Check that the disk or stick is sound and connected, and copy it again."),
    )

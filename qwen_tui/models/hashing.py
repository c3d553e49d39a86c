"""The SHA-256 of large files, computed while they are read: with progress, cancellable, and also during a copy."""

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from qwen_tui import cancellation
from qwen_tui.errors import InvalidModelError, why
from qwen_tui.i18n import gettext as _

# Shows progress: how many bytes are done, and how many there are.
OnProgress = Callable[[int, int], None]

# The bytes that are read, hashed and written between two checks for a cancellation.
CHUNK = 1 << 20


class HashingReader:
    """Reads `stream` and hashes the bytes on the way; raises `InvalidModelError` if they cannot be read.

    `name` names the stream in errors, `size` is how many bytes it must have, and `failures` are the exceptions that a
    damaged stream raises beside `OSError`.
    """

    def __init__(
        self,
        stream: IO[bytes],
        size: int,
        name: str | Path,
        on_progress: OnProgress | None = None,
        failures: tuple[type[Exception], ...] = (),
    ) -> None:
        self.size = size
        self._stream = stream
        self._name = name
        self._on_progress = on_progress
        self._failures: tuple[type[Exception], ...] = (OSError, *failures)
        self._digest = hashlib.sha256()
        self._done = 0

    def read(self, count: int = -1) -> bytes:
        """Return at most `count` bytes, or all remaining ones if `count` is negative."""
        try:
            # `run` reads in a thread, because Ctrl-C cannot interrupt a read from a USB stick that hangs.
            data = cancellation.current().run(lambda: self._stream.read(count))
        except self._failures as error:
            raise _unreadable(self._name, error) from error
        self._digest.update(data)
        self._done += len(data)
        if self._done > self.size:
            raise self._wrong_size()
        if self._on_progress:
            self._on_progress(self._done, self.size)
        return data

    def steps(self) -> Iterator[int]:
        """Read the remaining bytes only to hash them, and yield after each chunk how many bytes are done."""
        while self.read(CHUNK):
            yield self._done

    def finish(self) -> str:
        """Return the SHA-256 (hexadecimal); raises `InvalidModelError` unless exactly `size` bytes were there."""
        if self._done != self.size or self.read(1):
            raise self._wrong_size()
        return self._digest.hexdigest()

    def _wrong_size(self) -> InvalidModelError:
        return InvalidModelError(
            _("{path} does not have the {size:,} bytes that it should have.").format(path=self._name, size=self.size),
            _("It may be incomplete, or still being written: copy it again."),
        )


@contextlib.contextmanager
def reading(path: Path, on_progress: OnProgress | None = None, size: int | None = None) -> Iterator[HashingReader]:
    """Open a file for the block, which hashes it by reading it.

    `size` is how many bytes the file must have; without it, its present size. Raises `InvalidModelError` if the file
    cannot be opened.
    """
    try:
        file = path.open("rb", buffering=0)
    except OSError as error:
        raise _unreadable(path, error) from error
    with file:
        yield HashingReader(file, os.fstat(file.fileno()).st_size if size is None else size, path, on_progress)


def hash_file(path: Path, on_progress: OnProgress) -> str:
    """Return the SHA-256 (hexadecimal) of a file; raises `InvalidModelError` if it cannot be read."""
    with reading(path, on_progress) as reader:
        for _done in reader.steps():
            pass
        return reader.finish()


def _unreadable(name: str | Path, error: Exception) -> InvalidModelError:
    remedy = _("Check that the disk or stick is sound and connected, and copy it again.")
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM):
        remedy = _("Check its permissions.")
    return InvalidModelError(_("{path} cannot be read: {reason}").format(path=name, reason=why(error)), remedy)

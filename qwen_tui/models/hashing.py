"""The SHA-256 of large files: found out while they are read, so that it can be shown, stopped, and had with a copy."""

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

# How many bytes of how many are done.
Show = Callable[[int, int], None]

# So much is read, hashed and written between two looks at whether to go on.
CHUNK = 1 << 20


class HashingReader:
    """Hands on the bytes of `stream`, and hashes them on the way; raises `InvalidModelError` where they cannot be read.

    `name` is what they are called in an error, `size` how many there have to be, `failures` what the stream raises
    beside `OSError` if it is damaged.
    """

    def __init__(
        self,
        stream: IO[bytes],
        size: int,
        name: str | Path,
        show: Show | None = None,
        failures: tuple[type[Exception], ...] = (),
    ) -> None:
        self.size = size
        self._stream = stream
        self._name = name
        self._show = show
        self._failures: tuple[type[Exception], ...] = (OSError, *failures)
        self._digest = hashlib.sha256()
        self._done = 0

    def read(self, count: int = -1) -> bytes:
        """Return at most `count` bytes, all that are left if it is negative."""
        try:
            # In a thread: a stick that hangs answers no Ctrl-C.
            data = cancellation.current().run(lambda: self._stream.read(count))
        except self._failures as error:
            raise _unreadable(self._name, error) from error
        self._digest.update(data)
        self._done += len(data)
        if self._done > self.size:
            raise self._wrong_size()
        if self._show:
            self._show(self._done, self.size)
        return data

    def steps(self) -> Iterator[int]:
        """Read what is left for its hash alone, and yield how many bytes are done."""
        while self.read(CHUNK):
            yield self._done

    def finish(self) -> str:
        """Return the SHA-256 (hexadecimal) of what was read; raises `InvalidModelError` if that is not all or more."""
        if self._done != self.size or self.read(1):
            raise self._wrong_size()
        return self._digest.hexdigest()

    def _wrong_size(self) -> InvalidModelError:
        return InvalidModelError(
            _("{path} does not have the {size:,} bytes that it should have.").format(path=self._name, size=self.size),
            _("It may be incomplete, or still being written: copy it again."),
        )


@contextlib.contextmanager
def reading(path: Path, show: Show | None = None, size: int | None = None) -> Iterator[HashingReader]:
    """Open a file to be hashed while it is read in the block; `size` is what it should have, if not what it has.

    Raises `InvalidModelError` if it cannot be opened.
    """
    try:
        file = path.open("rb", buffering=0)
    except OSError as error:
        raise _unreadable(path, error) from error
    with file:
        yield HashingReader(file, os.fstat(file.fileno()).st_size if size is None else size, path, show)


def hash_file(path: Path, show: Show) -> str:
    """Return the SHA-256 (hexadecimal) of a file; raises `InvalidModelError` if it cannot be read."""
    with reading(path, show) as reader:
        for _done in reader.steps():
            pass
        return reader.finish()


def _unreadable(name: str | Path, error: Exception) -> InvalidModelError:
    reason = why(error) if isinstance(error, OSError) else str(error) or type(error).__name__
    remedy = _("Check that the disk or stick is sound and connected, and copy it again.")
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM):
        remedy = _("Check its permissions.")
    return InvalidModelError(_("{path} cannot be read: {reason}").format(path=name, reason=reason), remedy)

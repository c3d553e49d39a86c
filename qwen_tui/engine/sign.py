"""Signs on disk: a process that writes a state puts one up, so that others wait instead of computing the same.

A sign is a file with the header of the state, and its writer holds a lock on it. The operating system releases the lock
when the process ends, however it ends. So a sign without a lock means nothing, and no process id has to be trusted.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from qwen_tui.engine.state_file import StateHeader, head, read_head

SUFFIX = ".coming"
# On Windows, nobody can read locked bytes. So the lock is on one byte far behind the text.
_LOCKED_BYTE = 1 << 30


@contextlib.contextmanager
def put_up(folder: Path, header: StateHeader) -> Iterator[None]:
    """Put up a sign for the state of this header during the block; none where the disk or the system refuses it."""
    with contextlib.ExitStack() as stack:
        # Without a sign the state is written all the same: others only do not wait for it.
        with contextlib.suppress(OSError):
            handle, name = tempfile.mkstemp(prefix=f"{header.conversation}.", suffix=SUFFIX, dir=folder)
            stack.callback(_take_down, handle, Path(name))
            # Another process that looks before the file is locked and written sees no sign.
            if _lock(handle, shared=False):
                os.write(handle, head(header))
        yield


def seen(path: Path) -> StateHeader | None:
    """Return the header of the state that this sign announces; None if its writer has ended or it is no sign."""
    try:
        with path.open("rb", buffering=0) as file:
            # If this process can lock the file, no writer has locked it.
            return None if _lock(file.fileno(), shared=True) else read_head(file)
    except OSError:
        # The sign was taken down, or this disk knows no locks.
        return None


def _take_down(handle: int, path: Path) -> None:
    os.close(handle)
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _lock(handle: int, *, shared: bool) -> bool:
    """Lock an open file until it is closed; False if another process has locked it.

    Raises `OSError` where the disk knows no locks.
    """
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        finally:
            os.lseek(handle, 0, os.SEEK_SET)
        return True
    import fcntl

    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""A sign on disk that a state is coming: put up by who writes it, seen by who would otherwise compute the same.

A sign is a file with the header of the state to come, and its writer holds a lock on it. The system takes the lock away
with the process, however that ended. So a sign without a lock means nothing, and no process id has to be believed.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from qwen_tui.engine.state_file import Header, head, read_head

SUFFIX = ".coming"
# Windows lets nobody read what is locked: a byte far behind the text stands for all of it.
_LOCKED_BYTE = 1 << 30


@contextlib.contextmanager
def put_up(folder: Path, header: Header) -> Iterator[None]:
    """Have a sign for the state of this header in the block; none where the disk or the system refuses it."""
    with contextlib.ExitStack() as stack:
        # A state without a sign is as good for whoever comes later.
        with contextlib.suppress(OSError):
            handle, name = tempfile.mkstemp(prefix=f"{header.conversation}.", suffix=SUFFIX, dir=folder)
            stack.callback(_take_down, handle, Path(name))
            # Who sees it before it is locked and written sees no sign.
            if _lock(handle, shared=False):
                os.write(handle, head(header))
        yield


def seen(path: Path) -> Header | None:
    """Return the header of the state that is coming by this sign; None if its writer is gone or it is no sign."""
    try:
        with path.open("rb", buffering=0) as file:
            # What can be locked is locked by nobody.
            return None if _lock(file.fileno(), shared=True) else read_head(file)
    except OSError:
        # It was taken down, or locks mean nothing on this disk.
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

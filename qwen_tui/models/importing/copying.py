"""Copies large files into the models folder, one at a time; each gets its name only once it is whole."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from qwen_tui import cancellation
from qwen_tui.files import private_folder, sync_folder
from qwen_tui.models.disk import write_error
from qwen_tui.models.hashing import CHUNK, HashingReader
from qwen_tui.models.locking import locked
from qwen_tui.models.shelf import Shelf

# The suffix of a file in the models folder until it is whole.
ARRIVING = ".importing"
# The lock file in the models folder during an import.
IMPORT_LOCK = "import.lock"


@contextlib.contextmanager
def one_at_a_time(shelf: Shelf, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock for imports in the block, and remove what a killed import has left.

    Calls `on_wait` if another process imports now. Raises `WriteError`.
    """
    with contextlib.ExitStack() as stack:
        try:
            private_folder(shelf.folder)
            stack.enter_context(locked(shelf.folder / IMPORT_LOCK, on_wait))
        except OSError as error:
            raise write_error(shelf.folder, error) from error
        for left in shelf.folder.glob(f"*{ARRIVING}"):
            with contextlib.suppress(OSError):
                left.unlink()
        yield


@contextlib.contextmanager
def received(reader: HashingReader, folder: Path) -> Iterator[Path]:
    """Copy the bytes of `reader` into a new file (0600) in `folder`; the block checks and renames that file.

    The file is removed unless the block has renamed it. Raises `WriteError`, and `InvalidModelError` from reading.
    """
    arriving: Path | None = None
    try:
        try:
            handle, name = tempfile.mkstemp(suffix=ARRIVING, dir=folder)
            arriving = Path(name)
            with os.fdopen(handle, "wb", buffering=0) as file:
                while data := reader.read(CHUNK):
                    write_all(file, data)
                sync(file)
        except OSError as error:
            raise write_error(folder, error) from error
        yield arriving
    finally:
        if arriving is not None:
            arriving.unlink(missing_ok=True)


def sync(file: IO[bytes]) -> None:
    """Wait until the bytes are on the disk. Linux accepts them in seconds; a slow stick takes minutes to store them."""
    cancellation.current().run(lambda: os.fsync(file.fileno()))


def give_name(arrived: Path, final: Path) -> None:
    """Rename a whole file in one step that survives a power cut; raises `WriteError`."""
    try:
        arrived.replace(final)
        sync_folder(final.parent)
    except OSError as error:
        raise write_error(final, error) from error


def write_all(file: IO[bytes], data: bytes) -> None:
    """Write all of `data`. One write to an unbuffered file may take only a part, as when the disk is nearly full."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]

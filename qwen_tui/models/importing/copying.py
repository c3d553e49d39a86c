"""Large files on their way into the models folder: one at a time, and none is named before it is whole."""

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

# What a file is called in the models folder until it is whole.
ARRIVING = ".importing"
# What is locked in the models folder while files arrive there.
IMPORT_LOCK = "import.lock"


@contextlib.contextmanager
def one_at_a_time(shelf: Shelf, waiting: Callable[[], None]) -> Iterator[None]:
    """Import in the block alone, `waiting` being called if another does so now; what a killed one left is removed."""
    with contextlib.ExitStack() as stack:
        try:
            private_folder(shelf.folder)
            stack.enter_context(locked(shelf.folder / IMPORT_LOCK, waiting))
        except OSError as error:
            raise write_error(shelf.folder, error) from error
        for left in shelf.folder.glob(f"*{ARRIVING}"):
            with contextlib.suppress(OSError):
                left.unlink()
        yield


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
                sync(file)
        except OSError as error:
            raise write_error(folder, error) from error
        yield arriving
    finally:
        if arriving is not None:
            arriving.unlink(missing_ok=True)


def sync(file: IO[bytes]) -> None:
    """Wait until the disk has what was written; a slow stick takes minutes for what Linux has taken in seconds."""
    cancellation.current().run(lambda: os.fsync(file.fileno()))


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

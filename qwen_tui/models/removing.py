"""Removes models and incomplete downloads from this computer."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qwen_tui.errors import WriteError, why
from qwen_tui.i18n import gettext as _
from qwen_tui.models.importing.copying import ARRIVING, IMPORT_LOCK
from qwen_tui.models.inventory import Held, Leftover
from qwen_tui.models.shelf import Shelf


def remove(model: Held, shelf: Shelf) -> None:
    """Remove all files of a model and its records; a linked file stays where it is. Raises `WriteError`."""
    for one in model.pieces:
        with _translated(one.file):
            if not one.linked:
                one.file.unlink(missing_ok=True)
            if one.record:
                shelf.forget(one.record.path)


def remove_leftover(left: Leftover) -> bool:
    """Remove an incomplete file and its notes; return False if another process is writing it. Raises `WriteError`."""
    from filelock import FileLock, Timeout

    importing = left.file.suffix == ARRIVING
    lock = FileLock(left.file.with_name(IMPORT_LOCK) if importing else f"{left.file}.lock", mode=0o600)
    with _translated(left.file):
        try:
            with lock.acquire(timeout=0):
                left.file.unlink(missing_ok=True)
                for beside in left.file.parent.glob(f"{left.file.name}.*"):
                    if str(beside) != lock.lock_file:
                        beside.unlink(missing_ok=True)
        except Timeout:
            return False
        if not importing:
            # All imports share one lock file, so it stays.
            Path(lock.lock_file).unlink(missing_ok=True)
    return True


@contextmanager
def _translated(file: Path) -> Iterator[None]:
    """Turn an `OSError` in the block into the `WriteError` for a file that could not be removed."""
    try:
        yield
    except OSError as error:
        raise WriteError(
            _("{path} could not be removed: {reason}").format(path=file, reason=why(error)),
            _("Close the programs that use it, or check the permissions of its folder."),
        ) from error

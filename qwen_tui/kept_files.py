"""Folders of files that are kept for conversations: their files by kind, and tombstones of removed conversations."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from qwen_tui.files import private_folder

_TOMBSTONE = ".forgotten"
# How long a tombstone is kept, in seconds: longer than any process may run that would still write for a conversation.
_TOMBSTONE_KEPT = 30 * 86400.0


def files_in(folder: Path, suffix: str) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the files in `folder` with this suffix, in no order; none where the folder cannot be read."""
    try:
        with os.scandir(folder) as entries:
            names = [entry for entry in entries if entry.name.endswith(suffix)]
    except OSError:
        return
    for entry in names:
        with contextlib.suppress(OSError):
            if entry.is_file(follow_symlinks=False):
                yield Path(entry.path), os.stat(entry.path)  # noqa: PTH116 - on Windows only this knows the inode


class Tombstones:
    """The tombstones in `folder`: no process writes anything there any more for a conversation that has one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, conversation: str) -> bool:
        """Whether the conversation was removed."""
        return self._of(conversation).exists()

    def put_up(self, conversation: str) -> None:
        """Say that the conversation was removed; raises `OSError`."""
        private_folder(self._folder)
        self._of(conversation).touch(mode=0o600)

    def remove_old(self) -> None:
        """Remove the tombstones that no process needs any more."""
        for path, stat in files_in(self._folder, _TOMBSTONE):
            if time.time() - stat.st_mtime > _TOMBSTONE_KEPT:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)

    def _of(self, conversation: str) -> Path:
        return self._folder / f"{conversation}{_TOMBSTONE}"

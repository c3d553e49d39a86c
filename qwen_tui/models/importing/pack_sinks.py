"""Writes a pack into a folder, a tar or a zip archive: the whole pack or nothing, and file by file, not from memory."""

import contextlib
import os
import shutil
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from qwen_tui.errors import UsageError
from qwen_tui.files import keep_permissions, link_target, sync_folder
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.models.hashing import CHUNK, HashingReader
from qwen_tui.models.importing.copying import sync, write_all

_UNFINISHED = ".packing"


class Sink(Protocol):
    """Takes the files of a pack one after the other."""

    def add(self, name: str, reader: HashingReader, size: int) -> None:
        """Write a file of `size` bytes; raises `OSError`, and what reading raises."""


@contextlib.contextmanager
def writing(out: Path, names: list[str], *, overwrite: bool) -> Iterator[Sink]:
    """Yield a sink for the files `names`. `out` becomes an archive if it ends in .tar or .zip, else a folder.

    The files get their names at the end of the block; if the block raises, nothing is left. Raises `UsageError` if
    something of that name exists, unless `overwrite` is set, and `OSError`.
    """
    kind = out.suffix.lower()
    if kind in (".tar", ".zip"):
        _refuse([out], overwrite=overwrite)
        out.parent.mkdir(parents=True, exist_ok=True)
        target = link_target(out)
        handle, unfinished = tempfile.mkstemp(prefix=f".{out.stem}-", suffix=_UNFINISHED, dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                if kind == ".tar":
                    with tarfile.TarFile(fileobj=file, mode="w", copybufsize=CHUNK) as tar:
                        yield _TarSink(tar, out.stem)
                else:
                    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
                        yield _ZipSink(archive, out.stem)
                file.flush()
                sync(file)
            _give_name(Path(unfinished), target)
            sync_folder(target.parent)
        finally:
            Path(unfinished).unlink(missing_ok=True)
        return
    _refuse([out / name for name in names], overwrite=overwrite)
    before = out.is_dir()
    out.mkdir(parents=True, exist_ok=True)
    sink = _FolderSink(out)
    try:
        yield sink
        for name in names:
            _give_name(sink.unfinished(name), link_target(out / name))
        sync_folder(out)
    finally:
        for name in names:
            sink.unfinished(name).unlink(missing_ok=True)
        if not before:
            # rmdir removes the folder only if it is empty.
            with contextlib.suppress(OSError):
                out.rmdir()


class _FolderSink:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def unfinished(self, name: str) -> Path:
        # The unfinished file lies beside the file that it will replace, because a link may lead to another disk.
        target = link_target(self._folder / name)
        return target.with_name(f".{target.name}{_UNFINISHED}")

    def add(self, name: str, reader: HashingReader, size: int) -> None:  # noqa: ARG002 - others need it
        with self.unfinished(name).open("wb", buffering=0) as file:
            while data := reader.read(CHUNK):
                write_all(file, data)
            sync(file)


class _TarSink:
    def __init__(self, tar: tarfile.TarFile, folder: str) -> None:
        self._tar = tar
        self._folder = folder

    def add(self, name: str, reader: HashingReader, size: int) -> None:
        member = tarfile.TarInfo(f"{self._folder}/{name}")
        member.size, member.mtime, member.mode = size, int(time.time()), 0o644
        self._tar.addfile(member, reader)


class _ZipSink:
    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        self._archive = archive
        self._folder = folder

    def add(self, name: str, reader: HashingReader, size: int) -> None:
        member = zipfile.ZipInfo(f"{self._folder}/{name}", time.localtime()[:6])
        member.external_attr = 0o644 << 16
        member.file_size = size
        with self._archive.open(member, "w", force_zip64=size >= 1 << 31) as file:
            shutil.copyfileobj(reader, file, CHUNK)


def _refuse(paths: list[Path], *, overwrite: bool) -> None:
    there = [str(path) for path in paths if path.exists()]
    if any(Path(path).is_dir() for path in there):
        raise UsageError(_("{path} is a folder.").format(path=listed(there)), _("Choose another name."))
    if there and not overwrite:
        raise UsageError(
            _("There is already: {paths}").format(paths=listed(there)),
            _("Choose another name, or overwrite with --yes."),
        )


def _give_name(unfinished: Path, target: Path) -> None:
    """Rename a finished file to `target`, with the permissions of the old file, or those of any new file.

    People hand packs on, so a pack is not readable by the user alone, as a temporary file would be.
    """
    with contextlib.suppress(OSError):
        if target.exists():
            keep_permissions(unfinished, target.stat())
        else:
            umask = os.umask(0)
            os.umask(umask)
            unfinished.chmod(0o666 & ~umask)
    unfinished.replace(target)

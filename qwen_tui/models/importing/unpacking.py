"""Reads packs: only plain files that the manifest names, and only with the size and the content that it states."""

import contextlib
import hashlib
import io
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Protocol

import msgspec

from qwen_tui.errors import InvalidModelError, why
from qwen_tui.i18n import gettext as _
from qwen_tui.models.hashing import HashingReader
from qwen_tui.models.importing.importing import Imported, Importer, Promise
from qwen_tui.models.importing.pack_format import FORMAT, MANIFEST, SMALL, Manifest, PackedFile, PackedModel, is_plain
from qwen_tui.models.inventory import in_repository

_DAMAGE = (EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError)
# The most members of an archive to look at; no pack has so many.
_MEMBERS = 1000


class _PackFiles(Protocol):
    def size(self, name: str) -> int | None:
        """Return the size of a plain file of this name beside the manifest, None if there is none."""

    def open(self, name: str) -> IO[bytes]: ...


class Pack:
    """The pack at `path`."""

    def __init__(self, path: Path, place: _PackFiles) -> None:
        self.path = path
        self._place = place
        self.manifest = self._read_manifest()

    def take(self, model: PackedModel, importer: Importer) -> Imported:
        """Import a model; it gets its name only if its content is as the manifest states."""
        self._check(model)

        @contextlib.contextmanager
        def opened() -> Iterator[HashingReader]:
            with self._opened(model.file) as file:
                yield HashingReader(file, model.size, model.file, importer.on_progress, _DAMAGE)

        # Only the content of a file earns a name of the catalogue. A name of the form owner/repo:FILE, which says where
        # the file is from, is as trustworthy as the pack.
        name = model.name if in_repository(model.name) and model.name.isprintable() else ""
        origin = _("imported from {path}").format(path=self.path)
        return importer.receive(opened, model.file, Promise(model.sha256, origin, name))

    def config(self) -> bytes | None:
        """Return the settings in the pack, None if there are none; raises `InvalidModelError` if they are damaged."""
        listed = self.manifest.config
        if listed is None:
            return None
        self._check(listed)
        content = self._small(listed.file)
        if hashlib.sha256(content).hexdigest() != listed.sha256:
            raise self._bad(_("{name} is damaged").format(name=listed.file))
        return content

    def _check(self, listed: PackedFile) -> None:
        if not is_plain(listed.file):
            raise self._bad(_("“{name}” cannot be the name of a file in a pack").format(name=listed.file))
        size = self._place.size(listed.file)
        if size is None:
            raise self._bad(_("{name} is missing, or no plain file").format(name=listed.file))
        if size != listed.size:
            raise self._bad(
                _("{name} has {size:,} bytes, not {expected:,}").format(
                    name=listed.file, size=size, expected=listed.size
                )
            )

    def _read_manifest(self) -> Manifest:
        try:
            manifest = msgspec.json.decode(self._small(MANIFEST), type=Manifest)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._bad(_("its list cannot be read")) from error
        if manifest.format != FORMAT:
            raise self._bad(_("it was made by another version of the program"))
        return manifest

    def _small(self, name: str) -> bytes:
        with self._opened(name) as file:
            try:
                content = file.read(SMALL + 1)
            except (OSError, *_DAMAGE) as error:
                raise self._bad(_("{name} is damaged").format(name=name)) from error
        if len(content) > SMALL:
            raise self._bad(_("{name} is too large").format(name=name))
        return content

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        try:
            file = self._place.open(name)
        except (OSError, KeyError, zipfile.BadZipFile, tarfile.TarError, NotImplementedError, RuntimeError) as error:
            reason = why(error) if isinstance(error, OSError) else str(error.args[0] if error.args else error)
            raise self._bad(_("{name} cannot be read: {reason}").format(name=name, reason=reason)) from error
        with file:
            yield file

    def _bad(self, reason: str) -> InvalidModelError:
        return InvalidModelError(
            _("{path} is not a sound pack: {reason}.").format(path=self.path, reason=reason),
            _("Copy it again from where it was made, or make it anew with: qwen pack"),
        )


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Pack | None]:
    """Open the pack at `path`, a folder or an archive; None if it is no pack. Raises `InvalidModelError`."""
    if path.is_dir():
        yield Pack(path, _Folder(path)) if (path / MANIFEST).is_file() else None
        return
    kinds: dict[str, Callable[[Path], contextlib.AbstractContextManager[_PackFiles]]] = {".tar": _tar, ".zip": _zip}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        yield None
        return
    with kind(path) as place:
        yield Pack(path, place)


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def size(self, name: str) -> int | None:
        try:
            found = os.lstat(self._folder / name)
        except (OSError, ValueError):
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def open(self, name: str) -> IO[bytes]:
        return (self._folder / name).open("rb", buffering=0)


class _Members:
    """The plain files of an archive that lie beside its manifest, by name."""

    def __init__(self, sizes: dict[str, int], open_member: Callable[[str], IO[bytes]]) -> None:
        # The manifest lies at the top of the archive, or in its only folder.
        tops = [name.removesuffix(MANIFEST) for name in sizes if name.rpartition("/")[2] == MANIFEST]
        self._top = min(tops, key=len, default="")
        self._sizes = sizes
        self._open = open_member

    def size(self, name: str) -> int | None:
        return self._sizes.get(self._top + name)

    def open(self, name: str) -> IO[bytes]:
        if self._top + name not in self._sizes:
            raise KeyError(_("it is not there"))
        return self._open(self._top + name)


@contextlib.contextmanager
def _tar(path: Path) -> Iterator[_PackFiles]:
    with _archive(path):
        tar = tarfile.open(path, "r:")  # noqa: SIM115 - closed below
    with tar:
        members: dict[str, tarfile.TarInfo] = {}
        with _archive(path):
            for _count, member in zip(range(_MEMBERS), tar, strict=False):
                if member.isreg() and not member.issparse():
                    members[member.name.removeprefix("./")] = member
        yield _Members({name: one.size for name, one in members.items()}, lambda name: _extracted(tar, members[name]))


@contextlib.contextmanager
def _zip(path: Path) -> Iterator[_PackFiles]:
    with _archive(path):
        archive = zipfile.ZipFile(path)
    with archive:
        members = {one.filename: one for one in archive.infolist()[:_MEMBERS] if _is_plain_member(one)}
        yield _Members({name: one.file_size for name, one in members.items()}, lambda name: archive.open(members[name]))


def _is_plain_member(member: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(member.external_attr >> 16)
    return not member.is_dir() and kind in (0, stat.S_IFREG)


def _extracted(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    return tar.extractfile(member) or io.BytesIO()


@contextlib.contextmanager
def _archive(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, ValueError) as error:
        raise InvalidModelError(
            _("{path} is not an archive that can be read: {reason}").format(path=path, reason=why(error)),
            _("Copy it again from where it was made."),
        ) from error

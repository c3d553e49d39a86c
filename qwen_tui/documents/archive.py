"""Opens the ZIP that a document of Office, OpenDocument or EPUB is, and unpacks no more of it than a PC can hold."""

import contextlib
import io
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.parsers import expat

from qwen_tui import cancellation
from qwen_tui.errors import InputError
from qwen_tui.i18n import gettext as _

# A document may have so many members; a presentation of 1,000 slides has 5,000.
MOST_MEMBERS = 20_000
# So many bytes of a member are unpacked one after the other, and of all members together.
MOST_UNPACKED, MOST_IN_ALL = 512 * 2**20, 1024 * 2**20
# So many bytes of a member are held in memory at once. The XML of 8 MB of text is smaller.
MOST_HELD = 64 * 2**20
_CHUNK = 2**18
_ENTRY = b"PK\1\2"
_ENCRYPTED = 1
# What zipfile, zlib and expat raise for damaged files; NotImplementedError is for a compression that no document uses.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, struct.error, OSError)


def is_zip(head: bytes) -> bool:
    """Whether a file that begins so is a ZIP."""
    return head.startswith((b"PK\3\4", b"PK\5\6"))


class Archive:
    """A ZIP in memory, for the document `name`. Each method raises `InputError` for what is damaged or too large."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        # Each entry of the directory takes memory, and the directory itself may lie about their number.
        if data.count(_ENTRY) > MOST_MEMBERS:
            raise self.too_large()
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except _DAMAGE as error:
            raise self.damaged() from error
        self._members = {_normal(member.filename): member for member in self._zip.infolist() if not member.is_dir()}
        sizes = [member.file_size for member in self._members.values()]
        if max(sizes, default=0) > MOST_UNPACKED or sum(sizes) > MOST_IN_ALL:
            raise self.too_large()
        self._unpacked = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the members, in the order of the archive."""
        return tuple(self._members)

    def __contains__(self, member: str) -> bool:
        return _normal(member) in self._members

    def size(self, member: str) -> int:
        """Return how many bytes a member has; `chunks` never gives more. Raises `KeyError`."""
        return self._members[_normal(member)].file_size

    def read(self, member: str) -> bytes:
        """Return all bytes of a member, `MOST_HELD` at most."""
        if member in self and self.size(member) > MOST_HELD:
            raise self.too_large()
        return b"".join(self.chunks(member))

    def chunks(self, member: str) -> Iterator[bytes]:
        """Unpack a member piece by piece, so that it need not be held; raises `CancelledError` in between."""
        info = self._members.get(_normal(member))
        if info is None:
            raise self.damaged()
        if info.flag_bits & _ENCRYPTED:
            raise InputError(
                _("{name} is protected by a password.").format(name=self.name),
                _("Unpack it, and name the files that are in it."),
            )
        # The decompressors of the other methods may give much more than they are asked for.
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self.damaged()
        try:
            with self._zip.open(info) as stream:
                # zipfile gives no more than the directory says, and then compares the checksum.
                while chunk := stream.read(_CHUNK):
                    cancellation.check()
                    self._unpacked += len(chunk)
                    # The same member may be read several times, and several names may stand for the same bytes.
                    if self._unpacked > MOST_IN_ALL:
                        raise self.too_large()
                    yield chunk
        except _DAMAGE as error:
            raise self.damaged() from error

    def xml(self, member: str) -> ElementTree.Element:
        """Return a member as XML. Names that it defines itself are refused: they can stand for gigabytes."""
        return self.parsed_xml(self.read(member))

    def parsed_xml(self, data: bytes) -> ElementTree.Element:
        """Return bytes of a member as XML, as `xml` does."""
        self.check_xml(data)
        try:
            return ElementTree.fromstring(data)  # noqa: S314 - `check_xml` has refused what could grow
        except (ElementTree.ParseError, ValueError, LookupError) as error:
            raise self.damaged() from error

    def check_xml(self, data: bytes) -> None:
        """Refuse XML whose document type defines names; `data` may be its beginning, with the root element."""
        parser = expat.ParserCreate()
        defines = False

        def begin_doctype(_name: str, _system: str | None, _public: str | None, has_internal_subset: int) -> None:
            nonlocal defines
            defines = bool(has_internal_subset)
            raise _KnownError

        def begin_root(_name: str, _attributes: object) -> None:
            raise _KnownError

        parser.StartDoctypeDeclHandler = begin_doctype
        parser.StartElementHandler = begin_root
        try:
            with contextlib.suppress(_KnownError):
                parser.Parse(data, False)
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise self.damaged() from error
        if defines:
            raise InputError(
                _("{name} defines names of its own for text, as no program for documents does.").format(name=self.name),
                _("Open it in the program that made it, and save it once more."),
            )

    def damaged(self) -> InputError:
        """Return what to say of a document that is damaged."""
        return InputError(
            _("{name} is damaged and cannot be unpacked.").format(name=self.name),
            _("Fetch or export it once more, or open it in the program that made it, and save it again."),
        )

    def too_large(self) -> InputError:
        """Return what to say of a document that takes too much memory."""
        return InputError(
            _("{name} unpacks to more than can be read.").format(name=self.name),
            _("Save a part of it as a file of its own."),
        )


class _KnownError(Exception):
    """Ends the parser at the root element or the document type: the rest of the file does not matter."""


def _normal(member: str) -> str:
    """Return the name of a member without `./` and with `/` only: some programs write it so."""
    return posixpath.normpath(member.replace("\\", "/")).lstrip("/")

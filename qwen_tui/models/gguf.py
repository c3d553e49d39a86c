"""Reads the header of a GGUF file: quickly, and safely even if the file is damaged.

Layout and limits are those of llama.cpp's reader, ggml/src/gguf.cpp: magic, version, two counts, key-value pairs,
tensor descriptions, padding, tensor data. llama.cpp never loads a file that fails here. It can still refuse a file that
passes, because it also checks the meaning of the metadata.
"""

import errno
import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from qwen_tui.errors import InvalidModelError, why
from qwen_tui.i18n import gettext as _
from qwen_tui.models.tensor_types import TENSOR_TYPES

Scalar = bool | int | float | str


_MAGIC = b"GGUF"
_VERSIONS = (2, 3)

# The header of a model with 150,000 tokens and its merges has 6 MB, so one read is nearly always enough.
_FIRST_READ = 8 << 20
_MAX_HEADER = 64 << 20
_MAX_COUNT = 1 << 16
_MAX_KEY = (1 << 16) - 1
_MAX_TENSOR_NAME = 63
_MAX_STRING = 16 << 20
_KEPT_STRING = 1 << 16
_MAX_DIMENSIONS = 4
_MAX_ELEMENTS = (1 << 63) - 1

_DEFAULT_ALIGNMENT = 32
_ALIGNMENT_KEY = "general.alignment"

# GGUF's value types by id; those of numbers with their layout for `struct`.
_UINT32, _STRING, _ARRAY = 4, 8, 9
_NUMBERS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    _UINT32: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: `shape` as in the file (fastest dimension first), `offset` in bytes from `Header.data_offset`."""

    name: str
    type: str
    shape: tuple[int, ...]
    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a GGUF file. `tensors` are in file order; a file with a vocabulary alone has none.

    `metadata` holds every scalar, and of strings the first 64 KiB. `array_lengths` holds the lengths of arrays; their
    elements are not kept. `data_offset` is where the tensor data begins, in bytes from the start of the file.
    """

    version: int
    metadata: dict[str, Scalar]
    array_lengths: dict[str, int]
    tensors: tuple[Tensor, ...]
    data_offset: int


def read_header(path: Path) -> Header:
    """Read the header of the GGUF file at `path` (version 2 or 3, little-endian), but no tensor data.

    This checks every length against the size of the file, also the end of the last tensor. Raises `InvalidModelError`
    for a file that cannot be opened, is not GGUF, is cut off, or contradicts itself.
    """
    try:
        if path.is_dir():
            # Opening a folder on Windows would give "permission denied" instead.
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if path.exists() and not path.is_file():
            # Opening a named pipe would wait for a writer.
            raise _MalformedError(_("it is not a regular file"))
        with path.open("rb") as file:
            return _read(file)
    except (OSError, _MalformedError) as error:
        reason = why(error) if isinstance(error, OSError) else str(error)
        raise InvalidModelError(
            _("{path} is not a valid model: {reason}").format(path=path, reason=reason),
            _("Download or copy it again, or choose another file with -m."),
        ) from error


class _MalformedError(Exception):
    """A malformed file; the message is the clause that follows "is not a valid model"."""


class _NeedsMoreError(Exception):
    """The header needs the bytes up to `end`, counted from the start of the file, and fewer have been read."""

    def __init__(self, end: int) -> None:
        super().__init__(end)
        self.end = end


class _Cursor:
    """A position in the first bytes of the file; a method that would pass their end raises `_NeedsMoreError`."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def skip(self, count: int) -> int:
        """Move `count` bytes on and return where they start."""
        start = self.position
        if start + count > len(self.data):
            raise _NeedsMoreError(start + count)
        self.position = start + count
        return start

    def number(self, layout: str) -> bool | int | float:
        """Read one number in this layout of `struct`."""
        value: bool | int | float = struct.unpack_from(layout, self.data, self.skip(struct.calcsize(layout)))[0]
        return value

    def u32(self) -> int:
        """Read an unsigned 32-bit integer."""
        return int(self.number("<I"))

    def u64(self) -> int:
        """Read an unsigned 64-bit integer."""
        return int(self.number("<Q"))

    def string(self, longest: int, kept: int) -> str:
        """Read a string of at most `longest` bytes, and return its first `kept` bytes as text."""
        length = self.u64()
        if length > longest:
            raise _MalformedError(_("it has a name or text of {length:,} bytes in its header").format(length=length))
        start = self.skip(length)
        return self.data[start : start + min(length, kept)].decode("utf-8", "replace")

    def name(self, longest: int) -> str:
        """Read the name of a key or a tensor, of 1 to `longest` bytes."""
        name = self.string(longest, longest)
        if not name:
            raise _MalformedError(_("it has an empty name in its header"))
        return name

    def count(self) -> int:
        """Read the number of keys or tensors."""
        count = self.u64()
        if count > _MAX_COUNT:
            raise _MalformedError(_("its header claims {count:,} entries").format(count=count))
        return count

    def skip_strings(self, count: int) -> None:
        """Move past `count` strings."""
        # Each string has at least a length of 8 bytes, so this rejects an absurd count at once.
        if self.position + 8 * count > len(self.data):
            raise _NeedsMoreError(self.position + 8 * count)
        # A vocabulary can have 300,000 strings. Reading a header spends most of its time in this loop.
        data, position, unpack = self.data, self.position, struct.Struct("<Q").unpack_from
        try:
            for _index in range(count):
                position += 8 + unpack(data, position)[0]
        except (struct.error, OverflowError):
            raise _NeedsMoreError(position + 8) from None
        self.skip(position - self.position)


def _read(file: BinaryIO) -> Header:
    size = os.fstat(file.fileno()).st_size
    data = file.read(_FIRST_READ)
    _check_magic(data)
    while True:
        try:
            header = _parse(_Cursor(data))
            break
        except _NeedsMoreError as more:
            end = more.end
        if end > size:
            raise _MalformedError(_("it is incomplete: it ends after {size:,} bytes, in its header").format(size=size))
        if end > _MAX_HEADER:
            raise _MalformedError(_("its header is longer than {limit:,} bytes").format(limit=_MAX_HEADER))
        added = file.read(max(end - len(data), len(data)))
        if not added:
            raise _MalformedError(_("it became shorter while it was read"))
        data += added

    if header.tensors:
        last = header.tensors[-1]
        needed = header.data_offset + last.offset + last.nbytes
        if needed > size:
            raise _MalformedError(
                _("it is incomplete: {size:,} of {needed:,} bytes are there").format(size=size, needed=needed)
            )
    return header


def _check_magic(data: bytes) -> None:
    if not data:
        raise _MalformedError(_("it is empty"))
    if data.startswith(_MAGIC):
        return
    text = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")):
        raise _MalformedError(_("it is a web page, not a model"))
    raise _MalformedError(_("it is not a GGUF file"))


def _parse(cursor: _Cursor) -> Header:
    cursor.skip(len(_MAGIC))
    version = cursor.u32()
    if version not in _VERSIONS:
        # A small number written big-endian appears with its value in the upper half.
        if version and not version & 0xFFFF:
            raise _MalformedError(_("it is a big-endian GGUF file"))
        raise _MalformedError(_("it is of GGUF version {version}, which is not supported").format(version=version))
    tensor_count = cursor.count()
    metadata, array_lengths = _metadata(cursor, cursor.count())
    alignment = _alignment(metadata)
    tensors = _tensors(cursor, tensor_count, alignment)
    return Header(version, metadata, array_lengths, tensors, _round_up(cursor.position, alignment))


def _metadata(cursor: _Cursor, count: int) -> tuple[dict[str, Scalar], dict[str, int]]:
    scalars: dict[str, Scalar] = {}
    lengths: dict[str, int] = {}
    for _index in range(count):
        key = cursor.name(_MAX_KEY)
        if key in scalars or key in lengths:
            raise _MalformedError(_("its key {key!r} occurs twice").format(key=key))
        type_id = cursor.u32()
        if key == _ALIGNMENT_KEY and type_id != _UINT32:
            raise _MalformedError(_("its key {key!r} has a wrong type").format(key=key))
        if type_id == _ARRAY:
            lengths[key] = _skip_array(cursor, key)
        elif type_id == _STRING:
            scalars[key] = cursor.string(_MAX_STRING, _KEPT_STRING)
        else:
            scalars[key] = cursor.number(_number_layout(type_id, key))
    return scalars, lengths


def _skip_array(cursor: _Cursor, key: str) -> int:
    type_id = cursor.u32()
    length = cursor.u64()
    if type_id == _STRING:
        cursor.skip_strings(length)
    else:
        # Arrays of arrays have no layout. This refuses them, as llama.cpp does.
        cursor.skip(length * struct.calcsize(_number_layout(type_id, key)))
    return length


def _number_layout(type_id: int, key: str) -> str:
    if type_id not in _NUMBERS:
        raise _MalformedError(_("its key {key!r} has a wrong type").format(key=key))
    return _NUMBERS[type_id]


def _alignment(metadata: dict[str, Scalar]) -> int:
    alignment = int(metadata.get(_ALIGNMENT_KEY, _DEFAULT_ALIGNMENT))
    if alignment.bit_count() != 1:
        raise _MalformedError(_("its alignment is {alignment}, not a power of two").format(alignment=alignment))
    return alignment


def _tensors(cursor: _Cursor, count: int, alignment: int) -> tuple[Tensor, ...]:
    tensors: dict[str, Tensor] = {}
    # The tensors lie in the order of their descriptions, each padded to the alignment.
    end = 0
    for _index in range(count):
        tensor = _tensor(cursor)
        if tensor.name in tensors:
            raise _MalformedError(_("its tensor {name!r} occurs twice").format(name=tensor.name))
        if tensor.offset != end:
            raise _MalformedError(
                _("its tensor {name!r} lies at {offset:,}, not at {expected:,}").format(
                    name=tensor.name, offset=tensor.offset, expected=end
                )
            )
        tensors[tensor.name] = tensor
        end = _round_up(end + tensor.nbytes, alignment)
    return tuple(tensors.values())


def _tensor(cursor: _Cursor) -> Tensor:
    name = cursor.name(_MAX_TENSOR_NAME)
    dimensions = cursor.u32()
    if not 1 <= dimensions <= _MAX_DIMENSIONS:
        raise _MalformedError(_("its tensor {name!r} has {count} dimensions").format(name=name, count=dimensions))
    shape = tuple(cursor.u64() for _index in range(dimensions))
    type_id = cursor.u32()
    if type_id not in TENSOR_TYPES:
        raise _MalformedError(_("its tensor {name!r} has the unknown type {type}").format(name=name, type=type_id))
    offset = cursor.u64()

    type_name, block_length, block_bytes = TENSOR_TYPES[type_id]
    elements = math.prod(shape)
    if not 1 <= elements <= _MAX_ELEMENTS or shape[0] % block_length:
        raise _MalformedError(_("its tensor {name!r} cannot have the shape {shape}").format(name=name, shape=shape))
    return Tensor(name, type_name, shape, offset, elements // block_length * block_bytes)


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple

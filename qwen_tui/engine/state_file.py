"""A computed prompt state as a file: its layout, written and checked.

    magic · length of the header · CRC-32 of the header · header (msgpack) · the state, as llama.cpp gave it

The header has a CRC-32 of every 4 MiB of the state: it finds every flip of up to 32 neighbouring bits, and anything
else but once in four thousand million.

Nothing is synced to the disk. What a power cut leaves half written has a wrong checksum, and costs only time.
"""

import os
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

State = Any  # a ctypes array of bytes; its type carries its length

CHUNK = 4 << 20
_PREFIX = struct.Struct("<8sII")
_MAGIC = b"QWENKV\x00\x01"
# A million tokens and the checksums of a terabyte fit.
_LARGEST_HEADER = 8 << 20


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says of its state.

    `tokens` are 32-bit little-endian. The first `whole` of them were computed in whole steps, by this `arithmetic`.
    `token_s` is what computing one of them took, in seconds. `sums` are the CRC-32 of each 4 MiB of the state, 32-bit
    little-endian.
    """

    key: str
    conversation: str
    tokens: bytes
    whole: int
    arithmetic: str
    token_s: float
    size: int
    sums: bytes


def head(header: Header) -> bytes:
    """Return what stands before the state; its length depends on nothing but the lengths of the header's fields."""
    body = msgspec.msgpack.encode(header)
    return _PREFIX.pack(_MAGIC, len(body), zlib.crc32(body)) + body


def header_of(path: Path) -> Header | None:
    """Return the header of a file of ours; one that is damaged is removed."""
    try:
        with path.open("rb", buffering=0) as file:
            header = read_header(file)
        if header is None:
            path.unlink(missing_ok=True)
    except OSError:
        return None
    return header


def read_header(file: Any) -> Header | None:
    """Read the header and leave the file where the state begins; None where anything about it is not as it must be."""
    header = read_head(file)
    if header is None:
        return None
    complete = file.tell() + header.size == os.fstat(file.fileno()).st_size
    return header if complete and len(header.sums) == 4 * -(-header.size // CHUNK) else None


def read_head(file: Any) -> Header | None:
    """Read what `head` returned, whether or not a state follows; None where it is not whole."""
    prefix = file.read(_PREFIX.size)
    if len(prefix) < _PREFIX.size:
        return None
    magic, length, checksum = _PREFIX.unpack(prefix)
    if magic != _MAGIC or length > _LARGEST_HEADER:
        return None
    body = file.read(length)
    if len(body) != length or zlib.crc32(body) != checksum:
        return None
    try:
        header = msgspec.msgpack.decode(body, type=Header)
    except msgspec.MsgspecError:
        return None
    right = header.size > 0 and header.tokens and len(header.tokens) % 4 == 0
    return header if right and 0 <= header.whole <= len(header.tokens) // 4 else None


def fill(state: State, file: Any, sums: bytes) -> bool:
    """Read a state and check it piece by piece, each while it is in the processor's cache."""
    view = memoryview(state).cast("B")
    for index, (wanted,) in enumerate(struct.iter_unpack("<I", sums)):
        piece = view[index * CHUNK : (index + 1) * CHUNK]
        done = 0
        while done < len(piece):
            came = file.readinto(piece[done:])
            if not came:
                return False
            done += came
        if zlib.crc32(piece) != wanted:
            return False
    return True


def write(file: Any, state: State, start: int, given_up: Callable[[], bool]) -> bytes | None:
    """Write a state and return its checksums; None if it was given up."""
    view = memoryview(state).cast("B")
    sums: list[int] = []
    file.seek(start)
    for at in range(0, len(view), CHUNK):
        if given_up():
            return None
        piece = view[at : at + CHUNK]
        sums.append(zlib.crc32(piece))
        done = 0
        while done < len(piece):
            done += file.write(piece[done:])
    return packed(sums)


def packed(tokens: Sequence[int]) -> bytes:
    """Return tokens as 32-bit little-endian bytes."""
    return struct.pack(f"<{len(tokens)}I", *tokens)


def unpacked(data: bytes) -> list[int]:
    """Return the tokens of 32-bit little-endian bytes."""
    return [token for (token,) in struct.iter_unpack("<I", data)]

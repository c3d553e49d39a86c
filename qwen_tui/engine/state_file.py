"""The file of a computed prompt state: its layout, how it is written and checked.

    magic · length of the header · CRC-32 of the header · header (msgpack) · the state, as llama.cpp returned it

The header holds a CRC-32 of every 4 MiB of the state. It finds every change within 32 neighbouring bits, and misses any
other change once in four thousand million.

Nothing is synced to the disk. A file that a power cut leaves half written has a wrong checksum, and costs only time.
"""

import os
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

State = Any  # a ctypes array of bytes; its type carries its length

# The bytes of a state that share one checksum.
CHUNK = 4 << 20
_PREFIX = struct.Struct("<8sII")
_MAGIC = b"QWENKV\x00\x01"
# In bytes: a million tokens and the checksums of a terabyte fit.
_LARGEST_HEADER = 8 << 20


class StateHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says about its state.

    `key` names the model, the library and the layout. `tokens` are 32-bit little-endian. The first `aligned` of them
    were computed in full batches, by an `arithmetic` that names all options that change the last digits. `token_s` is
    how long a token took to compute, in seconds. `size` is that of the state in bytes. `sums` are the CRC-32 of each
    4 MiB of the state, 32-bit little-endian.
    """

    key: str
    conversation: str
    tokens: bytes
    # The files have it under an older name.
    aligned: int = msgspec.field(name="whole")
    arithmetic: str
    token_s: float
    size: int
    sums: bytes


def head(header: StateHeader) -> bytes:
    """Return the bytes before the state. Their length depends only on the lengths of the header's fields."""
    body = msgspec.msgpack.encode(header)
    return _PREFIX.pack(_MAGIC, len(body), zlib.crc32(body)) + body


def header_of(path: Path) -> StateHeader | None:
    """Return the header of a file; a damaged file is removed."""
    try:
        with path.open("rb", buffering=0) as file:
            header = read_header(file)
        if header is None:
            path.unlink(missing_ok=True)
    except OSError:
        return None
    return header


def read_header(file: Any) -> StateHeader | None:
    """Read the header, so that the state is next in the file; None where the file does not match its header."""
    header = read_head(file)
    if header is None:
        return None
    complete = file.tell() + header.size == os.fstat(file.fileno()).st_size
    return header if complete and len(header.sums) == 4 * -(-header.size // CHUNK) else None


def read_head(file: Any) -> StateHeader | None:
    """Read what `head` returned, whether or not a state follows; None where it is damaged."""
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
        header = msgspec.msgpack.decode(body, type=StateHeader)
    except msgspec.MsgspecError:
        return None
    right = header.size > 0 and header.tokens and len(header.tokens) % 4 == 0
    return header if right and 0 <= header.aligned <= len(header.tokens) // 4 else None


def fill(state: State, file: Any, sums: bytes) -> bool:
    """Read a state from `file` into `state`; whether its checksums are right.

    Each piece is checked right after it is read, while it is in the processor's cache.
    """
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


def write(file: Any, state: State, start: int, should_stop: Callable[[], bool]) -> bytes | None:
    """Write a state from the position `start` on and return its checksums; None if it was stopped; raises `OSError`."""
    view = memoryview(state).cast("B")
    sums: list[int] = []
    file.seek(start)
    for at in range(0, len(view), CHUNK):
        if should_stop():
            return None
        piece = view[at : at + CHUNK]
        sums.append(zlib.crc32(piece))
        done = 0
        while done < len(piece):
            done += file.write(piece[done:])
    return packed(sums)


def packed(tokens: Sequence[int]) -> bytes:
    """Return tokens, or checksums, as 32-bit little-endian bytes."""
    return struct.pack(f"<{len(tokens)}I", *tokens)


def unpacked(data: bytes) -> list[int]:
    """Return the tokens of 32-bit little-endian bytes."""
    return [token for (token,) in struct.iter_unpack("<I", data)]

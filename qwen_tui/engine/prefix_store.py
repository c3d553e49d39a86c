"""The prefix store: computed prompt states on disk, found again by the tokens they begin with.

A file holds one state, which is of one conversation; its name is the conversation's id. The layout:

    magic · length of the header · CRC-32 of the header · header (msgpack) · the state, as llama.cpp gave it

The header has a CRC-32 of every 4 MiB of the state: it finds every flip of up to 32 neighbouring bits, and anything
else but once in four thousand million. A file that is not exactly so is removed, and nobody hears of it: what it held
is computed again.

Nothing is synced to the disk. What a power cut leaves half written has a wrong checksum, and costs only time.
"""

import contextlib
import ctypes
import os
import struct
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from qwen_tui.files import private_folder

State = Any  # a ctypes array of bytes; its type carries its length

_PREFIX = struct.Struct("<8sII")
_MAGIC = b"QWENKV\x00\x01"
_CHUNK = 4 << 20
# A million tokens and the checksums of a terabyte fit.
_LARGEST_HEADER = 8 << 20
# More states than this are not looked through; so many large ones never fit under the limit anyway.
_MOST_STATES = 256
# A file that is being written grows all the time. One that has not for so long, in seconds, has lost its writer.
_ABANDONED = 120.0
_BEING_WRITTEN = 3.0
# How long a removed conversation is remembered, in seconds: longer than any process that may still hold its state.
_FORGOTTEN_FOR = 30 * 86400.0


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says of its state.

    `tokens` are 32-bit little-endian. `token_s` is what computing one of them took, in seconds. `sums` are the CRC-32
    of each 4 MiB of the state, 32-bit little-endian.
    """

    key: str
    conversation: str
    tokens: bytes
    token_s: float
    size: int
    sums: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """A state in the store of which the first `common` tokens are those looked for."""

    path: Path
    header: Header
    common: int

    @property
    def tokens(self) -> list[int]:
        return unpacked(self.header.tokens)


@dataclass(frozen=True, slots=True)
class Entry:
    """A state as it is listed: whose it is, its size on disk in bytes, its length in tokens, when it was last used."""

    conversation: str
    size: int
    tokens: int
    used: float


class PrefixStore:
    """The states in `folder`, which together take at most `limit` bytes. Reading never raises."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._headers: dict[Path, tuple[tuple[int, int], Header]] = {}

    def find(self, key: str, tokens: Sequence[int]) -> list[Found]:
        """Return the states of `key` that share a beginning with `tokens`, the longest first."""
        wanted = packed(tokens)
        found = [
            Found(path, header, common)
            for path, header in self._known()
            if header.key == key and (common := _common(header.tokens, wanted))
        ]
        return sorted(found, key=lambda state: (-state.common, state.header.size))

    def of_conversation(self, key: str, conversation: str) -> list[int]:
        """Return the tokens of the state kept of a conversation, none if there is none."""
        for _path, header in self._known():
            if header.key == key and header.conversation == conversation:
                return unpacked(header.tokens)
        return []

    def read(self, found: Found) -> State | None:
        """Return the state, every byte of it checked; None where it is damaged or gone, and then it is removed."""
        header = found.header
        try:
            state = (ctypes.c_uint8 * header.size)()
            with found.path.open("rb", buffering=0) as file:
                if _read_header(file) != header:
                    # It was replaced since it was found: the new one may be sound.
                    return None
                if _fill(state, file, header.sums):
                    return state
        except (OSError, MemoryError):
            pass
        with contextlib.suppress(OSError):
            found.path.unlink()
        return None

    def touch(self, found: Found) -> None:
        """Note that a state was of use: the least recently used go first."""
        with contextlib.suppress(OSError):
            os.utime(found.path)

    def save(self, header: Header, take: Callable[[], State | None], given_up: Callable[[], bool]) -> bool:
        """Keep the state that `take` returns, in place of another one of its conversation; whether that was done.

        `header.size` is its length, `header.sums` is filled in here. `given_up` is asked between two pieces.
        """
        chunks = -(-header.size // _CHUNK)
        head = _head(msgspec.structs.replace(header, sums=bytes(4 * chunks)))
        path = self._path(header.conversation)
        if path is None or self._mark(header.conversation).exists() or len(head) + header.size > self._limit:
            return False
        try:
            private_folder(self._folder)
            with self._draft(header.conversation, len(head) + header.size) as (file, draft):
                # The draft counts already: two processes that write at once do not exceed the limit together.
                if not self._make_room(path):
                    return False
                state = take()
                if state is None or (sums := _write(file, state, len(head), given_up)) is None:
                    return False
                file.seek(0)
                file.write(_head(msgspec.structs.replace(header, sums=sums)))
                file.close()
                if not self._mark(header.conversation).exists():
                    draft.replace(path)
                # A conversation that was removed in this moment has left its mark before it looked for files.
                if self._mark(header.conversation).exists():
                    path.unlink(missing_ok=True)
                    return False
        except OSError:
            # No space, no permission, or the draft was removed with its conversation.
            return False
        return True

    def is_being_written(self, conversation: str) -> bool:
        """Whether another process is just writing the state of this conversation."""
        now = time.time()
        return any(
            abs(now - found.st_mtime) < _BEING_WRITTEN
            for path, found in self._files(".draft")
            if path.name.startswith(f"{conversation}.")
        )

    def forget(self, conversation: str) -> None:
        """Remove what is kept of a conversation, and see to it that nobody writes it any more; raises `OSError`."""
        private_folder(self._folder)
        self._mark(conversation).touch(mode=0o600)
        for path, _found in [*self._files(".state"), *self._files(".draft")]:
            if path.name.startswith(f"{conversation}."):
                path.unlink(missing_ok=True)

    def clear(self) -> int:
        """Remove every state and return how many there were; raises `OSError`."""
        states = list(self._files(".state"))
        for path, _found in [*states, *self._files(".draft")]:
            path.unlink(missing_ok=True)
        return len(states)

    def entries(self) -> list[Entry]:
        """Return what is kept, the last used first."""
        sizes = dict(self._files(".state"))
        return [
            Entry(header.conversation, sizes[path].st_size, len(header.tokens) // 4, sizes[path].st_mtime)
            for path, header in self._known()
            if path in sizes
        ]

    def _known(self) -> Iterator[tuple[Path, Header]]:
        """The states and what their files say of them, the last used first."""
        files = sorted(self._files(".state"), key=lambda pair: -pair[1].st_mtime)[:_MOST_STATES]
        known, self._headers = self._headers, {}
        for path, found in files:
            stamp = (found.st_size, found.st_mtime_ns)
            before = known.get(path)
            header = before[1] if before and before[0] == stamp else _header_of(path)
            if header is not None:
                self._headers[path] = stamp, header
                yield path, header

    def _files(self, suffix: str) -> Iterator[tuple[Path, os.stat_result]]:
        try:
            with os.scandir(self._folder) as entries:
                names = [entry for entry in entries if entry.name.endswith(suffix)]
        except OSError:
            return
        for entry in names:
            with contextlib.suppress(OSError):
                if entry.is_file(follow_symlinks=False):
                    yield Path(entry.path), os.stat(entry.path)  # noqa: PTH116 - on Windows only this knows the inode

    def _make_room(self, replaced: Path) -> bool:
        """Remove the least recently used states until the rest fits; first of all the one that is to be replaced."""
        now = time.time()
        for path, found in self._files(".forgotten"):
            if now - found.st_mtime > _FORGOTTEN_FOR:
                path.unlink(missing_ok=True)
        total = 0
        for path, found in self._files(".draft"):
            if now - found.st_mtime > _ABANDONED:
                path.unlink(missing_ok=True)
            else:
                total += found.st_size
        states = sorted(self._files(".state"), key=lambda pair: (pair[0] != replaced, pair[1].st_mtime))
        total += sum(found.st_size for _path, found in states)
        count = len(states)
        for path, found in states:
            if total <= self._limit and count < _MOST_STATES:
                break
            path.unlink(missing_ok=True)
            total -= found.st_size
            count -= 1
        return total <= self._limit

    @contextlib.contextmanager
    def _draft(self, conversation: str, size: int) -> Iterator[tuple[Any, Path]]:
        # mkstemp creates with 0600 whatever the umask.
        handle, name = tempfile.mkstemp(prefix=f"{conversation}.", suffix=".draft", dir=self._folder)
        path = Path(name)
        try:
            with os.fdopen(handle, "wb", buffering=0) as file:
                file.truncate(size)
                yield file, path
        finally:
            path.unlink(missing_ok=True)

    def _path(self, conversation: str) -> Path | None:
        # An id of ours is letters and digits; anything else is no name for a file.
        return self._folder / f"{conversation}.state" if conversation.isascii() and conversation.isalnum() else None

    def _mark(self, conversation: str) -> Path:
        return self._folder / f"{conversation}.forgotten"


def packed(tokens: Sequence[int]) -> bytes:
    """Return tokens as 32-bit little-endian bytes."""
    return struct.pack(f"<{len(tokens)}I", *tokens)


def unpacked(data: bytes) -> list[int]:
    """Return the tokens of 32-bit little-endian bytes."""
    return [token for (token,) in struct.iter_unpack("<I", data)]


def _common(ours: bytes, theirs: bytes) -> int:
    """Return how many tokens the two begin with alike."""
    length = min(len(ours), len(theirs))
    if ours[:length] == theirs[:length]:
        return length // 4
    low, high = 0, length
    # Comparing bytes by halves: a few comparisons at memory speed instead of thousands in Python.
    while high - low > 1:
        middle = (low + high) // 2
        if ours[low:middle] == theirs[low:middle]:
            low = middle
        else:
            high = middle
    return low // 4


def _head(header: Header) -> bytes:
    body = msgspec.msgpack.encode(header)
    return _PREFIX.pack(_MAGIC, len(body), zlib.crc32(body)) + body


def _header_of(path: Path) -> Header | None:
    """Return the header of a file of ours; one that is damaged is removed."""
    try:
        with path.open("rb", buffering=0) as file:
            header = _read_header(file)
        if header is None:
            path.unlink(missing_ok=True)
    except OSError:
        return None
    return header


def _read_header(file: Any) -> Header | None:
    """Read the header and leave the file where the state begins; None where anything about it is not as it must be."""
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
    whole = _PREFIX.size + length + header.size == os.fstat(file.fileno()).st_size
    right = header.size > 0 and len(header.sums) == 4 * -(-header.size // _CHUNK)
    return header if whole and right and header.tokens and len(header.tokens) % 4 == 0 else None


def _fill(state: State, file: Any, sums: bytes) -> bool:
    """Read a state and check it piece by piece, each while it is in the processor's cache."""
    view = memoryview(state).cast("B")
    for index, (wanted,) in enumerate(struct.iter_unpack("<I", sums)):
        piece = view[index * _CHUNK : (index + 1) * _CHUNK]
        done = 0
        while done < len(piece):
            came = file.readinto(piece[done:])
            if not came:
                return False
            done += came
        if zlib.crc32(piece) != wanted:
            return False
    return True


def _write(file: Any, state: State, start: int, given_up: Callable[[], bool]) -> bytes | None:
    """Write a state and return its checksums; None if it was given up."""
    view = memoryview(state).cast("B")
    sums: list[int] = []
    file.seek(start)
    for at in range(0, len(view), _CHUNK):
        if given_up():
            return None
        piece = view[at : at + _CHUNK]
        sums.append(zlib.crc32(piece))
        done = 0
        while done < len(piece):
            done += file.write(piece[done:])
    return packed(sums)

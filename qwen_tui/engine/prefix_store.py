"""The prefix store: computed prompt states on disk, found again by the tokens they begin with.

A file holds one state, which is of one conversation; its name is the conversation's id. A file that is not exactly as
it was written is removed, and nobody hears of it: what it held is computed again.
"""

import contextlib
import ctypes
import os
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from qwen_tui import cancellation
from qwen_tui.engine import sign
from qwen_tui.engine.state_file import (
    CHUNK,
    Header,
    State,
    fill,
    head,
    header_of,
    packed,
    read_header,
    unpacked,
    write,
)
from qwen_tui.files import private_folder

# More states than this are not looked through; so many large ones never fit under the limit anyway.
_MOST_STATES = 256
# A file that is being written grows all the time. One that has not for so long, in seconds, has lost its writer.
_ABANDONED = 120.0
# A sign is locked by its writer in less time than this, in seconds, or never.
_PUTTING_UP = 5.0
# How long a removed conversation is remembered, in seconds: longer than any process that may still hold its state.
_FORGOTTEN_FOR = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class Found:
    """A state, or the sign of one that is coming, of which the first `common` tokens are those looked for."""

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

    def find(self, keys: Collection[str], tokens: Sequence[int]) -> list[Found]:
        """Return the states of `keys` that share a beginning with `tokens`, the longest first."""
        return _alike(self._known(), keys, tokens)

    def coming(self, keys: Collection[str], tokens: Sequence[int]) -> list[Found]:
        """Return the same of the states that other processes are writing."""
        return _alike(self._signs(), keys, tokens)

    def coming_of(self, conversation: str) -> Found | None:
        """Return the sign of a conversation's state that another process is writing, if there is one."""
        for path, header in self._signs():
            if header.conversation == conversation:
                return Found(path, header, len(header.tokens) // 4)
        return None

    def is_coming(self, found: Found) -> bool:
        """Whether the state of this sign is still being written."""
        return sign.seen(found.path) is not None and not self._mark(found.header.conversation).exists()

    def of_conversation(self, keys: Collection[str], conversation: str) -> list[int]:
        """Return the tokens of the state kept of a conversation, none if there is none."""
        for _path, header in self._known():
            if header.key in keys and header.conversation == conversation:
                return unpacked(header.tokens)
        return []

    def read(self, found: Found) -> State | None:
        """Return the state, every byte of it checked; None where it is damaged or gone, and then it is removed."""
        header = found.header
        try:
            state = (ctypes.c_uint8 * header.size)()
            with found.path.open("rb", buffering=0) as file:
                if read_header(file) != header:
                    # It was replaced since it was found: the new one may be sound.
                    return None
                if fill(state, file, header.sums):
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

    @contextlib.contextmanager
    def announced(self, header: Header) -> Iterator[None]:
        """Have it seen, in the block, that the state of this header is coming."""
        with contextlib.ExitStack() as stack:
            if self._path(header.conversation) and not self._mark(header.conversation).exists():
                with contextlib.suppress(OSError):
                    private_folder(self._folder)
                stack.enter_context(sign.put_up(self._folder, header))
            yield

    def save(self, header: Header, take: Callable[[], State | None], given_up: Callable[[], bool]) -> bool:
        """Keep the state that `take` returns, in place of another one of its conversation; whether that was done.

        `header.size` is its length, `header.sums` is filled in here. `given_up` is asked between two pieces.
        """
        chunks = -(-header.size // CHUNK)
        opening = head(msgspec.structs.replace(header, sums=bytes(4 * chunks)))
        path = self._path(header.conversation)
        if path is None or self._mark(header.conversation).exists() or len(opening) + header.size > self._limit:
            return False
        try:
            private_folder(self._folder)
            with self._draft(header.conversation, len(opening) + header.size) as (file, draft):
                # The draft counts already: two processes that write at once do not exceed the limit together.
                if not self._make_room(path):
                    return False
                state = take()
                if state is None or (sums := write(file, state, len(opening), given_up)) is None:
                    return False
                file.seek(0)
                file.write(head(msgspec.structs.replace(header, sums=sums)))
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

    def forget(self, conversation: str) -> None:
        """Remove what is kept of a conversation, and see to it that nobody writes it any more; raises `OSError`."""
        private_folder(self._folder)
        self._mark(conversation).touch(mode=0o600)
        self._remove([path for path, _found in self._all() if path.name.startswith(f"{conversation}.")])

    def clear(self) -> int:
        """Remove every state and return how many there were; raises `OSError`."""
        paths = [path for path, _found in self._all()]
        for path in paths:
            cancellation.check()
            self._remove([path])
        return sum(path.suffix == ".state" for path in paths)

    def entries(self) -> list[Entry]:
        """Return what is kept, the last used first."""
        sizes = dict(self._files(".state"))
        return [
            Entry(header.conversation, sizes[path].st_size, len(header.tokens) // 4, sizes[path].st_mtime)
            for path, header in self._known()
            if path in sizes
        ]

    def _all(self) -> Iterator[tuple[Path, os.stat_result]]:
        """What is there of states: whole, half written, and coming."""
        for suffix in (".state", ".draft", sign.SUFFIX):
            yield from self._files(suffix)

    def _remove(self, paths: Sequence[Path]) -> None:
        for path in paths:
            try:
                path.unlink(missing_ok=True)
            except PermissionError:
                # Windows removes nothing that is open; who writes a draft removes it, and its sign, too.
                if os.name != "nt" or path.suffix == ".state":
                    raise

    def _signs(self) -> Iterator[tuple[Path, Header]]:
        for path, _found in self._files(sign.SUFFIX):
            header = sign.seen(path)
            if header is not None and not self._mark(header.conversation).exists():
                yield path, header

    def _known(self) -> Iterator[tuple[Path, Header]]:
        """The states and what their files say of them, the last used first."""
        files = sorted(self._files(".state"), key=lambda pair: -pair[1].st_mtime)[:_MOST_STATES]
        known, self._headers = self._headers, {}
        for path, found in files:
            cancellation.check()
            stamp = (found.st_size, found.st_mtime_ns)
            before = known.get(path)
            header = before[1] if before and before[0] == stamp else header_of(path)
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
        for path, found in self._files(sign.SUFFIX):
            if now - found.st_mtime > _PUTTING_UP and sign.seen(path) is None:
                with contextlib.suppress(PermissionError):
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


def _alike(states: Iterable[tuple[Path, Header]], keys: Collection[str], tokens: Sequence[int]) -> list[Found]:
    """Return those of the `states` of `keys` that share a beginning with `tokens`, the longest first."""
    wanted = packed(tokens)
    found = [
        Found(path, header, common)
        for path, header in states
        if header.key in keys and (common := _common(header.tokens, wanted))
    ]
    return sorted(found, key=lambda state: (-state.common, state.header.size))


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

"""The prefix store: computed prompt states on disk, found again by the tokens that they begin with.

A file holds the state of one conversation, and its name is the id of that conversation. A damaged file is removed
without a message: the worker computes again what it held.
"""

import contextlib
import ctypes
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from qwen_tui import cancellation
from qwen_tui.engine import sign
from qwen_tui.engine.state_file import (
    CHUNK,
    State,
    StateHeader,
    fill,
    head,
    header_of,
    packed,
    read_header,
    unpacked,
    write,
)
from qwen_tui.engine.store_folder import MOST_STATES, StoreFolder


@dataclass(frozen=True, slots=True)
class StateMatch:
    """A stored state, or the sign of one that is being written, whose first `common` tokens are the ones looked for.

    `path` is the file of the state or of the sign.
    """

    path: Path
    header: StateHeader
    common: int

    @property
    def tokens(self) -> list[int]:
        return unpacked(self.header.tokens)


@dataclass(frozen=True, slots=True)
class StoredState:
    """A state in a list: its conversation, its size on disk in bytes, its length in tokens, when it was last used."""

    conversation: str
    size: int
    tokens: int
    used: float


class PrefixStore:
    """The states in `folder`, which together take at most `limit` bytes. Finding and reading never raise."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = StoreFolder(folder, limit)
        # The headers that were read, with the size and time of their files.
        self._headers: dict[Path, tuple[tuple[int, int], StateHeader]] = {}

    def find(self, keys: Collection[str], tokens: Sequence[int]) -> list[StateMatch]:
        """Return the states of `keys` that share a beginning with `tokens`, the longest beginning first."""
        return _matches(self._states(), keys, tokens)

    def coming(self, keys: Collection[str], tokens: Sequence[int]) -> list[StateMatch]:
        """Return the same for the states that other processes are writing."""
        return _matches(self._signs(), keys, tokens)

    def coming_of(self, conversation: str) -> StateMatch | None:
        """Return the sign of the state that another process is writing for a conversation, if there is one."""
        for path, header in self._signs():
            if header.conversation == conversation:
                return StateMatch(path, header, len(header.tokens) // 4)
        return None

    def is_coming(self, match: StateMatch) -> bool:
        """Whether the state of this sign is still being written."""
        return sign.seen(match.path) is not None and not self._folder.is_forgotten(match.header.conversation)

    def of_conversation(self, keys: Collection[str], conversation: str) -> list[int]:
        """Return the tokens of the state of a conversation; an empty list if there is none."""
        for _path, header in self._states():
            if header.key in keys and header.conversation == conversation:
                return unpacked(header.tokens)
        return []

    def read(self, match: StateMatch) -> State | None:
        """Return the state, every byte of it checked. None where it is gone, or damaged: then its file is removed."""
        header = match.header
        with contextlib.suppress(OSError, MemoryError):
            state = (ctypes.c_uint8 * header.size)()
            with match.path.open("rb", buffering=0) as file:
                if read_header(file) != header:
                    # Another process has replaced the file since it was found; the new one may be sound.
                    return None
                if fill(state, file, header.sums):
                    return state
        with contextlib.suppress(OSError):
            match.path.unlink()
        return None

    def touch(self, match: StateMatch) -> None:
        """Mark a state as used now: the least recently used states are removed first."""
        with contextlib.suppress(OSError):
            os.utime(match.path)

    @contextlib.contextmanager
    def announced(self, header: StateHeader) -> Iterator[None]:
        """Show other processes, during the block, that the state of this header is being written."""
        with contextlib.ExitStack() as stack:
            if self._folder.state(header.conversation) and not self._folder.is_forgotten(header.conversation):
                with contextlib.suppress(OSError):
                    self._folder.create()
                stack.enter_context(sign.put_up(self._folder.path, header))
            yield

    def save(
        self, header: StateHeader, copy_state: Callable[[], State | None], should_stop: Callable[[], bool]
    ) -> bool:
        """Store the state that `copy_state` returns, in place of an older one of its conversation; whether it was done.

        `header.size` is the length of the state in bytes; `header.sums` is filled in here. `should_stop` is asked
        before each chunk.
        """
        chunks = -(-header.size // CHUNK)
        opening = head(msgspec.structs.replace(header, sums=bytes(4 * chunks)))
        path, size = self._folder.state(header.conversation), len(opening) + header.size
        if path is None or self._folder.is_forgotten(header.conversation) or size > self._folder.limit:
            return False
        try:
            self._folder.create()
            with self._folder.draft(header.conversation, size) as (file, draft):
                # The draft already counts: two processes that write at once do not exceed the limit together.
                if not self._folder.make_room(path):
                    return False
                state = copy_state()
                if state is None or (sums := write(file, state, len(opening), should_stop)) is None:
                    return False
                file.seek(0)
                file.write(head(msgspec.structs.replace(header, sums=sums)))
                file.close()
                if not self._folder.is_forgotten(header.conversation):
                    draft.replace(path)
                # Another process may be removing the conversation now. It leaves the tombstone before it looks for
                # files, so either it finds this state, or this process finds the tombstone.
                if self._folder.is_forgotten(header.conversation):
                    path.unlink(missing_ok=True)
                    return False
        except OSError:
            # The disk is full, writing is not permitted, or the draft was removed with its conversation.
            return False
        return True

    def forget(self, conversation: str) -> None:
        """Remove the state of a conversation, and let no process write it again; raises `OSError`."""
        self._folder.forget(conversation)

    def clear(self) -> int:
        """Remove every state and return how many there were; raises `OSError`."""
        paths = self._folder.all()
        for path in paths:
            cancellation.check()
            self._folder.remove(path)
        return sum(path.suffix == ".state" for path in paths)

    def entries(self) -> list[StoredState]:
        """Return the stored states, the last used first."""
        stats = dict(self._folder.files(".state"))
        return [
            StoredState(header.conversation, stats[path].st_size, len(header.tokens) // 4, stats[path].st_mtime)
            for path, header in self._states()
            if path in stats
        ]

    def _signs(self) -> Iterator[tuple[Path, StateHeader]]:
        """Yield the signs of states that are being written, with the headers of the states."""
        for path, _stat in self._folder.files(sign.SUFFIX):
            header = sign.seen(path)
            if header is not None and not self._folder.is_forgotten(header.conversation):
                yield path, header

    def _states(self) -> Iterator[tuple[Path, StateHeader]]:
        """Yield the states with their headers, the last used first."""
        files = sorted(self._folder.files(".state"), key=lambda pair: -pair[1].st_mtime)[:MOST_STATES]
        known, self._headers = self._headers, {}
        for path, stat in files:
            cancellation.check()
            stamp = (stat.st_size, stat.st_mtime_ns)
            before = known.get(path)
            header = before[1] if before and before[0] == stamp else header_of(path)
            if header is not None:
                self._headers[path] = stamp, header
                yield path, header


def _matches(
    states: Iterable[tuple[Path, StateHeader]], keys: Collection[str], tokens: Sequence[int]
) -> list[StateMatch]:
    """Return those of the `states` that have one of `keys` and share a beginning with `tokens`, the longest first."""
    wanted = packed(tokens)
    found = [
        StateMatch(path, header, common)
        for path, header in states
        if header.key in keys and (common := _common(header.tokens, wanted))
    ]
    return sorted(found, key=lambda match: (-match.common, match.header.size))


def _common(ours: bytes, theirs: bytes) -> int:
    """Return how many tokens the two have in common at their beginning."""
    length = min(len(ours), len(theirs))
    if ours[:length] == theirs[:length]:
        return length // 4
    # A binary search: a few comparisons at the speed of memory instead of thousands in Python.
    low, high = 0, length
    while high - low > 1:
        middle = (low + high) // 2
        if ours[low:middle] == theirs[low:middle]:
            low = middle
        else:
            high = middle
    return low // 4

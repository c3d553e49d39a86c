"""What of a context is worth keeping, and when what was kept is worth reading: how the worker uses the store."""

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from qwen_tui.engine.library import library_stamp
from qwen_tui.engine.prefix_store import Found, PrefixStore
from qwen_tui.engine.protocol import LoadOptions, Request, StoreOptions
from qwen_tui.engine.state_file import Header, packed
from qwen_tui.engine.worker.binding import LibraryError, library_version
from qwen_tui.engine.worker.context import Context, full_batches
from qwen_tui.engine.worker.stop import StopFlag
from qwen_tui.messages import Event, Prefill
from qwen_tui.models.identity import Identity

# Part of the key: to be raised when what is stored changes its meaning.
_FORMAT = 2
_FEWEST_TOKENS = 64
# What reading and checking a state takes, in seconds a byte: a slow disk's speed.
_READ_S = 1 / 0.5e9
# What writing costs nobody waits for, but disks wear and other programs use them: a price in seconds of computing
# saved, a byte. A state that will soon be replaced by a longer one has to save more.
_WRITE_S = 1 / 200e6
_WRITE_SOON_REPLACED_S = 4 * _WRITE_S
# Memory that a copy of the state must leave free, in bytes; what is too small to matter is not asked for.
_FREE_MEMORY = 512 << 20
_SMALL = 64 << 20
# A state that another process is writing is waited for at most so long, in seconds; a writer that leaves ends after as
# much. How often its sign is looked at, in seconds.
PATIENCE = 30.0
_LOOK_EVERY = 0.01

# Told of how many tokens the state is that is waited for.
Waiting = Callable[[int], None]


class States:
    """Restores what earlier prompts have in common with this one, and saves what was computed for this one."""

    def __init__(self, store: StoreOptions, options: LoadOptions) -> None:
        """To be made before the model is loaded: a file that is replaced meanwhile is then noticed."""
        folder = Path(os.fsdecode(store.folder))
        self._store = PrefixStore(folder, store.limit)
        self._model = Identity(options.path, folder / "models.json")
        self._worth_s = store.worth_s
        self._options = options
        # All of this changes the last digits of what is computed, as does what is in the key. Threads do not, but where
        # flash attention divides long texts among them.
        threads = (options.threads, options.batch_threads) if options.flash_attention else None
        way = (options.batch_size, options.repack, options.gpu_layers, threads, library_stamp())
        self._arithmetic = hashlib.sha256(msgspec.json.encode(way)).hexdigest()
        self._version: str | None
        try:
            self._version = library_version()
        except LibraryError:
            self._version = None
        # Of the last answer: under which id its state may be kept, and whether that has been decided.
        self._conversation: str | None = None
        self._pending = False
        # Whether something is kept of a model whose hash is not known.
        self._to_hash = False
        self._known: set[str] = set()
        # All prompt tokens computed by this process, and the seconds that took.
        self._computed = 0
        self._computing_s = 0.0
        self._restored_token_s = 0.0
        self._last: tuple[int, float] | None = None

    @property
    def pending(self) -> bool:
        """Whether there is something to be done when nobody asks."""
        return self._pending or self._to_hash

    def written_before(self, conversation: str | None, stop: StopFlag, waiting: Waiting) -> Sequence[int]:
        """Return what is kept of a conversation that this process does not know: its answers as they were written.

        If the program that was just left is still writing that, it is waited for, as `restore` does.
        """
        keys = self._keys()
        if not keys or conversation is None or conversation in self._known:
            return ()
        self._known.add(conversation)
        coming = self._store.coming_of(conversation)
        if coming and coming.header.key in keys:
            self._wait(coming, coming.common, stop, waiting)
        return self._store.of_conversation(keys, conversation)

    def restore(
        self, context: Context, prompt: Sequence[int], request: Request, stop: StopFlag, waiting: Waiting
    ) -> None:
        """Fill the context with the longest beginning of `prompt` that was kept, where that saves time.

        If another process is writing a longer one, that is waited for until `stop`, as long as computing the same would
        take; who waits is told of it.
        """
        self._conversation = self._last = None
        self._pending = False
        keys, repeats = self._keys(), request.repeats
        coming = self._best(self._store.coming(keys, prompt[:-1]), context, repeats)
        if coming:
            kept = self._best(self._store.find(keys, prompt[:-1]), context, repeats)
            there = max(self._usable_here(context, prompt, repeats), self._usable(kept, repeats) if kept else 0)
            self._wait(coming, self._usable(coming, repeats) - there, stop, waiting)
        for found in sorted(self._store.find(keys, prompt[:-1]), key=lambda found: -self._usable(found, repeats)):
            if not self._pays(found, context, prompt, repeats):
                continue
            state = self._store.read(found) if _fits(found.header.size) else None
            if state is not None and context.restore(found.tokens, state, self._whole(found)):
                self._restored_token_s = found.header.token_s
                if request.conversation:
                    self._store.touch(found)
                break

    def _best(self, found: Sequence[Found], context: Context, repeats: bool) -> Found | None:
        fitting = [state for state in found if len(state.header.tokens) // 4 <= context.size]
        return max(fitting, key=lambda state: self._usable(state, repeats), default=None)

    def _wait(self, coming: Found, tokens: int, stop: StopFlag, waiting: Waiting) -> None:
        """Wait for a state that another process is writing, if that is quicker than computing so many `tokens`."""
        header = coming.header
        saved_s = tokens * (self._token_s() or header.token_s)
        if saved_s <= header.size * (_WRITE_S + _READ_S):
            return
        waiting(len(header.tokens) // 4)
        deadline = time.monotonic() + min(saved_s, PATIENCE)
        while self._store.is_coming(coming) and not stop and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY)

    def watch(self, event: Event) -> None:
        """Learn from the events of an answer how long computing a prompt token takes."""
        if isinstance(event, Prefill):
            now = time.perf_counter()
            if self._last:
                self._computed += event.done - self._last[0]
                self._computing_s += now - self._last[1]
            self._last = event.done, now

    def answered(self, conversation: str | None) -> None:
        """Note that an answer is through, and under which id its state may be kept (None: not at all)."""
        self._conversation = conversation
        self._pending = conversation is not None

    def save(self, context: Context, given_up: Callable[[], bool]) -> None:
        """Save the state of the last answer if it is worth it; when given up on the way, it is still pending."""
        self._save(context, context.save, given_up, lambda: None, leaving=False)

    def leave(self, context: Context, free: Callable[[], None], announced: Callable[[], None]) -> None:
        """Save, with more readiness, what is not saved yet: there will be no better moment.

        Once the state is copied, `free` is called, which closes the context: the memory may be wanted elsewhere. When
        it is decided, and can be seen on the disk, whether a state is coming, that is `announced`.
        """

        def take() -> Any:
            state = context.save()
            free()
            return state

        self._pending = self._conversation is not None
        self._save(context, take, lambda: False, announced, leaving=True)

    def find_out(self, given_up: Callable[[], bool]) -> None:
        """Hash the model if something was kept of it, so that it is found again when the file is moved or copied."""
        if self._to_hash and not self._pending:
            self._model.find_out(given_up)
            self._to_hash = given_up()

    def _save(
        self,
        context: Context,
        take: Callable[[], Any],
        given_up: Callable[[], bool],
        announced: Callable[[], None],
        *,
        leaving: bool,
    ) -> None:
        header = self._header(context, leaving=leaving) if self._pending else None
        # What is not worth it now may be when leaving.
        self._pending = False
        if header is None:
            return
        with self._store.announced(header):
            announced()
            saved = self._store.save(header, take, given_up)
        self._pending = not saved and given_up()
        self._to_hash |= saved and not self._model.is_hashed

    def _header(self, context: Context, *, leaving: bool) -> Header | None:
        """Return the header of what the context holds, None if that is not worth being kept."""
        conversation, tokens, token_s = self._conversation, context.tokens, self._token_s()
        if conversation is None or len(tokens) < _FEWEST_TOKENS or token_s * len(tokens) < self._worth_s:
            return None
        keys, size = self._keys(), context.state_size()
        if not keys or not _fits(size) or not self._is_worth(keys, context, size, leaving=leaving):
            return None
        return Header(
            key=keys[0],
            conversation=conversation,
            tokens=packed(tokens),
            whole=context.aligned,
            arithmetic=self._arithmetic,
            token_s=token_s,
            size=size,
            sums=b"",
        )

    def _is_worth(self, keys: Sequence[str], context: Context, size: int, *, leaving: bool) -> bool:
        """Whether the state saves enough computing beyond what the states that there are would save.

        That is either to those who use all that there is, or to those who use whole steps alone.
        """
        found = self._store.find(keys, context.tokens)
        new = max(
            len(context.tokens) - max((state.common for state in found), default=0),
            context.aligned - max((self._usable(state, repeats=True) for state in found), default=0),
        )
        price = size * (_WRITE_S if leaving else _WRITE_SOON_REPLACED_S)
        return new * self._token_s() >= max(price, self._worth_s, 1e-9)

    def _pays(self, found: Found, context: Context, prompt: Sequence[int], repeats: bool) -> bool:
        """Whether reading a state is quicker than computing what it has beyond what the context holds."""
        new = self._usable(found, repeats) - self._usable_here(context, prompt, repeats)
        token_s = self._token_s() or found.header.token_s
        fits = len(found.header.tokens) // 4 <= context.size
        return fits and new * token_s > found.header.size * _READ_S

    def _usable(self, found: Found, repeats: bool) -> int:
        """Return how many tokens of a state can be used; where the answer `repeats`, only those in whole steps."""
        whole = min(found.common, self._whole(found))
        return full_batches(whole, self._options.batch_size) if repeats else found.common

    def _usable_here(self, context: Context, prompt: Sequence[int], repeats: bool) -> int:
        common = context.common(prompt)
        return full_batches(min(common, context.aligned), context.batch_size) if repeats else common

    def _whole(self, found: Found) -> int:
        """Return how many tokens of a state were computed in whole steps, as they would be here."""
        return found.header.whole if found.header.arithmetic == self._arithmetic else 0

    def _token_s(self) -> float:
        """What computing a prompt token takes, in seconds; 0 if nothing is known about it."""
        # A few tokens at the end of a restored prompt are no measure.
        if self._computed >= _FEWEST_TOKENS or not self._restored_token_s:
            return self._computing_s / self._computed if self._computed else 0.0
        return self._restored_token_s

    def _keys(self) -> list[str]:
        """Return what states of this model and library are known by, that for new ones first; none where nothing is."""
        # Without flash attention the values lie transposed.
        rest = (self._version, self._options.kv_type, self._options.flash_attention)
        names = self._model.names() if self._version else ()
        return [msgspec.json.encode((_FORMAT, name, *rest)).decode() for name in names]


def _fits(size: int) -> bool:
    """Whether there is memory for a copy of a state."""
    if size < _SMALL:
        return True
    import psutil

    return bool(psutil.virtual_memory().available > size + _FREE_MEMORY)

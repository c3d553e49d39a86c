"""Decides which computed states are worth storing, and when reading a stored one is faster than computing."""

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from qwen_tui.engine.library import library_stamp
from qwen_tui.engine.prefix_store import PrefixStore, StateMatch
from qwen_tui.engine.protocol import LoadOptions, Request, StoreOptions
from qwen_tui.engine.state_file import StateHeader, packed
from qwen_tui.engine.token_costs import PrefillCost
from qwen_tui.engine.worker.binding import LibraryError, library_version
from qwen_tui.engine.worker.context import Context, full_batches
from qwen_tui.engine.worker.stop import StopFlag
from qwen_tui.messages import Event
from qwen_tui.models.identity import Identity

# Part of the key. Raise it when the content of a state changes its meaning.
_FORMAT = 2
# A shorter state is not stored.
_FEWEST_TOKENS = 64
# Reading and checking a state, in seconds a byte: the speed of a slow disk.
_READ_S = 1 / 0.5e9
# The price of writing a state, in seconds of computing that it must save, a byte. Nobody waits for the writing, but it
# wears the disk, and other programs use the disk. A state that a longer one will soon replace has to save more.
_WRITE_S = 1 / 200e6
_WRITE_SOON_REPLACED_S = 4 * _WRITE_S
# A copy of the state must leave so much memory free, in bytes. For a state smaller than `_SMALL` that is not checked.
_FREE_MEMORY = 512 << 20
_SMALL = 64 << 20
# A worker waits at most so long for a state that another process is writing, in seconds. A worker that leaves ends
# after the same time.
PATIENCE = 30.0
# How often the waiting worker looks at the sign, in seconds.
_LOOK_EVERY = 0.01

# Called before waiting for another process, with the length in tokens of the state that it is writing.
OnWait = Callable[[int], None]


class States:
    """Restores the stored state that shares the longest beginning with a prompt, and saves the states of answers."""

    def __init__(self, store: StoreOptions, options: LoadOptions, variant: str = "") -> None:
        """Create it before the model is loaded, so that it notices if the model's file is replaced meanwhile.

        `variant` is that of a portable llama.cpp.
        """
        folder = Path(os.fsdecode(store.folder))
        self._store = PrefixStore(folder, store.limit)
        self._model = Identity(options.path, folder / "models.json")
        self._worth_s = store.worth_s
        self._options = options
        # Each of these options changes the last digits of what is computed, as do the parts of the key. The number of
        # threads changes them only with flash attention, which divides long texts among the threads.
        threads = (options.plan.threads, options.plan.batch_threads) if options.plan.flash_attention else None
        way = (options.plan.batch_size, options.plan.repack, options.plan.gpu_layers, threads, library_stamp(), variant)
        self._arithmetic = hashlib.sha256(msgspec.json.encode(way)).hexdigest()
        self._version: str | None
        try:
            self._version = library_version()
        except LibraryError:
            self._version = None
        # The conversation of the last answer, None if its state may not be stored.
        self._conversation: str | None = None
        # Whether it is still to be decided if that state is saved.
        self._pending = False
        # Whether a state was saved under a model whose hash is not known yet.
        self._to_hash = False
        # The conversations whose stored answers this process has already returned.
        self._known: set[str] = set()
        # What a prompt token costs: as this process has measured it, or else as a restored state says.
        self._cost = PrefillCost()

    @property
    def pending(self) -> bool:
        """Whether there is work for the time when the worker is idle."""
        return self._pending or self._to_hash

    def written_before(self, conversation: str | None, stop: StopFlag, on_wait: OnWait) -> Sequence[int]:
        """Return the stored tokens of a conversation that another process has answered; an empty list otherwise.

        If that process is still writing the state, this one waits for it, as `restore` does.
        """
        keys = self._keys()
        if not keys or conversation is None or conversation in self._known:
            return ()
        self._known.add(conversation)
        coming = self._store.coming_of(conversation)
        if coming and coming.header.key in keys:
            self._wait(coming, coming.common, stop, on_wait)
            if stop:
                self._known.discard(conversation)
        return self._store.of_conversation(keys, conversation)

    def asked(self) -> None:
        """Know that a question has come: what was computed before it is not stored any more."""
        self._conversation = None
        self._pending = False
        self._cost.begin()

    def begins_reading_ahead(self) -> None:
        """Know that what is watched next belongs to no answer."""
        self._cost.begin()

    def restore(
        self, context: Context, prompt: Sequence[int], request: Request, stop: StopFlag, on_wait: OnWait
    ) -> None:
        """Fill the context with the stored state that shares the longest beginning with `prompt`, if that saves time.

        If another process is writing a longer one, this waits for it: at most as long as computing the same tokens
        would take, and not after `stop`. `on_wait` is called before the wait.
        """
        keys, repeats = self._keys(), request.repeats
        coming = self._best(self._store.coming(keys, prompt[:-1]), context, repeats)
        if coming:
            kept = self._best(self._store.find(keys, prompt[:-1]), context, repeats)
            here = max(context.reusable(prompt, aligned_only=repeats), self._usable(kept, repeats) if kept else 0)
            self._wait(coming, self._usable(coming, repeats) - here, stop, on_wait)
        for found in sorted(self._store.find(keys, prompt[:-1]), key=lambda match: -self._usable(match, repeats)):
            if not self._pays(found, context.reusable(prompt, aligned_only=repeats), context.size, repeats):
                continue
            state = self._store.read(found) if _fits(found.header.size) else None
            if state is not None and context.restore(found.tokens, state, self._aligned(found)):
                self._cost.known_s = found.header.token_s
                if request.conversation:
                    self._store.touch(found)
                break

    def _best(self, matches: Sequence[StateMatch], context: Context, repeats: bool) -> StateMatch | None:
        fitting = [match for match in matches if len(match.header.tokens) // 4 <= context.size]
        return max(fitting, key=lambda match: self._usable(match, repeats), default=None)

    def _wait(self, coming: StateMatch, tokens: int, stop: StopFlag, on_wait: OnWait) -> None:
        """Wait for a state that another process is writing, if that is faster than computing `tokens` tokens."""
        header = coming.header
        saved_s = tokens * (self._cost.token_s or header.token_s)
        if saved_s <= header.size * (_WRITE_S + _READ_S):
            return
        on_wait(len(header.tokens) // 4)
        deadline = time.monotonic() + min(saved_s, PATIENCE)
        while self._store.is_coming(coming) and not stop and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY)

    def watch(self, event: Event) -> None:
        """Learn from the events of an answer how long a prompt token takes to compute."""
        self._cost.watch(event)

    def answered(self, conversation: str | None) -> None:
        """Know that an answer has ended, and the id under which its state may be stored (None: not at all)."""
        self._conversation = conversation
        self._pending = conversation is not None

    def save(self, context: Context, should_stop: Callable[[], bool]) -> None:
        """Save the state of the last answer if that is worth it; if it was stopped, it is still pending."""
        self._save(context, context.save, should_stop, lambda: None, leaving=False)

    def leave(self, context: Context, free: Callable[[], None], on_announced: Callable[[], None]) -> None:
        """Save the state of the last answer before this worker ends, even where it saves less: no better moment comes.

        As soon as the state is copied, `free` is called. It closes the context, because others may want the memory.
        `on_announced` is called when other processes can see on the disk that the state is being written.
        """

        def copy_and_free() -> Any:
            state = context.save()
            free()
            return state

        self._pending = self._conversation is not None
        self._save(context, copy_and_free, lambda: False, on_announced, leaving=True)

    def hash_model(self, should_stop: Callable[[], bool]) -> None:
        """Hash the model if a state of it was saved, so that the state is found when the file is moved or copied."""
        if self._to_hash and not self._pending:
            self._model.find_out(should_stop)
            self._to_hash = should_stop()

    def _save(
        self,
        context: Context,
        copy_state: Callable[[], Any],
        should_stop: Callable[[], bool],
        on_announced: Callable[[], None],
        *,
        leaving: bool,
    ) -> None:
        header = self._header(context, leaving=leaving) if self._pending else None
        # A state that is not worth saving now may be worth it when the worker leaves.
        self._pending = False
        if header is None:
            return
        with self._store.announced(header):
            on_announced()
            saved = self._store.save(header, copy_state, should_stop)
        self._pending = not saved and should_stop()
        self._to_hash |= saved and not self._model.is_hashed

    def _header(self, context: Context, *, leaving: bool) -> StateHeader | None:
        """Return the header for what the context holds; None if that is not worth storing."""
        conversation, tokens = self._conversation, context.tokens
        if conversation is None or len(tokens) < _FEWEST_TOKENS or self._cost.seconds(len(tokens)) < self._worth_s:
            return None
        keys, size = self._keys(), context.state_size()
        if not keys or not _fits(size) or not self._is_worth(keys, context, size, leaving=leaving):
            return None
        return StateHeader(
            key=keys[0],
            conversation=conversation,
            tokens=packed(tokens),
            aligned=context.aligned,
            arithmetic=self._arithmetic,
            token_s=self._cost.token_s,
            size=size,
            sums=b"",
        )

    def _is_worth(self, keys: Sequence[str], context: Context, size: int, *, leaving: bool) -> bool:
        """Whether the new state saves enough computing, compared with the states that are stored already.

        It may save it for prompts that use all of its tokens, or for those that use full batches alone.
        """
        found = self._store.find(keys, context.tokens)
        new = max(
            len(context.tokens) - max((match.common for match in found), default=0),
            context.aligned - max((self._usable(match, repeats=True) for match in found), default=0),
        )
        price = size * (_WRITE_S if leaving else _WRITE_SOON_REPLACED_S)
        saved_s = self._cost.seconds(len(context.tokens), len(context.tokens) - new)
        return saved_s >= max(price, self._worth_s, 1e-9)

    def kept_of(self, prompt: Sequence[int], here: int, ctx_size: int) -> int:
        """Return how many tokens of `prompt` a stored state would bring, beside the `here` that the context has."""
        found = self._store.find(self._keys(), prompt[:-1])
        return max((one.common for one in found if self._pays(one, here, ctx_size, repeats=False)), default=0)

    def _pays(self, found: StateMatch, here: int, ctx_size: int, repeats: bool) -> bool:
        """Whether reading the state is faster than computing the tokens beyond those that are `here` in the context."""
        new = self._usable(found, repeats) - here
        token_s = self._cost.token_s or found.header.token_s
        fits = len(found.header.tokens) // 4 <= ctx_size
        return fits and new * token_s > found.header.size * _READ_S

    def _usable(self, found: StateMatch, repeats: bool) -> int:
        """Return how many tokens of a state can be used; where the answer `repeats`, only those in full batches."""
        aligned = min(found.common, self._aligned(found))
        return full_batches(aligned, self._options.plan.batch_size) if repeats else found.common

    def _aligned(self, found: StateMatch) -> int:
        """Return how many tokens of a state were computed exactly as this worker would compute them."""
        return found.header.aligned if found.header.arithmetic == self._arithmetic else 0

    def _keys(self) -> list[str]:
        """Return the keys of states of this model and library, the one for new states first; none without a library."""
        # Without flash attention, the values lie transposed in the KV cache.
        rest = (self._version, self._options.plan.kv_type, self._options.plan.flash_attention)
        names = self._model.names() if self._version else ()
        return [msgspec.json.encode((_FORMAT, name, *rest)).decode() for name in names]


def _fits(size: int) -> bool:
    """Whether there is enough memory for a copy of a state of `size` bytes."""
    if size < _SMALL:
        return True
    import psutil

    return bool(psutil.virtual_memory().available > size + _FREE_MEMORY)

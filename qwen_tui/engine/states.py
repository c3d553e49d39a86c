"""What of a context is worth keeping, and when what was kept is worth reading: how the worker uses the store."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from qwen_tui.engine.binding import LibraryError, library_version
from qwen_tui.engine.context import Context
from qwen_tui.engine.prefix_store import Found, Header, PrefixStore, packed
from qwen_tui.engine.protocol import LoadOptions, StoreOptions
from qwen_tui.engine.stop import StopFlag
from qwen_tui.messages import Event, Prefill
from qwen_tui.models import identity

# Part of the key: to be raised when what is stored changes its meaning.
_FORMAT = 1
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
# How long a state is waited for that another process is writing, in seconds.
_PATIENCE = 10.0


class States:
    """Restores what earlier prompts have in common with this one, and saves what was computed for this one."""

    def __init__(self, store: StoreOptions, options: LoadOptions) -> None:
        """To be made before the model is loaded: a file that is replaced meanwhile is then noticed."""
        folder = Path(os.fsdecode(store.folder))
        self._store = PrefixStore(folder, store.limit)
        self._memory = folder / "models.json"
        self._worth_s = store.worth_s
        self._options = options
        self._facts = identity.facts(options.path)
        self._key: str | None = None
        # Of the last answer: under which id its state may be kept, and whether that has been decided.
        self._conversation: str | None = None
        self._pending = False
        self._known: set[str] = set()
        # All prompt tokens computed by this process, and the seconds that took.
        self._computed = 0
        self._computing_s = 0.0
        self._restored_token_s = 0.0
        self._last: tuple[int, float] | None = None

    @property
    def pending(self) -> bool:
        """Whether something was computed since it was last decided what to save."""
        return self._pending

    def written_before(self, conversation: str | None, stop: StopFlag) -> Sequence[int]:
        """Return what is kept of a conversation that this process does not know: its answers as they were written.

        If the program that was just left is still writing that, it is waited for until `stop`.
        """
        key = self._find_key()
        if key is None or conversation is None or conversation in self._known:
            return ()
        self._known.add(conversation)
        deadline = time.monotonic() + _PATIENCE
        while self._store.is_being_written(conversation) and not stop and time.monotonic() < deadline:
            time.sleep(0.02)
        return self._store.of_conversation(key, conversation)

    def restore(self, context: Context, prompt: Sequence[int], conversation: str | None) -> None:
        """Fill the context with the longest beginning of `prompt` that was kept, where that saves time."""
        self._conversation = self._last = None
        self._pending = False
        key = self._find_key()
        for found in self._store.find(key, prompt[:-1]) if key else ():
            if not self._pays(found, context, prompt):
                continue
            state = self._store.read(found) if _fits(found.header.size) else None
            if state is not None and context.restore(found.tokens, state):
                self._restored_token_s = found.header.token_s
                if conversation:
                    self._store.touch(found)
                break

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
        self._save(context, context.save, given_up, leaving=False)

    def leave(self, context: Context, free: Callable[[], None]) -> None:
        """Save, with more readiness, what is not saved yet: there will be no better moment.

        Once the state is copied, the context is closed, and `free` called: the memory may be wanted elsewhere.
        """

        def take() -> Any:
            state = context.save()
            context.close()
            free()
            return state

        self._pending = self._conversation is not None
        self._save(context, take, lambda: False, leaving=True)

    def _save(self, context: Context, take: Callable[[], Any], given_up: Callable[[], bool], *, leaving: bool) -> None:
        conversation, tokens = self._conversation, list(context.tokens)
        if not self._pending or conversation is None:
            return
        if len(tokens) < _FEWEST_TOKENS or self._token_s() * len(tokens) < self._worth_s:
            self._pending = False
            return
        key = self._find_key(given_up)
        if given_up():
            return
        size = context.state_size()
        if key is None or not _fits(size) or not self._is_worth(key, tokens, size, leaving=leaving):
            # What is not worth it now may be when leaving.
            self._pending = False
            return
        header = Header(
            key=key, conversation=conversation, tokens=packed(tokens), token_s=self._token_s(), size=size, sums=b""
        )
        saved = self._store.save(header, take, given_up)
        self._pending = not saved and given_up()

    def _is_worth(self, key: str, tokens: Sequence[int], size: int, *, leaving: bool) -> bool:
        """Whether the state saves enough computing beyond what the states that there are would save."""
        found = self._store.find(key, tokens)
        new = len(tokens) - (found[0].common if found else 0)
        price = size * (_WRITE_S if leaving else _WRITE_SOON_REPLACED_S)
        return new * self._token_s() >= max(price, self._worth_s, 1e-9)

    def _pays(self, found: Found, context: Context, prompt: Sequence[int]) -> bool:
        """Whether reading a state is quicker than computing what it has beyond what the context holds."""
        here = context.common(prompt)
        token_s = self._token_s() or found.header.token_s
        fits = len(found.header.tokens) // 4 <= context.size
        return fits and (found.common - here) * token_s > found.header.size * _READ_S

    def _token_s(self) -> float:
        """What computing a prompt token takes, in seconds; 0 if nothing is known about it."""
        # A few tokens at the end of a restored prompt are no measure.
        if self._computed >= _FEWEST_TOKENS or not self._restored_token_s:
            return self._computing_s / self._computed if self._computed else 0.0
        return self._restored_token_s

    def _find_key(self, given_up: Callable[[], bool] | None = None) -> str | None:
        """Return what tells states of this model and library apart; hash the model for it only with `given_up`."""
        if self._key is None and self._facts is not None:
            path = self._options.path
            model = identity.remembered(path, self._facts, self._memory)
            if model is None and given_up is not None:
                model = identity.find_out(path, self._facts, self._memory, given_up)
            # A file that was replaced while it was loaded is not the one that was loaded.
            if model is not None and identity.facts(path) == self._facts:
                self._key = self._key_of(model)
        return self._key

    def _key_of(self, model: str) -> str | None:
        try:
            version = library_version()
        except LibraryError:
            return None
        # Without flash attention the values lie transposed.
        parts = (_FORMAT, model, version, self._options.kv_type, self._options.flash_attention)
        return msgspec.json.encode(parts).decode()


def _fits(size: int) -> bool:
    """Whether there is memory for a copy of a state."""
    if size < _SMALL:
        return True
    import psutil

    return bool(psutil.virtual_memory().available > size + _FREE_MEMORY)

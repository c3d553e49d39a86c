"""The context: the KV cache of one conversation, and the tokens in it."""

import contextlib
import ctypes
from collections.abc import Iterator, Sequence
from typing import Any

from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.engine.worker.lookup import MOST_DRAFTED
from qwen_tui.engine.worker.model import Model
from qwen_tui.engine.worker.stop import StopFlag

# What llama_decode returns when the abort callback stopped it.
_ABORTED = 2
# The capacity is a multiple of this, in tokens.
_CAPACITY_STEP = 1024
# The numbers of ggml_type.
_GGML_TYPES = {"f16": 1, "q8_0": 8}


class ContextError(Exception):
    """llama.cpp could not create the context, or could not decode."""


class NoRoomError(ContextError):
    """There is not enough memory for a context of that size."""


class Context:
    """One sequence of tokens whose keys and values are in the KV cache.

    `tokens` always matches the KV cache: position i holds token i, and there is nothing behind the last token. The KV
    cache grows with them, up to `size` tokens, for two reasons: allocating a gigabyte takes a second or two, and
    without flash attention the values of a large cache lie further apart and are slower to read.

    The first `aligned` tokens were computed in full batches, counted from position 0. A batch of another size rounds
    the last digits differently. So only these tokens are exactly what another prompt with the same beginning would
    compute.
    """

    def __init__(self, model: Model, options: LoadOptions, ctx_size: int, stop: StopFlag) -> None:
        """Allocates no KV cache yet; `ctx_size` is the most tokens that it may hold."""
        self._llama = model.llama
        self._model = model
        self._options = options
        self._stop = stop
        # The most tokens of a draft. The last token is in the same batch, and a rejected draft must be forgotten again.
        self.most_drafted = min(MOST_DRAFTED, options.plan.batch_size - 1) if model.forgets_a_part else 0
        self.size = ctx_size
        self.batch_size = options.plan.batch_size
        self.batch_threads = options.plan.batch_threads
        self.tokens: list[int] = []
        self.aligned = 0
        self.handle: Any = None
        self._kv_cache: Any = None
        self._capacity = 0
        # How many threads decode.
        self._threads = options.plan.threads
        # Whether it computes with other numbers of threads than the plan says.
        self._has_other_threads = False
        self._batch = self._llama.llama_batch_init(options.plan.batch_size, 0, 1)
        for i in range(options.plan.batch_size):
            self._batch.n_seq_id[i] = 1
            self._batch.seq_id[i][0] = 0

    def reserve(self, count: int) -> None:
        """Make room for `count` tokens in all, at most `size`, and keep the tokens that are there.

        Raises `NoRoomError` where there is not enough memory.
        """
        if min(count, self.size) <= self._capacity:
            return
        tokens, aligned, state = self.tokens, self.aligned, self.save() if self.tokens else None
        # The old KV cache is freed first: the old one, the new one and the copy may not fit into memory together.
        self._free()
        self._make(min(self.size, -(-count // _CAPACITY_STEP) * _CAPACITY_STEP))
        if tokens and (state is None or not self.restore(tokens, state, aligned)):
            for start in range(0, len(tokens), self.batch_size):
                if not self.decode(tokens[start : start + self.batch_size]):
                    break

    def resize(self, size: int, *, at_once: bool) -> None:
        """Let the context grow up to `size` tokens; `at_once` allocates all of it now.

        Raises `NoRoomError` where there is not enough memory; the context is then as before.
        """
        before, self.size = self.size, size
        tokens, aligned, state = self.tokens, self.aligned, self.save() if at_once and self.tokens else None
        try:
            if at_once:
                self.reserve(size)
        except NoRoomError:
            self.size = before
            self.reserve(before)
            if state is not None:
                self.restore(tokens, state, aligned)
            raise

    def _make(self, capacity: int) -> None:
        llama, options = self._llama, self._options
        parameters = llama.llama_context_default_params()
        parameters.n_ctx = capacity
        parameters.n_batch = parameters.n_ubatch = options.plan.batch_size
        parameters.n_seq_max = 1
        # Only the last token and the draft need logits: at most 20 MB for Qwen3's vocabulary instead of 300 MB.
        # llama.cpp ends the process if a batch asks for more than this number.
        parameters.n_outputs_max = 1 + self.most_drafted
        parameters.n_threads = self._threads
        parameters.n_threads_batch = options.plan.batch_threads
        parameters.flash_attn_type = int(options.plan.flash_attention)
        parameters.type_k = parameters.type_v = _GGML_TYPES[options.plan.kv_type]
        parameters.no_perf = True
        # Without layers on the GPU, llama.cpp must send nothing there: the abort callback could not stop it.
        parameters.op_offload = bool(options.plan.gpu_layers)
        self.handle = llama.llama_init_from_model(self._model.handle, parameters)
        if not self.handle:
            raise NoRoomError(f"no context of {capacity} tokens")
        self._capacity = capacity
        self._kv_cache = llama.llama_get_memory(self.handle)
        self._stop.install(llama, self.handle)

    def _free(self) -> None:
        if self.handle:
            self._llama.llama_free(self.handle)
        self.handle, self._capacity, self.tokens, self.aligned = None, 0, [], 0

    def reuse(self, prompt: Sequence[int], *, aligned_only: bool = False) -> int:
        """Keep the longest common prefix with `prompt`, forget the rest, and return the length of what is kept.

        At least the last token of the prompt is left to be decoded, because its logits are needed. With `aligned_only`,
        only full batches that were computed as such are kept: the rest is then computed exactly as in an empty context.
        """
        self._truncate(self.reusable(prompt, aligned_only=aligned_only))
        # A KV cache that cannot forget a part has forgotten everything.
        return len(self.tokens)

    def reusable(self, prompt: Sequence[int], *, aligned_only: bool = False) -> int:
        """Return how many tokens of `prompt` `reuse` would keep."""
        common = self.common(prompt)
        return full_batches(min(common, self.aligned), self.batch_size) if aligned_only else common

    def common(self, prompt: Sequence[int]) -> int:
        """Return the length of the longest common prefix with `prompt` without the last token of `prompt`."""
        kept = 0
        for ours, theirs in zip(self.tokens, prompt[:-1], strict=False):
            if ours != theirs:
                break
            kept += 1
        return kept

    def decode(self, tokens: Sequence[int], *, drafted: int = 0) -> bool:
        """Append `tokens`, at most one batch of them. Logits are kept for the last token and the `drafted` ones before.

        Returns False if it was stopped; then nothing was appended. Raises `ContextError` when llama.cpp cannot decode.
        """
        # A context that is full grows by half, because growing copies everything that it holds.
        batch, start = self._batch, len(self.tokens)
        if start + len(tokens) > self._capacity:
            self.reserve(len(tokens) + start * 3 // 2)
            if len(self.tokens) < start:
                return False
        batch.n_tokens = len(tokens)
        first_output = len(tokens) - 1 - drafted
        for i, token in enumerate(tokens):
            batch.token[i] = token
            batch.pos[i] = start + i
            batch.logits[i] = i >= first_output
        status = self._llama.llama_decode(self.handle, batch)
        if status == 0:
            self.tokens.extend(tokens)
            # With flash attention, the last digits depend on the number of threads too.
            exact = not (self._has_other_threads and self._options.plan.flash_attention)
            if start == self.aligned and len(tokens) == self.batch_size and not drafted and exact:
                self.aligned += len(tokens)
            return True
        self._truncate(start)
        if status == _ABORTED:
            return False
        raise ContextError(f"llama_decode returned {status} at token {start} of {self.size}")

    def use_threads(self, count: int) -> None:
        """Decode with so many threads from now on."""
        if count != self._threads:
            self._threads = count
            self._llama.llama_set_n_threads(self.handle, count, self._options.plan.batch_threads)

    @contextlib.contextmanager
    def one_thread_fewer(self, *, exactly: bool) -> Iterator[None]:
        """Compute with one thread fewer than the plan says, so that a core is free for the person's own work.

        With flash attention, the last digits depend on the number of threads. So for a prompt that must be computed
        `exactly` as without this, all of them compute.

        But of two threads both compute. One alone cannot read 1,500 tokens while a person types a question of 60 words
        on two cores, so the first word comes half a minute later. With both, a letter appears 2 to 5 ms later
        (`scripts/bench/reading_ahead.py`).
        """
        plan = self._options.plan
        if exactly and plan.flash_attention:
            yield
            return
        count = max(min(plan.threads, 2), plan.threads - 1)
        fewer = count, min(count, plan.batch_threads)
        self._has_other_threads = fewer != (plan.threads, plan.batch_threads)
        self._llama.llama_set_n_threads(self.handle, *fewer)
        try:
            yield
        finally:
            self._has_other_threads = False
            self._llama.llama_set_n_threads(self.handle, self._threads, plan.batch_threads)

    def synchronize(self) -> None:
        """Wait until everything decoded is computed: with a GPU, `decode` returns before. A CPU has then finished."""
        self._llama.llama_synchronize(self.handle)

    def warm_up(self, token: int) -> None:
        """Compute one full batch of `token` and forget it, so that llama.cpp allocates now what computing needs.

        Raises `ContextError` where there is not enough memory.
        """
        self.decode([token] * min(self.batch_size, self.size))
        self.synchronize()
        self._truncate(0)

    def repeat(self, times: int) -> None:
        """Copy everything in the context until it is there `times` times, at the same positions. Only for measuring.

        A batch decoded then costs as much as behind a text of that length, without having to compute that text. Its
        logits mean nothing. Call `reserve` first.
        """
        state = self.save()
        if state is None:
            raise ContextError("what the context holds could not be copied")
        for _copy in range(times - 1):
            # llama.cpp clears a sequence before filling it. So the copy goes into sequence 1, then joins sequence 0.
            taken = self._llama.llama_state_seq_set_data(self.handle, state, len(state), 1)
            self._llama.llama_memory_seq_cp(self._kv_cache, 1, 0, -1, -1)
            self._llama.llama_memory_seq_rm(self._kv_cache, 1, -1, -1)
            if taken != len(state):
                raise ContextError("what the context holds could not be repeated")

    def forget(self, count: int) -> None:
        """Remove the last `count` tokens."""
        if count:
            self._truncate(len(self.tokens) - count)

    def state_size(self) -> int:
        """Return the size of what `save` returns, in bytes."""
        return int(self._llama.llama_state_seq_get_size(self.handle, 0))

    def save(self) -> Any:
        """Return a copy of the keys and values as an array of bytes, or None where llama.cpp cannot make one."""
        size = self.state_size()
        state = (ctypes.c_uint8 * size)()
        written = self._llama.llama_state_seq_get_data(self.handle, state, size, 0)
        return state if written == size else None

    def restore(self, tokens: Sequence[int], state: Any, aligned: int = 0) -> bool:
        """Replace everything by a `state` that `save` returned when the context held `tokens`.

        The first `aligned` tokens were computed in full batches. Returns False, and leaves the context empty, if the
        state does not fit.
        """
        self._truncate(0)
        self.reserve(len(tokens))
        taken = self._llama.llama_state_seq_set_data(self.handle, state, len(state), 0)
        first = self._llama.llama_memory_seq_pos_min(self._kv_cache, 0)
        last = self._llama.llama_memory_seq_pos_max(self._kv_cache, 0)
        if (taken, first, last) != (len(state), 0, len(tokens) - 1):
            self._llama.llama_memory_clear(self._kv_cache, False)
            return False
        self.tokens, self.aligned = list(tokens), aligned
        return True

    def close(self) -> None:
        """Free everything; the context cannot be used afterwards."""
        self._llama.llama_batch_free(self._batch)
        self._free()

    def _truncate(self, length: int) -> None:
        if self.handle and not self._llama.llama_memory_seq_rm(self._kv_cache, 0, length, -1):
            self._llama.llama_memory_clear(self._kv_cache, False)
            length = 0
        del self.tokens[length:]
        self.aligned = min(self.aligned, full_batches(length, self.batch_size))


def full_batches(count: int, batch_size: int) -> int:
    """Return how many of `count` tokens lie in full batches: `count` rounded down to a multiple of `batch_size`."""
    return count // batch_size * batch_size

"""The context: the KV cache of one conversation, and the tokens that it holds."""

import ctypes
from collections.abc import Sequence
from typing import Any

from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.engine.worker.lookup import MOST_DRAFTED
from qwen_tui.engine.worker.model import Model
from qwen_tui.engine.worker.stop import StopFlag

_ABORTED = 2
# Memory is made for so many tokens at a time, at least.
_STEP = 1024
_GGML_TYPES = {"f16": 1, "q8_0": 8}


class ContextError(Exception):
    """llama.cpp could not make the context, or could not decode."""


class NoRoomError(ContextError):
    """There is no memory for a context of that size."""


class Context:
    """One sequence of tokens whose keys and values are in memory.

    `tokens` is the truth about the KV cache: position i holds token i, and nothing lies behind its end. The memory
    grows with them, up to `size`: a gigabyte takes a second or two to make, and without flash attention the values of a
    large one lie further apart and are slower to read.

    The first `whole` tokens were computed in whole steps counted from position 0. In steps of another size the last
    digits are rounded otherwise, so these alone are what any other prompt that begins alike would compute.
    """

    def __init__(self, model: Model, options: LoadOptions, ctx_size: int, stop: StopFlag) -> None:
        """Takes no memory yet; `ctx_size` is the most tokens it may hold."""
        self._llama = model.llama
        self._model = model
        self._options = options
        self._stop = stop
        # How long a draft can be: each batch may be as large, and what was refused has to be forgotten again.
        self.most_drafted = min(MOST_DRAFTED, options.batch_size - 1) if model.forgets_a_part else 0
        self.size = ctx_size
        self.batch_size = options.batch_size
        self.tokens: list[int] = []
        self.whole = 0
        self.handle: Any = None
        self._memory: Any = None
        self._capacity = 0
        self._batch = self._llama.llama_batch_init(options.batch_size, 0, 1)
        for i in range(options.batch_size):
            self._batch.n_seq_id[i] = 1
            self._batch.seq_id[i][0] = 0

    def reserve(self, count: int) -> None:
        """Make room for `count` tokens in all, or as many as it may hold, and keep those that it holds.

        Raises `NoRoomError` where there is no memory for them.
        """
        if min(count, self.size) <= self._capacity:
            return
        tokens, whole, state = self.tokens, self.whole, self.save() if self.tokens else None
        # First the old memory: both and the copy may be more than there is.
        self._free()
        self._make(min(self.size, -(-count // _STEP) * _STEP))
        if tokens and (state is None or not self.restore(tokens, state, whole)):
            for start in range(0, len(tokens), self.batch_size):
                if not self.decode(tokens[start : start + self.batch_size]):
                    break

    def _make(self, capacity: int) -> None:
        llama, options = self._llama, self._options
        parameters = llama.llama_context_default_params()
        parameters.n_ctx = capacity
        parameters.n_batch = parameters.n_ubatch = options.batch_size
        parameters.n_seq_max = 1
        # Logits are wanted for the last token and for drafts: at most 20 MB for this vocabulary, not 300. Asking for
        # more than said here would end the process.
        parameters.n_outputs_max = 1 + self.most_drafted
        parameters.n_threads = options.threads
        parameters.n_threads_batch = options.batch_threads or options.threads
        parameters.flash_attn_type = int(options.flash_attention)
        parameters.type_k = parameters.type_v = _GGML_TYPES[options.kv_type]
        parameters.no_perf = True
        # Without layers on the GPU nothing is to be sent there, where it could not be stopped either.
        parameters.op_offload = bool(options.gpu_layers)
        self.handle = llama.llama_init_from_model(self._model.handle, parameters)
        if not self.handle:
            raise NoRoomError(f"no context of {capacity} tokens")
        self._capacity = capacity
        self._memory = llama.llama_get_memory(self.handle)
        self._stop.install(llama, self.handle)

    def _free(self) -> None:
        if self.handle:
            self._llama.llama_free(self.handle)
        self.handle, self._capacity, self.tokens, self.whole = None, 0, [], 0

    def reuse(self, prompt: Sequence[int], *, in_whole_steps: bool = False) -> int:
        """Keep the longest common prefix with `prompt`, forget the rest, and return its length in tokens.

        At least the last token of the prompt is left to be decoded: its logits are wanted. With `in_whole_steps` only
        those are kept that make the rest be computed as if nothing had been there.
        """
        common = self.common(prompt)
        self._truncate(whole_steps(min(common, self.whole), self.batch_size) if in_whole_steps else common)
        # Where the memory cannot forget a part, it has forgotten all.
        return len(self.tokens)

    def common(self, prompt: Sequence[int]) -> int:
        """Return the length of the longest common prefix with `prompt` without its last token."""
        kept = 0
        for ours, theirs in zip(self.tokens, prompt[:-1], strict=False):
            if ours != theirs:
                break
            kept += 1
        return kept

    def decode(self, tokens: Sequence[int], *, drafted: int = 0) -> bool:
        """Append `tokens` (at most one batch), with logits for the last and so many before it as were `drafted`.

        False if it was stopped: then nothing was appended.

        Raises `ContextError` when llama.cpp cannot decode.
        """
        # An answer that outgrows its room gets half as much again: what is held has to be copied each time.
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
            if start == self.whole and len(tokens) == self.batch_size and not drafted:
                self.whole += len(tokens)
            return True
        self._truncate(start)
        if status == _ABORTED:
            return False
        raise ContextError(f"llama_decode returned {status} at token {start} of {self.size}")

    def synchronize(self) -> None:
        """Return when what was decoded is computed: `decode` only tells a GPU what to do. A CPU is done already."""
        self._llama.llama_synchronize(self.handle)

    def warm_up(self, token: int) -> None:
        """Compute one full batch of `token` and forget it: what memory computing takes is then taken.

        Raises `ContextError` where there is not enough.
        """
        self.decode([token] * min(self.batch_size, self.size))
        self.synchronize()
        self._truncate(0)

    def repeat(self, times: int) -> None:
        """Hold everything so many times in all, at the same positions: for measuring only.

        What is decoded then costs as much as behind so long a text, which nobody had to wait for; what it says is of no
        use. There has to be room: `reserve` it first.
        """
        state = self.save()
        if state is None:
            raise ContextError("what the context holds could not be copied")
        for _copy in range(times - 1):
            # Only a sequence of its own can be filled without what is there being lost.
            taken = self._llama.llama_state_seq_set_data(self.handle, state, len(state), 1)
            self._llama.llama_memory_seq_cp(self._memory, 1, 0, -1, -1)
            self._llama.llama_memory_seq_rm(self._memory, 1, -1, -1)
            if taken != len(state):
                raise ContextError("what the context holds could not be repeated")

    def forget(self, count: int) -> None:
        """Take the last `count` tokens back."""
        if count:
            self._truncate(len(self.tokens) - count)

    def state_size(self) -> int:
        """Return the size of what `save` returns, in bytes."""
        return int(self._llama.llama_state_seq_get_size(self.handle, 0))

    def save(self) -> Any:
        """Return a copy of the keys and values as an array of bytes, None where llama.cpp cannot make one."""
        size = self.state_size()
        state = (ctypes.c_uint8 * size)()
        written = self._llama.llama_state_seq_get_data(self.handle, state, size, 0)
        return state if written == size else None

    def restore(self, tokens: Sequence[int], state: Any, whole: int = 0) -> bool:
        """Replace everything by a state that `save` returned when the context held `tokens`; False if it is none.

        `whole` of them were computed in whole steps.
        """
        self._truncate(0)
        self.reserve(len(tokens))
        taken = self._llama.llama_state_seq_set_data(self.handle, state, len(state), 0)
        first = self._llama.llama_memory_seq_pos_min(self._memory, 0)
        last = self._llama.llama_memory_seq_pos_max(self._memory, 0)
        if (taken, first, last) != (len(state), 0, len(tokens) - 1):
            self._llama.llama_memory_clear(self._memory, False)
            return False
        self.tokens, self.whole = list(tokens), whole
        return True

    def close(self) -> None:
        """Free the memory; nothing else can be asked of it then."""
        self._llama.llama_batch_free(self._batch)
        self._free()

    def _truncate(self, length: int) -> None:
        if self.handle and not self._llama.llama_memory_seq_rm(self._memory, 0, length, -1):
            self._llama.llama_memory_clear(self._memory, False)
            length = 0
        del self.tokens[length:]
        self.whole = min(self.whole, whole_steps(length, self.batch_size))


def whole_steps(count: int, size: int) -> int:
    """Return how many of `count` tokens fill whole steps of this `size`."""
    return count // size * size

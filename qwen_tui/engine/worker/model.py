"""A loaded model: its weights and its vocabulary."""

import ctypes
import re
from collections.abc import Callable
from functools import cached_property
from typing import Any

from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.engine.wire import NOT_CHATML
from qwen_tui.engine.worker.devices import device_for_layers
from qwen_tui.hardware.plan import ALL_LAYERS

# More layers than any model has: llama.cpp has no value for "all".
_ALL = 1_000_000
# A model trained for a shorter context than this, in tokens, is no language model, or its file is damaged.
_LEAST_CTX = 64
# The first buffer for the bytes of a token. Hardly any token has more.
_PIECE_SIZE = 64
# The marks of a prompt, and the end of a text, as the models of Qwen call them.
_MARKS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")


class LoadError(Exception):
    """The file cannot be used. The text says why; it is empty where llama.cpp's log says why."""


class Model:
    """The weights: mapped read-only, and shared by all contexts of this model."""

    def __init__(
        self, llama: Any, options: LoadOptions, on_progress: Callable[[float], None], *, dry: bool = False
    ) -> None:
        """Load the file. `on_progress` is called with the loaded fraction from 0 to 1. Raises `LoadError`.

        A `dry` model has a vocabulary and the sizes of its tensors, but no weights: its contexts show what buffers they
        would take.
        """
        parameters = llama.llama_model_default_params()
        parameters.n_gpu_layers = _ALL if options.plan.gpu_layers == ALL_LAYERS else options.plan.gpu_layers
        parameters.use_extra_bufts = options.plan.repack
        # llama.cpp gets the one card that the plan was made for. Without layers on a card it gets no card at all: the
        # driver of a card would take memory, and may be broken.
        card = device_for_layers(llama) if options.plan.gpu_layers else None
        devices = (ctypes.c_void_p * 2)(card[0] if card else None)
        parameters.devices = ctypes.cast(devices, ctypes.c_void_p)

        @llama.llama_progress_callback  # type: ignore[untyped-decorator]
        def report(fraction: float, _user_data: Any) -> bool:
            on_progress(fraction)
            return True

        parameters.progress_callback = report
        if dry:
            parameters.no_alloc = True
            parameters.load_mode = llama.LLAMA_LOAD_MODE_NONE
        handle = llama.llama_model_load_from_file(options.path, parameters)
        if not handle:
            raise LoadError
        self.llama = llama
        self.handle = handle
        self.vocabulary = Vocabulary(llama, llama.llama_model_get_vocab(handle))
        self.trained_ctx_size = int(llama.llama_model_n_ctx_train(handle))
        if self.trained_ctx_size < _LEAST_CTX:
            raise LoadError(f"it was trained for a context of {self.trained_ctx_size} tokens")

    @property
    def name(self) -> str:
        """The name in the file, or an empty string."""
        buffer = ctypes.create_string_buffer(256)
        length = self.llama.llama_model_meta_val_str(self.handle, b"general.name", buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if length > 0 else ""

    @property
    def layers(self) -> int:
        """The number of layers, the output layer included."""
        return int(self.llama.llama_model_n_layer(self.handle)) + 1

    @property
    def forgets_a_part(self) -> bool:
        """Whether a context can forget its last tokens. A context with a recurrent state can only start anew."""
        return not (self.llama.llama_model_is_recurrent(self.handle) or self.llama.llama_model_is_hybrid(self.handle))

    def close(self) -> None:
        """Free the weights; all contexts of this model must be closed before."""
        self.llama.llama_model_free(self.handle)


class Vocabulary:
    """Text to tokens and back."""

    def __init__(self, llama: Any, handle: Any) -> None:
        self._llama = llama
        self.handle = handle
        self.size = int(llama.llama_vocab_n_tokens(handle))
        self._pieces: dict[int, bytes] = {}

    def tokenize(self, text: str) -> list[int]:
        """Return the tokens of plain `text`; in it, the name of a special token is ordinary text."""
        pieces = self._inside_marks.split(text) if self._inside_marks else [text]
        return [token for piece in pieces for token in self._tokenize(piece, special=False)]

    def special(self, text: str) -> int:
        """Return the special token with this name, such as `<|im_end|>`; raises `LoadError` if there is none."""
        tokens = self._tokenize(text, special=True)
        if len(tokens) != 1:
            raise LoadError(f"{NOT_CHATML}{text}")
        return tokens[0]

    def is_end(self, token: int) -> bool:
        """Whether `token` ends an answer."""
        return bool(self._llama.llama_vocab_is_eog(self.handle, token))

    def piece(self, token: int) -> bytes:
        """Return the bytes of `token`; a control token has none."""
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self._read_piece(token)
        return known

    def pieces(self) -> list[bytes]:
        """Return the bytes of every token, in the order of the tokens."""
        buffer = ctypes.create_string_buffer(_PIECE_SIZE)
        read, handle, pieces = self._llama.llama_token_to_piece, self.handle, []
        # There are 150,000 tokens: every look-up of a name or allocation in this loop costs tenths of a second.
        for token in range(self.size):
            length = read(handle, token, buffer, _PIECE_SIZE, 0, False)
            pieces.append(buffer.raw[:length] if length >= 0 else self._read_piece(token))
        return pieces

    @property
    def beginning(self) -> list[int]:
        """The token with which the file wants every prompt to begin (`add_bos_token`); none for most models."""
        token = int(self._llama.llama_vocab_bos(self.handle))
        return [token] if token >= 0 and self._llama.llama_vocab_get_add_bos(self.handle) else []

    @property
    def named_ends(self) -> list[int]:
        """The tokens that the file names as the end of an answer or of a turn."""
        named = (self._llama.llama_vocab_eos(self.handle), self._llama.llama_vocab_eot(self.handle))
        return [token for token in named if token >= 0]

    @cached_property
    def _inside_marks(self) -> re.Pattern[str] | None:
        """What matches inside each mark that llama.cpp would take for a token also in plain text, if any.

        It is found with the first text: with a vocabulary that lacks single bytes, llama.cpp aborts at any other text.

        A file can declare a mark as text of its own (USER_DEFINED), and such a token is always recognised. So plain
        text is cut inside the mark, where the tokenizer of Qwen would cut it too, and each piece is tokenised alone.
        """
        handle = self.handle
        ids = (self._llama.llama_vocab_bos(handle), *self.named_ends)
        texts = [self._llama.llama_vocab_get_text(handle, token) for token in ids if 0 <= token < self.size]
        marks = dict.fromkeys([*_MARKS, *(text.decode("utf-8", "replace") for text in texts if text)])
        places = []
        for mark in marks:
            if len(mark) > 1 and self._tokenize(mark, special=False) == self._tokenize(mark, special=True)[:1]:
                at = 2 if mark.startswith("<|") else 1
                places.append(f"(?<={re.escape(mark[:at])})(?={re.escape(mark[at:])})")
        return re.compile("|".join(places)) if places else None

    def _tokenize(self, text: str, *, special: bool) -> list[int]:
        # UTF-8 cannot hold a lone surrogate: it becomes a question mark.
        data = text.encode("utf-8", "replace")
        # Every token has at least one byte, so this is always enough room.
        room = len(data) + 1
        tokens = (ctypes.c_int32 * room)()
        count = self._llama.llama_tokenize(self.handle, data, len(data), tokens, room, False, special)
        if count < 0:
            raise LoadError(f"tokenising {len(data)} bytes gave {-count} tokens")
        return tokens[:count]

    def _read_piece(self, token: int) -> bytes:
        size = _PIECE_SIZE
        while True:
            buffer = ctypes.create_string_buffer(size)
            length = self._llama.llama_token_to_piece(self.handle, token, buffer, size, 0, False)
            if length >= 0:
                return buffer.raw[:length]
            size = -length

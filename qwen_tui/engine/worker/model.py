"""A loaded model: its weights and its vocabulary."""

import ctypes
from collections.abc import Callable
from typing import Any

from qwen_tui.engine.protocol import ALL_LAYERS, LoadOptions
from qwen_tui.engine.unfit import NO_MARK
from qwen_tui.engine.worker.devices import device_for_layers

# Layers of the largest models llama.cpp knows, well exceeded: "all" for a library that has no such word.
_ALL = 1_000_000
# A model trained for less than this many tokens is none, or its file is damaged.
_LEAST_CTX = 64
# Hardly a token has more bytes.
_PIECE = 64


class LoadError(Exception):
    """The file cannot be used; the text says why, or is empty where llama.cpp's own log does."""


class Model:
    """The weights, mapped and read-only, shared by every context made from them."""

    def __init__(
        self, llama: Any, options: LoadOptions, progress: Callable[[float], None], *, dry: bool = False
    ) -> None:
        """Load the file; `progress` is called with a fraction from 0 to 1; raises `LoadError`.

        A `dry` one has a vocabulary and its tensors' sizes, but no weights: it tells what contexts would take.
        """
        parameters = llama.llama_model_default_params()
        parameters.n_gpu_layers = _ALL if options.gpu_layers == ALL_LAYERS else options.gpu_layers
        parameters.use_extra_bufts = options.repack
        # One card, for which the plan was made, and no other. Without layers for it even that is left alone: its driver
        # would take memory, and may be broken.
        card = device_for_layers(llama) if options.gpu_layers else None
        devices = (ctypes.c_void_p * 2)(card[0] if card else None)
        parameters.devices = ctypes.cast(devices, ctypes.c_void_p)

        @llama.llama_progress_callback  # type: ignore[untyped-decorator]
        def on_progress(fraction: float, _user_data: Any) -> bool:
            progress(fraction)
            return True

        parameters.progress_callback = on_progress
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
        """The name written in the file, or an empty string."""
        buffer = ctypes.create_string_buffer(256)
        length = self.llama.llama_model_meta_val_str(self.handle, b"general.name", buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if length > 0 else ""

    @property
    def layers(self) -> int:
        """How many layers there are, with the output layer."""
        return int(self.llama.llama_model_n_layer(self.handle)) + 1

    @property
    def forgets_a_part(self) -> bool:
        """Whether a context can take back its last tokens; one with a recurrent state can only start anew."""
        return not (self.llama.llama_model_is_recurrent(self.handle) or self.llama.llama_model_is_hybrid(self.handle))

    def close(self) -> None:
        """Free the weights; the contexts made from them must be closed before."""
        self.llama.llama_model_free(self.handle)


class Vocabulary:
    """Text to tokens and back."""

    def __init__(self, llama: Any, handle: Any) -> None:
        self._llama = llama
        self.handle = handle
        self.size = int(llama.llama_vocab_n_tokens(handle))
        self._pieces: dict[int, bytes] = {}

    def tokenize(self, text: str) -> list[int]:
        """Return the tokens of plain `text`; what looks like a special token in it is text like any other."""
        return self._tokenize(text, special=False)

    def special(self, text: str) -> int:
        """Return the token of a special one's name, such as `<|im_end|>`; raises `LoadError` if there is none."""
        tokens = self._tokenize(text, special=True)
        if len(tokens) != 1:
            raise LoadError(f"{NO_MARK}{text}")
        return tokens[0]

    def is_end(self, token: int) -> bool:
        """Whether `token` ends an answer."""
        return bool(self._llama.llama_vocab_is_eog(self.handle, token))

    def piece(self, token: int) -> bytes:
        """Return the bytes of `token`; of a control token, none."""
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self._read_piece(token)
        return known

    def pieces(self) -> list[bytes]:
        """Return the bytes of every token, in their order."""
        buffer = ctypes.create_string_buffer(_PIECE)
        read, handle, pieces = self._llama.llama_token_to_piece, self.handle, []
        # Of 150,000 tokens: what is looked up or made in the loop costs tenths of a second.
        for token in range(self.size):
            length = read(handle, token, buffer, _PIECE, 0, False)
            pieces.append(buffer.raw[:length] if length >= 0 else self._read_piece(token))
        return pieces

    @property
    def named_ends(self) -> list[int]:
        """The tokens that the file names as ends, of an answer or of a turn."""
        named = (self._llama.llama_vocab_eos(self.handle), self._llama.llama_vocab_eot(self.handle))
        return [token for token in named if token >= 0]

    def _tokenize(self, text: str, *, special: bool) -> list[int]:
        # A lone surrogate, which UTF-8 cannot hold, becomes a question mark.
        data = text.encode("utf-8", "replace")
        # No token is shorter than a byte, so this is always enough room.
        room = len(data) + 1
        tokens = (ctypes.c_int32 * room)()
        count = self._llama.llama_tokenize(self.handle, data, len(data), tokens, room, False, special)
        if count < 0:
            raise LoadError(f"tokenising {len(data)} bytes gave {-count} tokens")
        return tokens[:count]

    def _read_piece(self, token: int) -> bytes:
        size = _PIECE
        while True:
            buffer = ctypes.create_string_buffer(size)
            length = self._llama.llama_token_to_piece(self.handle, token, buffer, size, 0, False)
            if length >= 0:
                return buffer.raw[:length]
            size = -length

"""Turns a JSON schema into a grammar over the model's vocabulary: it says which tokens may come next in an answer.

llguidance does the work. It is imported only where there is a schema.
"""

import struct
import threading
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from qwen_tui.engine.schema_grammar import GrammarError, as_lark, reason
from qwen_tui.engine.threads import start_thread
from qwen_tui.engine.worker.model import Vocabulary

if TYPE_CHECKING:
    import llguidance

# The bias of a refused token, minus infinity, as the bytes of a C float.
_NEVER = struct.pack("=f", float("-inf"))


class Grammars:
    """Makes grammars over one vocabulary. The first one takes most of a second, so `prepare` can begin it early."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._making = threading.Lock()

    def prepare(self) -> None:
        """Start to build, in a thread, what all grammars need: the prompt can be prefilled at the same time."""
        try:
            start_thread(self._begin)
        except RuntimeError:
            # Memory is short. `grammar` will build it, after the prefill.
            return

    def grammar(self, schema: str) -> "Grammar":
        """Return the grammar of a JSON schema given as JSON text; raises `GrammarError`."""
        import llguidance

        matcher = llguidance.LLMatcher(self._make(), as_lark(schema), log_level=0)
        if matcher.is_error():
            raise GrammarError(reason(matcher))
        return Grammar(matcher, self._ends, self._no_biases)

    @cached_property
    def _pieces(self) -> list[bytes]:
        return self._vocabulary.pieces()

    @cached_property
    def _special(self) -> list[int]:
        """The tokens without text. The grammar allows none of them, even where it allows any text."""
        return [token for token, piece in enumerate(self._pieces) if not piece]

    @cached_property
    def _ends(self) -> frozenset[int]:
        return frozenset(filter(self._vocabulary.is_end, {*self._special, *self._vocabulary.named_ends}))

    @cached_property
    def _no_biases(self) -> bytes:
        """A `llama_logit_bias` of 0 for every token: four bytes for the token, and four for the bias."""
        return struct.pack("=" + "i4x" * self._vocabulary.size, *range(self._vocabulary.size))

    @cached_property
    def _tokenizer(self) -> "llguidance.LLTokenizer":
        import llguidance

        # No slices: they would not make masks faster here, and this would take twice as long.
        if not self._ends:
            raise GrammarError("the model has no token that ends an answer")
        tokens: Any = _Tokens(self._pieces, self._special, min(self._ends))
        return llguidance.LLTokenizer(tokens, eos_token=sorted(self._ends), slices=[])

    def _begin(self) -> None:
        self._make()

    def _make(self) -> "llguidance.LLTokenizer":
        with self._making:
            return self._tokenizer


class Grammar:
    """The position of one answer in its schema, after the tokens that it has taken."""

    def __init__(self, matcher: "llguidance.LLMatcher", ends: frozenset[int], no_biases: bytes) -> None:
        """`ends` are the tokens that end an answer; `no_biases` is what `biases` returns where any token may follow."""
        self._matcher = matcher
        self._ends = ends
        self._no_biases = no_biases

    def take(self, token: int) -> bool:
        """Take `token` and return True, or return False where the schema does not allow it; raises `GrammarError`."""
        if token in self._ends:
            return self._matcher.is_accepting()
        taken = self._matcher.try_consume_tokens([token]) == 1
        if self._matcher.is_error():
            raise GrammarError(reason(self._matcher))
        return taken

    def follow(self, tokens: Iterable[int]) -> None:
        """Take `tokens`, which belong to the beginning of the answer; raises `GrammarError`."""
        if not self._matcher.consume_tokens(list(tokens)):
            raise GrammarError(reason(self._matcher))

    def biases(self) -> bytearray:
        """Return a `llama_logit_bias` for every token: 0 where it may follow, else minus infinity.

        Raises `GrammarError`, also where no token of the vocabulary may follow.
        """
        allowed = self._matcher.compute_logit_bias()
        if self._matcher.is_error():
            raise GrammarError(reason(self._matcher))
        # Slices of the whole array take a millisecond for 150,000 tokens.
        biases = bytearray(self._no_biases)
        for at, byte in enumerate(_NEVER):
            biases[4 + at :: 8] = allowed.translate(bytes([byte]) + bytes(255))
        return biases


class _Tokens:
    """A vocabulary in the form that llguidance expects."""

    is_tokenizer_wrapper = True
    bos_token_id = None

    def __init__(self, tokens: Sequence[bytes], special: Sequence[int], end: int) -> None:
        self.tokens = tokens
        self.special_token_ids = special
        self.eos_token_id = end

    def __call__(self, _text: str) -> list[int]:
        raise AssertionError("llguidance tokenises text only to force tokens, and no_forcing is set")

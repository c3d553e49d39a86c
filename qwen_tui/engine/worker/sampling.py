"""Samples the next token: with llama.cpp's sampler chain, with the same under a grammar, or from a given text."""

import math
import secrets
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Protocol

from qwen_tui.engine.protocol import SamplingOptions
from qwen_tui.engine.schema_grammar import GrammarError
from qwen_tui.engine.worker.context import Context
from qwen_tui.engine.worker.grammar import Grammar
from qwen_tui.engine.worker.model import Vocabulary
from qwen_tui.messages import BestTwo

# A token is penalised if it is among this many last tokens: llama.cpp's own default.
_PENALTY_WINDOW = 64


class Sampler(Protocol):
    """Chooses the next token from logits. `best` has the two most likely ones for each sampled token, or is empty."""

    @property
    def best(self) -> Sequence[BestTwo]: ...

    def sample(self, context: Context, index: int = -1) -> int:
        """Return the next token, and accept it. `index` names the token whose logits decide, counted from the end."""

    def follow(self, tokens: Sequence[int]) -> None:
        """Accept `tokens`, the beginning of an answer that is continued."""

    def close(self) -> None:
        """Free llama.cpp's samplers."""


class ChainSampler:
    """Samples as `SamplingOptions` say: penalties, then top-k (it leaves little for the rest to sort), …"""

    best: Sequence[BestTwo] = ()

    def __init__(self, llama: Any, vocabulary: Vocabulary, options: SamplingOptions) -> None:
        self._llama = llama
        self._chain = _chain(llama, [*_penalties(llama, vocabulary, options), _selection(llama, options)])

    def sample(self, context: Context, index: int = -1) -> int:
        return int(self._llama.llama_sampler_sample(self._chain, context.handle, index))

    def follow(self, tokens: Sequence[int]) -> None:
        for token in tokens:
            self._llama.llama_sampler_accept(self._chain, token)

    def close(self) -> None:
        self._llama.llama_sampler_free(self._chain)


class GrammarSampler:
    """Samples tokens that a grammar allows.

    Asking the grammar for all allowed tokens takes longer than testing one. So a token is first sampled without the
    grammar, and then tested. Only if the grammar refuses it is another one sampled, from the allowed tokens.
    """

    best: Sequence[BestTwo] = ()

    def __init__(
        self, llama: Any, vocabulary: Vocabulary, options: SamplingOptions, make_grammar: Callable[[], Grammar]
    ) -> None:
        """`make_grammar` is called for the first token that is sampled or followed; what it raises comes then."""
        self._llama = llama
        self._vocabulary = vocabulary
        self._make_grammar = make_grammar
        self._penalties = _penalties(llama, vocabulary, options)
        self._selection = _selection(llama, options)

    @cached_property
    def _grammar(self) -> Grammar:
        return self._make_grammar()

    def sample(self, context: Context, index: int = -1) -> int:
        """Return the next token; raises `GrammarError` where no token is allowed."""
        # Sampling also accepts the token, but a refused one must leave no trace in the penalties: they are restored.
        # The random numbers are not: using one a second time would favour the tokens next to the refused one.
        before = [self._llama.llama_sampler_clone(penalty) for penalty in self._penalties]
        token = self._sample_through([*self._penalties, self._selection], context, index)
        if self._grammar.take(token):
            self._free(before)
            return token
        self._free(self._penalties)
        self._penalties = before
        return self._sample_allowed(context, index)

    def follow(self, tokens: Sequence[int]) -> None:
        if tokens:
            self._grammar.follow(tokens)
        for token in tokens:
            for sampler in self._penalties:
                self._llama.llama_sampler_accept(sampler, token)

    def close(self) -> None:
        self._free([*self._penalties, self._selection])

    def _sample_allowed(self, context: Context, index: int) -> int:
        size = self._vocabulary.size
        biases = (self._llama.llama_logit_bias * size).from_buffer(self._grammar.biases())
        mask = self._llama.llama_sampler_init_logit_bias(size, size, biases)
        try:
            # A random number of exactly 0 selects the first token, even if it is not allowed. Then sample once more.
            for _attempt in range(2):
                token = self._sample_through([mask, *self._penalties, self._selection], context, index)
                if self._grammar.take(token):
                    return token
        finally:
            self._free([mask])
        raise GrammarError(f"token {token} was drawn, which is not allowed")

    def _sample_through(self, samplers: list[Any], context: Context, index: int) -> int:
        chain = _chain(self._llama, samplers)
        token = int(self._llama.llama_sampler_sample(chain, context.handle, index))
        # Freeing a chain frees the samplers in it, so they are removed first.
        for i in reversed(range(len(samplers))):
            self._llama.llama_sampler_chain_remove(chain, i)
        self._llama.llama_sampler_free(chain)
        return token

    def _free(self, samplers: list[Any]) -> None:
        for sampler in samplers:
            self._llama.llama_sampler_free(sampler)


class ReplaySampler:
    """Returns given tokens, then ends the answer."""

    def __init__(self, tokens: list[int], end: int, read_best: Callable[[Context, int], BestTwo] | None = None) -> None:
        """`read_best` reads the two most likely tokens from the logits, None if nobody wants them."""
        self._tokens = iter(tokens)
        self._end = end
        self._read_best = read_best
        self.best: list[BestTwo] = []

    def sample(self, context: Context, index: int = -1) -> int:
        # Real sampling waits for the logits. What is measured with this sampler must include that wait.
        context.synchronize()
        if self._read_best:
            self.best.append(self._read_best(context, index))
        return next(self._tokens, self._end)

    def follow(self, tokens: Sequence[int]) -> None:
        for _token in tokens:
            next(self._tokens, None)

    def close(self) -> None:
        return None


def best_two(llama: Any, size: int, context: Context, index: int) -> BestTwo:
    """Return the two most likely of the `size` tokens of a vocabulary, and their logits; `index` as for a sampler."""
    logits = llama.llama_get_logits_ith(context.handle, index)[:size]
    first = max(range(size), key=logits.__getitem__)
    highest, logits[first] = logits[first], -math.inf
    second = max(range(size), key=logits.__getitem__)
    return BestTwo((first, second), (highest, logits[second]))


def _chain(llama: Any, samplers: list[Any]) -> Any:
    chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    for sampler in samplers:
        llama.llama_sampler_chain_add(chain, sampler)
    return chain


def _penalties(llama: Any, vocabulary: Vocabulary, options: SamplingOptions) -> list[Any]:
    """The sampler that penalises tokens used lately; none where nothing is penalised."""
    if not options.presence_penalty:
        return []
    return [llama.llama_sampler_init_penalties(vocabulary.size, _PENALTY_WINDOW, 1.0, 0.0, options.presence_penalty)]


def _selection(llama: Any, options: SamplingOptions) -> Any:
    """The sampler that selects one of the tokens that the penalties and the grammar have left."""
    if options.temperature == 0:
        return llama.llama_sampler_init_greedy()
    # llama.cpp takes 2**32 - 1 for "any seed".
    seed = secrets.randbelow(2**32 - 1) if options.seed is None else options.seed
    return _chain(
        llama,
        [
            llama.llama_sampler_init_top_k(options.top_k),
            llama.llama_sampler_init_top_p(options.top_p, 1),
            llama.llama_sampler_init_min_p(options.min_p, 1),
            llama.llama_sampler_init_temp(options.temperature),
            llama.llama_sampler_init_dist(seed),
        ],
    )

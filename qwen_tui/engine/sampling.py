"""Choosing the next token: the sampler chain, the same under a grammar, and following a given text."""

import ctypes
import secrets
from collections.abc import Sequence
from typing import Any, Protocol

from qwen_tui.engine.context import Context
from qwen_tui.engine.model import Vocabulary
from qwen_tui.engine.protocol import SamplingOptions

# How far back a repeated token is penalised, in tokens: llama.cpp's own default.
_PENALTY_WINDOW = 64


class GrammarError(Exception):
    """A schema that cannot be turned into a grammar; the text says why."""


class Sampler(Protocol):
    """Chooses the next token from the logits of one decoded."""

    def sample(self, context: Context, index: int = -1) -> int:
        """Return the next token, and take it as chosen; `index` says whose logits, from the last one back."""

    def follow(self, tokens: Sequence[int]) -> None:
        """Take `tokens` as chosen before: the beginning of an answer that is continued."""

    def close(self) -> None:
        """Free what llama.cpp holds for it."""


class ChainSampler:
    """Draws tokens as `SamplingOptions` say: penalties, top-k first (it leaves little for the rest to sort), …"""

    def __init__(self, llama: Any, vocabulary: Vocabulary, options: SamplingOptions) -> None:
        self._llama = llama
        self._chain = _chain(llama, [*_penalties(llama, vocabulary, options), _draw(llama, options)])

    def sample(self, context: Context, index: int = -1) -> int:
        return int(self._llama.llama_sampler_sample(self._chain, context.handle, index))

    def follow(self, tokens: Sequence[int]) -> None:
        for token in tokens:
            self._llama.llama_sampler_accept(self._chain, token)

    def close(self) -> None:
        self._llama.llama_sampler_free(self._chain)


class GrammarSampler:
    """Draws tokens that a grammar allows.

    A grammar over the whole vocabulary costs 23 ms a token, so the token is drawn without it and then tested alone;
    only after a refusal is another drawn, with the grammar in front of everything else.
    """

    def __init__(self, llama: Any, vocabulary: Vocabulary, options: SamplingOptions, grammar: str) -> None:
        """Raises `GrammarError` if llama.cpp does not accept `grammar` (GBNF with a rule `root`)."""
        self._llama = llama
        self._grammar = llama.llama_sampler_init_grammar(vocabulary.handle, grammar.encode(), b"root")
        if not self._grammar:
            raise GrammarError("llama.cpp does not accept the grammar made from it")
        self._penalties = _penalties(llama, vocabulary, options)
        self._draw = _draw(llama, options)

    def sample(self, context: Context, index: int = -1) -> int:
        llama = self._llama
        # Sampling also accepts the token: a refused one must leave no trace in the penalties. The drawing keeps its
        # place in the random numbers; a second draw with the same one would favour the tokens next to the refused.
        before = [llama.llama_sampler_clone(penalty) for penalty in self._penalties]
        token = self._sample_through([*self._penalties, self._draw], context, index)
        if self._allows(token):
            llama.llama_sampler_accept(self._grammar, token)
            self._free(before)
            return token
        self._free(self._penalties)
        self._penalties = before
        return self._sample_through([self._grammar, *self._penalties, self._draw], context, index)

    def follow(self, tokens: Sequence[int]) -> None:
        for token in tokens:
            for sampler in (self._grammar, *self._penalties):
                self._llama.llama_sampler_accept(sampler, token)

    def close(self) -> None:
        self._free([self._grammar, *self._penalties, self._draw])

    def _sample_through(self, samplers: list[Any], context: Context, index: int) -> int:
        chain = _chain(self._llama, samplers)
        token = int(self._llama.llama_sampler_sample(chain, context.handle, index))
        # Taken out again, or freeing the chain would free them too.
        for i in reversed(range(len(samplers))):
            self._llama.llama_sampler_chain_remove(chain, i)
        self._llama.llama_sampler_free(chain)
        return token

    def _allows(self, token: int) -> bool:
        one = (self._llama.llama_token_data * 1)()
        one[0].id, one[0].logit = token, 1.0
        array = self._llama.llama_token_data_array(data=one, size=1, selected=-1, sorted=False)
        self._llama.llama_sampler_apply(self._grammar, ctypes.byref(array))
        return bool(one[0].logit == 1.0)

    def _free(self, samplers: list[Any]) -> None:
        for sampler in samplers:
            self._llama.llama_sampler_free(sampler)


class ReplaySampler:
    """Follows given tokens and then ends the answer."""

    def __init__(self, tokens: list[int], end: int) -> None:
        self._tokens = iter(tokens)
        self._end = end

    def sample(self, context: Context, index: int = -1) -> int:  # noqa: ARG002 - the protocol's
        # Who draws a token waits for its logits. What is measured with this sampler must wait for them, too.
        context.synchronize()
        return next(self._tokens, self._end)

    def follow(self, tokens: Sequence[int]) -> None:
        for _token in tokens:
            next(self._tokens, None)

    def close(self) -> None:
        return None


def _chain(llama: Any, samplers: list[Any]) -> Any:
    chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    for sampler in samplers:
        llama.llama_sampler_chain_add(chain, sampler)
    return chain


def _penalties(llama: Any, vocabulary: Vocabulary, options: SamplingOptions) -> list[Any]:
    """The sampler that penalises what was said lately, or none where nothing is to be penalised."""
    if not options.presence_penalty:
        return []
    return [llama.llama_sampler_init_penalties(vocabulary.size, _PENALTY_WINDOW, 1.0, 0.0, options.presence_penalty)]


def _draw(llama: Any, options: SamplingOptions) -> Any:
    """The sampler that chooses among what the penalties and the grammar left."""
    if options.temperature == 0:
        return llama.llama_sampler_init_greedy()
    # 2**32 - 1 would mean "any" to llama.cpp.
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

"""How a question is to be answered, and the answer with its figures."""

from dataclasses import dataclass

import msgspec

from qwen_tui.chat.checking.coverage import Coverage
from qwen_tui.chat.checking.doubts import Doubts
from qwen_tui.config import Config, Fit
from qwen_tui.engine.protocol import Request, SamplingOptions
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import FinishReason, Limit, Message, Timings, Usage

# A smaller share of an answer that other programs have slowed is not worth a word.
_WORTH_A_WORD = 0.05


class AnswerOptions(msgspec.Struct, frozen=True):
    """How to answer: the sampling, the most tokens, a JSON schema as JSON text, and whether to use prompt lookup.

    `fit` says what to do with material that does not fit into the context; "ask" is "error" where nobody can be asked.
    Before a wait of more than `ask_above` seconds for the first word, the person is asked or told; 0 never.
    """

    sampling: SamplingOptions = msgspec.field(default_factory=SamplingOptions)
    max_tokens: int | None = None
    schema: str | None = None
    lookup: bool = True
    fit: Fit = "ask"
    ask_above: float = 0.0

    @classmethod
    def of(cls, settings: Config, schema: str | None = None) -> "AnswerOptions":
        """Return how to answer under `settings`."""
        sampling = SamplingOptions(**{name: getattr(settings, name) for name in SamplingOptions.__struct_fields__})
        return cls(
            sampling=sampling,
            max_tokens=settings.max_tokens,
            schema=schema,
            lookup=settings.lookup,
            fit=settings.fit,
            ask_above=settings.ask_above,
        )

    def request(self, messages: tuple[Message, ...], conversation: str | None) -> Request:
        """Return what the engine is asked: the answer to `messages`; see `Request` for `conversation`."""
        return Request(
            messages=messages,
            sampler=self.sampling,
            max_tokens=self.max_tokens,
            schema=self.schema,
            lookup=self.lookup,
            conversation=conversation,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, complete or cut off, and its figures."""

    text: str
    reason: FinishReason
    usage: Usage
    timings: Timings
    max_tokens: int | None = None
    # Whether it repeated itself at the end, until it was cut off.
    repeats: bool = False
    # How many characters of reasoning came before the answer.
    reasoning: int = 0
    # The share of it that fewer threads wrote, because other programs kept the processor busy.
    crowded: float = 0.0
    # Whether it is joined from the results of parts, each of which had a context of its own.
    is_joined: bool = False
    # The limit that cut it off, where the engine knows it.
    cut_by: Limit | None = None
    # Whether the tokens of the prompt are an estimate.
    estimated: bool = False
    # How much of the material was read for it, None for all; and what of it the material does not bear out.
    coverage: Coverage | None = None
    doubts: Doubts | None = None

    @property
    def limit(self) -> Limit | None:
        """The limit that cut the answer off, None if there was none."""
        if self.reason != "length":
            return None
        if self.cut_by:
            return self.cut_by
        reached = self.max_tokens is not None and self.usage.completion_tokens >= self.max_tokens
        return "max_tokens" if reached else "context"

    @property
    def held(self) -> int:
        """How many tokens were in the context at the end; 0 for a joined answer, of which each part had its own."""
        return 0 if self.is_joined else self.usage.prompt_tokens + self.usage.completion_tokens

    def figures(self) -> str:
        """Return the tokens and speeds of the answer in a sentence."""
        return (
            _(
                "{prompt} prompt tokens ({cached} cached), {completion} in the answer; "
                "{prefill:.1f} tokens/s reading, {decode:.1f} writing; first after {ttft:.1f} s"
            ).format(
                prompt=self.usage.prompt_tokens,
                cached=self.usage.cached_tokens,
                completion=self.usage.completion_tokens,
                prefill=self.timings.prefill_tps,
                decode=self.timings.decode_tps,
                ttft=self.timings.ttft_s,
            )
            + (_("; the prompt tokens are an estimate") if self.estimated else "")
            + (f"; {crowd}" if (crowd := crowding(self.crowded)) else "")
        )


def crowding(share: float) -> str:
    """Say what share of an answer other programs have slowed; "" for next to none."""
    if share < _WORTH_A_WORD:
        return ""
    return _("other programs kept the processor busy during {percent}% of the answer").format(
        percent=round(100 * share)
    )

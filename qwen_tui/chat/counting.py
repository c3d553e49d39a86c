"""Counts tokens within bounds: nobody waits for the exact number of a text that is many times too long.

What is put together of counted pieces has a few tokens more or less, and what is asked for in words becomes tokens.
"""

from collections.abc import Sequence
from typing import NamedTuple

from qwen_tui.engine.protocol import Engine
from qwen_tui.i18n import language
from qwen_tui.messages import Message

# Of texts that have more characters than this for each token of the context, only samples are counted at first. A token
# has four or five characters of prose, one or two of Chinese, and more only of blanks and rules.
_MOST_A_TOKEN = 16
# So many samples of so many characters each stand for a whole text. To count them takes a tenth of a second.
_SAMPLES, _SAMPLE = 8, 4000
# A prompt may have so many tokens more than its pieces, because a tokenizer joins what stands together.
SPARE = 16
# A token is about so many words of English, or signs of Chinese.
_WORDS_A_TOKEN = {"en": 0.6, "zh": 1.0}
# By the samples, a text has to be so many times as long as the context; else all of it is counted.
_SURELY = 2


class Counted(NamedTuple):
    """A number of tokens; `about` says that it is an estimate."""

    tokens: int
    about: bool = False


def counted(engine: Engine, messages: Sequence[Message]) -> Counted:
    """Return the prompt tokens of `messages`; about, if they are many times as long as the context."""
    info = engine.info()
    if sum(len(message.content) for message in messages) > _MOST_A_TOKEN * info.ctx_size:
        about = engine.count(()) + sum(_sampled(engine, message) for message in messages)
        if about > _SURELY * info.ctx_size:
            return Counted(_rounded(about), about=True)
    return Counted(engine.count(messages), info.estimates)


def words_in(tokens: int) -> int:
    """Return how many words, or signs, of the language in use a text of so many tokens has at least."""
    return int(tokens * _WORDS_A_TOKEN[language()])


def _sampled(engine: Engine, message: Message) -> int:
    """Return about how many tokens a message has."""
    text = message.content
    if len(text) <= _SAMPLES * _SAMPLE:
        return engine.count((message,)) - engine.count(())
    steps = [at * (len(text) - _SAMPLE) // (_SAMPLES - 1) for at in range(_SAMPLES)]
    samples = [Message(message.role, text[at : at + _SAMPLE]) for at in steps]
    around = [Message(message.role, "")] * _SAMPLES
    return (engine.count(samples) - engine.count(around)) * len(text) // (_SAMPLES * _SAMPLE)


def _rounded(tokens: int) -> int:
    """Return `tokens` with two digits that count."""
    return round(tokens, 2 - len(str(tokens)))

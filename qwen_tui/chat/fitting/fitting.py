"""Decides how a question is asked whose material does not fit into the context, and prepares it."""

from collections.abc import Generator, Mapping

from qwen_tui.chat.fitting.each import EACH
from qwen_tui.chat.fitting.map import MAP
from qwen_tui.chat.fitting.select import SELECT, ask_again
from qwen_tui.chat.fitting.way import Fitted, Way, Work
from qwen_tui.config import Fit
from qwen_tui.messages import Event

WAYS: Mapping[Fit, Way] = {"select": SELECT, "map": MAP, "each": EACH}


def fit(work: Work) -> Generator[Event, None, Fitted]:
    """Return the question of `work` as it is to be asked: whole if it fits, else as the options say."""
    if not work.question.materials:
        return (yield from ask_again(work))
    wish = work.options.fit
    if wish in WAYS and not work.fits(work.question):
        return (yield from WAYS[wish].run(work))
    return Fitted(work.question)

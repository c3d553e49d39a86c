"""The way `context`: a larger context holds the whole material, if there is memory for it."""

from collections.abc import Generator

from qwen_tui.chat.fitting.way import Cost, Fitted, Way, Work
from qwen_tui.engine.protocol import LEAST_ROOM, LargerContext
from qwen_tui.errors import DoesNotFitError
from qwen_tui.files import size_text
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import in_a_row
from qwen_tui.messages import Event, Note

# A context is made larger by a multiple of this, in tokens.
_STEP = 1024
# What a larger context holds beyond the whole prompt: the largest room that an answer gets.
_ROOM = 1024


def _run(work: Work) -> Generator[Event, None, Fitted]:
    wanted = _wanted(work)
    if wanted.obstacle:
        what = _("There is no context of {n} tokens here.").format(n=f"{wanted.ctx_size:,}")
        another = work.front.say_fit.format(way="select") if work.question.materials else ""
        raise DoesNotFitError(
            in_a_row(what, wanted.obstacle), _("Or: {way}").format(way=another) if another else work.front.say_shorter
        )
    work.engine.resize(wanted.ctx_size)
    yield Note(_("The context holds {n} tokens from here on.").format(n=f"{wanted.ctx_size:,}"))
    return Fitted(work.question)


def _cost(work: Work) -> Cost:
    wanted, tokens = _wanted(work), work.tokens(work.question)
    engine = work.engine
    cached = engine.cached(work.messages(work.question)) if not wanted.obstacle else 0
    return Cost(
        _does(wanted),
        engine.estimate(tokens, cached),
        engine.estimate(tokens, cached, work.answer_tokens),
        wanted.obstacle,
    )


def _does(wanted: LargerContext) -> str:
    return _("a larger context of {n} tokens reads all of it, for {size} more memory").format(
        n=f"{wanted.ctx_size:,}", size=size_text(wanted.nbytes)
    )


def _wanted(work: Work) -> LargerContext:
    """Return the larger context: twice, four times, … as large as now, or else as large as the prompt needs."""
    tokens = work.tokens(work.question)
    least = -(-(tokens + max(_ROOM, LEAST_ROOM)) // _STEP) * _STEP
    size = work.engine.info().ctx_size
    while size < least:
        size *= 2
    roomy = work.engine.larger(size)
    return roomy if not roomy.obstacle else work.engine.larger(least)


CONTEXT = Way(_run, _cost)

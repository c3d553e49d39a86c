"""Decides how a question is asked whose material does not fit into the context, or takes long to read."""

from collections.abc import Generator, Mapping

from qwen_tui import cancellation
from qwen_tui.chat.fitting import budget
from qwen_tui.chat.fitting.budget import Budget
from qwen_tui.chat.fitting.each import EACH, leaves_room
from qwen_tui.chat.fitting.larger import CONTEXT
from qwen_tui.chat.fitting.map import MAP
from qwen_tui.chat.fitting.select import SELECT, ask_again
from qwen_tui.chat.fitting.way import Cost, Fitted, Way, Work
from qwen_tui.chat.question import prompt_text
from qwen_tui.config import Fit
from qwen_tui.errors import DoesNotFitError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import in_a_row, labelled, listed, noted
from qwen_tui.messages import Event

WAYS: Mapping[Fit, Way] = {"context": CONTEXT, "select": SELECT, "map": MAP, "each": EACH}
# The ways that need material: without any, there is nothing to take passages or parts of.
_OF_MATERIAL: tuple[Fit, ...] = ("select", "map", "each")
# A prompt of at most so many tokens a character surely fits into a part of the context, so that nothing is counted.
_MOST_TOKENS = 4
# So many tokens that are not computed yet are worth a measurement of how long that will take.
_WORTH_TRYING = 256


def fit(work: Work) -> Generator[Event, None, Fitted]:
    """Return the question of `work` as it is to be asked: whole if it fits, else as the options or the person say.

    If the wait will be long, the person is asked first, or told where nobody can be asked. Raises `DoesNotFitError`,
    and `CancelledError` if the person wants none of it.
    """
    if not work.question.materials:
        fitted = yield from ask_again(work)
        if fitted.question is not work.question:
            given = work._replace(question=fitted.question)
            yield from _announced(given, budget.measure(given))
            return fitted
    if _is_short(work):
        return Fitted(work.question)
    found = budget.measure(work)
    wish = work.options.fit
    # A translation of what fits may have no room behind it.
    is_whole = found.fits and (wish != "each" or leaves_room(work))
    if is_whole or (found.is_tight and wish in ("ask", "error")):
        yield from _announced(work, found)
        return Fitted(work.question)
    if not found.about:
        # What a token costs here is measured before the person chooses by it.
        yield from work.engine.try_out(())
    usable = usable_ways(work)
    if wish == "ask" and work.front.person is not None:
        wish = _chosen(work, found, {name: way.cost(work) for name, way in usable.items()})
    elif wish in usable and not (cost := usable[wish].cost(work)).obstacle:
        _confirmed(work, f"{budget.line(found)}\n{offer(wish, cost)}", cost.all_s or cost.first_s)
    if wish not in usable:
        raise does_not_fit(work, found)
    # A way that cannot be taken raises the reason.
    return (yield from usable[wish].run(work))


def usable_ways(work: Work) -> dict[Fit, Way]:
    """Return the ways in which the question of `work` can be asked."""
    return {name: way for name, way in WAYS.items() if work.question.materials or name not in _OF_MATERIAL}


def does_not_fit(work: Work, found: Budget) -> DoesNotFitError:
    """Return the error that gives both numbers and the choices."""
    tokens = _("about {n}") if found.about else "{n}"
    what = _("The prompt has {tokens} tokens, and the context holds {size}.").format(
        tokens=tokens.format(n=f"{found.prompt_tokens:,}"), size=f"{found.ctx_size:,}"
    )
    usable = usable_ways(work)
    if CONTEXT.cost(work).obstacle:
        usable.pop("context", None)
    ways = [work.front.say_fit.format(way=name) for name in usable]
    choices = _("Choose what is read of it: {ways}.").format(ways=listed(ways)) if ways else ""
    return DoesNotFitError(what, in_a_row(choices, work.front.say_shorter or _("Or shorten it.")))


def _is_short(work: Work) -> bool:
    system = work.conversation.system or ""
    characters = len(prompt_text(work.question)) + len(system)
    return characters * _MOST_TOKENS < work.engine.info().ctx_size // 2


def _announced(work: Work, found: Budget) -> Generator[Event, None, None]:
    """Say what a question that fits will take, if that is long; raises `CancelledError` if the person does not want it.

    Of a prompt whose cost nobody knows, the beginning is read, and that is not read again.
    """
    unread = found.prompt_tokens - found.cached_tokens
    if found.first_s is None and work.options.ask_above and unread >= _WORTH_TRYING:
        yield from work.engine.try_out(work.conversation.prompt(work.question))
        found = budget.measure(work)
    said = budget.line(found)
    if found.is_tight:
        left = _("There is room for an answer of {n} tokens.").format(n=found.ctx_size - found.prompt_tokens)
        said = f"{said}\n{left}"
    _confirmed(work, said, found.first_s)


def _confirmed(work: Work, said: str, seconds: float | None) -> None:
    """Tell the person what will be done, and ask whether to go on if it takes long."""
    above = work.options.ask_above
    is_long = bool(above) and seconds is not None and seconds > above
    if not is_long:
        return
    work.front.report(said)
    if work.front.person is not None and not work.front.person.confirm(_("Go on?"), default=True):
        _declined()


def _chosen(work: Work, found: Budget, costs: Mapping[Fit, Cost]) -> Fit:
    """Let the person choose one of the ways; raises `CancelledError` if they want none."""
    assert work.front.person is not None
    possible = [name for name, cost in costs.items() if not cost.obstacle]
    work.front.report(budget.line(found))
    for name, cost in costs.items():
        if cost.obstacle:
            work.front.report(offer(name, cost))
    rows = [offer(name, costs[name]) for name in possible]
    if (advised := work.front.advised) is not None and advised in possible:
        row = possible.index(advised)
        rows[row] = noted(rows[row], _("the template advises this"))
    at = work.front.person.choose_one(rows, possible, _("Which way? (Enter: none)")) if rows else None
    if at is None:
        if rows:
            _declined()
        raise does_not_fit(work, found)
    return possible[at]


def offer(name: Fit, cost: Cost) -> str:
    """Return what a way does and takes, or why it cannot be taken, in a line."""
    if cost.obstacle:
        return _("{way}: not possible here. {obstacle}").format(way=name, obstacle=cost.obstacle)
    return " · ".join(filter(None, (labelled(name, cost.does), budget.waits(cost.first_s, cost.all_s))))


def _declined() -> None:
    cancellation.current().cancel()
    cancellation.check()

"""The way "select": the passages of documents that bear on the question, in place of the whole."""

from collections.abc import Generator, Sequence

from qwen_tui.chat.fitting.bearing import is_of_whole
from qwen_tui.chat.fitting.choosing import Choice
from qwen_tui.chat.fitting.way import Cost, Fitted, Way, Work
from qwen_tui.chat.question import said
from qwen_tui.errors import InputError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import in_a_row, listed, ngettext
from qwen_tui.messages import Event, Loss, Material, Note


def _run(work: Work) -> Generator[Event, None, Fitted]:
    choice = Choice(work, work.question.materials)
    chosen = choice.chosen()
    if not chosen and (choice.bears or not choice.asks or choice.room <= 0):
        # There is no room for a passage: the engine says how much too long the question is.
        return Fitted(work.question)
    if not chosen:
        raise InputError(
            _nothing(work.question.materials),
            _("To have all of it read, part by part: {how}").format(how=_map(work)),
        )
    if not choice.asks and len(chosen) < choice.total:
        yield Note(
            _(
                "The question names nothing to find passages by. The beginnings of sections are read, {read} of {n} "
                "passages, from everywhere in the text. To have all of it read, part by part: {how}"
            ).format(read=f"{len(chosen):,}", n=f"{choice.total:,}", how=_map(work))
        )
    without = [one for m, one in enumerate(work.question.materials) if all(place[0] != m for place in chosen)]
    if without:
        yield Note(Loss(_nothing(without)))
    return Fitted(choice.question(chosen))


def _cost(work: Work) -> Cost:
    choice = Choice(work, work.question.materials)
    chosen = choice.chosen()
    tokens = choice.tokens(chosen)
    if choice.asks:
        does = ngettext(
            "reads {read} of {n} passage, {some} of {all} tokens",
            "reads {read} of {n} passages, {some} of {all} tokens",
            choice.total,
        )
    else:
        does = ngettext(
            "reads the beginnings of sections, since the question names nothing to find: {read} of {n} passage, {some} "
            "of {all} tokens",
            "reads the beginnings of sections, since the question names nothing to find: {read} of {n} passages, "
            "{some} of {all} tokens",
            choice.total,
        )
    does = does.format(read=len(chosen), n=choice.total, some=f"{tokens:,}", all=f"{choice.tokens(choice.all):,}")
    prompt, known = choice.before + tokens, choice.before if choice.stays else 0
    return Cost(
        does,
        first_s=work.engine.estimate(prompt, known),
        all_s=work.engine.estimate(prompt, known, work.answer_tokens),
        obstacle="" if chosen else _no_room() if choice.bears or not choice.asks else _nothing(work.question.materials),
    )


def _nothing(materials: Sequence[Material]) -> str:
    """Say that none of the words of the question are in `materials`."""
    return _("Nothing in {name} has the words of the question.").format(name=_names(materials))


def _names(materials: Sequence[Material]) -> str:
    return listed(" ".join(one.name.split()) for one in materials)


def _from_known(work: Work, materials: Sequence[Material]) -> str:
    """Say that work on a whole text is done with the passages that the model has, and what reads all of it."""
    sentence = _(
        "The question names nothing to find passages by: the model answers from what it has of {name}. To have all of "
        "it read, name it with the question, and the way {how}"
    )
    return sentence.format(name=_names(materials), how=_map(work))


def _map(work: Work) -> str:
    """Return how to name the way that reads all."""
    return work.front.say_fit.format(way="map")


def _no_room() -> str:
    return _("The context has no room for a passage.")


SELECT = Way(_run, _cost)


def ask_again(work: Work) -> Generator[Event, None, Fitted]:
    """Prepare a question without material of its own, behind questions whose material did not fit.

    The same is true of documents that have left the prompt with their turns, and do not fit beside the question.

    It gets passages of the same documents that bear on it, if any do, and the model does not have them already; or the
    documents whole, if the context has become large enough for them.
    """
    unfit = [exchange.question for exchange in work.conversation.exchanges if exchange.question.given]
    materials = [one for question in unfit for one in question.materials]
    documents = list(dict.fromkeys([*materials, *work.conversation.outside]))
    if not documents:
        return Fitted(work.question)
    choice = Choice(work, documents)
    if choice.knows_all():
        return Fitted(work.question)
    if work.fits(whole := choice.question(choice.all)):
        return Fitted(whole)
    if not choice.asks:
        if is_of_whole(said(work.question)):
            yield Note(Loss(_from_known(work, documents)))
        return Fitted(work.question)
    if not choice.is_about:
        yield Note(Loss(in_a_row(_nothing(documents), _("The model answers without it."))))
        return Fitted(work.question)
    if (chosen := choice.chosen()) or not choice.stays:
        return Fitted(choice.question(chosen) if chosen else work.question)
    yield Note(_("The passages that bear on this were given before."))
    return Fitted(work.question)

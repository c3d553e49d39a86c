"""Makes the text that the model reads from the parts of a question.

The parts stay separate until the prompt is built, so that the program always knows which text came from where.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from qwen_tui.documents import marks
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import language_of, speaking
from qwen_tui.messages import Material, PartKind, Question


class QuestionPart(msgspec.Struct, frozen=True):
    """A part of a question: the template's system text or body, a material, or the person's own words.

    `name` is the name of the template or the material, empty for words.
    """

    kind: PartKind
    name: str
    text: str


def ask_about(materials: Sequence[Material], words: str) -> Question:
    """Return a question of these words about `materials`, without a template."""
    return Question(words.strip("\n") if words.strip() else "", tuple(materials))


class Carried(NamedTuple):
    """What stands before a question in the place of turns that are no longer in the prompt.

    These are the materials of such turns, and a summary of the conversation up to some turn; "" if there is none.
    """

    materials: tuple[Material, ...] = ()
    summary: str = ""


NOTHING = Carried()


def prompt_text(question: Question, carried: Carried = NOTHING) -> str:
    """Return the question as the model reads it, behind what is `carried`.

    The material comes first: then a second question about the same material begins with the same tokens, and the
    engine reuses their computed state.
    """
    return _joined((beginning_of(question, carried), _please_cite(question, carried)), strips=False)


def beginning_of(question: Question, carried: Carried = NOTHING) -> str:
    """Return the text with which a question begins as the model reads it, while the person still types its words."""
    summary = _summarised(carried.summary) if carried.summary else ""
    before = _joined((*_labelled(carried.materials, always=bool(question.materials)), summary))
    return _joined((before, question.template.system, without_system(question)), strips=False)


def _summarised(summary: str) -> str:
    with speaking(language_of(summary)):
        heading = _("A summary of the conversation before this:")
    return f"{heading}\n{summary}"


def _please_cite(question: Question, carried: Carried) -> str:
    """Return the request to cite the places of the materials; "" if these have none, or nothing is asked.

    It is written in the language of the question, and not of the program: a conversation that goes on in another
    language of the program has the same prompt.
    """
    given = question.given
    asked = said(question)
    if not question.cites or not asked.strip() or (given is not None and given.way == "each"):
        return ""
    materials = [*carried.materials, *question.materials, *(given.materials if given else ())]
    mark, name = next(((mark, one.name) for one in materials if (mark := marks.first(one.text))), (None, ""))
    if mark is None:
        return ""
    several = len({one.name for one in materials}) > 1
    example = f"[{' '.join(name.split())}, {str(mark)[1:]}" if several else str(mark)
    with speaking(language_of(asked)):
        return _(
            "(Behind each statement from the material, here and in later answers, put the mark of its place, such as "
            "{mark}. A translation or correction gets no further marks.)"
        ).format(mark=example)


def without_system(question: Question) -> str:
    """Return the question as the model reads it, but for the system text that a template put before it."""
    return _framed(question, question.materials if question.given is None else question.given.materials)


def to_edit(question: Question) -> tuple[str, tuple[Material, ...]]:
    """Return the line in which the person edits a question, and the materials that are attached again.

    If a template put a body around the words, the line contains it, as after /template. If the body has the materials
    in its middle, the line contains them too: later nothing would say where they belong.
    """
    around = question.template.pieces
    if question.template.holds == "text" and len(around) > 1 and (len(around) > 2 or around[0].strip()):
        return _framed(question, question.materials), ()
    return said(question), question.materials


def said(question: Question) -> str:
    """Return the question without its materials and without the template's system text."""
    return _framed(question, ()).strip("\n")


def folded(question: Question) -> list[QuestionPart]:
    """Return the parts of which only the caption is shown: they are long, and the person did not type them."""
    return [part for part in parts(question) if part.kind not in ("template", "words")]


def caption(part: QuestionPart) -> str:
    """Return the caption of a folded part: its name and its size."""
    if part.kind == "system":
        return _("What the template “{name}” says to the model").format(name=part.name)
    return _("{name}, {n} characters").format(name=" ".join(part.name.split()), n=f"{len(part.text):,}")


def parts(question: Question) -> Iterator[QuestionPart]:
    """Yield the parts of a question in their order in the prompt, without blank ones."""
    template, materials = question.template, [QuestionPart(one.kind, one.name, one.text) for one in question.materials]
    body = [QuestionPart("template", template.name, piece) for piece in template.pieces]
    words = QuestionPart("words", "", question.words)
    if template.holds == "words":
        ordered = [*materials, *body[:1], words, *body[1:]]
    elif len(body) > 1:
        ordered = [*body[:1], *materials, words, *body[1:]]
    else:
        ordered = [*materials, words, *body]
    for part in (QuestionPart("system", template.name, template.system), *ordered):
        if part.text.strip():
            yield part


def _framed(question: Question, materials: Sequence[Material]) -> str:
    """Return the words and `materials`, with the body of the template around them if it has one."""
    template = question.template
    if not (materials or template.pieces):
        # Older versions stored the whole message as words. It must stay the same, to the byte.
        return question.words
    if template.holds == "words":
        text, filled = _joined(_labelled(materials)), question.words.join(template.pieces)
    else:
        text = _joined((*_labelled(materials), question.words))
        if len(template.pieces) != 1:
            return text.join(template.pieces) if template.pieces else text
        (filled,) = template.pieces
    return f"{text.strip()}\n\n{filled}" if text.strip() else filled


def _labelled(materials: Sequence[Material], *, always: bool = False) -> list[str]:
    """Return the texts of the materials; if there are several, or `always`, each below its name."""
    if len(materials) < 2 and not always:
        return [material.text for material in materials]
    # A name may contain line breaks, but must stand on one line.
    return ["--- {} ---\n{}".format(" ".join(one.name.split()), one.text.strip("\n")) for one in materials]


def _joined(texts: Sequence[str], *, strips: bool = True) -> str:
    """Return the texts that are not blank with an empty line between; `strips` takes line breaks from their ends."""
    return "\n\n".join(text.strip("\n") if strips else text for text in texts if text.strip())

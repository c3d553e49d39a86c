"""The materials of a question cut into parts that fit into a prompt, and what the person is told of such work."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from qwen_tui.chat.fitting.kept_parts import PartAnswer
from qwen_tui.chat.fitting.splitting import Piece, split
from qwen_tui.chat.fitting.way import Work
from qwen_tui.chat.question import said
from qwen_tui.chat.repetition import Repetition
from qwen_tui.documents.document import ranges
from qwen_tui.errors import PromptTooLongError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import in_a_row
from qwen_tui.messages import Loss, Material

# The tokens that the line with the name of a material may take beside the name, and the empty lines around a piece.
_AROUND = 8


class Part(NamedTuple):
    """A part of the materials: pieces of them in order, each with the index of its material; no two of the same."""

    pieces: tuple[tuple[int, Piece], ...]
    # About how many tokens it has.
    tokens: int


def parted(materials: Sequence[Material], most: int, count: Callable[[str], int]) -> list[Part]:
    """Return the texts of the materials in parts of at most `most` tokens: every character is in exactly one.

    Small materials share a part. A material that is blank has none. `count` returns the tokens of a text.
    """
    parts: list[Part] = []
    for index, material in enumerate(materials):
        if not material.text.strip():
            continue
        around = count(material.name) + _AROUND if len(materials) > 1 else 0
        for number, piece in enumerate(split(material.text, most - around, count)):
            tokens = count(piece.shown) + around
            if parts and not number and parts[-1].tokens + tokens <= most:
                parts[-1] = Part((*parts[-1].pieces, (index, piece)), parts[-1].tokens + tokens)
            else:
                parts.append(Part(((index, piece),), tokens))
    return parts


def named(materials: Sequence[Material], index: int, text: str) -> str:
    """Return a text from the material at `index`, below its name if there are several."""
    if len(materials) < 2:
        return text
    return "--- {} ---\n{}".format(" ".join(materials[index].name.split()), text)


def task_of(work: Work) -> str:
    """Return what is asked about the material: the system prompt, the words and the template, without the material."""
    question = work.question
    texts = (work.conversation.system or "", question.template.system, said(question))
    return "\n\n".join(text.strip("\n") for text in texts if text.strip())


def too_small(work: Work, needed: int) -> PromptTooLongError:
    """Return the error for a task that is too long for work in parts, which needs a context of so many tokens."""
    return PromptTooLongError(
        _("In a context of {size} tokens, the question leaves no room for parts of the material.").format(
            size=work.engine.info().ctx_size
        ),
        _("Ask again with a larger one: --ctx-size {size}").format(size=needed),
    )


def broken_off(work: Work, part: int, total: int) -> str:
    """Return the sentences for work that was stopped in a part, counted from 1: where, and how it goes on."""
    stopped = _("Stopped in part {part} of {total}.").format(part=part, total=total)
    if work.kept is None:
        return in_a_row(stopped, _("Nothing is kept of this conversation: asked again, it begins anew."))
    return in_a_row(stopped, _("The parts before are kept: ask the same again, and it goes on from there."))


def shortcomings(parts: Iterable[tuple[int, int]], answers: Iterable[PartAnswer]) -> list[Loss]:
    """Return what the person has to know of answers that are not whole; each is on the parts from one to another."""
    cut: list[int] = []
    looping: list[int] = []
    empty: list[int] = []
    for (first, last), answer in zip(parts, answers, strict=True):
        indices = range(first - 1, last)
        if not answer.text.strip():
            empty += indices
        elif answer.reason == "length":
            repetition = Repetition()
            repetition.feed(answer.text)
            (looping if repetition.ended_so() else cut).extend(indices)
    sentences = (
        (cut, _("What the model wrote on some parts was cut off at its limit: {parts}.")),
        (looping, _("What the model wrote on some parts repeats itself, and was cut off: {parts}.")),
        (empty, _("The model wrote nothing on some parts: {parts}.")),
    )
    return [Loss(sentence.format(parts=ranges(indices))) for indices, sentence in sentences if indices]

"""The way `each`: the whole instruction applied to each part of the material, and the results joined in order.

It is for work whose result is about as long as its source: translating, proofreading, rewriting.
"""

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import NamedTuple

import msgspec

from qwen_tui.chat.counting import SPARE
from qwen_tui.chat.fitting.joining import Joining
from qwen_tui.chat.fitting.part_answers import Ended, PartAnswers
from qwen_tui.chat.fitting.parted import broken_off, named, shortcomings, task_of, too_small
from qwen_tui.chat.fitting.source_text import end_before, without_pages
from qwen_tui.chat.fitting.splitting import counter, split
from qwen_tui.chat.fitting.way import Cost, Fitted, Way, Work, seconds_in_all
from qwen_tui.engine.protocol import Request
from qwen_tui.errors import PromptTooLongError, UsageError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import language_of, ngettext, speaking
from qwen_tui.messages import Event, Given, Material, Message, Note, Question, Reasoning, Step, Text

# The result of a part may be longer than the part by this factor: Chinese becomes longer in English.
_GROWTH = 1.5
# A part has at most so many tokens: in a longer one, a small model begins to leave things out. With fewer than the
# least, the work makes no sense.
_MOST, _LEAST = 1500, 32
# So many characters of the part before are shown at most, and in a small context one for so many tokens of it.
_BEFORE, _TOKENS_A_CHARACTER = 400, 8


class _Part(NamedTuple):
    """A part of one material: its text, what stands before it in the result, and the end of the part before it."""

    text: str
    gap: str
    before: str
    tokens: int


class _Working:
    """The work on one question; what the program adds to the instruction is in the language of the task."""

    def __init__(self, work: Work) -> None:
        """Raise `PromptTooLongError` if the instruction leaves no room for parts, `UsageError` for a schema."""
        if work.options.schema is not None:
            raise UsageError(
                _("Results of parts that are joined follow no schema."),
                _("For one answer about all of the material: --fit map"),
            )
        self._work = work
        self._ctx_size = work.engine.info().ctx_size
        self._count = counter(work.engine)
        self._language = language_of(task_of(work))
        self.parts = list(self._parted())

    def asked(self) -> Question:
        """Return the question; of what was given there is nothing to keep, because each part was given once."""
        n = len(self.parts)
        return msgspec.structs.replace(self._work.question, given=Given("each", (), n, n))

    def answer(self) -> Iterator[Event]:
        """Yield the results of the parts as they come, joined, and one `Finished` with the sums of their figures."""
        work, requests = self._work, [self._request(part) for part in self.parts]
        most = work.options.max_tokens
        answers = PartAnswers(work.engine, requests, work.kept, [part.tokens for part in self.parts])
        joining, written = Joining([part.gap for part in self.parts]), 0
        yield from joining.begin()
        with closing(answers.events()) as events:
            for event in events:
                if isinstance(event, Ended):
                    yield from joining.end(event)
                elif isinstance(event, Text | Reasoning):
                    yield from joining.feed(event)
                else:
                    yield event
                written = event.written if isinstance(event, Step) else 0
                # The limit holds for the whole answer.
                if most is not None and joining.tokens + written >= most and not joining.is_whole:
                    break
        ended = joining.answers
        if not joining.is_whole and most is not None and joining.tokens + written >= most:
            joining.cut(work.engine.count(requests[len(ended)].messages) if written else 0, written)
        yield from map(Note, shortcomings(((n, n) for n in range(1, len(ended) + 1)), ended))
        finished = joining.finished()
        if finished.reason == "interrupted":
            yield Note(broken_off(work, len(ended) + 1, len(self.parts)))
        elif not all(request.is_drawn_alike for request in requests):
            # Whoever asks the same again wants another result.
            answers.forget()
        yield finished

    def cost(self) -> Cost:
        """Say what the work will take; a result is counted as long as its part."""
        n, engine = len(self.parts), self._work.engine
        does = ngettext(
            "works on it in {n} part, and gives the result",
            "works on it in {n} parts, one after the other, and joins the results",
            n,
        ).format(n=n)
        sizes = [(engine.count(self._request(part).messages), part.tokens) for part in self.parts]
        first_s = engine.estimate(sizes[0][0]) if sizes else None
        all_s = seconds_in_all(engine, sizes)
        return Cost(does, first_s, None if all_s is None else all_s / min(engine.parallel, max(1, n)))

    def _parted(self) -> Iterator[_Part]:
        materials = self._work.question.materials
        before = min(_BEFORE, self._ctx_size // _TOKENS_A_CHARACTER)
        most = self._room(before)
        is_first = True
        for index, material in enumerate(materials):
            text = without_pages(material.text).strip()
            # Several materials keep their names in the result.
            gap = ("" if is_first else "\n\n") + named(materials, index, "")
            for piece in split(text, most, self._count):
                core = piece.text.strip()
                if not core:
                    gap += piece.text
                    continue
                gap += piece.text[: len(piece.text) - len(piece.text.lstrip())]
                yield _Part(core, gap, end_before(text, piece.start, before), self._count(core))
                gap = piece.text[len(piece.text.rstrip()) :]
                is_first = False

    def _room(self, before: int) -> int:
        """Return the most tokens of a part, beside so many characters of the part before it."""
        around = self._work.engine.count(self._messages("", "."))
        most = int((self._ctx_size - around - before // 2 - SPARE) / (1 + _GROWTH))
        if most < _LEAST:
            raise too_small(self._work, 2 * max(self._ctx_size, around))
        return min(most, _MOST)

    def _request(self, part: _Part) -> Request:
        """Return what the engine is asked about a part, without its conversation: the state of a part is not stored."""
        before = part.before
        messages = self._messages(part.text, before)
        while before and self._work.engine.count(messages) + int(part.tokens * _GROWTH) > self._ctx_size:
            before = before[len(before) // 2 + 1 :]
            messages = self._messages(part.text, before)
        return self._work.options.request(messages, None)

    def _messages(self, text: str, before: str) -> tuple[Message, ...]:
        shown = text
        if before:
            with speaking(self._language):
                shown = _(
                    "[The end of the part before, for the context alone: do not work on it, and do not repeat it.]\n"
                    "{before}\n\n[The text to work on:]\n{text}"
                ).format(before=before, text=text)
        return self._work.messages(msgspec.structs.replace(self._work.question, materials=(Material("", shown),)))


def leaves_room(work: Work) -> bool:
    """Whether a result about as long as the material has room behind the prompt with all of it."""
    count = counter(work.engine)
    result = int(_GROWTH * sum(count(material.text) for material in work.question.materials))
    return work.tokens(work.question) + result <= work.engine.info().ctx_size


def _run(work: Work) -> Generator[Event, None, Fitted]:
    working = _Working(work)
    # There is nothing to show before the answer, but every way is a generator.
    yield from ()
    return Fitted(working.asked(), working.answer())


def _cost(work: Work) -> Cost:
    try:
        return _Working(work).cost()
    except (PromptTooLongError, UsageError) as error:
        return Cost(_("works on it part by part, and joins the results"), obstacle=error.message)


EACH = Way(_run, _cost)

"""The way `map`: the model reads all of the material part by part, makes notes, and answers from the notes."""

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import msgspec

from qwen_tui.chat.conversation import room_for_answer
from qwen_tui.chat.counting import SPARE, words_in
from qwen_tui.chat.fitting.kept_parts import PartAnswer
from qwen_tui.chat.fitting.part_answers import Ended, PartAnswers
from qwen_tui.chat.fitting.parted import Part, broken_off, named, parted, shortcomings, task_of, too_small
from qwen_tui.chat.fitting.splitting import counter
from qwen_tui.chat.fitting.way import Cost, Fitted, Way, Work, seconds_in_all
from qwen_tui.engine.protocol import Request, SamplingOptions
from qwen_tui.errors import CancelledError, PromptTooLongError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import language_of, listed, ngettext, speaking
from qwen_tui.messages import Event, Given, Loading, Material, Message, Note, Prefill, Question, Step

# The notes on one part take at most this share of the context, and at most so many tokens.
_SHARE, _MOST = 16, 512
# The notes on more materials than this have the names of the first and the last.
_MOST_NAMES = 3
_NOTHING = re.compile(r"\W*(nothing|none|无|無|没有)\W*", re.IGNORECASE)


class _Notes(NamedTuple):
    """Notes on the parts from `first` to `last`, counted from 1, about the materials at these indices."""

    first: int
    last: int
    about: tuple[int, ...]
    text: str

    @property
    def shown(self) -> str:
        """The notes below the numbers of their parts."""
        if self.first == self.last:
            heading = _("Part {n}:").format(n=self.first)
        else:
            heading = _("Parts {first} to {last}:").format(first=self.first, last=self.last)
        return f"{heading}\n{self.text}"


class _Mapping:
    """The work on one question; the model reads sentences in the language of the task."""

    def __init__(self, work: Work) -> None:
        """Raise `PromptTooLongError` if the task leaves no room for parts."""
        self._work = work
        self._materials = work.question.materials
        self._ctx_size = work.engine.info().ctx_size
        self._task = task_of(work)
        # The most tokens of the notes on a part, and of those that are merged.
        self._most, self._most_merged = min(self._ctx_size // _SHARE, _MOST), room_for_answer(self._ctx_size)
        self._count = counter(work.engine)
        self.parts: list[Part] = []
        with self._speaking():
            self.parts = parted(self._materials, self._room(), self._count)

    def read(self) -> Generator[Event, None, list[_Notes]]:
        """Read all parts and return the notes on those that say something about the task."""
        with self._speaking():
            texts = [self._ask_for_notes(self._shown(part), number) for number, part in enumerate(self.parts, 1)]
        answers = yield from self._answered(texts, self._most)
        notes = [
            _Notes(number, number, tuple(index for index, _piece in part.pieces), answer.text.strip())
            for number, (part, answer) in enumerate(zip(self.parts, answers, strict=True), 1)
        ]
        yield from map(Note, shortcomings(((one.first, one.last) for one in notes), answers))
        telling = [one for one in notes if one.text and not _NOTHING.fullmatch(one.text)]
        if without := sum(bool(_NOTHING.fullmatch(one.text)) for one in notes):
            yield Note(
                ngettext(
                    "{n} of {total} parts says nothing on the question.",
                    "{n} of {total} parts say nothing on the question.",
                    without,
                ).format(n=without, total=len(notes))
            )
        return telling

    def merged(self, notes: Sequence[_Notes]) -> Generator[Event, None, list[_Notes]]:
        """Return fewer notes that say the same: those that fit into one prompt become one."""
        with self._speaking():
            groups = list(self._groups(notes))
            texts = [self._ask_to_merge(group) for group in groups if len(group) > 1]
        if len(groups) == len(notes):
            raise too_small(self._work, 2 * self._ctx_size)
        yield Note(_("The notes on {n} parts do not fit beside the question: they are merged.").format(n=len(notes)))
        answers = yield from self._answered(texts, self._most_merged)
        merged = [(group[0].first, group[-1].last) for group in groups if len(group) > 1]
        yield from map(Note, shortcomings(merged, answers))
        left = iter(answers)
        return [group[0] if len(group) == 1 else _joined(group, next(left).text.strip()) for group in groups]

    def asked(self, notes: Sequence[_Notes]) -> Question:
        """Return the question with the notes in the place of the materials, each below the names of its materials."""
        with self._speaking():
            total = len(self.parts)
            heading = _("Notes on the material, which is too long to be given whole. They cover all of its {n} parts:")
            texts: list[tuple[tuple[int, ...], str]] = []
            for one in notes or [_Notes(1, total, (0,), _("Nothing in the material bears on the task."))]:
                if texts and texts[-1][0] == one.about:
                    texts[-1] = one.about, f"{texts[-1][1]}\n\n{one.shown}"
                else:
                    texts.append((one.about, one.shown if texts else f"{heading.format(n=total)}\n\n{one.shown}"))
        materials = tuple(Material(self._names(about), text, self._materials[about[0]].kind) for about, text in texts)
        return msgspec.structs.replace(self._work.question, given=Given("map", materials, total, total))

    def cost(self) -> Cost:
        """Say what the work will take; the notes on a part are counted as half as long as they may be."""
        n, engine = len(self.parts), self._work.engine
        does = ngettext(
            "reads all of it in {n} part, makes notes, and answers from these",
            "reads all of it in {n} parts, makes notes, and answers from these",
            n,
        ).format(n=n)
        around = self._count(self._task)
        notes = self._most // 2
        reading = seconds_in_all(engine, [(part.tokens + around, notes) for part in self.parts])
        answering = engine.estimate(n * notes + around)
        answer = engine.estimate(0, written=self._work.answer_tokens)
        if reading is None or answering is None or answer is None:
            return Cost(does)
        first_s = reading / min(engine.parallel, max(1, n)) + answering
        return Cost(does, first_s, first_s + answer)

    def _speaking(self) -> AbstractContextManager[None]:
        return speaking(language_of(self._task))

    def _room(self) -> int:
        """Return the most tokens of a part; raises `PromptTooLongError` if any step of the work could lack room."""
        every = tuple(range(len(self._materials)))
        longest = _Notes(998, 999, every, "")
        note = self._count(self._ask_for_notes("", 999))
        merge = self._count(self._ask_to_merge((longest, longest)))
        # Two merged notes must fit beside each other, or merging would not end; and one of them beside the question.
        notes = self._most_merged + SPARE
        needed = max(
            note + self._most + 4 * SPARE,
            merge + 3 * notes,
            self._work.tokens(self.asked([longest])) + notes + room_for_answer(self._ctx_size),
        )
        if needed > self._ctx_size:
            raise too_small(self._work, 2 * max(self._ctx_size, needed))
        return self._ctx_size - note - self._most - SPARE

    def _answered(self, texts: Sequence[str], most: int) -> Generator[Event, None, list[PartAnswer]]:
        """Put each of the `texts` to the model, and return its answers of at most so many tokens."""
        options = self._work.options
        # Notes are no place for chance: drawn alike, they are the same after an interruption.
        sampler = SamplingOptions(temperature=0, presence_penalty=options.sampling.presence_penalty)
        requests = [
            Request(messages=(Message("user", text),), sampler=sampler, max_tokens=most, lookup=options.lookup)
            for text in texts
        ]
        answers: list[PartAnswer] = []
        for event in PartAnswers(self._work.engine, requests, self._work.kept, [most // 2] * len(texts)).events():
            if isinstance(event, Loading | Prefill | Step | Note):
                yield event
            elif isinstance(event, Ended) and event.answer.reason != "interrupted":
                answers.append(event.answer)
        if len(answers) < len(texts):
            yield Note(broken_off(self._work, len(answers) + 1, len(texts)))
            raise CancelledError
        return answers

    def _groups(self, notes: Sequence[_Notes]) -> Iterator[list[_Notes]]:
        """Yield neighbours that fit into one prompt together."""
        room = self._ctx_size - self._most_merged - self._count(self._ask_to_merge((notes[0], notes[-1]), "")) - SPARE
        group: list[_Notes] = []
        taken = 0
        for one in notes:
            tokens = self._count(f"{one.shown}\n\n")
            if group and taken + tokens > room:
                yield group
                group, taken = [], 0
            group.append(one)
            taken += tokens
        yield group

    def _ask_for_notes(self, text: str, number: int) -> str:
        return _(
            "{text}\n\n"
            "The text above is part {number} of {total} of the material. Below stands a task about all of the "
            "material. Do not carry it out. Write notes for someone who will, and who cannot see the text: whatever in "
            "this part bears on the task, with its names, figures, dates and conditions exactly as they stand, and the "
            "mark of its page, such as [p. 7], behind it. Write only what stands in this part, in at most {words} "
            "words. If nothing in it bears on the task, write only: nothing\n\n"
            "The task:\n{task}"
        ).format(text=text, number=number, total=len(self.parts) or 999, words=words_in(self._most), task=self._task)

    def _ask_to_merge(self, notes: Sequence[_Notes], text: str | None = None) -> str:
        return _(
            "{notes}\n\n"
            "Above are notes on parts {first} to {last} of the material, made for the task below. Do not carry it "
            "out. Make one set of notes of them: keep every name, figure, date, condition and mark of a page that "
            "bears on the task, and say once what stands there twice. Write only what stands there, in at most {words} "
            "words.\n\n"
            "The task:\n{task}"
        ).format(
            notes="\n\n".join(one.shown for one in notes) if text is None else text,
            first=notes[0].first,
            last=notes[-1].last,
            words=words_in(self._most_merged),
            task=self._task,
        )

    def _shown(self, part: Part) -> str:
        return "\n\n".join(named(self._materials, index, piece.shown) for index, piece in part.pieces)

    def _names(self, about: Sequence[int]) -> str:
        """Return the names of the materials that notes are about; of many, the first and the last."""
        names = [self._materials[index].name for index in about]
        return listed(names) if len(names) <= _MOST_NAMES else f"{names[0]} … {names[-1]}"


def _joined(notes: Sequence[_Notes], text: str) -> _Notes:
    about = sorted({index for one in notes for index in one.about})
    return _Notes(notes[0].first, notes[-1].last, tuple(about), text)


def _run(work: Work) -> Generator[Event, None, Fitted]:
    mapping = _Mapping(work)
    notes = yield from mapping.read()
    while not work.fits(question := mapping.asked(notes)):
        notes = yield from mapping.merged(notes)
    return Fitted(question)


def _cost(work: Work) -> Cost:
    try:
        return _Mapping(work).cost()
    except PromptTooLongError as error:
        return Cost(_("reads all of it in parts, makes notes, and answers from these"), obstacle=error.message)


MAP = Way(_run, _cost)

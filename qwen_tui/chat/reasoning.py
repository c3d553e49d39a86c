"""Separates the reasoning of a model from its answer, for every engine.

Thinking models write `<think>`, their reasoning, `</think>`, and then the answer. With some models the opening mark is
part of the prompt: then only the closing mark shows that the text before it was reasoning. Anywhere else, these marks
are ordinary text.
"""

from collections.abc import Iterator

from qwen_tui.errors import QwenError
from qwen_tui.messages import Event, Finished, Reasoning, Text

_OPENING, _CLOSING = "<think>", "</think>"
_FENCES = ("```", "~~~")


def separate_reasoning(events: Iterator[Event]) -> Iterator[Event]:
    """Yield the events of an answer, with `Reasoning` in place of `Text` that is reasoning."""
    parting = _Parting()
    try:
        for event in events:
            if isinstance(event, Text):
                yield from parting.feed(event.piece)
            else:
                if isinstance(event, Finished):
                    yield from parting.end()
                yield event
    except QwenError:
        # Pass on also the text that was held back because it might have become a mark.
        yield from parting.end()
        raise


class _Parting:
    """Sorts the pieces of an answer into `Text` and `Reasoning`; a mark may be split over several pieces."""

    def __init__(self) -> None:
        # The method that takes the next piece: there is one for each state.
        self._take = self._begin
        # The text that is held back because it may be the beginning of a mark.
        self._held = ""
        # The text so far, which may turn out to be reasoning; its last line, and whether that line is inside a fence.
        self._said = self._line = ""
        self._in_code = False
        self._has_thought = False

    def feed(self, piece: str) -> Iterator[Text | Reasoning]:
        self._held += piece
        yield from self._take()

    def end(self) -> Iterator[Text | Reasoning]:
        """Pass on the text that is still held back, because the answer has ended."""
        held, self._held = self._held, ""
        if self._take == self._think:
            yield from self._thought(held)
        elif self._take == self._watch and self._closes(held):
            yield Reasoning(self._said, taken_back=True)
        elif held and self._take != self._between:
            yield Text(held)

    def _begin(self) -> Iterator[Text | Reasoning]:
        begun = self._held.lstrip()
        if begun.startswith(_OPENING):
            self._held = begun.removeprefix(_OPENING)
            self._take = self._think
            yield from self._take()
        elif begun.startswith(_CLOSING):
            # The prompt contains the opening mark, and the model has not reasoned.
            self._held, self._take = begun.removeprefix(_CLOSING), self._between
            yield from self._take()
        elif not _CLOSING.startswith(begun) and not _OPENING.startswith(begun):
            self._take = self._watch
            yield from self._take()

    def _think(self) -> Iterator[Text | Reasoning]:
        thought, mark, rest = self._held.partition(_CLOSING)
        if mark:
            yield from self._thought(thought.rstrip())
            self._held, self._take = rest, self._between
            yield from self._take()
            return
        # Blanks before the closing mark do not belong to the reasoning.
        cut = len(thought[: len(thought) - _begun_mark(thought)].rstrip())
        self._held = thought[cut:]
        yield from self._thought(thought[:cut])

    def _thought(self, piece: str) -> Iterator[Reasoning]:
        # If reasoning is switched off, there are only empty lines between the marks.
        piece = piece if self._has_thought else piece.lstrip()
        if piece:
            self._has_thought = True
            yield Reasoning(piece)

    def _between(self) -> Iterator[Text | Reasoning]:
        self._held = self._held.lstrip()
        if self._held:
            self._take = self._answer
            yield from self._take()

    def _watch(self) -> Iterator[Text | Reasoning]:
        """Pass on text, but hold back a line that may become the closing mark of reasoning opened in the prompt."""
        while self._held:
            line, newline, rest = self._held.partition("\n")
            begins = not self._line and not self._in_code
            if begins and not newline and line.strip() and _CLOSING.startswith(line.strip()):
                return
            if begins and newline and self._closes(line):
                yield Reasoning(self._said, taken_back=True)
                self._held, self._take = rest, self._between
                yield from self._take()
                return
            self._held = rest
            self._said += line + newline
            self._line += line
            if newline:
                self._in_code ^= self._line.lstrip().startswith(_FENCES)
                self._line = ""
            yield Text(line + newline)

    def _closes(self, line: str) -> bool:
        return line.strip() == _CLOSING and not self._in_code and not self._line and bool(self._said.strip())

    def _answer(self) -> Iterator[Text | Reasoning]:
        text, self._held = self._held, ""
        yield Text(text)


def _begun_mark(text: str) -> int:
    """Return how many characters at the end of `text` may begin the closing mark."""
    return next((n for n in range(min(len(text), len(_CLOSING) - 1), 0, -1) if _CLOSING.startswith(text[-n:])), 0)

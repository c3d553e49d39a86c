"""A draft in the input line: follows its slots while the person edits, marks and explains them, and fills them."""

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput
from prompt_toolkit.layout.utils import explode_text_fragments

from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.messages import Draft
from qwen_tui.terminal import slots
from qwen_tui.terminal.recall import Recall
from qwen_tui.terminal.slots import InputLine, SlotPlace


class DraftLine:
    """The draft that the input line began with, until the person sends or clears it."""

    def __init__(self, buffer: Buffer, recall: Recall) -> None:
        self._buffer = buffer
        self._recall = recall
        self._draft = Draft("")
        self._line: InputLine | None = None
        # Earlier states by the hash of their text. prompt_toolkit's undo restores the text, this the slots in it.
        self._seen: dict[int, InputLine] = {}
        self._undoing = False
        self._notice = ""
        buffer.on_text_changed += self._follow

    def begin(self, draft: Draft) -> Document:
        """Take a draft, and return the first content of the buffer."""
        # prompt_toolkit loads the history into a new line only later.
        self._recall.offered = 0
        self._draft, self._notice = draft, ""
        line = slots.begin(draft)
        # A plain text, without slots or a callback, needs no following.
        self._line = line if draft.slots or draft.on_clear else None
        self._seen = {hash(draft.text): line}
        return Document(line.text, line.cursor)

    def clear(self) -> None:
        """Forget the draft, because the person has cleared the line."""
        if self._line is not None:
            self._line = None
            if self._draft.on_clear is not None:
                self._draft.on_clear()

    @property
    def is_shown(self) -> bool:
        """Whether the buffer shows the draft, and not an earlier question."""
        return self._shown() is not None

    @property
    def has_slots(self) -> bool:
        """Whether the buffer shows slots that Tab can go to."""
        line = self._shown()
        return line is not None and bool(line.places)

    @property
    def place(self) -> SlotPlace | None:
        """The slot that the cursor is in."""
        line = self._shown()
        return slots.current(line) if line else None

    @property
    def is_before_untouched(self) -> bool:
        """Whether the cursor stands at the beginning of a slot that still shows its own text."""
        place = self.place
        return bool(place and not place.touched and not place.is_empty and place.start == self._buffer.cursor_position)

    @property
    def settled(self) -> str:
        """The text up to the first slot that is still to be filled in."""
        line = self._shown()
        if line is None:
            return self._buffer.text
        return line.text[: min((place.start for place in line.places if not place.touched), default=None)]

    @property
    def hint(self) -> str:
        """The sentence for the person: why Enter sent nothing, or else what the slot at the cursor is for."""
        place = self.place
        if self._notice or place is None:
            return self._notice
        return place.slot.hint or place.slot.name

    def marks(self, text: str) -> list[tuple[int, int, str]]:
        """Return start, end and style of each slot, if the line still has this `text`."""
        line = self._shown()
        if line is None or line.text != text:
            return []
        here = slots.current(line)
        return [(place.start, place.end, _style(place, here)) for place in line.places]

    def step(self, by: int) -> None:
        """Go to the next (1) or the previous (-1) slot."""
        line = self._shown()
        if line is not None:
            self._notice = ""
            self._show(slots.step(line, by))

    def undo(self) -> None:
        """Undo the last change, to slots too."""
        self._undoing = True
        try:
            self._buffer.undo()
        finally:
            self._undoing = False

    def finish(self) -> bool:
        """Put the text to send into the buffer. If a slot is still to be filled, go there, say so, and return False."""
        line = self._shown()
        if line is None:
            # The person sends an earlier question instead of the draft.
            self.clear()
            return True
        missing = slots.to_missing(line)
        if missing is not None:
            self._show(missing)
            self._notice = _("Still to be filled in: {slot}").format(slot=self.hint)
            return False
        text = slots.sendable(line)
        lost = slots.still_lost(line, text)
        if lost:
            self._line = line._replace(lost=frozenset())
            self._notice = _("The text still has {slots}; Enter sends it as it is.").format(slots=listed(lost))
            return False
        self._line = None
        self._buffer.document = Document(text)
        return True

    def _shown(self) -> InputLine | None:
        """Return the line with the buffer's cursor, None while the buffer shows an earlier question."""
        if self._line is None or self._buffer.working_index != self._recall.offered:
            return None
        return self._line._replace(cursor=self._buffer.cursor_position)

    def _show(self, line: InputLine) -> None:
        # This sets the line before the buffer: `_follow`, which the buffer then calls, finds nothing to do.
        self._line = line
        self._seen.setdefault(hash(line.text), line)
        self._buffer.document = Document(line.text, line.cursor)

    def _follow(self, buffer: Buffer) -> None:
        line = self._shown()
        if line is None or buffer.text == line.text:
            return
        self._notice = ""
        seen = self._seen.get(hash(buffer.text)) if self._undoing else None
        if seen is not None:
            self._line = seen
        elif not line.places:
            self._line = line._replace(text=buffer.text)
        else:
            self._show(slots.follow(line, buffer.text, buffer.cursor_position))
        if not buffer.text and not (self._line and self._line.places):
            self.clear()


class SlotMarks(Processor):
    """Gives slots their styles on the screen."""

    def __init__(self, draft: DraftLine) -> None:
        self._draft = draft

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        document, row = transformation_input.document, transformation_input.lineno
        marks = self._draft.marks(document.text)
        fragments = transformation_input.fragments
        if marks:
            fragments = explode_text_fragments(fragments)
            offset = document.translate_row_col_to_index(row, 0)
            for start, end, style in marks:
                for i in range(max(0, start - offset), min(len(document.lines[row]), end - offset)):
                    fragments[i] = (f"{fragments[i][0]} {style}", fragments[i][1])
        return Transformation(fragments)


def _style(place: SlotPlace, here: SlotPlace | None) -> str:
    if place.touched:
        return ""
    if place == here:
        return "class:slot.current"
    return "class:slot.wanted" if place.slot.default is None else "class:slot.default"

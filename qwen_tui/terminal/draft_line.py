"""A draft in the input line: its slots are kept up with the buffer, marked, explained, and filled at the end."""

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput
from prompt_toolkit.layout.utils import explode_text_fragments

from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.messages import Draft
from qwen_tui.terminal import slots
from qwen_tui.terminal.recall import Recall
from qwen_tui.terminal.slots import Line, Place


class DraftLine:
    """The draft that a line was begun with, until it is sent or cleared."""

    def __init__(self, buffer: Buffer, recall: Recall) -> None:
        self._buffer = buffer
        self._recall = recall
        self._draft = Draft("")
        self._line: Line | None = None
        # Lines by the hash of their text: what undo brings back, it brings back with its slots.
        self._seen: dict[int, Line] = {}
        self._undoing = False
        self._notice = ""
        buffer.on_text_changed += self._follow

    def begin(self, draft: Draft) -> Document:
        """Take a draft, and return what the buffer should begin with."""
        # Nothing of the history is in a new line yet.
        self._recall.offered = 0
        self._draft, self._notice = draft, ""
        line = slots.begin(draft)
        # A text of the person's own needs no following.
        self._line = line if draft.slots or draft.on_clear else None
        self._seen = {hash(draft.text): line}
        return Document(line.text, line.cursor)

    def clear(self) -> None:
        """Forget the draft: the person has."""
        if self._line is not None:
            self._line = None
            if self._draft.on_clear is not None:
                self._draft.on_clear()

    @property
    def is_shown(self) -> bool:
        """Whether what the buffer shows is the draft."""
        return self._shown() is not None

    @property
    def has_slots(self) -> bool:
        """Whether there are slots to go to in what the buffer shows."""
        line = self._shown()
        return line is not None and bool(line.places)

    @property
    def place(self) -> Place | None:
        """The slot that the cursor is in."""
        line = self._shown()
        return slots.current(line) if line else None

    @property
    def is_before_untouched(self) -> bool:
        """Whether the cursor stands at the beginning of a slot that still shows what it wants."""
        place = self.place
        return bool(place and not place.touched and not place.is_empty and place.start == self._buffer.cursor_position)

    @property
    def hint(self) -> str:
        """What the person should know about the slot they are in, or about why nothing was sent."""
        place = self.place
        if self._notice or place is None:
            return self._notice
        return place.slot.hint or place.slot.name

    def marks(self, text: str) -> list[tuple[int, int, str]]:
        """Return from where to where `text` is to be shown in which style."""
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
        """Put what is to be sent into the buffer; if something is missing go there, say so, and return False."""
        line = self._shown()
        if line is None:
            # What is sent is another text than the draft.
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

    def _shown(self) -> Line | None:
        """Return the line as the buffer shows it, None while it shows something of the history."""
        if self._line is None or self._buffer.working_index != self._recall.offered:
            return None
        return self._line._replace(cursor=self._buffer.cursor_position)

    def _show(self, line: Line) -> None:
        # First the line, so that the change of the buffer is no news.
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
    """Shows slots unlike other text."""

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


def _style(place: Place, here: Place | None) -> str:
    if place.touched:
        return ""
    if place == here:
        return "class:slot.current"
    return "class:slot.wanted" if place.slot.default is None else "class:slot.default"

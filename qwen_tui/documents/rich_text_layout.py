"""What the text of an RTF file is: paragraphs, headings, items of lists, tables and notes, written as Markdown."""

import re

from qwen_tui.documents.markdown_writer import Writer

_HEADING = re.compile(r"(?:heading|标题|標題) ?([1-9])", re.IGNORECASE)
_TITLES = ("title", "标题", "標題")


class Layout:
    """Gets the text in pieces, and the words about paragraphs and tables between them."""

    def __init__(self, name: str) -> None:
        self._writer = Writer(name)
        self._pieces: list[str] = []
        # The pieces of the paragraphs around the notes and list marks that are open.
        self._around: list[list[str]] = []
        self._headings: dict[int, int] = {}
        self._notes: list[str] = []
        self._written_notes = 0
        self._style = self._level = 0
        self._marker = ""
        self._is_item = self._in_table = False
        self._cell: list[str] = []
        self._rows: list[list[str]] = [[]]

    def add(self, text: str) -> None:
        """Add text to the paragraph, or to what has begun in it."""
        self._pieces.append(text)

    def take(self, word: str, number: int) -> None:
        """Take a control word; one that is not about paragraphs and tables means nothing here."""
        if word == "s":
            self._style = number
        elif word == "pard":
            self._style, self._level, self._in_table = 0, 0, False
        elif word == "intbl":
            self._in_table = True
        elif word == "ilvl":
            self._level = min(number, 8)
        elif word == "outlinelevel" and 0 <= number < 9:
            self._style = -number - 1
        elif word in ("par", "sect", "page"):
            self._end_paragraph()
        elif word in ("cell", "nestcell"):
            self._in_table = True
            self._end_paragraph()
            self._rows[-1].append("\v".join(self._cell))
            self._cell = []
        elif word == "row":
            self._rows.append([])

    def end_style(self, number: int) -> None:
        """Take what was added as the name of the style with this number."""
        name = "".join(self._pieces).strip().rstrip(";").lower()
        if found := _HEADING.match(name):
            self._headings[number] = int(found[1])
        elif name in _TITLES:
            self._headings[number] = 1
        self.forget()

    def forget(self) -> None:
        """Take what was added for no text."""
        self._pieces = []

    def begin_apart(self) -> None:
        """Begin a note or the mark of a list, whose text is no part of the paragraph around it."""
        self._around.append(self._pieces)
        self._pieces = []

    def end_note(self) -> None:
        """End a note, and name it in the paragraph."""
        self._notes.append(self._end_apart())
        self._pieces.append(f"[^{len(self._notes)}]")

    def end_marker(self) -> None:
        """End the mark of a list: the paragraph is an item of it."""
        self._marker = self._end_apart()

    def _end_apart(self) -> str:
        text = "".join(self._pieces).strip()
        self._pieces = self._around.pop()
        return text

    def result(self) -> str:
        """Return all that was written."""
        self._end_paragraph()
        self._end_table()
        return self._writer.result()

    def _end_paragraph(self) -> None:
        # A character beyond the first 65,536 is written as two halves.
        text = "".join(self._pieces).encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip()
        marker, self._marker, self._pieces = self._marker, "", []
        if self._around:
            self._pieces = [text, " "]
        elif self._in_table:
            self._cell.append(text)
        elif text:
            self._end_table()
            level = self._headings.get(self._style, 0) if self._style >= 0 else -self._style
            if level:
                self._writer.heading(level)
            elif marker:
                sign = marker if any(map(str.isalnum, marker)) else "-"
                self._writer.block(f"{'  ' * self._level}{sign} ", "item", is_tight=self._is_item)
            else:
                self._writer.block()
            self._is_item = bool(marker) and not level
            self._writer.add(text)
            self._put_notes()

    def _end_table(self) -> None:
        if rows := [row for row in self._rows if row]:
            self._writer.begin_table()
            for row in rows:
                self._writer.begin_row()
                for cell in row:
                    self._writer.begin_cell()
                    self._writer.add(cell)
            self._writer.end_table()
            self._put_notes()
            self._is_item = False
        self._rows = [[]]

    def _put_notes(self) -> None:
        """Write the notes below the paragraph or the table that names them."""
        for number in range(self._written_notes, len(self._notes)):
            self._writer.block(f"[^{number + 1}]: ")
            self._writer.add(self._notes[number])
            self._written_notes = number + 1
            self._is_item = False

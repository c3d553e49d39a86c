"""Writes the sheets of OpenDocument as tables: what the cells show, as it was computed when they were saved."""

from collections.abc import Mapping

from qwen_tui.documents.document import MOST_TEXT, Section, too_much_text
from qwen_tui.documents.office.found import Found
from qwen_tui.documents.open_document.styles import number
from qwen_tui.documents.tables import table

# What these hold is in no cell.
_UNREAD = frozenset(
    ("office:annotation", "table:shapes", "table:tracked-changes", "table:content-validations", "table:dde-links")
)
_CELLS = ("table:table-cell", "table:covered-table-cell")
# A cell without a text shows one of these.
_VALUES = ("office:string-value", "office:value", "office:date-value", "office:time-value", "office:boolean-value")
# Copies of sheets of other files, for cells that refer to them.
_OF_OTHERS = "'file:"


class Sheets:
    """Gets the elements of a spreadsheet in their order. A `found` counts what is not in the cells.

    A row stands for up to a million, a cell for a row of them: only those with text are kept.
    """

    def __init__(self, name: str, found: Found) -> None:
        self._name = name
        self._found = found
        self._room = MOST_TEXT
        self._done: list[Section] = []
        self._left_out = 0
        self._sheet = ""
        self._rows: list[dict[int, str]] = []
        self._cells: dict[int, str] = {}
        self._column = self._paragraphs = 0
        self._repeated = {"row": 1, "cell": 1}
        self._value = ""
        self._text: list[str] | None = None

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        is_copy = name == "table:table" and attributes.get("table:name", "").startswith(_OF_OTHERS)
        if self._left_out or name in _UNREAD or is_copy or name.startswith("draw:"):
            self._found.comments += name == "office:annotation"
            self._found.pictures += name == "draw:image"
            self._found.inserted += name == "draw:object"
            self._left_out += 1
        elif name == "table:table":
            self._sheet, self._rows = attributes.get("table:name", ""), []
        elif name == "table:table-row":
            self._cells, self._column = {}, 0
            self._repeated["row"] = number(attributes, "table:number-rows-repeated")
        elif name in _CELLS:
            self._repeated["cell"] = number(attributes, "table:number-columns-repeated")
            self._value = next((attributes[value] for value in _VALUES if value in attributes), "")
            self._text = []
        elif self._text is not None:
            self._paragraphs += name == "text:p"
            if name == "text:p" and self._text:
                self._text.append("\n")
            elif name == "text:s":
                self._text.append(" ")
            elif name in ("text:tab", "text:line-break"):
                self._text.append("\n" if name == "text:line-break" else " ")

    def data(self, text: str) -> None:
        if self._text is not None and self._paragraphs and not self._left_out:
            self._text.append(text)

    def end(self, name: str) -> None:
        if self._left_out:
            self._left_out -= 1
        elif name == "text:p" and self._text is not None:
            self._paragraphs -= 1
        elif name in _CELLS:
            self._end_cell()
        elif name == "table:table-row" and self._cells:
            self._take(self._repeated["row"] * sum(len(text) + 1 for text in self._cells.values()))
            self._rows += [self._cells] * self._repeated["row"]
        elif name == "table:table":
            self._end_sheet()

    def sections(self) -> list[Section]:
        """Return a section for each sheet with text."""
        return self._done

    def _end_cell(self) -> None:
        text = "".join(self._text or ()).strip() or self._value
        repeated = self._repeated["cell"]
        self._text = None
        if text:
            self._take(repeated * len(text))
            self._cells.update(dict.fromkeys(range(self._column, self._column + repeated), text))
        self._column += repeated

    def _end_sheet(self) -> None:
        used = sorted({column for row in self._rows for column in row})
        self._take(len(used) * len(self._rows))
        if text := table([[row.get(column, "") for column in used] for row in self._rows]):
            self._done.append(Section(text, " ".join(self._sheet.split()) or str(len(self._done) + 1)))
        self._rows = []

    def _take(self, characters: int) -> None:
        self._room -= characters
        if self._room < 0:
            raise too_much_text(self._name)

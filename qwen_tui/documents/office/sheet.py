"""Reads the cells of a sheet as they come: a sheet of a million rows is never in memory, nor are its empty cells."""

import functools
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple
from xml.parsers import expat

from qwen_tui.documents.archive import Archive

# Cells and rows that only have a look. There may be millions: they go before the XML is parsed.
_EMPTY_CELL = re.compile(rb"<(?:\w+:)?c(?=[\s/>])[^<>]*+(?:(?<=/)>|></(?:\w+:)?c>)")
_EMPTY_ROW = re.compile(rb"<(?:\w+:)?row(?=[\s/>])[^<>]*+(?:(?<=/)>|>\s*</(?:\w+:)?row>)")
_PREFIXED = re.compile(rb"<\w+:(?:worksheet|sst)[\s>]")
_BEGINNING = 2**16
_TEXTS = ("v", "f", "t")


class Cell(NamedTuple):
    """A cell that holds something.

    `kind` is that of the file: `s` for the number of a shared text, `str`, `inlineStr`, `b`, `e`, `d`, or `n`.
    `formula` is what computes the value; without a value, its result was not stored.
    """

    column: int
    kind: str
    value: str | None
    style: int
    formula: str | None


class Row(NamedTuple):
    """A row that holds something, by its number from 1."""

    number: int
    cells: list[Cell]
    is_hidden: bool


class SheetReader:
    """Reads one sheet. `hidden_columns` are complete once `rows` has begun, `has_drawing` when it has ended."""

    def __init__(self, archive: Archive, member: str) -> None:
        self.hidden_columns: list[tuple[int, int]] = []
        self._archive = archive
        self._member = member
        self._rows: list[Row] = []
        self._row = 0
        self._is_hidden = False
        self._cells: list[Cell] = []
        self._column = 0
        self._attributes: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self._pieces: list[str] = []
        self._reading = ""
        self._is_phonetic = False

    def rows(self) -> Iterator[Row]:
        """Give the rows that hold something; raises `InputError`, and `CancelledError` in between."""
        for _piece in parse(self._archive, self._member, self._begin, self._end, self._text, _without_empty):
            yield from self._rows
            self._rows.clear()

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            self._attributes, self._texts = attributes, {}
        elif name in _TEXTS and not self._is_phonetic:
            self._reading, self._pieces = name, []
        elif name == "rPh":
            self._is_phonetic = True
        elif name == "row":
            number = attributes.get("r", "")
            self._row = int(number) if number.isdecimal() else self._row + 1
            self._is_hidden = attributes.get("hidden") in ("1", "true")
            self._cells, self._column = [], 0
        elif name == "col" and attributes.get("hidden") in ("1", "true"):
            self.hidden_columns.append((int(attributes.get("min", "0")), int(attributes.get("max", "0"))))

    def _text(self, text: str) -> None:
        if self._reading:
            self._pieces.append(text)

    def _end(self, name: str) -> None:
        if name == self._reading:
            self._texts[name] = self._texts.get(name, "") + "".join(self._pieces)
            self._reading = ""
        elif name == "rPh":
            self._is_phonetic = False
        elif name == "c":
            self._end_cell()
        elif name == "row" and self._cells:
            self._rows.append(Row(self._row, self._cells, self._is_hidden))

    def _end_cell(self) -> None:
        letters = self._attributes.get("r", "").rstrip("0123456789")
        self._column = column_number(letters) if letters else self._column + 1
        kind = self._attributes.get("t", "n")
        value = self._texts.get("t" if kind == "inlineStr" else "v")
        formula = self._texts.get("f")
        if value or formula is not None:
            style = self._attributes.get("s", "0")
            self._cells.append(Cell(self._column, kind, value or None, int(style) if style.isdecimal() else 0, formula))


def shared_texts(archive: Archive, member: str) -> list[str]:
    """Return the texts that the cells name by their number."""
    texts: list[str] = []
    pieces: list[str] = []
    is_text = is_phonetic = False

    def begin(name: str, _attributes: dict[str, str]) -> None:
        nonlocal is_text, is_phonetic
        is_text = name == "t" and not is_phonetic
        is_phonetic = is_phonetic or name == "rPh"

    def end(name: str) -> None:
        nonlocal is_text, is_phonetic
        is_text = False
        if name == "rPh":
            is_phonetic = False
        elif name == "si":
            texts.append("".join(pieces))
            pieces.clear()

    def text(piece: str) -> None:
        if is_text:
            pieces.append(piece)

    for _piece in parse(archive, member, begin, end, text):
        pass
    return texts


@functools.lru_cache(maxsize=1024)
def column_number(letters: str) -> int:
    """Return the number of a column: 1 for A, 27 for AA."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter.upper()) - ord("A") + 1
    return number


def parse(
    archive: Archive,
    member: str,
    begin: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
    thin: Callable[[Iterator[bytes]], Iterator[bytes]] = iter,
) -> Iterator[None]:
    """Parse a member piece by piece, and give control back after each; names come without their prefixes."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, text
    is_first = True
    try:
        for piece in thin(archive.chunks(member)):
            if is_first:
                archive.check_xml(piece[:_BEGINNING])
                is_first = False
                if _PREFIXED.search(piece[:_BEGINNING]):
                    # Few programs write so. All others need not wait for what is done for each name.
                    parser.StartElementHandler = lambda name, attributes: begin(name.rpartition(":")[2], attributes)
                    parser.EndElementHandler = lambda name: end(name.rpartition(":")[2])
            parser.Parse(piece, False)
            yield
        parser.Parse(b"", True)
        yield
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise archive.damaged() from error


def _without_empty(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Give the XML of a sheet on without the cells and rows that hold nothing, but for those at the end of a piece."""
    return (_EMPTY_ROW.sub(b"", _EMPTY_CELL.sub(b"", piece)) for piece in pieces)

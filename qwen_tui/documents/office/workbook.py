"""Reads workbooks of Excel: each sheet with its tables, and the values as a person sees them."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from qwen_tui import cancellation
from qwen_tui.documents.archive import Archive
from qwen_tui.documents.document import MOST_TEXT, Document, Options, Section, too_much_text
from qwen_tui.documents.office.found import Found
from qwen_tui.documents.office.number_formats import BUILT_IN, shown
from qwen_tui.documents.office.sheet import Cell, SheetReader, shared_texts
from qwen_tui.documents.office.sheet_tables import Line, blocks
from qwen_tui.documents.other_kinds import without_text
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed, ngettext
from qwen_tui.messages import Loss

_EXCEL = "application/vnd.ms-excel"
_OPEN = "application/vnd.openxmlformats-officedocument.spreadsheetml"
# The types of the main part: workbooks and templates, each without and with macros, and add-ins.
TYPES = (
    f"{_OPEN}.sheet.main+xml",
    f"{_OPEN}.template.main+xml",
    f"{_EXCEL}.sheet.macroEnabled.main+xml",
    f"{_EXCEL}.template.macroEnabled.main+xml",
    f"{_EXCEL}.addin.macroEnabled.main+xml",
)
_MAIN = "officeDocument"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_RELATION = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"
# A cell shows that its formula has no stored result by the formula itself.
_NO_RESULT = "="


@dataclass
class _Told:
    """What the person should know: names of sheets, and numbers of what is on them."""

    hidden: list[str] = field(default_factory=list)
    only_drawn: list[str] = field(default_factory=list)
    drawn: list[str] = field(default_factory=list)
    partly_hidden: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    formulas: int = 0
    found: Found = field(default_factory=Found)


def read(archive: Archive, options: Options) -> Document:
    """Return the values of a workbook, with a section for each sheet that has any; raises `InputError`."""
    workbook = _Workbook(archive)
    told = _Told()
    sections: list[Section] = []
    room = MOST_TEXT
    sheets = list(workbook.sheets(told))
    for place, (name, member) in enumerate(sheets):
        cancellation.check()
        options.on_progress(place, len(sheets), "sheet")
        text = "\n\n".join(blocks(workbook.lines(name, member, told, room)))
        if text:
            sections.append(Section(text, name))
            room -= len(text.encode())
    options.on_progress(len(sheets), len(sheets), "sheet")
    if not sections:
        if told.missing:
            raise archive.damaged()
        raise without_text(archive.name)
    return Document(archive.name, tuple(sections), "sheet", tuple(_notes(archive.name, told)))


class _Workbook:
    """What all sheets have in common: their names, the shared texts, the formats."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._path = next(self._related("", _MAIN), "xl/workbook.xml")
        self._root = archive.xml(self._path)
        properties = next(_named(self._root, "workbookPr"), None)
        self._from_1904 = properties is not None and properties.get("date1904") in ("1", "true")
        texts = next(self._related(self._path, "sharedStrings"), None)
        self._texts = shared_texts(archive, texts) if texts else []
        styles = next(self._related(self._path, "styles"), None)
        self._codes = _codes(archive.xml(styles)) if styles else []

    def _related(self, path: str, kind: str) -> Iterator[str]:
        """Give the members that a part has a relation of that kind to."""
        folder, name = posixpath.split(path)
        relations = posixpath.join(folder, "_rels", f"{name}.rels")
        if relations not in self._archive:
            return
        for relation in self._archive.xml(relations):
            member = posixpath.normpath(posixpath.join("/", folder, relation.get("Target", "")))
            if relation.get("Type", "").endswith(f"/{kind}") and member in self._archive:
                yield member

    def sheets(self, told: _Told) -> Iterator[tuple[str, str]]:
        """Give the name and the member of each sheet that has cells; `told` learns of the others."""
        folder, name = posixpath.split(self._path)
        relations = {
            relation.get("Id"): relation
            for relation in self._archive.xml(posixpath.join(folder, "_rels", f"{name}.rels"))
        }
        for sheet in _named(self._root, "sheet"):
            name = sheet.get("name", "")
            relation = relations.get(sheet.get(_RELATION) or sheet.get(_STRICT_RELATION))
            member = "" if relation is None else posixpath.join("/", folder, relation.get("Target", ""))
            if sheet.get("state", "visible") != "visible":
                told.hidden.append(name)
            if relation is None or member not in self._archive:
                told.missing.append(name)
            elif relation.get("Type", "").endswith("/worksheet"):
                yield name, posixpath.normpath(member).lstrip("/")
            else:
                # A sheet that is one chart; dialogs and macros of before 1997 have nothing to read either.
                told.only_drawn.append(name)

    def lines(self, name: str, member: str, told: _Told, room: int) -> list[Line]:
        """Return the rows of a sheet with its values as text; raises `InputError` beyond `room` bytes."""
        reader = SheetReader(self._archive, member)
        lines: list[Line] = []
        has_hidden = False
        for row in reader.rows():
            cells = {cell.column: text for cell in row.cells if (text := self._shown(cell, told).strip())}
            if not cells:
                continue
            room -= sum(len(text.encode("utf-8", "replace")) + 1 for text in cells.values())
            if room < 0:
                raise too_much_text(self._archive.name)
            has_hidden = has_hidden or row.is_hidden
            lines.append(Line(row.number, cells))
        used = {column for line in lines for column in line.cells}
        if has_hidden or any(first <= column <= last for first, last in reader.hidden_columns for column in used):
            told.partly_hidden.append(name)
        self._learn_drawings(name, member, told, has_cells=bool(lines))
        return lines

    def _learn_drawings(self, name: str, member: str, told: _Told, *, has_cells: bool) -> None:
        for comments in self._related(member, "comments"):
            told.found.comments += sum(1 for _comment in _named(self._archive.xml(comments), "comment"))
        if any(
            next(_named(self._archive.xml(drawing), kind), None) is not None
            for drawing in self._related(member, "drawing")
            for kind in ("graphicFrame", "pic", "sp")
        ):
            (told.drawn if has_cells else told.only_drawn).append(name)

    def _shown(self, cell: Cell, told: _Told) -> str:
        value = cell.value
        if value is None:
            if cell.formula is None:
                return ""
            told.formulas += 1
            return f"{_NO_RESULT}{cell.formula}"
        if cell.kind == "s":
            return self._texts[int(value)] if value.isdecimal() and int(value) < len(self._texts) else ""
        if cell.kind == "b":
            return "TRUE" if value == "1" else "FALSE"
        if cell.kind != "n":
            return value.removesuffix("T00:00:00") if cell.kind == "d" else value
        code = self._codes[cell.style] if cell.style < len(self._codes) else "General"
        try:
            return shown(float(value), code, from_1904=self._from_1904)
        except (ValueError, ArithmeticError):
            # What is no number stands as it is.
            return value


def _named(root: Element, name: str) -> Iterator[Element]:
    """Give the elements of that name in any namespace: Office writes two dialects."""
    return (element for element in root.iter() if element.tag.rpartition("}")[2] == name)


def _codes(styles: Element) -> list[str]:
    """Return the format of each style of cells."""
    own = {number.get("numFmtId", ""): number.get("formatCode", "") for number in _named(styles, "numFmt")}
    codes: list[str] = []
    for style in next(_named(styles, "cellXfs"), ()):
        number = style.get("numFmtId", "0")
        codes.append(own.get(number) or BUILT_IN.get(int(number) if number.isdecimal() else 0, "General"))
    return codes


def _notes(name: str, told: _Told) -> Iterator[str]:
    by_sheet = (
        (told.missing, Loss, _("{name}: sheets that could not be read are left out: {sheets}")),
        (told.hidden, str, _("{name}: hidden sheets are read as well: {sheets}")),
        (told.partly_hidden, str, _("{name}: hidden rows or columns are read as well, on: {sheets}")),
        (told.drawn, str, _("{name}: charts and pictures are not read, on: {sheets}")),
        (told.only_drawn, Loss, _("{name}: sheets with nothing but charts or pictures are not read: {sheets}")),
    )
    for sheets, kind, sentence in by_sheet:
        if sheets:
            yield kind(sentence.format(name=name, sheets=listed(sheets)))
    yield from told.found.notes(name)
    if told.formulas:
        sentence = ngettext(
            "{name}: the result of {n} formula is not in the file; open and save it in Excel or LibreOffice.",
            "{name}: the results of {n} formulas are not in the file; open and save it in Excel or LibreOffice.",
            told.formulas,
        )
        yield Loss(sentence.format(name=name, n=told.formulas))

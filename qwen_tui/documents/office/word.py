"""Reads Word documents: headings, lists, tables and notes as Markdown, in the order of the page."""

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from qwen_tui import cancellation
from qwen_tui.documents.archive import Archive
from qwen_tui.documents.document import Document, Options, Section
from qwen_tui.documents.office.markup import Element, all_of, child, chosen, is_on, name_of, value
from qwen_tui.documents.office.numbering import Numbering
from qwen_tui.documents.office.package import prepared, reading, root_of
from qwen_tui.documents.office.styles import Styles
from qwen_tui.documents.office.word_text import Hanging, Inline
from qwen_tui.documents.other_kinds import without_text
from qwen_tui.documents.running_text import has_words
from qwen_tui.documents.tables import table

if TYPE_CHECKING:
    from docx.parts.document import DocumentPart

# The types of the main part: documents and templates, each without and with macros.
TYPES = (
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml",
    "application/vnd.ms-word.document.macroEnabled.main+xml",
    "application/vnd.ms-word.template.macroEnabledTemplate.main+xml",
)
_DEEPEST_HEADING = 6
# The indent of a list within a list: as wide as “1. ”.
_INDENT = "   "
# Elements that only wrap what a reader sees.
_WRAPPERS = ("w:sdt", "w:sdtContent", "w:customXml", "w:smartTag", "w:ins", "w:moveTo")


def read(archive: Archive, _options: Options) -> Document:
    """Return the text of a Word document; raises `InputError`."""
    import docx
    from docx.exceptions import PythonDocxError

    copy = prepared(archive, TYPES)
    with reading(archive, PythonDocxError):
        part = cancellation.current().run(lambda: docx.Document(copy).part)
        body = _Body(part)
        blocks = [*body.margins("header"), *body.blocks(part.element.body), *body.margins("footer")]
    text = _joined(blocks)
    if not text.strip():
        raise without_text(archive.name)
    return Document(archive.name, (Section(text),), notes=tuple(body.inline.found.notes(archive.name)))


class _Block(NamedTuple):
    """A piece of Markdown. An item of a list follows the item before it at once; an aside cannot stand in a table."""

    text: str
    is_item: bool = False
    is_aside: bool = False


def _joined(blocks: Iterable[_Block]) -> str:
    pieces: list[str] = []
    before: _Block | None = None
    for block in blocks:
        if before is not None:
            pieces.append("\n" if before.is_item and block.is_item else "\n\n")
        pieces.append(block.text)
        before = block
    return "".join(pieces)


class _Body:
    """The main part of a document, with the parts that belong to it."""

    def __init__(self, part: "DocumentPart") -> None:
        self._part = part
        numbering = next((one for one in self._related("numbering")), None)
        self._styles = Styles(part.styles.element, Numbering(numbering))
        self._notes = {kind: self._notes_by_id(kind) for kind in ("footnote", "endnote")}
        # The text of paragraphs whose end was deleted: they go on in the next.
        self._carried = ""
        self.inline = Inline(self)

    def part(self, relation: str) -> Element | None:
        """Return the part that a relation of the main part leads to, None if it cannot be read."""
        found = self._part.related_parts.get(relation)
        return None if found is None else root_of(found)

    def is_hidden(self, run: Element, paragraph: Element) -> bool:
        """Whether a run is shown only on demand."""
        return self._styles.is_hidden(run, paragraph)

    def _related(self, kind: str) -> Iterator[Element]:
        for relation in self._part.rels.values():
            if relation.reltype.endswith(f"/{kind}") and not relation.is_external:
                yield root_of(relation.target_part)

    def _notes_by_id(self, kind: str) -> dict[str, Element]:
        return {value(note, "w:id") or "": note for part in self._related(f"{kind}s") for note in part}

    def margins(self, kind: str) -> Iterator[_Block]:
        """Give what stands at the head or foot of pages, once."""
        told: set[str] = set()
        settings = next(self._related("settings"), None)
        two_sides = settings is not None and is_on(child(settings, "w:evenAndOddHeaders"))
        for section in all_of(self._part.element, "w:sectPr"):
            shown = {"default": True, "first": is_on(child(section, "w:titlePg")), "even": two_sides}
            for reference in all_of(section, f"w:{kind}Reference"):
                part = self.part(value(reference, "r:id") or "")
                if part is None or not shown.get(value(reference, "w:type") or "default"):
                    continue
                blocks = [block for block in self.blocks(part) if has_words(block.text)]
                if (text := _joined(blocks)) not in told:
                    told.add(text)
                    yield from blocks

    def blocks(self, container: Element, *, in_table: bool = False) -> Iterator[_Block]:
        """Give what stands in the body, in a cell of a table, in a text box or in a note, in order."""
        for element in container:
            cancellation.check()
            kind = name_of(element)
            if kind == "w:p":
                yield from self._paragraph(element)
            elif kind == "w:tbl":
                yield from self._table(element, in_table=in_table)
            elif kind in _WRAPPERS:
                yield from self.blocks(element, in_table=in_table)
            elif kind == "mc:AlternateContent":
                yield from self.blocks(chosen(element), in_table=in_table)
            elif kind in ("w:footnote", "w:endnote"):
                yield from self.blocks(element, in_table=in_table)
            elif kind == "w:altChunk":
                self.inline.found.inserted += 1
        if self._carried:
            carried, self._carried = self._carried, ""
            yield _Block(carried.strip())

    def _paragraph(self, paragraph: Element) -> Iterator[_Block]:
        text, hanging = self.inline.read(paragraph)
        if child(paragraph, "w:pPr/w:rPr/w:del") is not None:
            self._carried += text
        else:
            text, self._carried = (self._carried + text).strip(), ""
            label = self._styles.label(paragraph)
            if not text:
                pass
            elif level := self._styles.heading(paragraph):
                numbered = f"{label.text} {text}" if label else text
                yield _Block(f"{'#' * min(level, _DEEPEST_HEADING)} {' '.join(numbered.split())}")
            elif label:
                indent = _INDENT * label.depth
                lines = text.replace("\n", f"\n{indent}{_INDENT}")
                yield _Block(f"{indent}{label.text or '-'} {lines}", is_item=True)
            else:
                yield _Block(text)
        yield from self._hanging(hanging)

    def _hanging(self, hanging: Hanging) -> Iterator[_Block]:
        for box in hanging.boxes:
            yield from self.blocks(box)
        for block in hanging.blocks:
            yield _Block(block, is_aside=True)
        for mark, kind, identifier in hanging.notes:
            note = self._notes[kind].get(identifier)
            if note is not None:
                text = " ".join(_joined(self.blocks(note)).split("\n\n"))
                yield _Block(f"{mark}: {text}", is_aside=True)

    def _table(self, element: Element, *, in_table: bool) -> Iterator[_Block]:
        rows = [self._cells(row) for row in _rows(element)]
        cells = list(itertools.chain.from_iterable(rows))
        if len([cell for cell in cells if cell is not None]) == 1 and not in_table:
            # A frame around a text.
            yield from self.blocks(next(cell for cell in cells if cell is not None))
            return
        asides: list[_Block] = []
        written = [[self._cell(cell, asides) for cell in row] for row in rows]
        if in_table:
            lines = ("; ".join(filter(None, row)) for row in written)
            yield _Block("\n".join(filter(None, lines)))
        elif text := table(written):
            yield _Block(text)
        yield from asides

    def _cell(self, cell: Element | None, asides: list[_Block]) -> str:
        if cell is None:
            return ""
        blocks = list(self.blocks(cell, in_table=True))
        asides += [block for block in blocks if block.is_aside]
        return "\n".join(block.text for block in blocks if not block.is_aside)

    def _cells(self, row: Element) -> list[Element | None]:
        """Return the cells of a row, None for each place that belongs to a cell to its left or above."""
        before = value(child(row, "w:trPr/w:gridBefore")) or ""
        cells: list[Element | None] = [None] * (_span(before) if before else 0)
        for cell in _unwrapped(row, "w:tc"):
            properties = child(cell, "w:tcPr")
            above = child(cell, "w:tcPr/w:vMerge")
            left = child(cell, "w:tcPr/w:hMerge")
            goes_on = any(one is not None and value(one) != "restart" for one in (above, left))
            if child(cell, "w:tcPr/w:cellDel") is not None:
                self.inline.found.changes += 1
                continue
            span = value(child(properties, "w:gridSpan")) if properties is not None else None
            cells += [None if goes_on else cell, *[None] * (_span(span or "") - 1)]
        return cells


def _rows(element: Element) -> Iterator[Element]:
    """Give the rows of a table that were not deleted."""
    return (row for row in _unwrapped(element, "w:tr") if child(row, "w:trPr/w:del") is None)


def _unwrapped(element: Element, name: str) -> Iterator[Element]:
    for part in element:
        if name_of(part) == name:
            yield part
        elif name_of(part) in _WRAPPERS:
            yield from _unwrapped(part, name)


def _span(text: str) -> int:
    """Return over how many columns a cell reaches; Word has 63 at most."""
    return min(int(text), 63) if text.isdecimal() and text != "0" else 1

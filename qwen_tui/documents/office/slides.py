"""Reads presentations: slide by slide, with tables, charts and the notes of the speaker."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from qwen_tui import cancellation
from qwen_tui.documents.archive import Archive
from qwen_tui.documents.document import Document, Options, Section, ranges
from qwen_tui.documents.office.drawing import chart_table, diagram_text, paragraph_text, picture_text
from qwen_tui.documents.office.found import Found
from qwen_tui.documents.office.layout import Box, in_reading_order
from qwen_tui.documents.office.markup import Element, all_of, child, chosen, name_of, value
from qwen_tui.documents.office.numbering import counted
from qwen_tui.documents.office.package import prepared, reading, root_of
from qwen_tui.documents.other_kinds import without_text
from qwen_tui.documents.tables import table
from qwen_tui.i18n import ngettext
from qwen_tui.messages import Loss

if TYPE_CHECKING:
    from pptx.slide import Slide

_OPEN = "application/vnd.openxmlformats-officedocument.presentationml"
# The types of the main part: presentations, shows that start at once, and templates, each without and with macros.
TYPES = (
    f"{_OPEN}.presentation.main+xml",
    f"{_OPEN}.slideshow.main+xml",
    f"{_OPEN}.template.main+xml",
    "application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml",
    "application/vnd.ms-powerpoint.slideshow.macroEnabled.main+xml",
    "application/vnd.ms-powerpoint.template.macroEnabled.main+xml",
)
_INDENT = "   "
_TITLES = ("title", "ctrTitle")
# Placeholders whose paragraphs are items of a list unless they say otherwise; one without a type is such a one.
_BODIES = ("", "body", "obj")
# What repeats on every slide and says nothing of it.
_NUMBERS = ("sldNum", "dt")
_NUMBERED = {
    "alphaLc": "lowerLetter",
    "alphaUc": "upperLetter",
    "romanLc": "lowerRoman",
    "romanUc": "upperRoman",
    "circleNum": "decimalEnclosedCircle",
    "ea1Ch": "chineseCounting",
    "ea1Jpn": "japaneseCounting",
}


class _Shape(NamedTuple):
    element: Element
    placeholder: str | None
    box: Box


def read(archive: Archive, options: Options) -> Document:
    """Return the text of a presentation, with a section for each slide that has any; raises `InputError`."""
    from pptx import Presentation
    from pptx.exc import PythonPptxError

    copy = prepared(archive, TYPES)
    with reading(archive, PythonPptxError):
        presentation = cancellation.current().run(lambda: Presentation(copy))
        relations = [value(one, "r:id") or "" for one in all_of(presentation.element, "p:sldId")]
        total = len(relations)
        found, told, left = Found(), set[str](), _Left()
        sections: list[Section] = []
        for index, relation in enumerate(relations):
            cancellation.check()
            options.on_progress(index, total, "slide")
            if relation not in presentation.part.rels:
                left.missing.append(index)
                continue
            slide = presentation.part.related_slide(relation)
            pictures = found.pictures
            if text := _Reader(slide, found, told).text():
                sections.append(Section(text, str(index + 1)))
            elif found.pictures > pictures:
                left.without.append(index)
            if not _is_shown(slide):
                left.hidden.append(index)
        options.on_progress(total, total, "slide")
    if not sections and left.missing:
        raise archive.damaged()
    if not sections:
        raise without_text(archive.name)
    return Document(archive.name, tuple(sections), "slide", (*found.notes(archive.name), *left.notes(archive.name)))


@dataclass
class _Left:
    """The indices of slides that the person should know of."""

    missing: list[int] = field(default_factory=list)
    without: list[int] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)

    def notes(self, name: str) -> Iterator[str]:
        """Give a sentence for each kind."""
        if self.missing:
            sentence = ngettext(
                "{name}: slide {slides} could not be read and is left out.",
                "{name}: slides {slides} could not be read and are left out.",
                len(self.missing),
            )
            yield Loss(sentence.format(name=name, slides=ranges(self.missing)))
        if self.without:
            sentence = ngettext(
                "{name}: slide {slides} has no text, only pictures.",
                "{name}: slides {slides} have no text, only pictures.",
                len(self.without),
            )
            yield Loss(sentence.format(name=name, slides=ranges(self.without)))
        if self.hidden:
            sentence = ngettext(
                "{name}: slide {slides} is hidden; it is read as well.",
                "{name}: slides {slides} are hidden; they are read as well.",
                len(self.hidden),
            )
            yield sentence.format(name=name, slides=ranges(self.hidden))


def _is_shown(slide: "Slide") -> bool:
    """Whether a slide is shown: those that are hidden stay in the file."""
    return slide.element.get("show", "1") not in ("0", "false")


class _Reader:
    """Reads one slide. `told` are the texts at the foot of slides before: they are not repeated."""

    def __init__(self, slide: "Slide", found: Found, told: set[str]) -> None:
        self._slide = slide
        self._found = found
        self._told = told

    def text(self) -> str:
        """Return the title, the shapes and the notes of the slide."""
        shapes = list(self._shapes(self._slide.shapes._spTree))
        titles = [shape for shape in shapes if shape.placeholder in _TITLES]
        others = [shape for shape in shapes if shape.placeholder not in (*_TITLES, *_NUMBERS)]
        blocks = [f"# {' '.join(text.split())}" for shape in titles if (text := self._shape(shape))]
        blocks += [self._shape(shape) for shape in in_reading_order(others, lambda shape: shape.box)]
        blocks.append(self._speaker_notes())
        for relation in self._slide.part.rels.values():
            if relation.reltype.endswith("/comments") and not relation.is_external:
                self._found.comments += sum(1 for one in root_of(relation.target_part) if str(one.tag).endswith("}cm"))
        return "\n\n".join(filter(None, blocks))

    def _shapes(self, tree: Element) -> Iterator[_Shape]:
        for element in tree:
            kind = name_of(element)
            if kind == "mc:AlternateContent":
                yield from self._shapes(chosen(element))
            elif kind in ("p:sp", "p:pic", "p:graphicFrame", "p:grpSp"):
                if _is_hidden(element):
                    self._found.hidden += any(paragraph_text(one) for one in all_of(element, "a:p"))
                else:
                    yield _Shape(element, _placeholder(element), self._box(element))

    def _box(self, element: Element) -> Box:
        """Return where a shape stands; a placeholder may stand where the layout of the slide has it."""
        from pptx.shapes.shapetree import SlideShapeFactory

        shape = SlideShapeFactory(element, self._slide.shapes)
        left, top = shape.left or 0, shape.top or 0
        return Box(left, top, left + (shape.width or 0), top + (shape.height or 0))

    def _shape(self, shape: _Shape) -> str:
        kind = name_of(shape.element)
        if kind == "p:grpSp":
            inner = in_reading_order(list(self._shapes(shape.element)), lambda one: one.box)
            return "\n\n".join(filter(None, map(self._shape, inner)))
        if kind == "p:pic":
            return self._picture(shape.element)
        if kind == "p:graphicFrame":
            return self._frame(shape.element)
        body = child(shape.element, "p:txBody")
        text = "" if body is None else _paragraphs(body, is_list=shape.placeholder in _BODIES)
        if shape.placeholder in ("ftr", "hdr"):
            if text in self._told:
                return ""
            self._told.add(text)
        return text

    def _picture(self, element: Element) -> str:
        self._found.pictures += 1
        return picture_text(next((value(one, "descr") or "" for one in all_of(element, "p:cNvPr")), ""))

    def _frame(self, frame: Element) -> str:
        """Return what stands in a frame: a table, a chart, a diagram, or the picture of an inserted object."""
        if (found := next(all_of(frame, "a:tbl"), None)) is not None:
            return table([[_cell(cell) for cell in row if name_of(cell) == "a:tc"] for row in all_of(found, "a:tr")])
        for kind, attribute, write in (("c:chart", "r:id", chart_table), ("dgm:relIds", "r:dm", diagram_text)):
            for element in all_of(frame, kind):
                return write(root_of(self._slide.part.related_part(value(element, attribute) or "")))
        self._found.inserted += 1
        return ""

    def _speaker_notes(self) -> str:
        if not self._slide.has_notes_slide:
            return ""
        frame = self._slide.notes_slide.notes_text_frame
        text = "" if frame is None else _paragraphs(frame._txBody, is_list=False)
        return f"[notes]\n{text}" if text else ""


def _is_hidden(element: Element) -> bool:
    """Whether a shape was hidden in the list of all shapes."""
    return value(next(all_of(element, "p:cNvPr"), None), "hidden") in ("1", "true")


def _placeholder(element: Element) -> str | None:
    """Return the type of a placeholder, None for a shape that is none."""
    found = None if name_of(element) == "p:grpSp" else next(all_of(element, "p:ph"), None)
    return None if found is None else value(found, "type") or ""


def _cell(cell: Element) -> str:
    """Return the text of a cell of a table; one that belongs to a cell to its left or above has none."""
    if value(cell, "hMerge") in ("1", "true") or value(cell, "vMerge") in ("1", "true"):
        return ""
    return "\n".join(filter(None, (paragraph_text(paragraph) for paragraph in all_of(cell, "a:p"))))


def _paragraphs(body: Element, *, is_list: bool) -> str:
    """Return the paragraphs of a shape: those with a bullet or a number as a list."""
    lines: list[str] = []
    counts: dict[int, int] = {}
    for paragraph in all_of(body, "a:p"):
        text = paragraph_text(paragraph)
        if not text:
            continue
        depth = int(value(child(paragraph, "a:pPr"), "lvl") or 0)
        number = child(paragraph, "a:pPr/a:buAutoNum")
        for deeper in [one for one in counts if one > depth or (one == depth and number is None)]:
            del counts[deeper]
        if number is not None:
            counts[depth] = counts.get(depth, int(value(number, "startAt") or 1) - 1) + 1
            label = f"{_numbered(counts[depth], value(number, 'type') or '')} "
        elif child(paragraph, "a:pPr/a:buChar") is not None:
            label = "- "
        else:
            label = "- " if is_list and child(paragraph, "a:pPr/a:buNone") is None else ""
        indent = _INDENT * depth if label else ""
        lines.append(indent + label + text.replace("\n", f"\n{indent}{_INDENT}" if label else "\n"))
    return "\n".join(lines)


def _numbered(number: int, kind: str) -> str:
    """Return the number of an item in the way that the file names: `alphaLcParenR` is a), b), c)."""
    known = next((known for begins, known in _NUMBERED.items() if kind.startswith(begins)), "decimal")
    written = counted(number, known)
    if kind.endswith("ParenBoth"):
        return f"({written})"
    return f"{written})" if kind.endswith("ParenR") else written if kind.endswith("Plain") else f"{written}."

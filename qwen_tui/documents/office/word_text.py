"""Reads the text of one paragraph of Word: what stands in it in the end, and what hangs on it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from qwen_tui.documents.office.drawing import chart_table, diagram_text, picture_text
from qwen_tui.documents.office.equations import latex
from qwen_tui.documents.office.found import Found
from qwen_tui.documents.office.markup import Element, all_of, child, chosen, name_of, value
from qwen_tui.documents.office.numbering import roman

# Of the characters of Wingdings and Symbol, those that carry a meaning.
_SYMBOLS = {
    0xFC: "✓",
    0xFE: "☑",
    0xFD: "☒",
    0xFB: "✗",
    0xA8: "☐",
    0x6F: "☐",
    0xE0: "→",
    0xE8: "→",
    0xDF: "←",
    0xB7: "•",
}
_WORDS = {"w:tab": "\t", "w:ptab": "\t", "w:cr": "\n", "w:noBreakHyphen": "-"}
# What was taken out, and what only says how something looks.
_LEFT_OUT = ("w:del", "w:moveFrom", "w:pPr", "w:rPr", "w:sdtPr", "w:sdtEndPr", "w:tblPr", "w:instrText", "w:delText")
# Programs write pictures of their formulas.
_FORMULA_PROGRAMS = ("Equation", "MathType")


class Parts(Protocol):
    """The other parts of the document."""

    def part(self, relation: str) -> Element | None:
        """Return the part that a relation of the main part leads to, None if it cannot be read."""
        ...

    def is_hidden(self, run: Element, paragraph: Element) -> bool:
        """Whether a run is shown only on demand."""
        ...


@dataclass
class Hanging:
    """What hangs on a paragraph: its notes as (mark, kind, identifier), and what stands in a frame of its own."""

    notes: list[tuple[str, str, str]] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)
    blocks: list[str] = field(default_factory=list)


class Inline:
    """Reads paragraphs, one after the other, and counts what it cannot read as text."""

    def __init__(self, parts: Parts) -> None:
        self.found = Found()
        self._parts = parts
        self._notes = {"footnote": 0, "endnote": 0}
        # For each open field, whether its result has begun: what comes before is its instruction.
        self._fields: list[bool] = []
        self._paragraph: Element = None
        self._hanging = Hanging()

    def read(self, paragraph: Element) -> tuple[str, Hanging]:
        """Return the text of a paragraph, and what hangs on it."""
        self._paragraph, self._hanging, self._fields = paragraph, Hanging(), []
        text = self._inner(paragraph)
        return text.replace("\u00ad", "").replace("\xa0", " "), self._hanging

    def _inner(self, element: Element) -> str:
        return "".join(self._piece(part) for part in element)

    def _piece(self, part: Element) -> str:
        kind = name_of(part)
        if kind == "w:r":
            return self._run(part)
        if kind in _LEFT_OUT:
            self.found.changes += kind in ("w:del", "w:moveFrom")
            return ""
        if kind in ("m:oMath", "m:oMathPara"):
            return "".join(f"${written}$" for one in _equations(part) if (written := latex(one)))
        if kind == "mc:AlternateContent":
            return self._inner(chosen(part))
        if read := _READERS.get(kind):
            return read(self, part)
        self.found.changes += kind in ("w:ins", "w:moveTo")
        return self._inner(part)

    def _run(self, run: Element) -> str:
        if self._parts.is_hidden(run, self._paragraph):
            self.found.hidden += any(True for _text in all_of(run, "w:t"))
            return ""
        return self._inner(run)

    def _text(self, part: Element) -> str:
        """Return text, unless it is the result of a field within the instruction of another."""
        return (part.text or "") if all(self._fields[:-1]) else ""

    def _field(self, part: Element) -> str:
        kind = value(part, "w:fldCharType")
        if kind == "begin":
            self._fields.append(False)
        elif self._fields and kind == "separate":
            self._fields[-1] = True
        elif self._fields and kind == "end":
            self._fields.pop()
        return ""

    def _space(self, part: Element) -> str:
        return _WORDS[name_of(part)]

    def _break(self, _part: Element) -> str:
        return "\n"

    def _symbol(self, part: Element) -> str:
        try:
            code = int(value(part, "w:char") or "", 16)
        except ValueError:
            return ""
        return _SYMBOLS.get(code & 0xFF, "") if 0xF000 <= code <= 0xF0FF else chr(code)

    def _ruby(self, part: Element) -> str:
        """Return characters with the reading that stands above them."""
        base, above = child(part, "w:rubyBase"), child(part, "w:rt")
        return (self._inner(base) if base is not None else "") + (
            f"({self._inner(above)})" if above is not None and len(above) else ""
        )

    def _note(self, part: Element) -> str:
        kind = name_of(part).removeprefix("w:").removesuffix("Reference")
        self._notes[kind] += 1
        number = self._notes[kind]
        mark = f"[^{number if kind == 'footnote' else roman(number).lower()}]"
        self._hanging.notes.append((mark, kind, value(part, "w:id") or ""))
        return mark

    def _comment(self, _part: Element) -> str:
        self.found.comments += 1
        return ""

    def _drawing(self, part: Element) -> str:
        """Return what stands for a picture; charts, diagrams and text boxes come after the paragraph."""
        boxes = _outermost(part, "w:txbxContent")
        self._hanging.boxes += boxes
        for chart in all_of(part, "c:chart"):
            self._hang(chart_table, value(chart, "r:id"))
        for diagram in all_of(part, "dgm:relIds"):
            self._hang(diagram_text, value(diagram, "r:dm"))
        pictures = [*all_of(part, "a:blip"), *all_of(part, "v:imagedata")]
        if not pictures or boxes:
            return ""
        program = next((value(one, "ProgID") or "" for one in all_of(part, "o:OLEObject")), "")
        if program.startswith(_FORMULA_PROGRAMS):
            self.found.equations += 1
            return ""
        self.found.pictures += 1
        return picture_text(next((text for one in all_of(part, "wp:docPr") if (text := value(one, "descr"))), ""))

    def _hang(self, write: Callable[[Element], str], relation: str | None) -> None:
        element = self._parts.part(relation or "")
        if element is not None and (text := write(element)):
            self._hanging.blocks.append(text)


def _equations(part: Element) -> list[Element]:
    return [part] if name_of(part) == "m:oMath" else [one for one in part if name_of(one) == "m:oMath"]


def _outermost(part: Element, name: str) -> list[Element]:
    """Return the elements of that name that are not within another, and not in what old programs show instead."""
    found: list[Element] = []
    for element in part:
        kind = name_of(element)
        if kind == name:
            found.append(element)
        elif kind != "mc:Fallback":
            found += _outermost(element, name)
    return found


_READERS = {
    "w:t": Inline._text,
    "w:fldChar": Inline._field,
    **dict.fromkeys(_WORDS, Inline._space),
    "w:br": Inline._break,
    "w:sym": Inline._symbol,
    "w:ruby": Inline._ruby,
    "w:footnoteReference": Inline._note,
    "w:endnoteReference": Inline._note,
    "w:commentReference": Inline._comment,
    "w:drawing": Inline._drawing,
    "w:pict": Inline._drawing,
    "w:object": Inline._drawing,
}

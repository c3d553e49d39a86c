"""Tells what the styles of a Word document make of a paragraph: a heading, an item of a list, hidden text."""

import re
from typing import NamedTuple

from qwen_tui.documents.office.markup import Element, child, full, is_on, value
from qwen_tui.documents.office.numbering import Label, Numbering

_HEADING = re.compile(r"(?i)heading ([1-9])$")
_NESTED = re.compile(r"(?i)list (?:bullet |number )?([2-5])$")
_BODY = 9
# A style is based on another; a file that goes round in a circle is left after so many steps.
_LONGEST_CHAIN = 20


class _Style(NamedTuple):
    name: str
    element: Element
    based_on: str


class Styles:
    """The styles of a document, together with the lists that they belong to."""

    def __init__(self, part: Element, numbering: Numbering) -> None:
        self._styles: dict[str, _Style] = {}
        self._hiding: dict[str, bool | None] = {}
        self._default = ""
        self._numbering = numbering
        for element in part.findall(full("w:style")):
            identifier = value(element, "w:styleId") or ""
            name = value(child(element, "w:name")) or ""
            self._styles[identifier] = _Style(name, element, value(child(element, "w:basedOn")) or "")
            if value(element, "w:type") == "paragraph" and value(element, "w:default") in ("1", "true"):
                self._default = identifier

    def heading(self, paragraph: Element) -> int:
        """Return the level of a heading, 1 for the highest; 0 of what is none."""
        outline = value(child(paragraph, "w:pPr/w:outlineLvl"))
        for style in self._chain(_of_paragraph(paragraph) or self._default):
            if outline is not None:
                break
            if found := _HEADING.match(style.name):
                return int(found[1])
            if style.name.lower() == "title":
                return 1
            outline = value(child(style.element, "w:pPr/w:outlineLvl"))
        return int(outline) + 1 if outline and outline.isdecimal() and int(outline) < _BODY else 0

    def label(self, paragraph: Element) -> Label | None:
        """Count a paragraph and return its label in a list; None if it is in no list."""
        own = child(paragraph, "w:pPr/w:numPr")
        number, depth = value(child(own, "w:numId")) if own is not None else None, _depth(own)
        if number is None:
            for identifier, style in self._named_chain(_of_paragraph(paragraph) or self._default):
                of_style = child(style.element, "w:pPr/w:numPr")
                if of_style is not None and (number := value(child(of_style, "w:numId"))):
                    depth = next(
                        (known for known in (depth, _depth(of_style)) if known is not None),
                        self._numbering.depth_of(number, identifier),
                    )
                    break
        if number in (None, "0"):
            return None
        label = self._numbering.label(number or "", depth or 0)
        nested = self._nested_by_name(paragraph)
        return label._replace(depth=nested) if label and nested else label

    def _nested_by_name(self, paragraph: Element) -> int:
        """Return the depth that the name of a style says: “List Bullet 2” is a list of its own, only further in."""
        names = (style.name for style in self._chain(_of_paragraph(paragraph)))
        found = next(filter(None, map(_NESTED.match, names)), None)
        return int(found[1]) - 1 if found else 0

    def is_hidden(self, run: Element, paragraph: Element) -> bool:
        """Whether Word shows the text of a run only on demand."""
        properties = child(run, "w:rPr")
        own = None if properties is None else child(properties, "w:vanish")
        if own is not None:
            return is_on(own)
        of_run = None if properties is None else value(child(properties, "w:rStyle"))
        by_run = self._hides(of_run) if of_run else None
        return bool(self._hides(_of_paragraph(paragraph) or self._default) if by_run is None else by_run)

    def _hides(self, identifier: str) -> bool | None:
        """Return whether a style hides text, None if it does not say."""
        if identifier not in self._hiding:
            places = [child(style.element, "w:rPr/w:vanish") for style in self._chain(identifier)]
            found = next((place for place in places if place is not None), None)
            self._hiding[identifier] = None if found is None else is_on(found)
        return self._hiding[identifier]

    def _chain(self, identifier: str) -> list[_Style]:
        return [style for _identifier, style in self._named_chain(identifier)]

    def _named_chain(self, identifier: str) -> list[tuple[str, _Style]]:
        """Return a style and those that it is based on."""
        chain: list[tuple[str, _Style]] = []
        while (style := self._styles.get(identifier)) and len(chain) < _LONGEST_CHAIN:
            chain.append((identifier, style))
            identifier = style.based_on
        return chain


def _of_paragraph(paragraph: Element) -> str:
    return value(child(paragraph, "w:pPr/w:pStyle")) or ""


def _depth(numbering: Element | None) -> int | None:
    text = value(child(numbering, "w:ilvl")) if numbering is not None else None
    return int(text) if text and text.isdecimal() else None

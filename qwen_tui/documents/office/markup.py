"""Names of the XML of Office, short: `w:p` for a paragraph of Word, `a:t` for the text of a drawing."""

import functools
from collections.abc import Iterator
from typing import Any

# An element of lxml, which has no types.
Element = Any

_OPEN = "http://schemas.openxmlformats.org"
_PREFIXES = {
    f"{_OPEN}/wordprocessingml/2006/main": "w",
    f"{_OPEN}/officeDocument/2006/math": "m",
    f"{_OPEN}/officeDocument/2006/relationships": "r",
    f"{_OPEN}/drawingml/2006/main": "a",
    f"{_OPEN}/drawingml/2006/chart": "c",
    f"{_OPEN}/drawingml/2006/diagram": "dgm",
    f"{_OPEN}/drawingml/2006/wordprocessingDrawing": "wp",
    f"{_OPEN}/presentationml/2006/main": "p",
    f"{_OPEN}/markup-compatibility/2006": "mc",
    "urn:schemas-microsoft-com:vml": "v",
    "urn:schemas-microsoft-com:office:office": "o",
}
_NAMESPACES = {prefix: namespace for namespace, prefix in _PREFIXES.items()}


def name_of(element: Element) -> str:
    """Return the name of an element with its prefix; of a comment or an element of another namespace, an empty one."""
    tag = element.tag
    return _short(tag) if isinstance(tag, str) else ""


@functools.lru_cache(maxsize=4096)
def _short(tag: str) -> str:
    namespace, _, local = tag.removeprefix("{").partition("}")
    prefix = _PREFIXES.get(namespace)
    return f"{prefix}:{local}" if prefix else ""


@functools.lru_cache(maxsize=4096)
def full(name: str) -> str:
    """Return a name as lxml writes it."""
    prefix, _, local = name.partition(":")
    return f"{{{_NAMESPACES[prefix]}}}{local}"


def child(element: Element, path: str) -> Element | None:
    """Return the first element at a path such as `w:pPr/w:numPr`, None without one or in nothing."""
    for step in path.split("/"):
        if element is None:
            return None
        element = next(element.iterchildren(full(step)), None)
    return element


def value(element: Element | None, attribute: str = "w:val") -> str | None:
    """Return an attribute of an element, None if either is missing."""
    return None if element is None else element.get(full(attribute) if ":" in attribute else attribute)


def is_on(element: Element | None) -> bool:
    """Whether an element such as `w:vanish` is there and not switched off."""
    return element is not None and (value(element) or "on") not in ("0", "false", "off", "none")


def all_of(element: Element, name: str) -> Iterator[Element]:
    """Return the elements of that name within an element, at any depth."""
    return element.iter(full(name))  # type: ignore[no-any-return]


def chosen(alternatives: Element) -> Element:
    """Return which of several alternatives Office shows: it understands the first, and nothing of the others counts."""
    return next((one for one in alternatives if len(one)), alternatives[0] if len(alternatives) else [])

"""Reads what Office draws in all its programs: text in shapes, charts as tables, diagrams as lists."""

import re
from collections.abc import Sequence

from qwen_tui.documents.office.equations import latex
from qwen_tui.documents.office.markup import Element, all_of, child, full, name_of, value
from qwen_tui.documents.tables import table

# A chart may have hundreds of thousands of points; so many are shown as a table.
_MOST_POINTS = 1_000
_FILE_NAME = re.compile(r"(?i)^\S+\.(?:png|jpe?g|gif|bmp|tiff?|emf|wmf|svg|webp)$")


def paragraph_text(paragraph: Element) -> str:
    """Return the text of an `a:p` on one line, or several if it has line breaks."""
    text = ""
    for part in paragraph:
        kind = name_of(part)
        if kind in ("a:r", "a:fld"):
            written = child(part, "a:t")
            text += (written.text or "") if written is not None else ""
        elif kind == "a:br":
            text += "\n"
        else:
            text += "".join(f" ${latex(equation)}$ " for equation in all_of(part, "m:oMath"))
    return text.replace("\v", "\n").replace("\xa0", " ").strip()


def chart_table(chart: Element) -> str:
    """Return the title of a chart and a table of its categories and values, as far as the file holds them."""
    heading = _title(chart)
    series = list(all_of(chart, "c:ser"))
    names = [_points(child(one, "c:tx")) for one in series]
    categories: dict[int, str] = {}
    columns: list[dict[int, str]] = []
    for one in series:
        labels = child(one, "c:cat")
        for place, text in _points(labels if labels is not None else child(one, "c:xVal")).items():
            categories.setdefault(place, text)
        values = child(one, "c:val")
        columns.append(_points(values if values is not None else child(one, "c:yVal")))
    places = sorted(categories.keys() | {place for column in columns for place in column})[:_MOST_POINTS]
    head = ["", *(" ".join(name.values()) or str(number) for number, name in enumerate(names, 1))]
    rows = [[categories.get(place, str(place + 1)), *(column.get(place, "") for column in columns)] for place in places]
    return "\n\n".join(part for part in (heading, _table(head, rows)) if part)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    # The corner is empty, and a table leaves out columns that are empty.
    return table([head, *rows]) if rows else ""


def _title(chart: Element) -> str:
    title = child(chart, "c:chart/c:title")
    if title is None:
        return ""
    written = " ".join(paragraph_text(paragraph) for paragraph in all_of(title, "a:p")).strip()
    return written or " ".join(_points(child(title, "c:tx")).values())


def _points(element: Element | None) -> dict[int, str]:
    """Return the texts of a series by their places; of categories on several levels, those of one place together."""
    found: dict[int, str] = {}
    if element is None:
        return found
    levels = list(all_of(element, "c:lvl"))
    # The innermost level comes first in the file.
    for level in reversed(levels) if levels else [element]:
        for point in all_of(level, "c:pt"):
            place, text = value(point, "idx") or "", child(point, "c:v")
            if place.isdecimal() and text is not None:
                found[int(place)] = f"{found.get(int(place), '')} {_number(text.text or '')}".strip()
    plain = element.find(full("c:v"))
    return found or ({0: plain.text} if plain is not None and plain.text else {})


def _number(text: str) -> str:
    """Return a number without the digits that only its binary form has: 0.1, not 0.10000000000000001."""
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else f"{number:.12g}"


def picture_text(told: str) -> str:
    """Return what stands for a picture: the description for those who cannot see it, which may be only a file name."""
    plain = " ".join(told.split())
    return "" if not plain or _FILE_NAME.search(plain) else f"[picture: {plain}]"


def diagram_text(data: Element) -> str:
    """Return the texts of a SmartArt diagram as a list, in the order of its points."""
    texts: list[str] = []
    for point in all_of(data, "dgm:pt"):
        written = "\n".join(filter(None, (paragraph_text(paragraph) for paragraph in all_of(point, "a:p"))))
        if written:
            texts.append(f"- {written}")
    return "\n".join(texts)

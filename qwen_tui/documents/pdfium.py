"""Takes the lines of text from a PDF by pdfium, in a process of its own.

The library is large and written in C++, and files come from anywhere: if it crashes or hangs, the program goes on. The
parent writes a `Request` as one line of JSON, and then the bytes of the file. The answers are lines of JSON, too.
"""

import ctypes
import math
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from qwen_tui.documents.page_layout import Glyph, Line, in_reading_order

if TYPE_CHECKING:
    import pypdfium2

# The process may take this much memory besides the file, in bytes.
_MEMORY = 2 * 2**30
# A page has at most so many characters; drawings made of letters have more.
_MOST_CHARACTERS = 200_000
# Text is turned upright by whole steps of so many degrees.
_STEP = 5
# pdfium's sign for a hyphen at the end of a line, in its old and its new form.
_HYPHENS = (0x02, 0xFFFE)
# Ligatures and the radicals with which some programs write Chinese characters: NFKC makes usual characters of them.
_COMPOSED = ((0xFB00, 0xFB06), (0x2E80, 0x2FD5), (0xF900, 0xFAFF))


class Request(msgspec.Struct, frozen=True):
    """What to read: a file of `size` bytes, from the page with the index `first` on."""

    size: int
    first: int = 0
    password: str | None = None


class Opened(msgspec.Struct, frozen=True, tag=True):
    """The file could be opened and has so many pages."""

    pages: int


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The file could not be opened."""

    reason: Literal["password", "protection", "damaged"]


class Page(msgspec.Struct, frozen=True, tag=True):
    """The lines of one page in reading order, and the box of the page as they see it.

    `is_empty` says that nothing at all is drawn on it. `unknown` counts the characters whose meaning the file does not
    tell. `is_cut` says that it has more characters than are read, `is_damaged` that pdfium refuses it.
    """

    index: int
    lines: tuple[Line, ...] = ()
    top: float = 0.0
    bottom: float = 0.0
    is_empty: bool = False
    unknown: int = 0
    is_cut: bool = False
    is_damaged: bool = False


Reply = Opened | Refused | Page


def main() -> None:
    """Read one file for the parent."""
    request = msgspec.json.decode(sys.stdin.buffer.readline(), type=Request)
    data = sys.stdin.buffer.read(request.size)
    _limit_memory(len(data))
    for reply in _replies(data, request):
        sys.stdout.buffer.write(msgspec.json.encode(reply) + b"\n")
        sys.stdout.buffer.flush()


def _limit_memory(size: int) -> None:
    if sys.platform == "win32":
        return
    import contextlib
    import resource

    # macOS does not know this limit for every process.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY + size, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _replies(data: bytes, request: Request) -> Iterator[Reply]:
    import pypdfium2
    from pypdfium2 import raw

    try:
        document = pypdfium2.PdfDocument(data, password=request.password)
    except pypdfium2.PdfiumError as error:
        reasons = {raw.FPDF_ERR_PASSWORD: "password", raw.FPDF_ERR_SECURITY: "protection"}
        yield Refused(reasons.get(getattr(error, "err_code", None), "damaged"))  # type: ignore[arg-type]
        return
    yield Opened(len(document))
    for index in range(request.first, len(document)):
        try:
            page = document[index]
        except pypdfium2.PdfiumError:
            yield Page(index, is_damaged=True)
            continue
        yield _page(index, page)
        page.close()


def _page(index: int, page: "pypdfium2.PdfPage") -> Page:
    from pypdfium2 import raw

    text = page.get_textpage()
    count = text.count_chars()
    turned: dict[int, list[Glyph]] = defaultdict(list)
    unknown = 0
    for place in range(min(count, _MOST_CHARACTERS)):
        character = _character(raw, text.raw, place)
        if character in ("\ufffd", "\0") or raw.FPDFText_HasUnicodeMapError(text.raw, place) == 1:
            unknown += 1
        if character.isspace() or not character.strip("\0"):
            for glyphs in turned.values():
                glyphs.append(Glyph(" ", 0, 0, 0, 0))
            continue
        # pdfium counts clockwise.
        angle = -_STEP * round(math.degrees(raw.FPDFText_GetCharAngle(text.raw, place)) / _STEP) % 360
        if (glyph := _glyph(raw, text.raw, place, character, angle)) is not None:
            turned[angle].append(glyph)
    text.close()
    groups = sorted(turned.items(), key=lambda group: -len(group[1]))
    lines: list[Line] = []
    for _angle, glyphs in groups:
        first_free = lines[-1].column + 1 if lines else 0
        lines += [msgspec.structs.replace(line, column=line.column + first_free) for line in in_reading_order(glyphs)]
    left, bottom, right, top = page.get_mediabox()
    corners = [_upright(x, y, groups[0][0] if groups else 0)[1] for x in (left, right) for y in (bottom, top)]
    return Page(
        index,
        tuple(lines),
        top=min(corners),
        bottom=max(corners),
        is_empty=not lines and raw.FPDFPage_CountObjects(page.raw) == 0,
        unknown=unknown,
        is_cut=count > _MOST_CHARACTERS,
    )


def _character(raw: Any, text: Any, place: int) -> str:
    """Return a character as other programs write it; empty if it stands for nothing."""
    code = raw.FPDFText_GetUnicode(text, place)
    if code in _HYPHENS:
        return "-"
    if 32 <= code < 127:
        return chr(code)
    character = chr(code) if code <= sys.maxunicode else "\ufffd"
    if any(first <= code <= last for first, last in _COMPOSED):
        return unicodedata.normalize("NFKC", character)
    # Half of a pair on Windows, a character of control, or one without a meaning that all programs know.
    return "\ufffd" if unicodedata.category(character) in ("Cs", "Co", "Cn") else _without_controls(character)


def _without_controls(character: str) -> str:
    return " " if character in "\t\r\n" else "" if ord(character) < 32 or 127 <= ord(character) < 160 else character


def _glyph(raw: Any, text: Any, place: int, character: str, angle: int) -> Glyph | None:
    """Return a character with its box, turned upright by `angle` degrees; None if pdfium knows no box for it."""
    box = raw.FS_RECTF()
    if not raw.FPDFText_GetLooseCharBox(text, place, ctypes.byref(box)):
        return None
    if angle == 0:
        return Glyph(character, box.left, -box.top, box.right, -box.bottom)
    corners = [_upright(x, y, angle) for x in (box.left, box.right) for y in (box.bottom, box.top)]
    across, down = [corner[0] for corner in corners], [corner[1] for corner in corners]
    return Glyph(character, min(across), min(down), max(across), max(down))


def _upright(x: float, y: float, angle: int) -> tuple[float, float]:
    """Return a point after the page is turned back by `angle` degrees, with y downwards."""
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    return x * cosine + y * sine, x * sine - y * cosine


if __name__ == "__main__":
    main()

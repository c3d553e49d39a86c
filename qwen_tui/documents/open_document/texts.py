"""Writes texts, presentations and drawings of OpenDocument as Markdown."""

from collections.abc import Mapping
from typing import NamedTuple

from qwen_tui.documents.document import Section
from qwen_tui.documents.markdown_writer import Writer, raised
from qwen_tui.documents.office.drawing import picture_text
from qwen_tui.documents.office.found import Found
from qwen_tui.documents.open_document.styles import Deleted, Styles, number
from qwen_tui.documents.running_text import has_words

# What these hold is not for the reader of the document, or stands elsewhere once more.
_UNREAD = frozenset(
    (
        *("office:annotation", "office:binary-data", "office:event-listeners", "office:forms", "office:scripts"),
        *("draw:glue-point", "draw:object", "draw:object-ole", "draw:plugin", "draw:page-thumbnail", "meta:template"),
        *("table:covered-table-cell", "text:hidden-text", "text:number", "text:tracked-changes"),
    )
)
# What stands on every slide.
_EVERYWHERE = frozenset(("date-time", "footer", "header", "page-number"))
_MARGINS = tuple(f"style:{place}{pages}" for place in ("header", "footer") for pages in ("", "-left", "-first"))
_TITLE, _CODE = ("Title",), ("Preformatted_20_Text", "Source_20_Code", "HTML_20_Preformatted")


class _Frame(NamedTuple):
    """A frame on the page: what it shows, and the class of a placeholder on a slide."""

    placeholder: str
    shown: list[str]
    description: list[str]


class Texts:
    """Gets the elements of a document in their order. A `found` counts what is not in the text."""

    def __init__(self, name: str, found: Found, *, is_text: bool) -> None:
        self._name = name
        self._found = found
        self._is_text = is_text
        self._writers = [Writer(name)]
        self._done: list[Section] = []
        self._slide, self._speaker = 0, ""
        # The texts at the head and at the foot of pages.
        self._margins: dict[str, list[str]] = {"header": [], "footer": []}
        # How many elements are open that are left out with all that is in them.
        self._left_out = 0
        self._paragraphs = self._tables = self._heads = 0
        self._frames: list[_Frame] = []
        self._spans: list[tuple[bool, int]] = []
        # The text that is not of a paragraph goes here: the number of a note, the description of a picture.
        self._aside: list[str] | None = None
        self._citation = ""
        self._notes: list[tuple[str, str]] = []
        self._is_code = False
        self._styles = Styles()
        self._lists: list[str] = []
        self._deleted = Deleted()

    @property
    def _writer(self) -> Writer:
        return self._writers[-1]

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._left_out or self._is_unread(name, attributes):
            self._left_out += 1
            self._deleted.start(name, attributes)
            return
        space, _colon, kind = name.partition(":")
        if space == "text":
            self._start_text(kind, attributes)
        elif space == "table":
            self._start_table(kind, attributes)
        elif space in ("draw", "svg", "presentation"):
            self._start_drawing(name, attributes)
        elif name in _MARGINS:
            self._writers.append(Writer(self._name))
        self._styles.start(name, attributes)

    def data(self, text: str) -> None:
        if self._left_out:
            return
        if self._aside is not None:
            self._aside.append(text)
        elif self._paragraphs and not self._deleted.open:
            self._writer.add(text)

    def end(self, name: str) -> None:
        if self._left_out:
            self._left_out -= 1
            return
        space, _colon, kind = name.partition(":")
        if space == "text":
            self._end_text(kind)
        elif space == "table":
            self._end_table(kind)
        elif space in ("draw", "svg", "presentation"):
            self._end_drawing(name)
        elif name in _MARGINS:
            text = self._ended()
            known = self._margins[kind.partition("-")[0]]
            if has_words(text) and text not in known:
                known.append(text)

    def sections(self) -> list[Section]:
        """Return what was read: a section for each slide, or one for a text."""
        if not self._is_text:
            return self._done
        parts = (*self._margins["header"], self._ended(), *self._margins["footer"])
        text = "\n\n".join(filter(None, parts))
        return [Section(text)] if text else []

    def _is_unread(self, name: str, attributes: Mapping[str, str]) -> bool:
        self._found.comments += name == "office:annotation"
        self._found.changes += name == "text:tracked-changes"
        self._found.hidden += name == "text:hidden-text"
        if name in ("draw:object", "draw:object-ole"):
            self._found.inserted += 1
            if self._frames:
                self._frames[-1].shown.append(name)
        if name == "text:section" and attributes.get("text:display") == "none":
            self._found.hidden += 1
            return True
        # A template for slides holds what to put where.
        is_sample = name == "style:master-page" and not self._is_text
        is_empty = attributes.get("presentation:placeholder") == "true"
        return name in _UNREAD or is_sample or is_empty or attributes.get("presentation:class") in _EVERYWHERE

    def _start_text(self, kind: str, attributes: Mapping[str, str]) -> None:
        writer = self._writer
        style = attributes.get("text:style-name", "")
        if kind in ("p", "h"):
            self._start_paragraph(kind, style, attributes)
        elif kind == "s":
            writer.add(" " * min(number(attributes, "text:c"), 200))
        elif kind == "tab":
            writer.add("\t")
        elif kind == "line-break":
            writer.break_line()
        elif kind == "list":
            self._end_code()
            own = style or (self._lists[-1] if self._lists else "")
            self._lists.append(own)
            if self._is_bare():
                writer.block()
            else:
                writer.begin_list(self._styles.first_number(own, len(self._lists), attributes))
        elif kind == "list-item":
            self._end_code()
            start = attributes.get("text:start-value", "")
            if not self._is_bare():
                writer.begin_item(int(start) if start.isdecimal() else None)
        elif kind == "span":
            self._spans.append((self._styles.is_raised(style), writer.mark()))
        elif kind == "ruby-text":
            writer.add("(")
        elif kind == "note-citation":
            self._aside = []
        elif kind == "note-body":
            self._writers.append(Writer(self._name))
        else:
            self._deleted.start(f"text:{kind}", attributes)

    def _start_paragraph(self, kind: str, style: str, attributes: Mapping[str, str]) -> None:
        self._paragraphs += 1
        is_code = kind == "p" and self._styles.is_like(style, _CODE)
        if is_code and self._is_code:
            self._writer.break_line()
            return
        self._end_code()
        is_title = self._styles.is_like(style, _TITLE) or any(frame.placeholder == "title" for frame in self._frames)
        if kind == "h" or is_title:
            self._writer.heading(number(attributes, "text:outline-level"))
        elif is_code:
            self._writer.begin_code()
            self._is_code = True
        else:
            self._writer.block()

    def _end_text(self, kind: str) -> None:
        writer = self._writer
        if kind in ("p", "h"):
            self._paragraphs -= 1
            if not self._is_code:
                writer.block()
            self._put_notes()
        elif kind == "list":
            self._end_code()
            is_bare, style = self._is_bare(), self._lists.pop()
            if not is_bare:
                self._styles.counted(style, writer.next_number())
                writer.end_list()
        elif kind == "list-item":
            self._end_code()
            if not self._is_bare():
                writer.end_context()
        elif kind == "span":
            is_raised, mark = self._spans.pop()
            if is_raised and (changed := raised(text := writer.since(mark))) != text:
                writer.replace(mark, changed)
        elif kind == "ruby-text":
            writer.add(")")
        elif kind == "note-citation":
            self._citation, self._aside = "".join(self._aside or ()).strip(), None
        elif kind == "note-body":
            text = self._ended()
            self._notes.append((self._citation, text))
            self._writer.add(f"[^{self._citation}]")

    def _start_table(self, kind: str, attributes: Mapping[str, str]) -> None:
        if kind == "table":
            self._end_code()
            if self._frames:
                # LibreOffice puts a picture of a table beside it.
                self._frames[-1].shown.append(kind)
            self._tables += 1
            self._writer.begin_table()
        elif kind == "table-header-rows":
            self._heads += 1
        elif kind == "table-row":
            self._writer.begin_row()
        elif kind == "table-cell":
            columns = number(attributes, "table:number-columns-spanned")
            rows = number(attributes, "table:number-rows-spanned")
            self._writer.begin_cell(columns, rows, is_head=self._heads > 0)

    def _end_table(self, kind: str) -> None:
        if kind == "table":
            self._tables -= 1
            self._writer.end_table()
            self._put_notes()
        elif kind == "table-header-rows":
            self._heads -= 1
        elif kind == "table-cell":
            self._end_code()
            self._writer.end_cell()

    def _start_drawing(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "draw:frame":
            self._frames.append(_Frame(attributes.get("presentation:class", ""), [], []))
        elif name == "draw:image" and self._frames:
            self._frames[-1].shown.append(name)
        elif name in ("svg:title", "svg:desc") and self._frames:
            self._aside = self._frames[-1].description
        elif name == "draw:page":
            self._writers.append(Writer(self._name))
            self._slide, self._speaker = self._slide + 1, ""
        elif name == "presentation:notes":
            self._writers.append(Writer(self._name))

    def _end_drawing(self, name: str) -> None:
        if name == "draw:frame":
            frame = self._frames.pop()
            # Beside an inserted document stands a picture of it.
            if frame.shown and frame.shown[0] == "draw:image":
                self._found.pictures += 1
                self._writer.add(picture_text(" ".join(frame.description)))
        elif name in ("svg:title", "svg:desc"):
            self._aside = None
        elif name == "draw:page":
            text = "\n\n".join(filter(None, (self._ended(), self._speaker and f"[notes]\n{self._speaker}")))
            if text:
                self._done.append(Section(text, str(self._slide)))
        elif name == "presentation:notes":
            self._speaker = self._ended()

    def _is_bare(self) -> bool:
        return bool(self._lists) and self._styles.is_bare(self._lists[-1], len(self._lists))

    def _put_notes(self) -> None:
        """Write the notes below the paragraph or the table that names them."""
        if self._paragraphs or self._tables or len(self._writers) > 1 or not self._notes:
            return
        self._end_code()
        for citation, text in self._notes:
            self._writer.block(f"[^{citation}]: ")
            self._writer.add(text)
            self._writer.block()
        self._notes.clear()

    def _end_code(self) -> None:
        if self._is_code:
            self._writer.end_code()
            self._is_code = False

    def _ended(self) -> str:
        """Return what the innermost writer wrote, and go on with the one around it."""
        self._end_code()
        return (self._writers.pop() if len(self._writers) > 1 else self._writer).result()

"""Writes the elements of HTML as Markdown; lxml parses them, also where they are damaged."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, overload

from qwen_tui import cancellation
from qwen_tui.documents.document import too_much_text
from qwen_tui.documents.html_inline import inline, picture
from qwen_tui.documents.html_left_out import is_around, is_unseen
from qwen_tui.documents.markdown_writer import Writer


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# lxml gets so many characters at once, and Ctrl-C ends it in between.
_STEP = 2**13
# Pages made by hand or by programs have some 50 elements within each other; each takes memory until it ends.
_DEEPEST = 100_000
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = _words(
    "address article aside blockquote body caption center details dialog div dl fieldset figcaption figure footer form "
    "dt header hgroup legend main p section summary"
)
_CODE = _words("listing plaintext pre xmp")
# Elements within a line whose text is written in another way.
_CHANGED = _words("a annotation code del math s strike sup tt")
_LANGUAGE = re.compile(r"(?:^|\s)(?:language|lang|highlight-source|brush:)[- ]?([\w+#-]+)")
# A template in which a program will put words; of a page that a server has sent, it has already done so.
_SLOT = re.compile(r"\{\{|\{%|<%|<\?")


class Page(NamedTuple):
    """What a page says: its title, and its Markdown.

    - `has_left_out` tells whether menus and their like were left out.
    - `is_template` tells whether a program still has to put words in.
    - `pictures` counts the pictures that are not described.
    - `parts` are the text once more, cut where the anchors are.
    """

    title: str
    text: str
    has_left_out: bool = False
    is_template: bool = False
    pictures: int = 0
    parts: Sequence[tuple[str, str]] = ()


def parse(text: str, name: str, *, is_website: bool, anchors: Collection[str] = ()) -> Page:
    """Return what the HTML in `text` says; raises `InputError` if it is too much.

    What a website has around the words of each page is left out: its menus, and what stands beside and below.
    """
    from lxml import etree

    target = _Target(name, anchors, is_website=is_website)
    parser = etree.HTMLParser(target=target, encoding="utf-8")
    for begin in range(0, len(text), _STEP):
        cancellation.check()
        parser.feed(text[begin : begin + _STEP].encode("utf-8", "replace"))
    if not text.strip():
        return Page("", "")
    page: Page = parser.close()
    return page


class _Element(NamedTuple):
    """An element that is open: where its text begins, and an attribute that counts at its end."""

    tag: str
    mark: int
    value: str
    is_main: bool


class _Target:
    """Gets what lxml finds. It gets an end for each start: lxml adds those that are missing."""

    def __init__(self, name: str, anchors: Collection[str], *, is_website: bool) -> None:
        self._name = name
        self._anchors = anchors
        self._is_website = is_website
        self._writers = {False: Writer(name), True: Writer(name)}
        self._open: list[_Element] = []
        # How many elements are open that are left out with all that is in them.
        self._left_out = 0
        self._main = self._articles = self._code = 0
        self._title: list[str] = []
        self._pictures = 0
        self._language = self._formula = ""
        self._has_left_out = self._is_template = False

    @property
    def _writer(self) -> Writer:
        return self._writers[self._main > 0]

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if attributes and not self._is_template:
            self._is_template = any(map(_SLOT.search, (*attributes, *attributes.values())))
        # Elements of XHTML may have a prefix.
        tag = tag.rpartition(":")[2].lower()
        if self._left_out or is_unseen(tag, attributes) or self._is_around(tag, attributes):
            self._left_out += 1
            return
        if attributes.get("id") in self._anchors:
            self._writer.cut(attributes["id"])
        is_main = self._is_website and (tag == "main" or attributes.get("role") == "main")
        self._main += is_main
        self._articles += tag == "article"
        value = self._begin_code(tag, attributes) if self._code else self._begin(tag, attributes)
        self._open.append(_Element(tag, self._writer.mark(), value, is_main))
        if len(self._open) > _DEEPEST:
            raise too_much_text(self._name)

    def end(self, _tag: str) -> None:
        if self._left_out:
            self._left_out -= 1
            return
        element = self._open.pop()
        if element.tag in _CODE:
            self._code -= 1
            if not self._code:
                self._writer.end_code(self._language)
        elif not self._code:
            self._end(element)
        self._main -= element.is_main
        self._articles -= element.tag == "article"

    def data(self, text: str) -> None:
        if self._left_out:
            return
        if self._open and self._open[-1].tag == "title":
            self._title.append(text)
        else:
            self._writer.add(text)

    def comment(self, text: str) -> None:
        self._is_template = self._is_template or text.startswith(("?php", "?=", "? "))

    def close(self) -> Page:
        outside, main = self._writers[False].result(), self._writers[True].result()
        title = " ".join("".join(self._title).split())
        is_template = self._is_template or bool(_SLOT.search(title))
        # A page may misuse `main` for a small part of what it says.
        is_main = bool(main) and len(main) * 4 >= len(outside)
        text = main if is_main else "\n\n".join(filter(None, (outside, main)))
        left_out = self._has_left_out or (is_main and bool(outside))
        return Page(title, text, left_out, is_template, self._pictures, self._writers[False].parts())

    def _is_around(self, tag: str, attributes: Mapping[str, str]) -> bool:
        in_article = self._main > 0 or self._articles > 0
        found = self._is_website and is_around(tag, attributes, in_article=in_article)
        self._has_left_out = self._has_left_out or found
        return found

    def _begin(self, tag: str, attributes: Mapping[str, str]) -> str:
        """Write the beginning of an element, and return what counts at its end."""
        writer = self._writer
        if tag in _HEADINGS:
            writer.heading(_HEADINGS[tag])
        elif tag in _CODE:
            self._code += 1
            writer.begin_code()
            self._language = _language(attributes)
        elif tag in ("ul", "ol", "dir"):
            writer.begin_list(_number(attributes.get("start"), 1) if tag == "ol" else None)
        elif tag == "li":
            writer.begin_item(_number(attributes.get("value"), None))
        elif tag == "blockquote":
            writer.begin_quote()
        elif tag == "dd":
            writer.block(": ", is_tight=True)
        elif tag in _BLOCKS:
            writer.block()
        elif tag == "table":
            writer.begin_table(is_layout=attributes.get("role") in ("none", "presentation"))
        elif tag == "tr":
            writer.begin_row()
        elif tag in ("td", "th"):
            columns, rows = _number(attributes.get("colspan"), 1), _number(attributes.get("rowspan"), 1)
            writer.begin_cell(columns, rows, is_head=tag == "th")
        else:
            return self._begin_inline(tag, attributes)
        return ""

    def _begin_inline(self, tag: str, attributes: Mapping[str, str]) -> str:
        writer = self._writer
        if tag == "br":
            writer.break_line()
        elif tag == "hr":
            writer.rule()
        elif tag == "img":
            shown = picture(attributes.get("alt", ""))
            self._pictures += not shown
            writer.add(shown)
        elif tag == "input":
            writer.add("[x] " if "checked" in attributes else "[ ] ")
        elif tag == "q":
            writer.add("“")
        elif tag == "rt":
            writer.add("(")
        elif tag == "a":
            kind = attributes.get("role") or attributes.get("epub:type") or ""
            return "note" if kind.endswith("noteref") else attributes.get("href", "")
        elif tag == "math":
            return attributes.get("alttext", "")
        elif tag == "annotation":
            return attributes.get("encoding", "")
        return ""

    def _begin_code(self, tag: str, attributes: Mapping[str, str]) -> str:
        """Go on in a block of code: what is a block elsewhere is a line of it."""
        if tag in _CODE:
            self._code += 1
        if tag in _BLOCKS or tag in ("br", "li", "tr"):
            self._writer.break_line()
        self._language = self._language or _language(attributes)
        return ""

    def _end(self, element: _Element) -> None:
        """Write the end of an element."""
        writer, tag = self._writer, element.tag
        if tag in ("ul", "ol", "dir"):
            writer.end_list()
        elif tag in ("li", "blockquote"):
            writer.end_context()
        elif tag == "table":
            writer.end_table()
        elif tag in ("td", "th"):
            writer.end_cell()
        elif tag in _BLOCKS or tag in _HEADINGS or tag in ("dd", "tr"):
            writer.block()
        elif tag == "q":
            writer.add("”")
        elif tag == "rt":
            writer.add(")")
        elif tag in _CHANGED and (text := writer.since(element.mark)):
            parent = self._open[-1].tag if self._open else ""
            if tag == "annotation":
                self._formula = text if element.value == "application/x-tex" else ""
                changed = ""
            elif tag == "math":
                formula, self._formula = element.value or self._formula, ""
                changed = f"${formula}$" if formula else text
            else:
                changed = inline(tag, element.value, parent, text)
            if changed != text:
                writer.replace(element.mark, changed)


def _language(attributes: Mapping[str, str]) -> str:
    found = _LANGUAGE.search(attributes.get("class", ""))
    return found[1] if found else ""


@overload
def _number(value: str | None, otherwise: int) -> int: ...
@overload
def _number(value: str | None, otherwise: None) -> int | None: ...
def _number(value: str | None, otherwise: int | None) -> int | None:
    return int(value) if value and re.fullmatch(r"\s*[0-9]{1,6}\s*", value, re.ASCII) else otherwise

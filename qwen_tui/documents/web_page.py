"""Reads web pages: HTML files as they come from a server or a browser, in the encoding that they declare."""

import re
from pathlib import PurePath

import msgspec

from qwen_tui import cancellation
from qwen_tui.documents import html_parser
from qwen_tui.documents.document import Document, Options, Section
from qwen_tui.documents.encodings import Encoding, may_be_chance, named
from qwen_tui.documents.html_parser import Page
from qwen_tui.documents.text import Decoded, decode
from qwen_tui.errors import InputError
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Loss

# A page may have so many bytes: pictures may be part of it. Parsing more takes more than a minute.
MOST_BYTES = 32 * 2**20
_ENDINGS = (".html", ".htm", ".xhtml", ".xht", ".shtml")
# Whoever names a file so asks about what stands in it, tags included.
_SOURCES = re.compile(
    r"\.(?:txt|text|md|markdown|mdx|rst|adoc|tex|log|eml|diff|patch|xml|svg|json|ya?ml|toml|ini|cfg|conf|css|scss|sql|ipynb|"
    r"c|cc|cpp|cs|go|h|hpp|java|[cm]?[jt]sx?|kt|lua|pl|py|r|rb|rs|swift|sh|ps1|bat|"
    r"php|phtml|jsp|aspx?|cshtml|vue|svelte|astro|erb|ejs|hbs|mustache|j2|jinja2?|njk|twig|liquid|tmpl|tpl|gohtml)"
)
_BEFORE = r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*"
_PAGE = re.compile(_BEFORE + r"<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE | re.DOTALL)
# A part of a page, or a page without its frame.
_PART = re.compile(_BEFORE + r"<[a-z][\w-]*[\s/>]", re.IGNORECASE | re.DOTALL)
_DECLARED = re.compile(
    rb"""<meta\s[^>]{0,500}?charset\s*=\s*["']?\s*([\w:.-]+)|^\s*<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([\w.-]+)""",
    re.IGNORECASE,
)
# Nobody writes the tag that begins a page and leaves out both that end it, unless the end is missing.
_BEGUN, _ENDED = re.compile(r"<html[\s>]", re.IGNORECASE), re.compile(r"</(?:body|html)\s*>", re.IGNORECASE)
# The declaration stands within this many bytes.
_HEAD = 4096
# Names of encodings that browsers know and Python does not, or knows as something else.
_ALIASES = {"x-gbk": "gb18030", "x-sjis": "cp932", "windows-31j": "cp932", "iso-8859-1": "cp1252", "us-ascii": "cp1252"}
# If a larger share of the characters is broken, the declaration is wrong.
_BROKEN_AT_MOST = 0.001
_XHTML_ELEMENT = re.compile(r"<([A-Za-z][\w:.-]*)((?:\s[^<>]*)?)/>")
_VOID = re.compile("area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr", re.IGNORECASE)


def is_web_page(head: bytes, name: str) -> bool:
    """Whether a file that begins so is a web page, and not the source of a program that holds or makes one."""
    ending = PurePath(name).suffix.lower()
    # In UTF-16, every other byte is 0.
    text = head.replace(b"\0", b"").decode("latin-1").lstrip("\xef\xbb\xbf\xff\xfe")
    if ending in _ENDINGS:
        return bool(_PAGE.match(text) or _PART.match(text))
    return not _SOURCES.fullmatch(ending) and bool(_PAGE.match(text))


def read(data: bytes, name: str, options: Options) -> Document | None:
    """Return what a web page says; None if it is a template for pages. Raises `InputError`."""
    text, notes = decoded(data, name, options)
    page = html_parser.parse(text, name, is_website=True)
    if page.is_template:
        return None
    found = document(page if page.text else html_parser.parse(text, name, is_website=False), name, notes)
    if not _BEGUN.search(text) or _ENDED.search(text):
        return found
    said = _("{name} ends in the middle, without </html>; what is there was read.").format(name=name)
    return msgspec.structs.replace(found, notes=(*found.notes, Loss(said)))


def document(page: Page, name: str, notes: tuple[str, ...]) -> Document:
    """Return a page as a document, with a note that some of it is left out; raises `InputError` if nothing is left."""
    if not page.text:
        raise InputError(
            _("{name} is a web page without text; perhaps its scripts fetch it.").format(name=name),
            _("Open it in a browser, and save it from there as PDF or as a complete page."),
        )
    note = (
        _(
            "{name} was read as a web page, without its menus and the addresses of its links. To ask about its code, "
            "name a copy of it that ends in .txt."
        )
        if page.has_left_out
        else _(
            "{name} was read as a web page, without the addresses of its links. To ask about its code, name a copy of "
            "it that ends in .txt."
        )
    )
    return Document(name, (Section(titled(page)),), notes=(*notes, note.format(name=name)))


def titled(page: Page) -> str:
    """Return the text of a page below its title, unless its first heading says the same."""
    first = re.match(r"#+ (.+)", page.text)
    if not page.title or (first and (first[1] in page.title or page.title in first[1])):
        return page.text
    has_heading = re.search(r"^# ", page.text, re.MULTILINE)
    return f"{page.title if has_heading else f'# {page.title}'}\n\n{page.text}"


def decoded(data: bytes, name: str, options: Options, declared: str = "") -> Decoded:
    """Return HTML or XHTML as text, in the encoding that is declared in front of it or in itself."""
    with cancellation.current().interruptible():
        found = _DECLARED.search(data, 0, _HEAD)
        encoding = _encoding(declared or ((found[1] or found[2]).decode("ascii") if found else ""))
        text = _declared(data, name, options, encoding) or decode(data, name, options.encoding, options.say_otherwise)
    # lxml reads XHTML as HTML. There, `<title/>` would begin a title that never ends.
    if "http://www.w3.org/1999/xhtml" in text.text[:_HEAD]:
        return Decoded(_XHTML_ELEMENT.sub(_with_end, text.text), text.notes)
    return text


def _declared(data: bytes, name: str, options: Options, encoding: Encoding | None) -> Decoded | None:
    """Return `data` in the encoding that it declares, None if that cannot be right."""
    if encoding is None or options.encoding is not None or data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        return None
    if encoding.codec != "utf-8-sig":
        # A browser that saves a page as UTF-8 may leave the declaration as it was.
        try:
            is_utf8 = not data.isascii() and not may_be_chance(data.decode())
        except UnicodeDecodeError:
            is_utf8 = False
        if is_utf8:
            return None
    text = decode(data, name, encoding)
    return text if text.text.count("\ufffd") <= _BROKEN_AT_MOST * len(text.text) else None


def _encoding(name: str) -> Encoding | None:
    # A page that can be read as ASCII up to its declaration is not UTF-16.
    known = "utf-8" if name.lower().startswith("utf-16") else _ALIASES.get(name.lower(), name)
    return named(known) if known else None


def _with_end(found: re.Match[str]) -> str:
    return found[0] if _VOID.fullmatch(found[1]) else f"<{found[1]}{found[2]}></{found[1]}>"

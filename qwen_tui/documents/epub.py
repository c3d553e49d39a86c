"""Reads EPUB: chapter by chapter in the order of the book, under the titles of its table of contents."""

import posixpath
import re
import urllib.parse
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree.ElementTree import Element

from qwen_tui import cancellation
from qwen_tui.documents import html_parser, web_page
from qwen_tui.documents.archive import Archive
from qwen_tui.documents.document import MOST_TEXT, Document, Options, Section, too_much_text
from qwen_tui.documents.office.found import Found
from qwen_tui.errors import InputError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import ngettext
from qwen_tui.messages import Loss

TYPE = "application/epub+zip"
CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_TEXTS = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document")
# Only fonts are changed in these ways, and without a key.
_OF_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_NCX = "application/x-dtbncx+xml"
# A mark before a chapter is as long as this at most.
_LONGEST_PLACE = 80


class _Book(NamedTuple):
    """What the package of a book says: its title, its files in their order, and the titles of places in them."""

    title: str
    files: list[str]
    contents: dict[str, list[tuple[str, str]]]


def read(archive: Archive, options: Options) -> Document:
    """Return the text of a book with a section for each chapter; raises `InputError`."""
    _refuse_protected(archive)
    book = _book(archive)
    chapters: list[tuple[str, str]] = []
    room, pictures, failed = MOST_TEXT, 0, 0
    for index, file in enumerate(book.files):
        cancellation.check()
        options.on_progress(index, len(book.files), "chapter")
        entries = book.contents.get(file, [])
        try:
            text = web_page.decoded(archive.read(file), archive.name, options).text
        except InputError:
            failed += 1
            continue
        page = html_parser.parse(text, archive.name, is_website=False, anchors={anchor for anchor, _title in entries})
        pictures += page.pictures
        room -= len(page.text)
        if room < 0:
            raise too_much_text(archive.name)
        _add(chapters, page, entries)
    options.on_progress(len(book.files), len(book.files), "chapter")
    if failed == len(book.files):
        raise archive.damaged()
    if not chapters:
        raise InputError(
            _("{name} has no text; perhaps its pages are pictures.").format(name=archive.name),
            _("A program for text recognition reads it, once it is saved as PDF."),
        )
    notes = list(Found(pictures=pictures).notes(archive.name))
    if failed:
        sentence = ngettext(
            "{name}: {n} chapter could not be read and is left out.",
            "{name}: {n} chapters could not be read and are left out.",
            failed,
        )
        notes.append(Loss(sentence.format(name=archive.name, n=failed)))
    return Document(archive.name, tuple(_sections(chapters, book.title)), "chapter", tuple(notes))


def _add(chapters: list[tuple[str, str]], page: html_parser.Page, entries: list[tuple[str, str]]) -> None:
    """Add the chapters that a file begins. What stands before the first of them goes on with the one before."""
    titles = dict(entries)
    for anchor, text in page.parts:
        heading = re.match(r"#+ (.+)", text)
        title = titles.get(anchor) or (heading[1] if heading and not entries else "")
        if not text:
            continue
        if title or not chapters:
            chapters.append((title, text))
        else:
            before, begun = chapters[-1]
            chapters[-1] = before, f"{begun}\n\n{text}"


def _sections(chapters: list[tuple[str, str]], book: str) -> Iterator[Section]:
    places: dict[str, int] = {}
    for number, (title, text) in enumerate(chapters, 1):
        place = " ".join(title.translate({ord("["): "(", ord("]"): ")"}).split())[:_LONGEST_PLACE] or str(number)
        places[place] = places.get(place, 0) + 1
        if places[place] > 1:
            place = f"{place} ({places[place]})"
        yield Section(f"{book}\n\n{text}" if number == 1 and book not in text else text, place)


def _book(archive: Archive) -> _Book:
    roots = [element.get("full-path", "") for element in _each(archive.xml(CONTAINER), "rootfile")]
    package_file = next((root for root in roots if root in archive), None)
    if package_file is None:
        raise _without_chapters(archive)
    package = archive.xml(package_file)
    items = {item.get("id", ""): item for item in _each(package, "item")}
    places = {key: _resolved(package_file, item.get("href", ""))[0] for key, item in items.items()}
    spine = [reference.get("idref", "") for reference in _each(package, "itemref")]
    navigation = [key for key, item in items.items() if "nav" in item.get("properties", "").split()]
    # In EPUB 2, the guide says which file repeats the table of contents.
    guide = [reference for reference in _each(package, "reference") if reference.get("type") == "toc"]
    unread = {places[key] for key in navigation} | {
        _resolved(package_file, reference.get("href", ""))[0] for reference in guide
    }
    wanted = (key for key in spine if key in items and items[key].get("media-type") in _TEXTS)
    files = list(dict.fromkeys(places[key] for key in wanted if places[key] not in unread))
    if not files:
        raise _without_chapters(archive)
    tables = navigation or [key for key, item in items.items() if item.get("media-type") == _NCX]
    contents: dict[str, list[tuple[str, str]]] = {}
    for key in tables[:1]:
        if places[key] in archive:
            contents = _contents(archive, places[key])
    title = next(("".join(element.itertext()) for element in _each(package, "title")), "")
    return _Book(" ".join(title.split()), files, contents)


def _contents(archive: Archive, place: str) -> dict[str, list[tuple[str, str]]]:
    """Return for each file the titles in it with their anchors.

    Titles below others count where they begin a file of their own: those of sections would be too many.
    """
    try:
        root = archive.xml(place)
    except InputError:
        # The chapters can do without.
        return {}
    lists = [element for element in _each(root, "nav") if "toc" in _attribute(element, "type").split()]
    entries = _of_nav(lists[0]) if lists else _of_ncx(root)
    found: dict[str, list[tuple[str, str]]] = {}
    for depth, title, address in entries:
        file, anchor = _resolved(place, address)
        if title and (depth == 0 or file not in found):
            found.setdefault(file, []).append((anchor, title))
    return found


def _of_nav(nav: Element) -> Iterator[tuple[int, str, str]]:
    """Give the entries of the contents of EPUB 3: their depth, title and address."""
    for element, depth in _with_depth(nav, "ol"):
        if _name(element) == "a":
            yield depth - 1, " ".join("".join(element.itertext()).split()), element.get("href", "")


def _of_ncx(root: Element) -> Iterator[tuple[int, str, str]]:
    """Give the entries of the contents of EPUB 2."""
    for element, depth in _with_depth(root, "navPoint"):
        if _name(element) == "navPoint":
            own = {_name(child): child for child in reversed(element)}
            title = "".join(own["navLabel"].itertext()) if "navLabel" in own else ""
            address = own["content"].get("src", "") if "content" in own else ""
            yield depth, " ".join(title.split()), address


def _with_depth(root: Element, name: str) -> Iterator[tuple[Element, int]]:
    """Give all elements below `root` in order, with the number of elements of that name around each."""
    waiting = [(child, 0) for child in reversed(root)]
    while waiting:
        cancellation.check()
        element, depth = waiting.pop()
        yield element, depth
        within = depth + (_name(element) == name)
        waiting += ((child, within) for child in reversed(element))


def _each(root: Element, name: str) -> Iterator[Element]:
    return (element for element in root.iter() if _name(element) == name)


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _attribute(element: Element, name: str) -> str:
    return next((value for key, value in element.items() if key.rpartition("}")[2] == name), "")


def _resolved(base: str, address: str) -> tuple[str, str]:
    """Return the member and the anchor that an address in the member `base` means."""
    path, _hash, anchor = address.partition("#")
    joined = posixpath.join(posixpath.dirname(base), urllib.parse.unquote(path))
    return posixpath.normpath(joined), urllib.parse.unquote(anchor)


def _refuse_protected(archive: Archive) -> None:
    """Refuse a book whose text is encrypted; fonts often are, and nobody minds."""
    if _ENCRYPTION not in archive:
        return
    for entry in _each(archive.xml(_ENCRYPTION), "EncryptedData"):
        methods = {method.get("Algorithm") for method in _each(entry, "EncryptionMethod")}
        if not methods <= {*_OF_FONTS}:
            raise InputError(
                _("{name} is a book with copy protection (DRM); its text is encrypted.").format(name=archive.name),
                _("Ask its seller for a file without protection, or copy the passages from your reading program."),
            )


def _without_chapters(archive: Archive) -> InputError:
    return InputError(
        _("{name} is damaged: it does not say what its chapters are.").format(name=archive.name),
        _("Fetch it once more, or convert it, for example with: ebook-convert in.epub out.epub"),
    )

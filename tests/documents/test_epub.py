"""EPUB: chapters in the order of the book under their titles, and what is said of books that cannot be read."""

import io

import pytest

from qwen_tui.documents.document import Document, Options, as_text
from qwen_tui.documents.reading import read
from qwen_tui.errors import InputError
from tests.documents.cancelling import progress_until
from tests.documents.zip_files import zipped

CONTAINER = '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'
NCX = "application/x-dtbncx+xml"
# The first lines of what books encrypt, with the method in place of %s.
ENCRYPTION = (
    '<encryption xmlns:e="x"><e:EncryptedData><e:EncryptionMethod Algorithm="%s"/></e:EncryptedData></encryption>'
)


def book(
    *chapters: str, contents: str = "", nav: str = "", spine: str = "", members: dict[str, str | bytes] | None = None
) -> bytes:
    """Return an EPUB of these chapters, c0.xhtml and so on, with the contents of EPUB 2 or the nav of EPUB 3."""
    files = {f"OPS/c{number}.xhtml": chapter for number, chapter in enumerate(chapters)}
    items = "".join(
        f'<item id="c{number}" href="c{number}.xhtml" media-type="application/xhtml+xml"/>'
        for number in range(len(chapters))
    )
    if contents:
        items += f'<item id="ncx" href="toc.ncx" media-type="{NCX}"/>'
        files["OPS/toc.ncx"] = f"<ncx><navMap>{contents}</navMap></ncx>"
    if nav:
        items += '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
        files["OPS/nav.xhtml"] = f'<html xmlns:epub="e"><body><nav epub:type="toc"><ol>{nav}</ol></nav></body></html>'
    order = spine or "".join(f'<itemref idref="c{number}"/>' for number in range(len(chapters)))
    package = (
        f'<package xmlns:dc="d"><metadata><dc:title>The Book</dc:title></metadata>'
        f"<manifest>{items}</manifest><spine>{order}</spine></package>"
    )
    head = {"mimetype": "application/epub+zip", "META-INF/container.xml": CONTAINER, "OPS/book.opf": package}
    return zipped({**head, **files, **(members or {})})


def read_book(data: bytes, options: Options | None = None) -> Document:
    return read(io.BytesIO(data), "it.epub", options or Options())


def places(document: Document) -> list[str]:
    return [section.place for section in document.sections]


def test_chapters_come_in_the_order_of_the_book_with_their_headings() -> None:
    order = '<itemref idref="c1"/><itemref idref="c0"/><itemref idref="unknown"/>'
    document = read_book(book("<h1>Second</h1><p>b", "<h1>First</h1><p>The Book", spine=order))
    assert as_text(document) == "[ch. First]\n# First\n\nThe Book\n\n[ch. Second]\n# Second\n\nb"
    assert document.unit == "chapter"


def test_the_contents_name_the_chapters_in_both_versions() -> None:
    chapters = ("<p>The Book, a", "<p>goes on", "<p>b<h2 id=x>Section</h2>", "<p>c")
    point = "<navPoint><navLabel><text>{}</text></navLabel><content src='{}'/>{}</navPoint>"
    inner = point.format("Section", "c2.xhtml#x", "") + point.format("Three", "c3.xhtml", "")
    ncx = point.format("One", "c0.xhtml", "") + point.format("Two", "c2.xhtml", inner)
    nav = (
        '<li><a href="c0.xhtml">One</a></li><li><a href="c2.xhtml">Two</a><ol>'
        '<li><a href="c2.xhtml#x">Section</a></li><li><a href="c3.xhtml">Three</a></li></ol></li>'
    )
    for data in (book(*chapters, contents=ncx), book(*chapters, nav=nav)):
        document = read_book(data)
        assert places(document) == ["One", "Two", "Three"]
        assert document.sections[0].text == "The Book, a\n\ngoes on"
        assert document.sections[1].text == "b\n\n## Section"


def test_one_file_may_hold_several_chapters() -> None:
    nav = '<li><a href="c0.xhtml#a">Alpha</a></li><li><a href="c0.xhtml#b">Beta</a></li>'
    document = read_book(book('<p>Before.<h1 id="a">Alpha</h1><p>x<div id="b"><h1>Beta</h1><p>y</div>', nav=nav))
    assert as_text(document) == "[ch. 1]\nThe Book\n\nBefore.\n\n[ch. Alpha]\n# Alpha\n\nx\n\n[ch. Beta]\n# Beta\n\ny"


def test_a_place_fits_into_its_mark_and_is_the_only_one_of_its_name() -> None:
    document = read_book(book("<h1>Notes [a]\n b</h1>The Book", "<h1>Notes [a] b</h1>", f"<h1>{'long ' * 50}</h1>"))
    assert places(document) == ["Notes (a) b", "Notes (a) b (2)", ("long " * 50)[:80]]


def test_pictures_are_counted_and_covers_left_out() -> None:
    cover = '<svg><image href="cover.jpg"/></svg><img src="x.jpg"/>'
    document = read_book(book(cover, '<h1>One</h1><img src="a.png" alt="A map"/><img src="b.png"/>'))
    assert as_text(document) == "[ch. One]\nThe Book\n\n# One\n\n[picture: A map]"
    assert document.notes == ("it.epub: 2 pictures are not read.",)


def test_without_a_title_a_chapter_has_its_number() -> None:
    assert places(read_book(book("<p>The Book"))) == ["1"]


def test_a_book_is_known_without_the_member_that_names_its_type() -> None:
    data = book("<h1>One</h1>The Book").replace(b"mimetype", b"somethin")
    assert places(read_book(data)) == ["One"]


def test_chapters_that_are_missing_are_said() -> None:
    items = '<itemref idref="c0"/><itemref idref="gone"/>'
    data = book("<h1>One</h1>The Book", spine=items)
    package = zipped_member(data, "OPS/book.opf").replace(
        "</manifest>", '<item id="gone" href="gone.xhtml" media-type="application/xhtml+xml"/></manifest>'
    )
    document = read_book(book("<h1>One</h1>The Book", members={"OPS/book.opf": package}))
    assert places(document) == ["One"]
    assert document.notes == ("it.epub: 1 chapter could not be read and is left out.",)


def zipped_member(data: bytes, name: str) -> str:
    import zipfile

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(name).decode()


def test_a_protected_book_is_refused_and_protected_fonts_are_not() -> None:
    aes = {"META-INF/encryption.xml": ENCRYPTION % "http://www.w3.org/2001/04/xmlenc#aes128-cbc"}
    with pytest.raises(InputError, match=r"copy protection \(DRM\)"):
        read_book(book("<p>x", members={**aes}))
    fonts = {"META-INF/encryption.xml": ENCRYPTION % "http://www.idpf.org/2008/embedding"}
    assert places(read_book(book("<h1>One</h1>", members={**fonts}))) == ["One"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (book(), "does not say what its chapters are"),
        (book("<img/>"), "has no text; perhaps its pages are pictures"),
        (book("<p>x", members={"META-INF/container.xml": "<container/>"}), "does not say what its chapters are"),
        (book("<p>x", members={"OPS/book.opf": "<package"}), "is damaged"),
        (book("<p>x", members={"OPS/book.opf": '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}), "defines names"),
        (book("<p>x")[:300], "is damaged"),
        (book(*("<p>" + "x" * 3_000_000,) * 3), "more than 8 MB of text"),
    ],
    ids=["no chapters", "pictures", "no package", "no XML", "entities", "cut", "too much"],
)
def test_what_cannot_be_read_says_why(data: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_book(data)


def test_progress_comes_chapter_by_chapter_and_reading_can_be_cancelled() -> None:
    data = book(*["<p>x"] * 9)
    told = progress_until(2, lambda options: read_book(data, options))
    assert told == [(done, 9, "chapter") for done in range(3)]

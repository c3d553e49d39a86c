"""Documents that are a ZIP: what a damaged, an encrypted or a hostile one is answered with, before it is unpacked."""

import io
import struct
import zipfile

import pytest

from qwen_tui.documents import archive
from qwen_tui.documents.archive import Archive
from qwen_tui.documents.document import Options
from qwen_tui.documents.reading import read
from qwen_tui.errors import InputError
from tests.documents.zip_files import zipped


def declare(data: bytes, size: int) -> bytes:
    """Return the archive with another size in the directory for its last member."""
    changed = bytearray(data)
    struct.pack_into("<I", changed, data.rfind(b"PK\1\2") + 24, size)
    return bytes(changed)


def test_a_member_is_read_whole_or_piece_by_piece() -> None:
    opened = Archive(zipped({"a/b.xml": "<b>text</b>", "large": b"0" * 10**6}), "it")
    assert opened.names == ("a/b.xml", "large")
    assert opened.xml("a/b.xml").text == "text"
    assert opened.read("./a/b.xml") == b"<b>text</b>"
    assert sum(len(chunk) for chunk in opened.chunks("large")) == opened.size("large") == 10**6


def test_a_member_that_declares_ten_gigabytes_is_refused_unread() -> None:
    # A member of more than 4 GB has its size in the extra field, which is where zipfile puts it too.
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as out:
        info = zipfile.ZipInfo("word/document.xml")
        out.writestr(info, "x")
        info.file_size = 10 * 2**30
    with pytest.raises(InputError, match="unpacks to more than can be read"):
        Archive(stream.getvalue(), "bomb.docx")


def test_a_member_that_lies_about_its_size_is_never_read_beyond_it() -> None:
    lying = Archive(declare(zipped({"a": b"0" * 10**7}), 10), "it")
    got = 0
    with pytest.raises(InputError, match="damaged"):
        for chunk in lying.chunks("a"):
            got += len(chunk)
    assert got <= 10


def test_what_is_unpacked_in_all_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_IN_ALL", 3 * 10**6)
    opened = Archive(zipped({"a": b"0" * 10**6}), "it")
    for _time in range(3):
        opened.read("a")
    with pytest.raises(InputError, match="unpacks to more"):
        opened.read("a")
    with pytest.raises(InputError, match="unpacks to more"):
        Archive(zipped(dict.fromkeys("abcd", b"0" * 10**6)), "it")


def test_a_large_member_is_not_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_HELD", 10**6)
    opened = Archive(zipped({"a": b"0" * (10**6 + 1)}), "it")
    with pytest.raises(InputError, match="unpacks to more"):
        opened.read("a")


def test_too_many_members_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_MEMBERS", 3)
    with pytest.raises(InputError, match="unpacks to more"):
        Archive(zipped(dict.fromkeys("abcd", "")), "it")


@pytest.mark.parametrize("cut", [30, 200, -1], ids=["beginning", "middle", "end"])
def test_a_cut_archive_is_damaged(cut: int) -> None:
    whole = zipped({"mimetype": "application/epub+zip", "b": b"".join(struct.pack("<H", n) for n in range(999))})
    with pytest.raises(InputError, match="damaged") as refused:
        Archive(whole[:cut], "it")
    assert refused.value.remedy


def test_a_flipped_bit_is_found() -> None:
    data = bytearray(zipped({"a.xml": "<a>" + "word " * 1000 + "</a>"}))
    data[40] ^= 4
    with pytest.raises(InputError, match="damaged"):
        Archive(bytes(data), "it").read("a.xml")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_that_documents_do_not_use_is_refused(method: int) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as out:
        out.writestr("a", "text")
    with pytest.raises(InputError, match="damaged"):
        Archive(stream.getvalue(), "it").read("a")


def test_a_zip_with_a_password_says_so() -> None:
    data = bytearray(zipped({"a": "text"}))
    for sign, place in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        data[data.find(sign) + place] |= 1
    with pytest.raises(InputError, match="protected by a password"):
        Archive(bytes(data), "it").read("a")


def test_xml_that_defines_names_is_refused_before_they_grow() -> None:
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    members: dict[str, str | bytes] = {
        "bomb.xml": f'<!DOCTYPE x [<!ENTITY a0 "ha">{laughs}]><x>&a11;</x>',
        "file.xml": '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x>&f;</x>',
        "wide.xml": '<!DOCTYPE x [<!ENTITY a "ha">]><x>&a;</x>'.encode("utf-16"),
    }
    opened = Archive(zipped({**members, "plain.xml": '<!DOCTYPE x SYSTEM "x.dtd"><x>text</x>'}), "it")
    for name in members:
        with pytest.raises(InputError, match="defines names of its own"):
            opened.xml(name)
    # A document type that is only named is never fetched: EPUB has some.
    assert opened.xml("plain.xml").text == "text"


@pytest.mark.parametrize("broken", ["<a><b></a>", "", "no xml", "<?xml version='1.0' encoding='klingon'?><a/>"])
def test_broken_xml_is_damage(broken: str) -> None:
    with pytest.raises(InputError, match="damaged"):
        Archive(zipped({"a.xml": broken}), "it").xml("a.xml")


def test_a_zip_that_is_no_document_says_so_whatever_its_name() -> None:
    holiday = zipped({"a.jpg": b"\xff\xd8\xff", "b.jpg": b"\xff\xd8\xff"})
    for name in ("photos.zip", "photos.docx"):
        with pytest.raises(InputError, match="is an archive, not a document") as refused:
            read(io.BytesIO(holiday), name, Options())
        assert "Unpack it" in refused.value.remedy

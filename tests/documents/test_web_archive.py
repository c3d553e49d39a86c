"""Saved pages in one file: MHTML of Chrome, Edge and Word, and Safari's web archive."""

import io
import plistlib
from email import policy
from email.message import EmailMessage

import pytest

from qwen_tui.documents.document import Document, Options, as_text
from qwen_tui.documents.reading import read
from qwen_tui.errors import InputError

PAGE = "<html><head><title>公园</title></head><body><nav>Menu</nav><h1>公园</h1><p>计划 = 1</p></body></html>"


def mhtml(page: str = PAGE, subtype: str = "html", charset: str = "utf-8") -> bytes:
    """Return a page as Chrome saves it, with a picture and a frame behind it."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = "<Saved by Blink>"
    message["Snapshot-Content-Location"] = "https://example.org/" + "a" * 100
    message.set_content(page, subtype=subtype, charset=charset, cte="quoted-printable")
    message.make_related()
    message.add_related(b"\x89PNG" * 5_000, "image", "png")
    if subtype == "html":
        message.add_related(b"<html><p>An advertisement", "text", "html")
    return message.as_bytes()


def safari(page: object = PAGE.encode(), charset: str = "UTF-8") -> bytes:
    resource = {"WebResourceData": page, "WebResourceMIMEType": "text/html", "WebResourceTextEncodingName": charset}
    return plistlib.dumps({"WebMainResource": resource, "WebSubresources": []}, fmt=plistlib.FMT_BINARY)


def read_archive(data: bytes) -> Document:
    return read(io.BytesIO(data), "it.mhtml", Options())


@pytest.mark.parametrize(
    "data",
    [mhtml(), mhtml(charset="gb18030"), safari(), safari(PAGE.encode("gbk"), "gb2312")],
    ids=["MHTML", "MHTML in GB18030", "web archive", "web archive in GB 2312"],
)
def test_the_page_is_read_as_if_it_had_been_saved_alone(data: bytes) -> None:
    document = read_archive(data)
    assert as_text(document) == "# 公园\n\n计划 = 1"
    assert len(document.notes) == 1
    assert "without its menus" in document.notes[0]


@pytest.mark.parametrize(
    "data",
    [
        mhtml("words", "plain"),
        safari("no bytes"),
        safari()[:200],
        b"MIME-Version: 1.0\nContent-Type: multipart/related; boundary=x\n\nnothing",
    ],
    ids=["no page", "no bytes", "cut", "empty"],
)
def test_an_archive_without_a_page_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="a web archive without a page that can be read") as refused:
        read_archive(data)
    assert "in the browser that saved it" in refused.value.remedy


def test_a_mail_stays_text() -> None:
    mail = b"From: A\nTo: B\nContent-Type: multipart/alternative; boundary=x\n\n--x\nContent-Type: text/html\n\n<p>Hi\n"
    assert as_text(read_archive(mail)) == mail.decode()

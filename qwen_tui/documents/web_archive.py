"""Reads web pages that a browser saved as one file with their pictures: MHTML, and Safari's web archive."""

import email
import email.policy
import plistlib
import re
from email.message import EmailMessage

from qwen_tui import cancellation
from qwen_tui.documents import html_parser, web_page
from qwen_tui.documents.document import Document, Options
from qwen_tui.errors import InputError
from qwen_tui.i18n import gettext as _

# Such a file may have so many bytes, most of them pictures.
MOST_BYTES = 64 * 2**20
# Chrome, Edge and Word write such a head; a mail has another kind of parts.
_MHTML = re.compile(rb"^\s*(?:[\w-]+:[^\n]*\n(?:[ \t][^\n]*\n)*)*?content-type:\s*multipart/related", re.IGNORECASE)
_SAFARI = b"bplist00"
_PAGE_OF_SAFARI = b"WebMainResource"


def is_archive(head: bytes, _name: str) -> bool:
    """Whether a file that begins so is a saved page."""
    return bool(_MHTML.match(head)) or (head.startswith(_SAFARI) and _PAGE_OF_SAFARI in head)


def read(data: bytes, name: str, options: Options) -> Document:
    """Return what the page in an archive says; raises `InputError`."""
    found = _in_safari(data) if data.startswith(_SAFARI) else _in_mhtml(data)
    if found is None:
        raise InputError(
            _("{name} is a web archive without a page that can be read.").format(name=name),
            _("Open it in the browser that saved it, and save it from there as PDF or as a complete page."),
        )
    content, charset = found
    text, notes = web_page.decoded(content, name, options, charset)
    page = html_parser.parse(text, name, is_website=True)
    return web_page.document(page if page.text else html_parser.parse(text, name, is_website=False), name, notes)


def _in_mhtml(data: bytes) -> tuple[bytes, str] | None:
    """Return the first page in an archive, and its declared encoding; the others are its frames."""
    try:
        with cancellation.current().interruptible():
            parts = list(email.message_from_bytes(data, policy=email.policy.default).walk())
    except RecursionError:
        return None
    for part in parts:
        if isinstance(part, EmailMessage) and part.get_content_type() in ("text/html", "application/xhtml+xml"):
            content = part.get_payload(decode=True)
            return (content, part.get_content_charset("")) if isinstance(content, bytes) and content else None
    return None


def _in_safari(data: bytes) -> tuple[bytes, str] | None:
    try:
        resource = plistlib.loads(data, fmt=plistlib.FMT_BINARY)["WebMainResource"]
        content, charset = resource["WebResourceData"], resource.get("WebResourceTextEncodingName", "")
    except (plistlib.InvalidFileException, LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return None
    return (content, str(charset)) if isinstance(content, bytes) else None

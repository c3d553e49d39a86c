"""Decides whether a response is the wanted file, from the wanted byte on."""

import re

import msgspec

from qwen_tui.i18n import gettext as _
from qwen_tui.network.request import RequestError, ResponseHead

_MAGIC = b"GGUF"
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
_PAGES = ("text/html", "application/xhtml")
_OK, _PARTIAL, _NO_RANGE = 200, 206, 416
# After these codes, and those from 500 on, another try may help. After all others the response would be the same.
_MAY_CHANGE = (408, 425, 429)


class NoRangesError(RequestError):
    """The source cannot send the file from a given byte on."""

    def __init__(self) -> None:
        super().__init__(_("it cannot go on in the middle of a file"), again=True)


class Accepted(msgspec.Struct, frozen=True):
    """An accepted response: its bytes begin at `start` of a file of `total` bytes, None if the total is unknown."""

    start: int
    total: int | None


def accept(head: ResponseHead, offset: int, size: int | None, *, longest_wait: float) -> Accepted:
    """Return which bytes follow `head`, the response to a request from byte `offset` on.

    `size` is that of the file, if known. Raises `RequestError`, and `NoRangesError` for a response that begins at
    another byte than `offset` or 0.
    """
    if error := refusal(head, longest_wait):
        raise error
    match = _CONTENT_RANGE.fullmatch(head.headers.get("content-range", ""))
    total = int(match[2]) if match and match[2].isdecimal() else None
    if head.status == _NO_RANGE:
        if size is None and total == offset:
            return Accepted(offset, total)
        raise NoRangesError
    if head.headers.get("content-type", "").lower().startswith(_PAGES):
        raise _page()
    if head.headers.get("content-encoding", "identity") != "identity":
        raise RequestError(_("it changes the file on the way"))
    start = 0
    if head.status == _PARTIAL:
        if not match or match[1] is None or int(match[1]) != offset:
            raise NoRangesError
        start = offset
    else:
        length = head.headers.get("content-length", "")
        total = int(length) if length.isdecimal() else None
    if size is not None and total is not None and size != total:
        raise RequestError(_("it has another file: {n:,} bytes, not {size:,}").format(n=total, size=size))
    return Accepted(start, size if total is None else total)


def check_beginning(piece: bytes) -> None:
    """Raise `RequestError` unless the first bytes are those of a GGUF file: no gigabyte of anything else is fetched."""
    if piece[:4] == _MAGIC[: len(piece)]:
        return
    if piece.lstrip(b"\xef\xbb\xbf \t\r\n")[:9].lower().startswith((b"<!doctype", b"<html")):
        raise _page()
    raise RequestError(_("what it sends is not a GGUF file"))


def refusal(head: ResponseHead, longest_wait: float) -> RequestError | None:
    """Return the error of a response without a file, None for a response with one."""
    status, code = head.status, head.headers.get("x-error-code", "")
    if status in (_OK, _PARTIAL, _NO_RANGE):
        return None
    if code == "RepoNotFound":
        return RequestError(
            _("it has no such repository, or a private one (HTTP {status})").format(status=status),
            _("Check the name; for a private repository, set HF_TOKEN to a token of yours."),
        )
    if code == "GatedRepo" or status in (401, 403):
        return RequestError(
            _("it gives the file only to those it knows (HTTP {status})").format(status=status),
            _("Accept the terms on the repository's page, and set HF_TOKEN to a token of yours."),
        )
    if code == "EntryNotFound" or status in (404, 410):
        return RequestError(_("it has no such file (HTTP {status})").format(status=status), absent=True)
    wait = head.retry_after
    if wait is not None and wait > longest_wait:
        return RequestError(_("it is overloaded and asks to come back in {n} s").format(n=round(wait)))
    again = status in _MAY_CHANGE or status >= 500
    return RequestError(_("it answers with HTTP {status}").format(status=status), again=again, wait=wait)


def _page() -> RequestError:
    return RequestError(
        _("it sends a web page in place of the file"),
        _("Does this network want a login? Open a web page in the browser first."),
    )

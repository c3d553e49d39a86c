"""Reads PDF: page by page, from a process of its own, with what a damaged or protected file wants said."""

import contextlib
import queue
import subprocess
import threading
from collections.abc import Sequence
from typing import BinaryIO

import msgspec

from qwen_tui import cancellation, child
from qwen_tui.documents.document import Document, Options, Section, ranges
from qwen_tui.documents.pdfium import Opened, Page, Refused, Reply, Request
from qwen_tui.documents.running_text import Mender, paragraphs, without_repeated
from qwen_tui.errors import InputError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import ngettext
from qwen_tui.messages import Loss

# A document may have so many pages.
MOST_PAGES = 1_000
# A page that takes more seconds of the processor is given up; so is the document after so many such pages. The time
# of a clock says nothing: other programs may have the processor, or the person has suspended this one.
_PATIENCE, _MOST_CRASHES = 30.0, 3
# A process that waits instead of computing is given up after so many looks at it.
_MOST_LOOKS = 6_000
# A look at the cancellation at this interval, in seconds.
_LOOK_EVERY = 0.05
# So large a share of characters without a meaning is worth a note.
_UNKNOWN = 0.05


def is_pdf(head: bytes) -> bool:
    """Whether a file that begins so is a PDF."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n\f\0").startswith(b"%PDF-")


def read(data: bytes, name: str, options: Options) -> Document:
    """Return the text of a PDF, with a section for each page that has any; raises `InputError`."""
    pages, failed = _pages(data, name, options)
    texts = without_repeated([(page.lines, page.top, page.bottom) for page in pages])
    mender = Mender(texts)
    sections = [
        Section(text, str(page.index + 1))
        for page, lines in zip(pages, texts, strict=True)
        if (text := paragraphs(lines, mender)).strip()
    ]
    told = {int(section.place) - 1 for section in sections}
    without = [page.index for page in pages if page.index not in told and not page.is_empty]
    if not sections and failed and not without:
        raise _damaged(name)
    if not sections:
        raise _no_text(name, len(pages) + len(failed), scanned=bool(without))
    return Document(name, tuple(sections), "page", tuple(_notes(name, pages, without, failed)))


def _pages(data: bytes, name: str, options: Options) -> tuple[list[Page], list[int]]:
    """Return the pages, and the indices of those on which pdfium failed."""
    password, wrong, crashes = None, 0, 0
    pages: list[Page] = []
    failed: list[int] = []
    total = 0
    while True:
        position = len(pages) + len(failed)
        with _Reader(data, Request(len(data), position, password)) as reader:
            opened = reader.receive()
            if isinstance(opened, Refused) and opened.reason == "password":
                password = options.password(name, wrong) if options.password else None
                if password is None:
                    raise _locked(name, options.say_password, was_wrong=wrong > 0)
                wrong += 1
                continue
            if not isinstance(opened, Opened):
                raise _damaged(name, protection=isinstance(opened, Refused) and opened.reason == "protection")
            total = _checked(opened.pages, name)
            while position < total:
                options.on_progress(position, total, "page")
                reply = reader.receive()
                if not isinstance(reply, Page):
                    break
                if reply.is_damaged:
                    failed.append(position)
                else:
                    pages.append(reply)
                position += 1
        if position >= total:
            options.on_progress(total, total, "page")
            return pages, failed
        failed.append(position)
        crashes += 1
        if crashes > _MOST_CRASHES:
            raise _damaged(name)


def _checked(pages: int, name: str) -> int:
    if not pages:
        raise InputError(_("{name} has no pages.").format(name=name), _("Save or export it once more."))
    if pages > MOST_PAGES:
        raise InputError(
            _("{name} has {n} pages; {most} are read at most.").format(
                name=name, n=f"{pages:,}", most=f"{MOST_PAGES:,}"
            ),
            _("Save a part of it as a file of its own."),
        )
    return pages


class _Reader:
    """The process that reads the file. It ends with the block, whatever happens in it."""

    def __init__(self, data: bytes, request: Request) -> None:
        self._replies: queue.Queue[Reply | None] = queue.Queue()
        self._process = subprocess.Popen(
            child.command(child.PDFIUM),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Ctrl-C in the terminal reaches only the parent.
            process_group=0,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        stdin, stdout = self._process.stdin, self._process.stdout
        threading.Thread(target=self._send, args=(stdin, request, data), daemon=True).start()
        threading.Thread(target=self._receive, args=(stdout,), daemon=True).start()

    def __enter__(self) -> "_Reader":
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.wait()

    def receive(self) -> Reply | None:
        """Return the next reply; None if the process has ended, or takes too long. Raises `CancelledError`."""
        begun = child.cpu_seconds(self._process.pid)
        for _look in range(_MOST_LOOKS):
            cancellation.check()
            with contextlib.suppress(queue.Empty):
                return self._replies.get(timeout=_LOOK_EVERY)
            if child.cpu_seconds(self._process.pid) - begun > _PATIENCE:
                break
        return None

    @staticmethod
    def _send(stdin: BinaryIO, request: Request, data: bytes) -> None:
        # If the process has ended, `receive` finds the end of the replies.
        with contextlib.suppress(OSError), stdin:
            stdin.write(msgspec.json.encode(request) + b"\n")
            stdin.write(data)

    def _receive(self, stdout: BinaryIO) -> None:
        with stdout:
            for line in stdout:
                self._replies.put(msgspec.json.decode(line, type=Reply))
        self._replies.put(None)


def _notes(name: str, pages: Sequence[Page], without: Sequence[int], failed: Sequence[int]) -> list[str]:
    notes: list[str] = []
    if without:
        sentence = ngettext(
            "{name}: page {pages} has no text; perhaps it is scanned.",
            "{name}: pages {pages} have no text; perhaps they are scanned.",
            len(without),
        )
        notes.append(Loss(sentence.format(name=name, pages=ranges(without))))
    if failed:
        sentence = ngettext(
            "{name}: page {pages} could not be read and is left out.",
            "{name}: pages {pages} could not be read and are left out.",
            len(failed),
        )
        notes.append(Loss(sentence.format(name=name, pages=ranges(failed))))
    unknown = [page.index for page in pages if page.unknown > _UNKNOWN * sum(len(line.text) for line in page.lines)]
    if unknown:
        sentence = ngettext(
            "{name}: on page {pages}, the file does not say which letters some of its shapes are.",
            "{name}: on pages {pages}, the file does not say which letters some of its shapes are.",
            len(unknown),
        )
        notes.append(Loss(sentence.format(name=name, pages=ranges(unknown))))
    if cut := [page.index for page in pages if page.is_cut]:
        sentence = ngettext(
            "{name}: page {pages} has too much text; only its beginning was read.",
            "{name}: pages {pages} have too much text; only their beginning was read.",
            len(cut),
        )
        notes.append(Loss(sentence.format(name=name, pages=ranges(cut))))
    return notes


def _no_text(name: str, pages: int, *, scanned: bool) -> InputError:
    if not scanned:
        sentence = _("{name} is empty: nothing is on its pages.")
        return InputError(sentence.format(name=name), _("Save or export it once more."))
    sentence = ngettext(
        "{name} has no text on its {n} page; perhaps it is scanned.",
        "{name} has no text on its {n} pages; perhaps they are scanned.",
        pages,
    )
    return InputError(
        sentence.format(name=name, n=pages),
        _("A program for text recognition adds it, for example: ocrmypdf in.pdf out.pdf"),
    )


def _locked(name: str, how: str, *, was_wrong: bool) -> InputError:
    if was_wrong:
        return InputError(
            _("The password does not open {name}.").format(name=name),
            _("Put the right one into a file, and name that: {how}").format(how=how),
        )
    return InputError(
        _("{name} is protected by a password.").format(name=name),
        _("Put it into a file, and name that: {how}").format(how=how),
    )


def _damaged(name: str, *, protection: bool = False) -> InputError:
    if protection:
        return InputError(
            _("{name} is protected in a way that is not known here.").format(name=name),
            _("Open it in the program that made it, and save it without protection."),
        )
    return InputError(
        _("{name} is damaged and cannot be read as PDF.").format(name=name),
        _("Fetch or export it once more; some programs mend such files, for example: qpdf in.pdf out.pdf"),
    )

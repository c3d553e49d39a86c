"""Cancels the reading of a document in the middle."""

import signal
from collections.abc import Callable

import pytest

from qwen_tui import cancellation
from qwen_tui.documents.document import Document, Options
from qwen_tui.errors import CancelledError


def progress_until(last: int, read: Callable[[Options], Document]) -> list[tuple[int, int, str]]:
    """Read a document, press Ctrl-C at its place `last`, and return all the progress that was told."""
    told: list[tuple[int, int, str]] = []

    def on_progress(done: int, total: int, unit: str) -> None:
        told.append((done, total, unit))
        if done == last:
            cancellation.current().cancel(signal.SIGINT)

    with cancellation.operation(), pytest.raises(CancelledError):
        read(Options(on_progress=on_progress))
    return told

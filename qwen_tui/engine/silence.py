"""What is shown while a worker says nothing: that time passes, and at length why that may be."""

from collections.abc import Iterator

from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Loading, Note

# How long a reply is waited for before whoever waits is given the word, in seconds.
TICK = 0.05
# Progress is repeated after so many silent ticks, so that whoever shows it can show time passing too.
HEARTBEAT = 2
# A graphics driver that takes longer than this is taken to prepare itself, in seconds.
_GPU_PATIENCE = 5.0


class Silence:
    """How long a worker has said nothing while it starts.

    It is the ticks that count, not the clock: a program that was stopped has not waited.
    """

    def __init__(self) -> None:
        self._progress = Loading(0.0)
        self._ticks = 0
        self._told = False

    def broken(self, progress: Loading | None = None) -> None:
        """Know that the worker has said something, `progress` perhaps."""
        self._progress = progress or self._progress
        self._ticks = 0

    def tick(self, *, gpu: bool) -> Iterator[Loading | Note]:
        """Yield what to show after one more silent tick: the last progress again, and once that a `gpu` may take long.

        A driver prepares itself before anything is loaded and in the first batch after it; between the two the disk is
        what takes long.
        """
        self._ticks += 1
        if self._ticks % HEARTBEAT:
            return
        if gpu and not self._told and self._progress.fraction in (0, 1) and self._ticks * TICK >= _GPU_PATIENCE:
            self._told = True
            yield Note(_("The graphics driver prepares itself: the first time, that may take a minute or two."))
        yield self._progress

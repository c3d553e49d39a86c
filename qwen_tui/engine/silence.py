"""What a person sees while a starting worker sends nothing: that time passes, and later the likely reason."""

from collections.abc import Iterator

from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Loading, Note

# How long the parent waits for a reply at a time, in seconds. Between two waits it can do something else.
TICK = 0.05
# After so many silent ticks the parent repeats the last progress, so that the display can show that time passes.
HEARTBEAT = 2
# A worker silent for longer than this, in seconds, is taken to wait for the driver of the graphics card.
_GPU_PATIENCE = 5.0


class Silence:
    """How long a worker that is starting has sent nothing.

    It counts ticks and ignores the clock: a program that was suspended has not waited.
    """

    def __init__(self) -> None:
        self._progress = Loading(0.0)
        self._ticks = 0
        self._has_explained = False

    def broken(self, progress: Loading | None = None) -> None:
        """Start to count again, because the worker has sent something, perhaps `progress`."""
        self._progress = progress or self._progress
        self._ticks = 0

    def tick(self, *, gpu: bool) -> Iterator[Loading | Note]:
        """Yield what to show after one more silent tick: the last progress, and once a note that a GPU may take long.

        A driver prepares itself before the loading and in the first batch after it. During the loading, the disk is
        what takes long.
        """
        self._ticks += 1
        if self._ticks % HEARTBEAT:
            return
        if (
            gpu
            and not self._has_explained
            and self._progress.fraction in (0, 1)
            and self._ticks * TICK >= _GPU_PATIENCE
        ):
            self._has_explained = True
            yield Note(_("The graphics driver prepares itself: the first time, that may take a minute or two."))
        yield self._progress

"""What the person types while an answer streams, and how it becomes the next lines: nothing of it sends itself."""

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator

from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from qwen_tui.terminal.quiet import QuietTerminal
from qwen_tui.terminal.sanitise import without_controls

# After so many seconds without a key, an escape character was the Escape key.
_PATIENCE = 0.5


class TypingAhead:
    """Reads the keys of `source`, a terminal that is `quiet`, into `keys` in a `with` block."""

    def __init__(self, source: Input, quiet: QuietTerminal, keys: list[KeyPress]) -> None:
        self._source = source
        self._quiet = quiet
        self._keys = keys
        self._thread: threading.Thread | None = None
        self._has_begun = False
        # The end of the block closes the one end of a pipe, and wakes the thread at the other: what is typed as soon as
        # the next prompt is there must not be taken for typed ahead.
        self._pipe = (-1, -1)

    def __enter__(self) -> None:
        if self._quiet.is_quiet:
            if not self._has_begun:
                self._take_earlier()
            self._pipe = os.pipe()
            self._thread = threading.Thread(target=self._read, daemon=True)
            self._thread.start()

    def __exit__(self, *exception: object) -> None:
        if self._thread is not None:
            os.close(self._pipe[1])
            self._thread.join()
            self._thread = None
            os.close(self._pipe[0])
            while self._source.fileno() in self._ready([self._source.fileno()], 0):
                self._take(self._source.read_keys())
        elif sys.platform == "win32":
            # The console has kept the keys.
            self._keys += self._source.read_keys()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the keys to another reader in the block, as for a question to the person within the answer."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()

    def _read(self) -> None:
        """Read the keys out of the terminal's queue. At 4 KB the queue is full, and no longer accepts Ctrl-C."""
        terminal, end = self._source.fileno(), self._pipe[0]
        patience: float | None = _PATIENCE
        while not self._source.closed:
            ready = self._ready([terminal, end], patience)
            if end in ready:
                return
            if terminal in ready:
                self._take(self._source.read_keys())
                patience = _PATIENCE
            elif patience is None:
                # The terminal is gone.
                return
            else:
                # A single Escape says nothing here. It must not turn the next key into one with Alt.
                self._keys += [key for key in self._source.flush_keys() if key.key != Keys.Escape]
                patience = None

    def _take_earlier(self) -> None:
        """Take what was typed before the terminal was quiet. The kernel has made a newline of every Enter.

        The last one ended a line. The others may be those of a paste, which is one message.
        """
        self._has_begun = True
        keys = self._source.read_keys()
        if keys and keys[-1].key == Keys.ControlJ:
            keys[-1] = KeyPress(Keys.ControlM, "\r")
        self._keys += keys

    def _take(self, keys: list[KeyPress]) -> None:
        if any(key.key == Keys.ControlC for key in keys):
            # The terminal reports Ctrl-C as a key instead of making a signal of it.
            os.kill(os.getpid(), signal.SIGINT)
        self._keys += keys

    def _ready(self, descriptors: list[int], seconds: float | None) -> list[int]:
        """Return which of `descriptors` can be read, within `seconds`; none once the terminal is gone."""
        try:
            return [] if self._source.closed else select.select(descriptors, [], [], seconds)[0]
        except OSError:
            return []


def entries(keys: Iterable[KeyPress]) -> list[str]:
    """Return the texts that `keys` write; each but the last was ended by Enter, and blank ones are left out.

    Keys change a text as they do at the prompt.
    """
    written: list[str] = []
    text = _Text()
    has_alt = False
    for key in keys:
        with_alt, has_alt = has_alt, key.key == Keys.Escape
        if key.key == Keys.ControlM and not with_alt:
            written.append(str(text))
            text = _Text()
        else:
            text.press(key, with_alt=with_alt)
    return [entry for entry in (*written, str(text)) if entry.strip()]


class _Text:
    """A text with a cursor in it."""

    def __init__(self) -> None:
        self._before = self._behind = ""

    def __str__(self) -> str:
        return self._before + self._behind

    def press(self, key: KeyPress, *, with_alt: bool) -> None:
        """Do what `key` does."""
        if key.key == Keys.BracketedPaste:
            self._insert(key.data.replace("\r\n", "\n").replace("\r", "\n"))
        elif with_alt:
            if key.key == Keys.ControlM:
                self._insert("\n")
            elif key.key == Keys.ControlH:
                self._delete_word()
        elif not isinstance(key.key, Keys):
            self._insert(key.data)
        elif (change := _CHANGES.get(key.key)) is not None:
            change(self)

    def _insert(self, text: str) -> None:
        self._before += without_controls(text)

    def _newline(self) -> None:
        self._insert("\n")

    def _delete_back(self) -> None:
        self._before = self._before[:-1]

    def _delete(self) -> None:
        self._behind = self._behind[1:]

    def _delete_word(self) -> None:
        kept = self._before.rstrip()
        self._before = kept[: len(kept) - len(kept.split()[-1])] if kept else ""

    def _delete_to_start(self) -> None:
        self._before = self._before[: self._before.rfind("\n") + 1] if self._before[-1:] != "\n" else self._before[:-1]

    def _delete_to_end(self) -> None:
        end = self._behind.find("\n")
        self._behind = "" if end < 0 else self._behind[max(end, 1) :]

    def _go_left(self) -> None:
        self._before, self._behind = self._before[:-1], self._before[-1:] + self._behind

    def _go_right(self) -> None:
        self._before, self._behind = self._before + self._behind[:1], self._behind[1:]

    def _go_to_start(self) -> None:
        start = self._before.rfind("\n") + 1
        self._before, self._behind = self._before[:start], self._before[start:] + self._behind

    def _go_to_end(self) -> None:
        end = self._behind.find("\n")
        end = len(self._behind) if end < 0 else end
        self._before, self._behind = self._before + self._behind[:end], self._behind[end:]


_CHANGES: dict[Keys, Callable[[_Text], None]] = {
    Keys.ControlJ: _Text._newline,
    Keys.ControlH: _Text._delete_back,
    Keys.Delete: _Text._delete,
    Keys.ControlW: _Text._delete_word,
    Keys.ControlU: _Text._delete_to_start,
    Keys.ControlK: _Text._delete_to_end,
    Keys.Left: _Text._go_left,
    Keys.ControlB: _Text._go_left,
    Keys.Right: _Text._go_right,
    Keys.ControlF: _Text._go_right,
    Keys.Home: _Text._go_to_start,
    Keys.ControlA: _Text._go_to_start,
    Keys.End: _Text._go_to_end,
    Keys.ControlE: _Text._go_to_end,
}

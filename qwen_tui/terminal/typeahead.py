"""What the person types while an answer streams, and how it becomes the next lines: nothing of it sends itself."""

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterable

from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from qwen_tui.terminal.quiet import QuietTerminal
from qwen_tui.terminal.sanitise import without_controls

# While no key comes, the reading thread looks at this interval for the end of the answer, in seconds.
_TICK = 0.05
# After so many ticks without a key, an escape character was the Escape key.
_PATIENCE = 10


class ReadingAhead:
    """Reads the keys of `source`, a terminal that is `quiet`, into `keys` in a `with` block."""

    def __init__(self, source: Input, quiet: QuietTerminal, keys: list[KeyPress]) -> None:
        self._source = source
        self._quiet = quiet
        self._keys = keys
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> None:
        if self._quiet.is_quiet:
            self._thread.start()

    def __exit__(self, *exception: object) -> None:
        if self._quiet.is_quiet:
            self._done.set()
            self._thread.join()
            while self._is_waiting(0):
                self._take(self._source.read_keys())
        elif sys.platform == "win32":
            # The console has kept the keys.
            self._keys += self._source.read_keys()

    def _read(self) -> None:
        """Read the keys out of the terminal's queue. At 4 KB the queue is full, and no longer accepts Ctrl-C."""
        idle = 0
        while not self._done.is_set() and not self._source.closed:
            if self._is_waiting(_TICK):
                idle = 0
                self._take(self._source.read_keys())
            elif idle < _PATIENCE:
                idle += 1
                if idle == _PATIENCE:
                    # A single Escape says nothing here. It must not turn the next key into one with Alt.
                    self._keys += [key for key in self._source.flush_keys() if key.key != Keys.Escape]

    def _take(self, keys: list[KeyPress]) -> None:
        if any(key.key == Keys.ControlC for key in keys):
            # The terminal reports Ctrl-C as a key instead of making a signal of it.
            os.kill(os.getpid(), signal.SIGINT)
        self._keys += keys

    def _is_waiting(self, seconds: float) -> bool:
        """Whether something has come, or comes within `seconds`; never once the terminal is gone."""
        try:
            return not self._source.closed and bool(select.select([self._source.fileno()], [], [], seconds)[0])
        except OSError:
            return False


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

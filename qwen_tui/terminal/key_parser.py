"""prompt_toolkit's parser of what a terminal sends, behind a filter: it takes what it does not know for text."""

import re

from prompt_toolkit.input import Input
from prompt_toolkit.input.ansi_escape_sequences import ANSI_SEQUENCES
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from qwen_tui.terminal.sequences import PASTE_BEGINS, PASTE_ENDS, Splitter, as_key

_CURSOR_REPORT = re.compile(r"\x1b\[\d+;\d+R")


class KeyParser(Vt100Parser):
    """Knows the keys in all their forms, and drops reports of the terminal: colours, focus, its own name."""

    def reset(self, request: bool = False) -> None:
        super().reset(request)
        self._splitter = Splitter()
        # What has come of a paste, None outside of one.
        self._pasted: str | None = None
        self._waited = False

    def feed(self, data: str) -> None:
        """Take what the terminal sent next."""
        waited, self._waited = self._waited, False
        if self._pasted is not None:
            # Where the end of a paste was lost, Ctrl-C ends it: every other key would be part of the paste.
            self._paste(PASTE_ENDS if waited and data == "\x03" else data)
            return
        for piece in self._splitter.feed(data):
            if piece == PASTE_BEGINS:
                self._pasted = ""
                self._paste(self._splitter.take())
                return
            self._press(piece)

    def flush(self) -> None:
        """Take what has come for what it is: nothing came behind it for a while."""
        self._waited = True
        for piece in self._splitter.flush():
            self._press(piece)

    def _paste(self, data: str) -> None:
        """Take the next part of a paste: its text is one key, a report in the midst of it is none of the text."""
        seen = max(0, len(self._pasted or "") - len(PASTE_ENDS))
        self._pasted = (self._pasted or "") + data
        end = self._pasted.find(PASTE_ENDS, seen)
        if end < 0:
            return
        pasted, behind = self._pasted[:end], self._pasted[end + len(PASTE_ENDS) :]
        self._pasted = None
        pieces = list(Splitter().feed(pasted))
        self.feed_key_callback(KeyPress(Keys.BracketedPaste, "".join(one for one in pieces if one[0] != "\x1b")))
        for piece in filter(_CURSOR_REPORT.fullmatch, pieces):
            super().feed(piece)
        self.feed(behind)

    def _press(self, piece: str) -> None:
        piece = as_key(piece)
        if piece == "\x1b":
            self._call_handler(Keys.Escape, piece)
        elif not piece.startswith(("\x1b[", "\x1bO")) or piece in ANSI_SEQUENCES or _CURSOR_REPORT.fullmatch(piece):
            super().feed(piece)
            super().flush()


def filter_keys(source: Input) -> None:
    """Let `source` parse by a `KeyParser`."""
    reader = getattr(source, "console_input_reader", source)
    for name in ("vt100_parser", "_vt100_parser"):
        if (parser := getattr(reader, name, None)) is not None:
            setattr(reader, name, KeyParser(parser.feed_key_callback))

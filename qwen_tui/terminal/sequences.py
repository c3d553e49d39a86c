"""Separates what a terminal sends: text, keys that come as escape sequences, and reports, which nobody has typed.

The grammar is that of ECMA-48, the keys those of xterm (modifyOtherKeys) and of kitty (CSI u).
"""

import re
from collections.abc import Iterator

PASTE_BEGINS, PASTE_ENDS = "\x1b[200~", "\x1b[201~"

# The eight-bit introducers, with the two characters that mean the same.
_SEVEN_BIT = {0x8F: "\x1bO", 0x90: "\x1bP", 0x98: "\x1bX", 0x9B: "\x1b[", 0x9C: "\x1b\\"}
_SEVEN_BIT |= {0x9D: "\x1b]", 0x9E: "\x1b^", 0x9F: "\x1b_"}
# Complete sequences except control strings: F1 to F5 of the Linux console, the oldest mouse reports, CSI, SS3, Alt.
_WHOLE = re.compile(
    r"\x1b(?:\[\[[A-E]|\[M[^\x00-\x1f]{3}|\[(?![\[M])[0-?]*[ -/]*[@-~]|O[0-9;]*[@-~ ]|[^\x1b\[O\]PX^_])"
)
_BEGUN = re.compile(r"\x1b(?:\[(?:\[|M[^\x00-\x1f]{0,2}|[0-?]*[ -/]*)|O[0-9;]*)?\Z")
# OSC, DCS, SOS, PM, APC: a control string ends with BEL or ESC \. Any other control character cuts it off.
_STRING = re.compile(r"\x1b[\]PX^_][^\x00-\x1f]*")
# The beginnings of reports: OSC with a number or a title, DCS with parameters, APC of kitty's graphics.
_REPORT = re.compile(r"\x1b(?:\][0-9lL]|P[0-?!$+]|_G)")
_CONTROL = re.compile(r"[\x00-\x1f]")

_N = r"(\d{1,7})"
_KITTY = re.compile(rf"\x1b\[{_N}(?::{_N}?)?(?::\d*)?(?:;{_N}?(?::{_N})?(?:;((?:\d{{1,7}}|:)*))?)?u")
_OTHER = re.compile(rf"\x1b\[27;{_N};{_N}~")
# Without R, which ends a report of the cursor's position.
_FUNCTION = re.compile(rf"\x1b\[{_N}?;{_N}(?::{_N})?([~A-QS-Z])")
_SHIFT, _ALT, _CTRL, _LOCKS, _RELEASE = 1, 2, 4, 64 | 128, "3"
_ESCAPE, _ENTER, _TAB, _BACKSPACE = 27, 13, 9, (8, 127)
# Kitty's numbers for the keys of the number pad, in their order from 57399.
_PAD = dict(enumerate("0123456789./*-+\r=,", 57399))
# From this number on, kitty's keys are not characters.
_NO_CHARACTER = range(0xE000, 0xF900)


class Splitter:
    """Splits the input from a terminal into complete pieces: runs of characters, and single escape sequences.

    A sequence may arrive in several parts: the splitter waits for the rest. It drops control strings, because all of
    them are reports.
    """

    def __init__(self) -> None:
        self._held = ""
        self._in_string = False

    def feed(self, data: str) -> Iterator[str]:
        """Yield the pieces that `data` completes."""
        self._held += data.translate(_SEVEN_BIT)
        while self._held:
            piece = self._next()
            if piece is None:
                return
            if piece:
                yield piece

    def flush(self) -> Iterator[str]:
        """Yield the incomplete input: nothing has followed for a while, so it is not the beginning of a sequence."""
        if self._in_string:
            return
        if self._held == "\x1b":
            self._held = ""
            yield "\x1b"
        elif len(self._held) > 2 and _STRING.fullmatch(self._held):
            # It is Alt with a key such as ], followed by text.
            text, self._held = self._held[2:], ""
            yield text

    def take(self) -> str:
        """Return what has not been yielded, and forget it."""
        held, self._held = self._held, ""
        return held

    def _next(self) -> str | None:
        """Remove and return the next piece, "" for a dropped one; None if it is not complete yet."""
        if self._in_string:
            return self._rest_of_string()
        if self._held[0] != "\x1b":
            return self._cut(self._held.index("\x1b") if "\x1b" in self._held else len(self._held))
        if string := _STRING.match(self._held):
            if _REPORT.match(self._held):
                self._in_string = True
                self._cut(string.end())
                return ""
            return self._unknown_string(string.end())
        if whole := _WHOLE.match(self._held):
            return self._cut(whole.end())
        if _BEGUN.match(self._held):
            return None
        if self._held[1] == "\x1b":
            return self._cut(1)
        # A control character cuts the sequence off.
        broken = _CONTROL.search(self._held, 1)
        self._cut(broken.start() if broken else 2)
        return ""

    def _rest_of_string(self) -> str | None:
        """Drop as much of the rest of a control string as has arrived."""
        end = _CONTROL.search(self._held)
        if end is None:
            self._held = ""
            return None
        self._cut(end.start())
        if self._held == "\x1b":
            return None
        self._in_string = False
        self._cut(2 if self._held.startswith("\x1b\\") else 1 if self._held[0] == "\a" else 0)
        return ""

    def _unknown_string(self, end: int) -> str | None:
        """Drop a complete control string; if a control character cuts it off, it was Alt with a key, and text."""
        behind = self._held[end : end + 2]
        if behind in ("", "\x1b"):
            return None
        if behind[0] == "\a" or behind == "\x1b\\":
            self._cut(end + (1 if behind[0] == "\a" else 2))
            return ""
        self._cut(2)
        return ""

    def _cut(self, length: int) -> str:
        piece, self._held = self._held[:length], self._held[length:]
        return piece


def as_key(sequence: str) -> str:
    """Return the sequence of a key in the form that every program knows, "" if no key was pressed.

    Enter with Shift, Ctrl or Alt is a newline. A sequence without kitty's or xterm's new form stays unchanged.
    """
    if match := _KITTY.fullmatch(sequence):
        code, shifted, modifiers, event, text = match.groups()
        if event == _RELEASE:
            return ""
        held = _bits(modifiers)
        typed = text or (shifted if held == _SHIFT else "") or ""
        return _key(int(code), held, "".join(chr(int(one)) for one in typed.split(":") if _is_character(int(one or 0))))
    if match := _OTHER.fullmatch(sequence):
        return _key(int(match[2]), _bits(match[1]))
    if match := _FUNCTION.fullmatch(sequence):
        number, modifiers, event, final = match.groups()
        if event == _RELEASE:
            return ""
        held = _bits(modifiers)
        if held == 0:
            return f"\x1b[{'' if number == '1' else number or ''}{final}"
        return f"\x1b[{number or 1};{held + 1}{final}"
    return sequence


def without_sequences(line: str) -> str:
    """Return the text in `line`, which a terminal sent, without its escape sequences."""
    splitter = Splitter()
    return "".join(piece for piece in (*splitter.feed(line), *splitter.flush()) if piece[0] != "\x1b")


def _bits(modifiers: str | None) -> int:
    """Return the held modifiers, without Caps Lock and Num Lock."""
    return max(0, int(modifiers or 1) - 1) & ~_LOCKS


def _key(code: int, held: int, typed: str = "") -> str:
    """Return what a terminal without extensions sends for a key with the modifiers `held`, "" if it sends nothing."""
    if code in _PAD:
        code = ord(_PAD[code])
    if held & ~(_SHIFT | _ALT | _CTRL):
        # Super and similar modifiers belong to the window manager.
        return ""
    if code == _ENTER:
        return "\n" if held else "\r"
    if code == _TAB:
        return "\x1b[Z" if held & _SHIFT else "\t"
    if code in _BACKSPACE:
        return "\x1b\x7f" if held & (_ALT | _CTRL) else "\x7f"
    if code == _ESCAPE:
        return "\x1b"
    if not _is_character(code):
        return ""
    char = typed or (chr(code).upper() if held & _SHIFT else chr(code))
    if held & _CTRL:
        # Terminals use Ctrl-Shift with a letter for themselves.
        char = "" if held & _SHIFT and chr(code).isalpha() else _control(chr(code))
    return f"\x1b{char}" if char and held & _ALT else char


def _control(char: str) -> str:
    """Return the control character of Ctrl with `char`, "" if there is none."""
    char = {" ": "@", "/": "_"}.get(char, char.upper())
    return chr(ord(char) & 0x1F) if "@" <= char <= "_" else ""


def _is_character(code: int) -> bool:
    return 0x20 <= code <= 0x10FFFF and not 0xD800 <= code < 0xE000 and code not in _NO_CHARACTER

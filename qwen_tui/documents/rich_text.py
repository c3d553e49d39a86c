"""Reads RTF, which WordPad, TextEdit and old programs write: its groups, its control words and its encodings."""

import re
from dataclasses import dataclass, replace

from qwen_tui import cancellation
from qwen_tui.documents.document import Document, Options, Section
from qwen_tui.documents.markdown_writer import raised
from qwen_tui.documents.office.found import Found
from qwen_tui.documents.other_kinds import without_text
from qwen_tui.documents.rich_text_layout import Layout
from qwen_tui.errors import InputError
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Loss

_TOKEN = re.compile(
    rb"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?[0-9]{1,10})? ?|\\'(?P<byte>[0-9a-fA-F]{2})|\\(?P<symbol>[^a-zA-Z])"
    rb"|(?P<brace>[{}])|[\r\n]+|(?P<text>[^\\{}\r\n]+)|\\",
    re.DOTALL,
)
# Which encoding the number of a character set means.
_CHARSETS = {
    128: "cp932",
    129: "cp949",
    134: "gb18030",
    136: "cp950",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
}
_CODE_PAGES = {936: "gb18030", 10000: "mac_roman"}
_FAMILIES = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}
_UNREAD = re.compile(
    "colortbl|datastore|fldinst|footer[flr]?|ftncn|ftnsepc?|header[flr]?|info|nonshppict|objdata|sp|themedata"
)
# Of the groups that a program may leave out, these hold text or pictures.
_READ = frozenset(("footnote", "shppict", "shpinst", "shptxt"))
_SIGNS = {
    "tab": "\t",
    "line": "\v",
    "emdash": "—",
    "endash": "–",
    "bullet": "•",
    "emspace": " ",
    "enspace": " ",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
}
# The words that end a paragraph or a cell.
_ENDS = ("par", "sect", "page", "cell", "nestcell")
_SYMBOLS = {b"~": " ", b"_": "-", b"{": "{", b"}": "}", b"\\": "\\"}
# The loop over the tokens looks for Ctrl-C every so many.
_LOOK_EVERY = 5_000


@dataclass(frozen=True)
class _State:
    """What holds in a group, and is forgotten at its end."""

    kind: str = ""
    codec: str = ""
    after_unicode: int = 1
    is_raised: bool = False
    is_hidden: bool = False


def is_rich_text(head: bytes) -> bool:
    """Whether a file that begins so is RTF."""
    return head.startswith(b"{\\rtf")


def read(data: bytes, name: str, _options: Options) -> Document:
    """Return the text of an RTF file; raises `InputError`."""
    reader = _Reader(name)
    position = count = 0
    while found := _TOKEN.match(data, position):
        position = found.end() + reader.take(found)
        count += 1
        if not count % _LOOK_EVERY:
            cancellation.check()
    is_cut = reader.is_open
    text = reader.text()
    if not text and is_cut:
        raise InputError(
            _("{name} is damaged: it ends before its text begins.").format(name=name),
            _("Fetch or export it once more, or open it in the program that made it, and save it again."),
        )
    if not text:
        raise without_text(name)
    notes = list(reader.found.notes(name))
    if is_cut:
        notes.append(Loss(_("{name} ends in the middle; what is there was read.").format(name=name)))
    return Document(name, (Section(text),), notes=tuple(notes))


class _Reader:
    """Takes the tokens one by one. A group begins with the state of the one around it."""

    def __init__(self, name: str) -> None:
        self.found = Found()
        self._layout = Layout(name)
        self._state = _State()
        self._outer: list[_State] = []
        self._default = "cp1252"
        self._fonts: dict[int, str] = {}
        # The number of the font or the style that a table of them describes.
        self._described = 0
        self._is_optional = False
        self._to_skip = 0
        self._bytes = bytearray()

    @property
    def is_open(self) -> bool:
        """Whether a group is still open: at the end of a file, none is."""
        return bool(self._outer)

    def text(self) -> str:
        """Return all that was read."""
        while self._outer:
            self._end_group()
        self._decode()
        return self._layout.result()

    def take(self, token: re.Match[bytes]) -> int:
        """Take a token; return how many bytes behind it are none."""
        if token["brace"] == b"{":
            self._decode()
            self._outer.append(self._state)
        elif token["brace"]:
            self._end_group()
        elif token["byte"]:
            self._add_bytes(bytes.fromhex(token["byte"].decode()))
        elif token["text"]:
            self._add_bytes(token["text"])
        elif symbol := token["symbol"]:
            if symbol == b"*":
                self._is_optional = True
            elif symbol in b"\r\n":
                self._control("par", 0)
            else:
                self._add(_SYMBOLS.get(symbol, ""))
        elif token["word"]:
            word, number = token["word"].decode(), int(token["number"] or 0)
            if word == "bin":
                return max(0, number)
            self._control(word, number, is_off=token["number"] == b"0")
        return 0

    def _control(self, word: str, number: int, *, is_off: bool = False) -> None:
        is_optional, self._is_optional = self._is_optional, False
        state = self._state
        if is_optional and word not in _READ and state.kind != "skip":
            self.found.comments += word == "annotation"
            self._begin("skip")
        elif _UNREAD.fullmatch(word):
            self._begin("skip")
        elif word in ("fonttbl", "stylesheet", "listtext", "pntext", "pict", "footnote"):
            self._begin_destination(word)
        elif word == "u":
            self._add(chr(number & 0xFFFF))
            self._to_skip = state.after_unicode
        elif word == "uc":
            self._state = replace(state, after_unicode=max(0, number))
        elif word in ("f", "s", "fcharset"):
            self._choose(word, number)
        elif word == "ansicpg":
            self._default = _CODE_PAGES.get(number, f"cp{number}" if 400 < number < 1300 else self._default)
        elif word in _FAMILIES:
            self._default = _FAMILIES[word]
        elif word in ("super", "nosupersub", "sub"):
            self._decode()
            self._state = replace(self._state, is_raised=word == "super" and not is_off)
        elif word in ("deleted", "v"):
            self.found.changes += word == "deleted"
            self.found.hidden += word == "v" and not is_off
            self._decode()
            self._state = replace(self._state, is_hidden=not is_off)
        elif word == "plain":
            self._decode()
            self._state = replace(self._state, codec="", is_raised=False, is_hidden=False)
        elif state.kind != "skip" and word in _SIGNS:
            self._add(_SIGNS[word])
        elif state.kind != "skip":
            if word in _ENDS:
                self._decode()
            self._layout.take(word, number)

    def _begin(self, kind: str) -> None:
        self._decode()
        self._state = replace(self._state, kind=kind)

    def _begin_destination(self, word: str) -> None:
        """Begin a group whose text is no part of the paragraph around it."""
        if self._state.kind == "skip":
            return
        self.found.pictures += word == "pict"
        self._begin("skip" if word == "pict" else word)
        if word in ("footnote", "listtext", "pntext"):
            self._layout.begin_apart()

    def _end_group(self) -> None:
        self._decode()
        self._is_optional = False
        ended, self._state = self._state, self._outer.pop() if self._outer else _State()
        kind = ended.kind
        if kind == "stylesheet":
            self._layout.end_style(self._described)
        elif kind == "fonttbl":
            self._layout.forget()
        elif kind == self._state.kind:
            # A group within a note ends, and not the note.
            return
        elif kind == "footnote":
            self._layout.end_note()
        elif kind in ("listtext", "pntext"):
            self._layout.end_marker()

    def _choose(self, word: str, number: int) -> None:
        """Take a font or a style: what a table of them describes, or what the text has from here on."""
        kind = self._state.kind
        if word == "fcharset":
            self._fonts[self._described] = _CHARSETS.get(number, "")
        elif kind in ("fonttbl", "stylesheet"):
            if (kind, word) in (("fonttbl", "f"), ("stylesheet", "s")):
                self._described = number
        elif word == "s":
            self._layout.take(word, number)
        else:
            self._decode()
            self._state = replace(self._state, codec=self._fonts.get(number, ""))

    def _add_bytes(self, data: bytes) -> None:
        skipped = min(self._to_skip, len(data))
        self._to_skip -= skipped
        self._bytes += data[skipped:]

    def _add(self, text: str) -> None:
        self._decode()
        self._to_skip = 0
        if self._state.kind != "skip" and not self._state.is_hidden:
            self._layout.add(raised(text) if self._state.is_raised else text)

    def _decode(self) -> None:
        """Add the bytes that have come as text: a character may consist of two."""
        if self._bytes:
            data, self._bytes = bytes(self._bytes), bytearray()
            try:
                text = data.decode(self._state.codec or self._default, "replace")
            except LookupError:
                text = data.decode("cp1252", "replace")
            to_skip = self._to_skip
            self._add(text)
            self._to_skip = to_skip

"""Makes the pictures of the README from the real program: what its screen shows, as SVG, dark and light.

    python scripts/screenshots.py                            # all of them, into docs/
    python scripts/screenshots.py chat-zh --out pictures    # some of them, elsewhere

Each picture is a conversation with the demonstration model in a pseudo-terminal, typed as a person would. POSIX only.
The toolbar shows the measured speed, so it differs each time; all else stays the same.
"""

import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pexpect
import pyte
from command_line import QWEN, command_line

ROOT = Path(__file__).resolve().parent.parent
ENTER, TAB = "\r", "\t"
LONGEST_ANSWER_S = 180
# Common fonts, none of which is fetched. The Chinese ones come last: they serve for characters the others lack.
FONTS = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', 'Noto Sans Mono CJK SC', monospace"
# Chinese characters are a little larger, so that they fill two columns.
FONT_SIZE, WIDE_FONT_SIZE = 14, 15.5
CELL, LINE = 8.4, 19
MARGIN, TITLE_BAR, TEXT_TOP = 16, 34, 46


class Picture(NamedTuple):
    """A screen: what is typed, with a pause after each part, and what the toolbar shows at the end."""

    language: str
    columns: int
    rows: int
    typed: tuple[str, ...]
    until: str


_ANSWERED = r"\d\.\d (tokens/s|token/秒)"
PICTURES = {
    "chat-zh": Picture("zh", 84, 19, ("用小学生能听懂的话解释 HTTP" + ENTER,), _ANSWERED),
    "chat-en": Picture("en", 84, 29, ("Show me some sample Python code" + ENTER,), _ANSWERED),
    "table-zh": Picture("zh", 84, 25, ("演示一个 Markdown 表格" + ENTER,), _ANSWERED),
    "table-en": Picture("en", 84, 23, ("Show me a Markdown table" + ENTER,), _ANSWERED),
    "template-zh": Picture("zh", 84, 13, ("/template email" + ENTER, "王经理" + TAB), "目的"),
    "template-en": Picture("en", 84, 14, ("/template email" + ENTER, "Ms Lee" + TAB), "what it must say"),
}


class Palette(NamedTuple):
    """The colours of a terminal: its own, those of the window, and the sixteen ANSI colours by the names in pyte."""

    background: str
    foreground: str
    bar: str
    border: str
    ansi: dict[str, str]


_NAMES = ("black", "red", "green", "brown", "blue", "magenta", "cyan", "white")


def _sixteen(plain: str, bright: str) -> dict[str, str]:
    return dict(zip((*_NAMES, *("bright" + n for n in _NAMES)), (plain + " " + bright).split(), strict=True))


PALETTES = {
    "dark": Palette(
        background="#171a21",
        foreground="#dde1e8",
        bar="#232833",
        border="#3a4150",
        ansi=_sixteen(
            "#3b4252 #e8737f #8fc97a #dcb25c #6ea8f0 #c792e8 #56b9c6 #c3c9d4",
            "#8b94a5 #ff8f9a #a9df95 #f0cb7c #90c0ff #dcb0f7 #7bd5e0 #ffffff",
        ),
    ),
    "light": Palette(
        background="#ffffff",
        foreground="#24292f",
        bar="#eef1f4",
        border="#d0d5dc",
        ansi=_sixteen(
            "#24292f #b3262f #1f7a35 #8a5a00 #1f5fc4 #8b36b0 #0f7180 #6b7480",
            "#66707c #cf3a44 #2c8f45 #a06c0a #3474dc #a14cc8 #1c8797 #8b949e",
        ),
    ),
}


class Screen(pyte.Screen):
    """A screen that stores faint characters as blinking ones: pyte does not know faint, the program never blinks."""

    def select_graphic_rendition(self, *attrs: int, **kwargs: Any) -> None:
        # After 38 and 48 come the numbers of a colour.
        if not {38, 48} & set(attrs):
            faint = {2: (5,), 22: (22, 25)}
            attrs = tuple(code for attr in attrs for code in faint.get(attr, (attr,)))
        super().select_graphic_rendition(*attrs, **kwargs)


class Terminal:
    """The program in a pseudo-terminal, with its screen and its keyboard."""

    def __init__(self, picture: Picture, theme: str, home: str) -> None:
        kept = {k: v for k, v in os.environ.items() if k != "NO_COLOR" and not k.startswith("QWEN_TUI_")}
        settings = {"QWEN_TUI_HOME": home, "QWEN_TUI_LANG": picture.language, "QWEN_TUI_THEME": theme}
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.screen = Screen(picture.columns, picture.rows)
        self._stream = pyte.Stream(self.screen)
        self.process = pexpect.spawn(
            QWEN[0],
            [*QWEN[1:], "chat", "-m", "demo", "-n", "-o", "temperature=0"],
            dimensions=(picture.rows, picture.columns),
            encoding="utf-8",
            env={**kept, **settings, "PYTHONPATH": path, "TERM": "xterm-256color"},
        )

    def type(self, keys: str) -> None:
        """Type at the speed of a fast typist."""
        for key in keys:
            self.process.send(key)
            self.watch(0.03)

    def watch(self, seconds: float) -> None:
        """Read the program's output for some seconds."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                piece = self.process.read_nonblocking(65536, timeout=left)
            except (pexpect.TIMEOUT, pexpect.EOF):
                return
            for i, part in enumerate(piece.split("\x1b[6n")):
                if i:
                    # The program asks for the position of the cursor, and a terminal answers.
                    cursor = self.screen.cursor
                    self.process.send(f"\x1b[{cursor.y + 1};{cursor.x + 1}R")
                self._stream.feed(part)

    def wait_for(self, pattern: str) -> None:
        """Wait until the toolbar, the last line of the screen, matches, and all output has been drawn."""
        deadline = time.monotonic() + LONGEST_ANSWER_S
        while not re.search(pattern, "\n".join(self.screen.display).rstrip().rpartition("\n")[2]):
            if time.monotonic() > deadline or not self.process.isalive():
                raise SystemExit(f"waited in vain for {pattern!r}:\n" + "\n".join(self.screen.display))
            self.watch(0.2)
        self.watch(0.5)


def photograph(picture: Picture, theme: str) -> Screen:
    """Return the screen after everything is typed and answered."""
    with tempfile.TemporaryDirectory() as home:
        terminal = Terminal(picture, theme, home)
        try:
            # The toolbar appears when the banner is there and the model is loaded.
            terminal.wait_for(r"demo · (?!.*%)")
            for keys in picture.typed:
                terminal.type(keys)
                terminal.watch(1)
            terminal.wait_for(picture.until)
            return terminal.screen
        finally:
            terminal.process.close(force=True)


def svg(screen: Screen, palette: Palette, title: str) -> str:
    """Return the screen as a picture in a window."""
    used = max(y for y, line in enumerate(screen.display) if line.strip()) + 1
    width, height = round(screen.columns * CELL + 2 * MARGIN), TEXT_TOP + used * LINE + MARGIN
    box = f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="9"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' font-family="{FONTS}" font-size="{FONT_SIZE}" fill="{palette.foreground}">',
        f"<title>{escape(title)}</title>",
        f'{box} fill="{palette.background}"/>',
        f'<path d="M.5 {TITLE_BAR}V9.5a9 9 0 0 1 9-9H{width - 9.5}a9 9 0 0 1 9 9V{TITLE_BAR}z" fill="{palette.bar}"/>',
        f'{box} fill="none" stroke="{palette.border}"/>',
        *(f'<circle cx="{MARGIN + 6 + 20 * i}" cy="17" r="5.5" fill="{palette.border}"/>' for i in range(3)),
        f'<text x="{width / 2:g}" y="22" text-anchor="middle" fill-opacity=".65">{escape(title)}</text>',
    ]
    for y in range(used):
        lines += runs(screen, y, palette)
    x, y = MARGIN + screen.cursor.x * CELL, TEXT_TOP + screen.cursor.y * LINE
    cursor = f'<rect x="{x - 1:.4g}" y="{y + 1}" width="2" height="{LINE - 2}" fill="{palette.ansi["brightblue"]}"/>'
    return "\n".join([*lines, cursor, "</svg>"]) + "\n"


def runs(screen: Screen, y: int, palette: Palette) -> Iterator[str]:
    """Return the SVG elements of a line, one for each run of characters that look the same."""
    row = screen.buffer[y]

    def look_and_width(x: int) -> tuple[Any, bool]:
        return row[x]._replace(data=""), "" in (row[x].data, row[x + 1].data)

    for (look, is_wide), group in groupby(range(screen.columns), look_and_width):
        columns = list(group)
        text = "".join(row[x].data for x in columns)
        ink = palette.ansi.get(look.fg, palette.foreground)
        left, width = MARGIN + columns[0] * CELL, len(columns) * CELL
        top = TEXT_TOP + y * LINE
        if look.reverse:
            yield f'<rect x="{left:.4g}" y="{top}" width="{width:.4g}" height="{LINE}" fill="{ink}"/>'
            ink = palette.background
        for is_drawn, height in ((look.underscore, 16.5), (look.strikethrough, 9.5)):
            if is_drawn:
                yield f'<path d="M{left:.4g} {top + height}h{width:.4g}" stroke="{ink}"/>'
        if text.strip():
            style = "" if ink == palette.foreground else f' fill="{ink}"'
            style += f' font-size="{WIDE_FONT_SIZE}"' * is_wide
            style += ' font-weight="bold"' * look.bold + ' font-style="italic"' * look.italics
            # Faint characters, see Screen.
            style += ' fill-opacity=".6"' * look.blink
            yield f'<text y="{top + 14}"{style} xml:space="preserve">{"".join(pieces(row, columns))}</text>'


def pieces(row: Any, columns: list[int]) -> Iterator[str]:
    """Return the characters of `columns` on the grid, in any font: ASCII is stretched, others are placed one by one."""
    for is_ascii, group in groupby(columns, lambda x: row[x].data.isascii() and row[x].data != ""):
        xs = list(group)
        if not is_ascii:
            yield from (f'<tspan x="{MARGIN + x * CELL:.4g}">{row[x].data}</tspan>' for x in xs if row[x].data)
            continue
        text = "".join(row[x].data for x in xs)
        if text.strip():
            start = xs[0] + len(text) - len(text.lstrip())
            text = text.strip()
            length = f"{len(text) * CELL:.4g}"
            yield f'<tspan x="{MARGIN + start * CELL:.4g}" textLength="{length}">{escape(text, quote=False)}</tspan>'


def main() -> int:
    """Make the named pictures, or all, and return the exit code."""
    parser = command_line(__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which pictures to make: {', '.join(PICTURES)}")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", metavar="FOLDER", help="where to (docs)")
    options = parser.parse_args()
    if unknown := set(options.names) - set(PICTURES):
        parser.error(f"no such picture: {', '.join(sorted(unknown))}")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names or PICTURES:
        for theme, palette in PALETTES.items():
            path = options.out / f"{name}-{theme}.svg"
            path.write_text(svg(photograph(PICTURES[name], theme), palette, "qwen chat -m demo"), encoding="utf-8")
            print(f"{path}: {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())

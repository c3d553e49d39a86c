"""The colours and the signs of rendered Markdown: the terminal's own sixteen colours, never a fixed background."""

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from rich.style import Style


class Signs(NamedTuple):
    """What lists, quotes, tables and rules are drawn with."""

    bullets: tuple[str, ...] = ("•", "◦", "▪")
    done: str = "☑"
    to_do: str = "☐"
    quote: str = "│ "
    line: str = "─"
    column: str = " │ "
    crossing: str = "─┼─"


# Where the line-drawing characters may be two columns wide, no table would hold together.
ASCII_SIGNS = Signs(("*", "-", "+"), "[x]", "[ ]", "| ", "-", " | ", "-+-")


class Theme(NamedTuple):
    """Styles by role; `code` gives the style of a Pygments token."""

    heading: Style
    marker: Style
    inline_code: Style
    link: Style
    faint: Style
    mathematics: Style
    code: Callable[[Any], Style]


def theme(name: str = "auto") -> Theme:
    """Return the colours for a `dark` or a `light` terminal; `auto` for what the terminal says it is."""
    from rich.syntax import ANSI_DARK, ANSI_LIGHT, ANSISyntaxTheme

    dark = (background() if name == "auto" else name) == "dark"
    accent, second = ("bright_cyan", "bright_yellow") if dark else ("blue", "magenta")
    return Theme(
        heading=Style(color=accent, bold=True),
        marker=Style(color=accent),
        inline_code=Style(color=second),
        link=Style(underline=True),
        faint=Style(dim=True),
        mathematics=Style(italic=True),
        code=ANSISyntaxTheme(ANSI_DARK if dark else ANSI_LIGHT).get_style_for_token,
    )


def background(environ: Mapping[str, str] = os.environ) -> str:
    """Return what the terminal says of its background in COLORFGBG, dark where it says nothing."""
    last = environ.get("COLORFGBG", "").rpartition(";")[2]
    return "light" if last in ("7", "15") else "dark"

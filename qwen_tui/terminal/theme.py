"""The colours and the signs of rendered Markdown. They use the terminal's own sixteen colours and set no background."""

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from rich.style import Style


class Signs(NamedTuple):
    """The characters for lists, quotes, tables and rules."""

    bullets: tuple[str, ...] = ("•", "◦", "▪")
    done: str = "☑"
    to_do: str = "☐"
    quote: str = "│ "
    line: str = "─"
    column: str = " │ "
    crossing: str = "─┼─"


# For terminals whose line-drawing characters may be two columns wide: tables made of those would not line up.
ASCII_SIGNS = Signs(("*", "-", "+"), "[x]", "[ ]", "| ", "-", " | ", "-+-")


_CODE_ON_DARK = {
    "Comment": "dim",
    "Keyword": "bright_magenta",
    "Operator.Word": "bright_magenta",
    "Literal.String": "bright_green",
    "Literal.Number": "bright_yellow",
    "Name.Function": "bright_blue",
    "Name.Class": "bright_blue",
    "Name.Decorator": "bright_blue",
    "Name.Tag": "bright_blue",
    "Name.Builtin": "bright_cyan",
    "Name.Attribute": "bright_cyan",
    "Generic.Deleted": "bright_red",
    "Generic.Inserted": "bright_green",
    "Generic.Heading": "bold",
    "Generic.Subheading": "bold",
}
_CODE_ON_LIGHT = {kind: colour.removeprefix("bright_") for kind, colour in _CODE_ON_DARK.items()} | {
    # Yellow on white is unreadable.
    "Literal.Number": "red",
}


class Theme(NamedTuple):
    """Styles by role; `code` gives the style of a Pygments token."""

    heading: Style
    marker: Style
    inline_code: Style
    link: Style
    faint: Style
    mathematics: Style
    code: Callable[[Any], Style]


def theme(name: str = "auto", environ: Mapping[str, str] = os.environ) -> Theme:
    """Return the colours for a `dark` or a `light` terminal; `auto` takes what the terminal reports."""
    dark = (background(environ) if name == "auto" else name) == "dark"
    accent, second = ("bright_cyan", "bright_yellow") if dark else ("blue", "magenta")
    return Theme(
        heading=Style(color=accent, bold=True),
        marker=Style(color=accent),
        inline_code=Style(color=second),
        link=Style(underline=True),
        faint=Style(dim=True),
        mathematics=Style(italic=True),
        code=_code_styles(_CODE_ON_DARK if dark else _CODE_ON_LIGHT),
    )


def _code_styles(colours: Mapping[str, str]) -> Callable[[Any], Style]:
    styles = {kind: Style.parse(colour) for kind, colour in colours.items()}

    @lru_cache(512)
    def style(kind: Any) -> Style:
        # Names of Pygments tokens are paths, as Literal.String.Doc; the longest known prefix gives the style.
        path = str(kind).removeprefix("Token.")
        while path and path not in styles:
            path = path.rpartition(".")[0]
        return styles.get(path, Style.null())

    return style


def background(environ: Mapping[str, str] = os.environ) -> str:
    """Return `light` or `dark`, as the terminal reports in COLORFGBG; `dark` if it reports nothing."""
    last = environ.get("COLORFGBG", "").rpartition(";")[2]
    return "light" if last in ("7", "15") else "dark"

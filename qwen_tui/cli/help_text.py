"""Translates the help of the commands: Typer's own words in it are English."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from qwen_tui.i18n import gettext as _

# Typer's addition to the help of an option or argument, such as [default: 20; required].
_ADDED = re.compile(r" *\[((?:default: |required|env var: |x?[<>0-9]).*)\]$", re.DOTALL)
# The type of an argument as it is in the code, such as NAME <list[str]>.
_KIND = re.compile(r" <.*>$")


class _Formatter(typer.Context.formatter_class):  # type: ignore[misc, valid-type]
    """Writes the help of a command."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the usage of the command."""
        args = args.replace("[OPTIONS]", _("[OPTIONS]")).replace("COMMAND [ARGS]...", _("COMMAND [ARGS]..."))
        super().write_usage(prog, args, _("Usage: ") if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        """Write the heading of a list."""
        named = {"Arguments": _("Arguments:"), "Options": _("Options:"), "Commands": _("Commands:")}
        self.write(f"{'':{self.current_indent}}{named[heading]}\n")

    def write_dl(self, rows: Sequence[tuple[str, str]], **layout: Any) -> None:
        """Write a list of names and what they mean."""
        super().write_dl([(_KIND.sub("", name), _translated(said)) for name, said in rows], **layout)


class _Context(typer.Context):
    formatter_class = _Formatter


def translate(command: Any) -> None:
    """Translate the help of a command and of all its subcommands."""
    command.context_class = _Context
    if isinstance(command, TyperGroup):
        for one in command.commands.values():
            translate(one)


def _translated(said: str) -> str:
    """Return the help of an option with Typer's words translated."""
    if said == "Show this message and exit.":
        return _("Show this message and exit.")
    added = _ADDED.search(said)
    if added is None:
        return said
    return f"{said[: added.start()]} [{_('; ').join(_facts(added[1]))}]".lstrip()


def _facts(added: str) -> Iterator[str]:
    for fact in added.split("; "):
        name, _colon, value = fact.partition(": ")
        if name == "required":
            yield _("required")
        elif name == "default":
            yield _("default: {value}").format(value=value)
        elif limits := re.fullmatch(r"(?:(.+)<=)?x(?:>=(.+)|<=(.+))?", fact):
            lowest, highest = limits[1] or limits[2], limits[3]
            sentence = _("{lowest} to {highest}") if lowest and highest else _("at least {lowest}")
            yield sentence.format(lowest=lowest, highest=highest)
        else:
            yield fact

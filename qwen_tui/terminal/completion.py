"""What Tab offers in the input line: commands, and values for their arguments."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from qwen_tui.errors import QwenError
from qwen_tui.typed_text import as_command

# For each kind of argument, a function from what is typed of it to its possible values, with descriptions. Every Tab
# calls it anew.
Offers = Mapping[str, Callable[[str], Iterable[tuple[str, str]]]]
# The kinds of argument that are not the last.
_FOLLOWED = ("option", "template")


class Completion(NamedTuple):
    """A command, its description, and the kind of its argument: `path`, `text`, `nothing`, or a key of the `Offers`."""

    name: str
    description: str
    takes: str


def candidates(line: str, commands: Sequence[Completion], offers: Offers) -> Iterable[tuple[str, str]]:
    """Return what may replace the last word of `line`, with descriptions; `path_start` is for paths.

    These are the values that begin with the word; if none does, those whose description contains it. A blank stands
    behind those that something follows.
    """
    name, argument = as_command(line) or ("", None)
    if argument is None:
        known = [command for command in commands if name and command.name.startswith(name.lower())]
        return [(command.name + " " * (command.takes != "nothing"), command.description) for command in known]
    takes = _takes(name, commands)
    offer = offers.get(takes)
    if offer is None or len(argument.split()) > 1 or argument[-1:].isspace():
        return []
    try:
        offered = list(offer(argument))
    except (QwenError, OSError):
        # Tab offers nothing then. The command itself tells the person why.
        return []
    values = [(text + " " * (takes in _FOLLOWED), text, description) for text, description in offered]
    begun = [(whole, description) for whole, text, description in values if text.startswith(argument)]
    return begun or [(whole, description) for whole, _text, description in values if argument in description]


def last_word(line: str) -> str:
    """Return the part of `line` that one of the `candidates` replaces."""
    return re.split(r"\s", line)[-1]


def path_start(line: str, commands: Sequence[Completion]) -> int | None:
    """Return the index in `line` where a path begins, behind its quote, None if the command takes no path."""
    name, argument = as_command(line) or ("", None)
    if argument is None or _takes(name, commands) != "path":
        return None
    return len(line) - len(argument) + argument.startswith(("'", '"'))


def _takes(name: str, commands: Sequence[Completion]) -> str:
    return next((command.takes for command in commands if command.name == name.lower()), "nothing")

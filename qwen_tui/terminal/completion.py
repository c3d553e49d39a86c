"""What Tab offers in the input line: commands, and values for their arguments."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

# For each kind of argument, a function that returns its possible values with descriptions. Every Tab calls it anew.
Offers = Mapping[str, Callable[[], Iterable[tuple[str, str]]]]


class Completion(NamedTuple):
    """A command, its description, and the kind of its argument: `path`, `text`, `nothing`, or a key of the `Offers`."""

    name: str
    description: str
    takes: str


def candidates(line: str, commands: Sequence[Completion], offers: Offers) -> Iterable[tuple[str, str]]:
    """Return what may replace the last word of `line`, with descriptions; `path_start` is for paths.

    These are the values that begin with the word; if none does, those whose description contains it.
    """
    name, space, argument = line.partition(" ")
    if not name.startswith("/"):
        return []
    if not space:
        return [(command.name, command.description) for command in commands if command.name.startswith(name)]
    offer = offers.get(_takes(name, commands))
    if offer is None or " " in argument:
        return []
    known = list(offer())
    begun = [(text, description) for text, description in known if text.startswith(argument)]
    return begun or [(text, description) for text, description in known if argument in description]


def path_start(line: str, commands: Sequence[Completion]) -> int | None:
    """Return the index in `line` where a path begins, None if the command takes no path."""
    name, space, _argument = line.partition(" ")
    return len(name) + 1 if space and _takes(name, commands) == "path" else None


def _takes(name: str, commands: Sequence[Completion]) -> str:
    return next((command.takes for command in commands if command.name == name), "nothing")

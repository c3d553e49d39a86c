"""What Tab offers in the input line: commands, and what they take."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

# What there is of each thing that a command takes, with descriptions; asked for at every Tab.
Offers = Mapping[str, Callable[[], Iterable[tuple[str, str]]]]


class Completion(NamedTuple):
    """A command, its description, and what follows it: `path`, `text`, `nothing`, or one of the `Offers`."""

    name: str
    description: str
    takes: str


def candidates(line: str, commands: Sequence[Completion], offers: Offers) -> Iterable[tuple[str, str]]:
    """Return what may replace the last word of `line`, with descriptions; paths are left to `path_start`.

    What begins with the word comes first; where nothing does, what has it in its description.
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
    """Return where in `line` a path begins that could be completed, None if there is none."""
    name, space, _argument = line.partition(" ")
    return len(name) + 1 if space and _takes(name, commands) == "path" else None


def _takes(name: str, commands: Sequence[Completion]) -> str:
    return next((command.takes for command in commands if command.name == name), "nothing")

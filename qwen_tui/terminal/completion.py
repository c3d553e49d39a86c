"""What Tab offers in the input line: commands, and what they take."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Completion(NamedTuple):
    """A command, its description, and what follows it: `path`, `option`, `text` or `nothing`."""

    name: str
    description: str
    takes: str


def candidates(line: str, commands: Sequence[Completion], options: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Return what may replace the last word of `line`, with descriptions; paths are left to `path_start`."""
    name, space, argument = line.partition(" ")
    if not name.startswith("/"):
        return []
    if not space:
        return [(command.name, command.description) for command in commands if command.name.startswith(name)]
    takes = next((command.takes for command in commands if command.name == name), "nothing")
    if takes == "option" and " " not in argument:
        return [(option, "") for option in options if option.startswith(argument)]
    return []


def path_start(line: str, commands: Sequence[Completion]) -> int | None:
    """Return where in `line` a path begins that could be completed, None if there is none."""
    name, space, _argument = line.partition(" ")
    takes = next((command.takes for command in commands if command.name == name), "nothing")
    return len(name) + 1 if space and takes == "path" else None

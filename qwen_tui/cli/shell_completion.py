"""What a shell offers at the Tab key: commands, options, and the names that they take.

The scripts for the shells are in `assets/completion`. Each starts the program with two variables: `_QWEN_TUI_COMPLETE`
is the name of the shell, `_QWEN_TUI_WORDS` the words after the command, separated by U+001F, of which the last is
completed. bash passes the line up to the cursor instead. The program prints one line for each possible word: the word,
a tab, and what it is. `:files` stands for names of files.
"""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup

from qwen_tui.cli import completion_values
from qwen_tui.cli.app import build
from qwen_tui.cli.arguments import FilesCommand, options_of, parts
from qwen_tui.cli.completion_values import Offer
from qwen_tui.cli.shells import COMPLETE
from qwen_tui.i18n import gettext as _
from qwen_tui.quoting import quoted

_BETWEEN_WORDS = "\x1f"
_WORDS, _BREAKS = "_QWEN_TUI_WORDS", "_QWEN_TUI_BREAKS"
FILES = ":files"
_HELP = ("-h", "--help")
# Typer's value for an argument that takes any number of words.
_ANY_NUMBER = -1
# The most characters that are shown of a command's help.
_LONGEST = 120


def answer(variables: Mapping[str, str]) -> str:
    """Return the lines for the shell that has set `variables`."""
    shell, line = variables[COMPLETE], variables.get(_WORDS, "")
    words = _words_of(line)[1:] if shell == "bash" else line.split(_BETWEEN_WORDS)
    offers = offered(words or [""])
    if offers is None:
        return "" if shell == "bash" else f"{FILES}\n"
    if shell == "bash":
        breaks = variables.get(_BREAKS, "")
        # bash replaces only the part of the word after the last = or :.
        behind = max((words[-1].rfind(sign) + 1 for sign in "=:" if sign in breaks), default=0)
        return "".join(f"{_for_bash(word[behind:])}\n" for word, _said in offers)
    return "".join(f"{word}\t{' '.join(said.split())}\n" for word, said in offers)


def _for_bash(word: str) -> str:
    """Return `word` quoted for bash; a word that ends in = stays open, because the person types on."""
    return word if word.endswith("=") else quoted(word)


def _words_of(line: str) -> list[str]:
    """Return the words of an incomplete command line of a POSIX shell; the last one may be empty."""
    for closing in ("", '"', "'"):
        try:
            words = shlex.split(line + closing)
        except ValueError:
            continue
        return [*words, ""] if not closing and line[-1:].isspace() else words
    return shlex.split(line.removesuffix("\\"), posix=False)


def offered(words: Sequence[str]) -> list[Offer] | None:
    """Return the possible completions of the last of `words`, which follow `qwen`; None stands for names of files."""
    *before, begun = words
    if "--lang" in before[:-1]:
        at = before.index("--lang")
        del before[at : at + 2]
    asks_for_help = before[:1] == ["help"]
    before = before[asks_for_help:]
    command: Any = build(next(_names(before), ""))
    path: list[str] = []
    while isinstance(command, TyperGroup) and (name := next(_names(before), "")):
        before = before[before.index(name) + 1 :]
        path.append(name)
        if name not in command.commands:
            return []
        command = command.commands[name]
    if not isinstance(command, TyperGroup):
        return [] if asks_for_help else _of_command(command, path, before, begun)
    offers = [(name, one.get_short_help_str(_LONGEST)) for name, one in command.commands.items()]
    if not (path or asks_for_help):
        offers.append(("help", _("Explain a command.")))
    return _beginning(begun, [*_options(command), *offers] if begun.startswith("-") else offers)


def _names(words: Sequence[str]) -> Iterator[str]:
    return (word for word in words if not word.startswith("-"))


def _of_command(command: TyperCommand, path: Sequence[str], before: Sequence[str], begun: str) -> list[Offer] | None:
    """Return the possible completions of `begun` after the words `before` of a command."""
    takes_value = options_of(command, _HELP)
    *line, last = parts(takes_value, [*before, begun])
    if last.option and takes_value.get(last.option) and last.option != begun:
        attached = begun[: len(begun) - len(last.value)] if len(last.arguments) == 1 else ""
        names = {name: one for one in command.params for name in (*one.opts, *one.secondary_opts)}
        return _values(path, names[last.option].name or "", last.value, before, attached)
    if begun.startswith("-") and not any(part.option == "--" for part in line):
        return _beginning(begun, _options(command))
    arguments = [one for one in command.params if isinstance(one, TyperArgument)]
    taken = sum(part.option is None for part in line)
    if taken >= len(arguments) and not (arguments and arguments[-1].nargs == _ANY_NUMBER):
        # More files may follow after -f.
        return None if isinstance(command, FilesCommand) else []
    return _values(path, arguments[min(taken, len(arguments) - 1)].name or "", begun, before)


def _values(
    path: Sequence[str], parameter: str, begun: str, before: Sequence[str], attached: str = ""
) -> list[Offer] | None:
    found = completion_values.of(path, parameter, begun, before)
    return None if found is None else [(attached + word, said) for word, said in found if word.startswith(begun)]


def _options(command: TyperCommand | TyperGroup) -> Iterator[Offer]:
    """Yield the long names of a command's options, or the short name of an option without a long one."""
    for option in command.params:
        if not isinstance(option, TyperArgument):
            names = [*option.opts, *option.secondary_opts]
            long = [name for name in names if name.startswith("--")]
            for name in long or names:
                yield name, getattr(option, "help", "") or ""
    yield "--help", ""


def _beginning(begun: str, offers: Iterable[Offer]) -> list[Offer]:
    return [(word, said) for word, said in offers if word.startswith(begun)]

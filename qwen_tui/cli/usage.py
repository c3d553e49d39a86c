"""Explains a command line that Typer does not understand, and shows how to type what the person probably meant."""

import difflib
import re
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperArgument, TyperGroup

from qwen_tui.cli.app import build, names, path_of, see_help
from qwen_tui.cli.arguments import (
    FilesCommand,
    LinePart,
    begins_with_dash,
    options_of,
    parts,
    short,
    with_files,
    with_words,
)
from qwen_tui.errors import UsageError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import in_a_row, listed
from qwen_tui.quoting import command_line

# A word of this form is an option, even if no command has it.
_OPTION = re.compile(r"--?[a-z][\w-]*(=.*)?", re.IGNORECASE | re.ASCII | re.DOTALL)
_HELP = "--help"
# With this number, Typer says that an argument takes any number of words.
_ANY_NUMBER = -1
# Names that other programs have for a command of a group. `get` is here because it looks like `set`, and `set` changes
# what the person only wants to see.
_CALLED_ELSEWHERE = {"get": "show", "remove": "rm", "delete": "rm", "add": "import"}
# difflib's least similarity between a mistyped option and the option that an error suggests.
_ALIKE = 0.75


def explained(error: typer.TyperException, arguments: Sequence[str]) -> UsageError:
    """Return the error for `arguments` that Typer does not understand."""
    context = getattr(error, "ctx", None)
    if context is None:
        return UsageError(_what_is_wrong(error, ()), see_help(path_of(arguments)))
    path, command = context.command_path, context.command
    given = list(arguments)[len(path.split()) - 1 :]
    if isinstance(command, TyperGroup):
        return _of_group(command, path, given)
    options = options_of(command, context.help_option_names)
    takes = [parameter for parameter in command.params if isinstance(parameter, TyperArgument)]
    if isinstance(command, FilesCommand):
        given = with_files(options, given, takes_question=bool(takes)).arguments
    line = list(parts(options, given))
    unknown = next((part.value for part in line if not part.known), None)
    if unknown is not None:
        return _no_option(unknown, path, line, getattr(error, "possibilities", None) or (), takes)
    extra = [part.value for part in line if part.option is None][len(takes) :]
    if type(error).__name__ == "UsageError" and extra:
        return _too_many(extra, path, line)
    return UsageError(_what_is_wrong(error, line), see_help(path))


def _what_is_wrong(error: Any, line: Sequence[LinePart]) -> str:
    """Return Typer's message in the language in use."""
    kind, parameter = type(error).__name__, getattr(error, "param", None)
    if kind == "BadOptionUsage":
        needs = "requires" in error.message
        sentence = _("{option} needs a value.") if needs else _("{option} takes no value.")
        return sentence.format(option=error.option_name)
    if kind == "MissingParameter" and parameter is not None:
        return _("{name} is missing.").format(name=parameter.metavar or parameter.human_readable_name)
    if kind == "BadParameter" and parameter is not None:
        names_of_it = (*parameter.opts, *parameter.secondary_opts)
        option, value = next(((t.option, t.value) for t in line if t.option in names_of_it), (names_of_it[0], ""))
        return _("{option} cannot be “{value}”: {reason}").format(
            option=option, value=value, reason=_what_it_takes(parameter, error.message)
        )
    return str(error.format_message())


def _what_it_takes(parameter: Any, message: str) -> str:
    """Return the clause that says which values a parameter takes that Typer refuses with `message`."""
    lowest, highest = getattr(parameter.type, "min", None), getattr(parameter.type, "max", None)
    if "valid int" in message:
        return _("it has to be a whole number")
    if "not in the range" not in message:
        return message
    if highest is None:
        return _("it has to be {lowest} or more").format(lowest=lowest)
    return _("it has to lie between {lowest} and {highest}").format(lowest=lowest, highest=highest)


def _no_option(
    unknown: str, path: str, line: Sequence[LinePart], known: Sequence[str], takes: Sequence[TyperArgument]
) -> UsageError:
    """Return the error for a word that begins with a dash: a mistyped option, or a word that needs a `--` before it."""
    if takes and not _OPTION.fullmatch(unknown):
        return begins_with_dash(unknown, path, line)
    name = unknown.partition("=")[0]
    message = _("There is no option {option}.").format(option=short(name))
    if near := difflib.get_close_matches(name, known, cutoff=_ALIKE):
        return UsageError(message, in_a_row(_("Did you mean: {names}?").format(names=listed(near)), see_help(path)))
    remedies = [see_help(path)]
    if any(argument.nargs == _ANY_NUMBER for argument in takes):
        remedies.append(_("If it is not meant as an option: {command}").format(command=with_words(path, line)))
    return UsageError(message, "\n".join(remedies))


def _too_many(extra: Sequence[str], path: str, line: Sequence[LinePart]) -> UsageError:
    """Return the error for more words than the command takes."""
    message = _("“{words}” is more than {command} takes.").format(words=short(" ".join(extra)), command=path)
    if path == "qwen chat":
        return UsageError(message, _("To ask a question: {command}").format(command=with_words("qwen ask", line)))
    name = " ".join(part.value for part in line if part.option is None)
    if name.lower().endswith(".gguf"):
        command = f"{path} {command_line(name)}"
        return UsageError(message, _("A name with blanks stands in quotes: {command}").format(command=command))
    return UsageError(message, see_help(path))


def _of_group(group: TyperGroup, path: str, given: Sequence[str]) -> UsageError:
    """Return the error for a group without a command, with an unknown one, or with an option before the command."""
    if path == "qwen":
        return _of_program(given)
    word = next((argument for argument in given if not argument.startswith("-")), "")
    if word:
        near = _near_in(group, word)
        rest = list(given)[list(given).index(word) + 1 :] if near and _takes_words(group, near) else []
        remedy = _meant(f"{path} {near}", rest) if near else see_help(path)
        return UsageError(_("“{group}” has no command “{name}”.").format(group=path, name=short(word)), remedy)
    if given:
        return UsageError(_("There is no option {option}.").format(option=short(given[0])), see_help(path))
    commands = listed(group.commands)
    return UsageError(
        _("What is “{command}” to do? It has: {names}.").format(command=path, names=commands), see_help(path)
    )


def _near_in(group: TyperGroup, word: str) -> str:
    """Return the command of `group` that `word` probably means: another program's name for it, or a mistyped name."""
    elsewhere = _CALLED_ELSEWHERE.get(word.lower(), "")
    if elsewhere in group.commands:
        return elsewhere
    return "".join(difflib.get_close_matches(word.lower(), group.commands, n=1))


def _takes_words(group: TyperGroup, name: str) -> bool:
    return any(isinstance(parameter, TyperArgument) for parameter in group.commands[name].params)


def _of_program(given: Sequence[str]) -> UsageError:
    """Return the error for a question without `ask`, a mistyped command, or options without or before a command."""
    line = list(parts(_options_of_ask(), given))
    words = [part.value for part in line if part.option is None]
    options = [argument for part in line if part.option for argument in part.arguments]
    first = words[0] if words else ""
    unknown = any(part.value == first and not part.known for part in line)
    if options and not words:
        return UsageError(_("The command is missing."), _meant("qwen chat", options))
    if options and first in names():
        return UsageError(_("Options stand behind the command."), _meant(f"qwen {first}", [*options, *words[1:]]))
    ask = _("To ask a question: {command}").format(command=with_words("qwen ask", line))
    if unknown:
        if _OPTION.fullmatch(first):
            return UsageError(_("There is no option {option}.").format(option=short(first)), see_help("qwen"))
        return UsageError(_("“{word}” is not a command.").format(word=short(first)), ask)
    message = _("There is no command “{name}”.").format(name=short(first))
    near = _near(first)
    if _HELP in given[given.index(first) + 1 :]:
        # The person asks for help on it, so it is not a question.
        return UsageError(message, _meant(f"qwen {near}", [_HELP]) if near else see_help("qwen"))
    if not near:
        is_word = len(given) == 1 and first.isascii() and first.isalpha()
        return UsageError(message, f"{ask}\n{see_help('qwen')}" if is_word else ask)
    rest = list(given)[list(given).index(first) + 1 :]
    meant = _meant(f"qwen {near}", rest)
    return UsageError(message, f"{meant}\n{ask}" if rest and not _is_of_group(near, rest[0]) else meant)


def _near(word: str) -> str:
    """Return the command that `word` mistypes, or an empty string; the first letter must be right."""
    alike = [name for name in names() if name[0] == word[:1].lower()]
    return "".join(difflib.get_close_matches(word.lower(), alike, n=1))


def _is_of_group(name: str, word: str) -> bool:
    """Whether `word` can follow the command: it is an option, or a command of this group."""
    command = _command(name)
    return word.startswith("-") or (isinstance(command, TyperGroup) and word in command.commands)


def _meant(command: str, words: Sequence[str]) -> str:
    return _("Did you mean: {command}").format(command=" ".join(filter(None, [command, command_line(*words)])))


def _options_of_ask() -> dict[str, bool]:
    return options_of(_command("ask"), ("-h", "--help"))


def _command(name: str) -> Any:
    return build(name).commands[name]

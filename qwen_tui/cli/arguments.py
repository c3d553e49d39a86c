"""A command's arguments before they are parsed: options with their values, words, and the files behind `-f`."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from qwen_tui.cli.environment import Environment
from qwen_tui.errors import UsageError
from qwen_tui.files import command_line, matching
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed

_FILE = ("-f", "--file")
_TEMPLATE = ("-t", "--template")
_END_OF_OPTIONS = "--"
# So many files are named in a note.
_MOST_NAMED = 8
# A question of more characters is not repeated, a name of more is cut.
_LONGEST = 300
_LONGEST_NAME = 40
# The only option whose value may well begin with a blank.
_SYSTEM = ("-s", "--system")


class Token(NamedTuple):
    """What belongs together on a command line: an option with its value, or a word.

    `option` is None for a word, and `value` the word. A word that begins with a dash, and is no option of the command,
    is not `known`: it makes the command fail.
    """

    arguments: tuple[str, ...]
    option: str | None
    value: str
    known: bool = True


def options_of(command: TyperCommand | TyperGroup, help_names: Sequence[str]) -> dict[str, bool]:
    """Return the names of a command's options, and whether each takes a value."""
    options = (parameter for parameter in command.params if isinstance(parameter, TyperOption))
    named = {name: not option.is_flag for option in options for name in (*option.opts, *option.secondary_opts)}
    return named | dict.fromkeys(help_names, False)


def tokens(options: Mapping[str, bool], arguments: Sequence[str]) -> Iterator[Token]:
    """Take `arguments` apart as the parser will."""
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == _END_OF_OPTIONS:
            yield Token((argument,), argument, "")
            yield from (Token((word,), None, word) for word in rest)
            return
        if len(argument) < 2 or not argument.startswith("-"):
            yield Token((argument,), None, argument)
            continue
        option, attached = _matched(options, argument)
        if not option:
            yield Token((argument,), None, argument, known=False)
        elif options[option] and attached is None:
            following = rest[:1]
            del rest[:1]
            yield Token((argument, *following), option, "".join(following))
        else:
            yield Token((argument,), option, attached or "")


def _matched(options: Mapping[str, bool], argument: str) -> tuple[str, str | None]:
    """Return the option that `argument` names, of several letters the last, and the value attached to it if any."""
    if argument.startswith("--"):
        name, equals, value = argument.partition("=")
        return (name, value if equals else None) if name in options else ("", None)
    name = ""
    for behind, letter in enumerate(argument[1:], 2):
        name = f"-{letter}"
        if name not in options:
            return "", None
        if options[name]:
            return name, argument[behind:] or None
    return name, None


def with_words(path: str, line: Sequence[Token]) -> str:
    """Return the command with all that begins with a dash and is no option of it as words; a question as one word."""
    options = [argument for token in line if token.option not in (None, "--") for argument in token.arguments]
    words = [token.value for token in line if token.option is None]
    if path == "qwen ask":
        words = [" ".join(words)]
    behind = ["--"] if any(word.startswith("-") for word in words) else []
    shown = command_line(*words)
    return " ".join([path, *map(command_line, options), *behind, shown if len(shown) <= _LONGEST else "…"])


def begins_with_dash(word: str, path: str, line: Sequence[Token]) -> UsageError:
    """Return what to tell of a word that was taken for an option: how the same command is typed with it as a word."""
    return UsageError(
        _("“{word}” begins with a dash and was read as an option.").format(word=short(word)),
        _("With -- before it, it is none: {command}").format(command=with_words(path, line)),
    )


def short(text: str) -> str:
    """Return `text` as it is named in a sentence: on one line, and not long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_NAME else line[: _LONGEST_NAME - 1] + "…"


class Files(NamedTuple):
    """Arguments in which every file of `-f` has an option of its own.

    `taken` are those that had none, `folders` what was left out among them; `kept` is a file that stays a word, since
    there would be no question without it.
    """

    arguments: list[str]
    taken: list[str]
    folders: list[str]
    kept: str = ""


def with_files(options: Mapping[str, bool], arguments: Sequence[str], *, takes_question: bool) -> Files:
    """Give each file that follows `-f` an option of its own: a shell makes `-f a.md b.md` of `-f *.md`.

    Only files that directly follow are meant. Where the command `takes_question`, the last word that could be one stays
    a word. A pattern that no shell has replaced, as on Windows, is replaced here.
    """
    line = list(tokens(options, arguments))
    following = _following(line)
    is_asked = any(token.option in _TEMPLATE for token in line) or any(
        token.option is None and at not in following for at, token in enumerate(line)
    )
    kept = ""
    if takes_question and following and not is_asked:
        kept = line[max(following)].value
        following.remove(max(following))
    changed = Files([], [], [], kept)
    for at, token in enumerate(line):
        if at in following and not _is_file(token.value):
            changed.folders.append(token.value)
        elif found := [token.value] if at in following else _matched_files(token):
            changed.taken.extend(found)
            changed.arguments.extend(word for path in found for word in ("-f", path))
        else:
            changed.arguments.extend(token.arguments)
    return changed


def _following(line: Sequence[Token]) -> set[int]:
    """Return the places of what a shell put behind the file of a `-f`: paths, with a file among them."""
    following: set[int] = set()
    run: list[int] = []
    for at, token in enumerate([*line, Token((), "", "")]):
        is_next = at > 0 and (line[at - 1].option in _FILE or at - 1 in run)
        if is_next and token.option is None and _is_there(token.value):
            run.append(at)
            continue
        if any(_is_file(line[i].value) for i in run):
            following.update(run)
        run = []
    return following


def _matched_files(token: Token) -> list[str]:
    """Return the files that the pattern of a `-f` stands for."""
    return matching(token.value) if token.option in _FILE else []


def _is_file(path: str) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 - it never raises


def _is_there(path: str) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - likewise


class FilesCommand(TyperCommand):
    """A command that takes every file behind `-f`, not only the first."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, and say on stderr what was taken for a file."""
        takes_question = any(isinstance(parameter, TyperArgument) for parameter in self.params)
        options = options_of(self, ctx.help_option_names)
        if takes_question:
            _refuse_question_as_option(ctx.command_path, list(tokens(options, args)))
        files = with_files(options, args, takes_question=takes_question)
        rest = super().parse_args(ctx, files.arguments)
        if not ctx.params.get("quiet"):
            for note in _notes(files):
                Environment.of(ctx).note(note)
        return rest


def _refuse_question_as_option(path: str, line: Sequence[Token]) -> None:
    """Raise `UsageError` for the question `"-f is what?"`, which the parser takes for the file “ is what?”."""
    if any(token.option is None for token in line):
        return
    for at, token in enumerate(line):
        if len(token.arguments) == 1 and token.value[:1].isspace() and token.option not in _SYSTEM:
            word = token.arguments[0]
            asked = [*line[:at], Token((word,), None, word, known=False), *line[at + 1 :]]
            raise begins_with_dash(word, path, asked)


def _notes(files: Files) -> Iterator[str]:
    if files.taken:
        named = [*files.taken[:_MOST_NAMED], *(["…"] if len(files.taken) > _MOST_NAMED else [])]
        yield _("Read as files too, since they follow -f: {names}").format(names=listed(named))
    if files.folders:
        yield _("Left out, since they are folders: {names}").format(names=listed(files.folders))
    if files.kept and not _is_file(files.kept):
        yield _("“{name}” is the question, since there is no other.").format(name=files.kept)
    elif files.kept:
        yield _("“{name}” is the question, not a file, since there is no other. To have it read: -f {name}").format(
            name=files.kept
        )

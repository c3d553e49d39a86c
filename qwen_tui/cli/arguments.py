"""Looks at the arguments of a command before Typer parses them: options with values, words, and files behind `-f`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from qwen_tui.cli.environment import Environment
from qwen_tui.errors import UsageError
from qwen_tui.files import is_file, is_folder, is_there
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.messages import Loss
from qwen_tui.quoting import command_line, quoted
from qwen_tui.typed_paths import matching

_FILE = ("-f", "--file")
_TEMPLATE = ("-t", "--template")
_END_OF_OPTIONS = "--"
# A note names at most so many files.
_MOST_NAMED = 8
# An error does not repeat a question of more characters, and cuts a name of more characters.
_LONGEST = 300
_LONGEST_NAME = 40
# The only option whose value may sensibly begin with a blank.
_SYSTEM = ("-s", "--system")


class LinePart(NamedTuple):
    """A part of a command line: an option with its value, or a word.

    `arguments` are the one or two arguments that it takes up. For a word, `option` is None and `value` is the word. A
    word that begins with a dash and is no option of the command is not `known`: the parser will refuse it.
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


def parts(options: Mapping[str, bool], arguments: Sequence[str]) -> Iterator[LinePart]:
    """Split `arguments` into parts as the parser will."""
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == _END_OF_OPTIONS:
            yield LinePart((argument,), argument, "")
            yield from (LinePart((word,), None, word) for word in rest)
            return
        if len(argument) < 2 or not argument.startswith("-"):
            yield LinePart((argument,), None, argument)
            continue
        option, attached = _matched(options, argument)
        if not option:
            yield LinePart((argument,), None, argument, known=False)
        elif options[option] and attached is None:
            following = rest[:1]
            del rest[:1]
            yield LinePart((argument, *following), option, "".join(following))
        else:
            yield LinePart((argument,), option, attached or "")


def _matched(options: Mapping[str, bool], argument: str) -> tuple[str, str | None]:
    """Return the option in `argument`, and the value attached to it, as in `-mdemo`; None if the value comes next.

    Of several letters, as in `-qrm`, this returns the last. The option is empty if the command has none of that name.
    """
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


def with_words(path: str, line: Sequence[LinePart]) -> str:
    """Return the command as the person should have typed it, so that no word is taken for an option.

    For `qwen ask`, the words become one quoted question.
    """
    options = [argument for part in line if part.option not in (None, "--") for argument in part.arguments]
    words = [part.value for part in line if part.option is None]
    if path == "qwen ask":
        words = [" ".join(words)]
    behind = ["--"] if any(word.startswith("-") for word in words) else []
    shown = command_line(*words)
    return " ".join([path, *map(command_line, options), *behind, shown if len(shown) <= _LONGEST else "…"])


def begins_with_dash(word: str, path: str, line: Sequence[LinePart]) -> UsageError:
    """Return the error for a `word` that the parser takes for an option, and how to type it as a word."""
    return UsageError(
        _("“{word}” begins with a dash and was read as an option.").format(word=short(word)),
        _("With -- before it, it is read as text: {command}").format(command=with_words(path, line)),
    )


def short(text: str) -> str:
    """Return `text` so that it fits into a sentence: on one line, and cut if it is long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_NAME else line[: _LONGEST_NAME - 1] + "…"


class FileArguments(NamedTuple):
    """The `arguments` of a command after each file has got a `-f` of its own.

    `taken` are the files and folders that had none. `folders` stood among files and are left out. `kept` is the last
    file: it stays a word, because without it there would be no question.
    """

    arguments: list[str]
    taken: list[str]
    folders: list[str]
    kept: str = ""


def with_files(options: Mapping[str, bool], arguments: Sequence[str], *, takes_question: bool) -> FileArguments:
    """Give each file that follows a `-f` an option of its own: the shell turns `-f *.md` into `-f a.md b.md`.

    This takes only files that follow directly, and folders where the shell made only folders of the pattern, as of
    `*/`. If the command `takes_question` and there is no other word, the last file stays a word. It also replaces
    patterns that no shell has replaced, as on Windows.
    """
    line = list(parts(options, arguments))
    following, left_out = _following(line)
    is_asked = any(part.option in _TEMPLATE for part in line) or any(
        part.option is None and at not in following for at, part in enumerate(line)
    )
    kept = ""
    if takes_question and following and not is_asked:
        kept = line[max(following)].value
        following.remove(max(following))
    changed = FileArguments([], [], [], kept)
    for at, part in enumerate(line):
        if at in following and at in left_out:
            changed.folders.append(part.value)
        elif found := [part.value] if at in following else _matched_files(part):
            changed.taken.extend(found)
            changed.arguments.extend(word for path in found for word in ("-f", path))
        else:
            changed.arguments.extend(part.arguments)
    return changed


def _following(line: Sequence[LinePart]) -> tuple[set[int], set[int]]:
    """Return the positions of the paths that the shell put behind a `-f` and its path, and which of them are left out.

    The paths are words of a question, unless one of them is a file, or all are folders like the one of the `-f`.
    """
    following: set[int] = set()
    left_out: set[int] = set()
    run: list[int] = []
    for at, part in enumerate([*line, LinePart((), "", "")]):
        is_next = at > 0 and (line[at - 1].option in _FILE or at - 1 in run)
        if is_next and part.option is None and is_there(part.value):
            run.append(at)
            continue
        has_file = any(is_file(line[i].value) for i in run)
        if run and (has_file or is_folder(line[run[0] - 1].value)):
            following.update(run)
            left_out.update(i for i in run if has_file and not is_file(line[i].value))
        run = []
    return following, left_out


def _matched_files(part: LinePart) -> list[str]:
    """Return the files that match the pattern of a `-f`; none for a word, and for an option with a plain name."""
    return matching(part.value) if part.option in _FILE else []


class FilesCommand(TyperCommand):
    """A command that takes every file behind `-f`, not only the first."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, and say on stderr which words became files."""
        takes_question = any(isinstance(parameter, TyperArgument) for parameter in self.params)
        options = options_of(self, ctx.help_option_names)
        if takes_question:
            _refuse_question_as_option(ctx.command_path, list(parts(options, args)))
        files = with_files(options, args, takes_question=takes_question)
        rest = super().parse_args(ctx, files.arguments)
        for note in _notes(files):
            if isinstance(note, Loss) or not ctx.params.get("quiet"):
                Environment.of(ctx).note(note)
        return rest


def _refuse_question_as_option(path: str, line: Sequence[LinePart]) -> None:
    """Raise `UsageError` for a question in quotes such as `"-f is what?"`.

    The parser would take it for the option `-f` with the file “ is what?”.
    """
    if any(part.option is None for part in line):
        return
    for at, part in enumerate(line):
        if len(part.arguments) == 1 and part.value[:1].isspace() and part.option not in _SYSTEM:
            word = part.arguments[0]
            asked = [*line[:at], LinePart((word,), None, word, known=False), *line[at + 1 :]]
            raise begins_with_dash(word, path, asked)


def _notes(files: FileArguments) -> Iterator[str]:
    if files.taken:
        named = [*files.taken[:_MOST_NAMED], *(["…"] if len(files.taken) > _MOST_NAMED else [])]
        yield _("Read as files too, since they follow -f: {names}").format(names=listed(named))
    if files.folders:
        sentence = _("Left out, since they are folders: {names}. To have one read: -f {name}")
        yield Loss(sentence.format(names=listed(files.folders), name=quoted(files.folders[0])))
    if files.kept and not is_file(files.kept):
        sentence = _("“{name}” is the question, not a folder, since there is no other. To have it read: -f {name}")
        yield sentence.format(name=files.kept)
    elif files.kept:
        yield _("“{name}” is the question, not a file, since there is no other. To have it read: -f {name}").format(
            name=files.kept
        )


# The sides that one command can compare.
SIDES = ("--a", "--b", "--c", "--d", "--e", "--f")
# Under this name, the context of such a command holds its line, in parts, as the person wrote it.
WRITTEN = "qwen_tui.written"


class SidesCommand(TyperCommand):
    """A command that takes every NAME=VALUE behind an option for a side, not only the first."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments after each setting has got an option of its own."""
        line = ctx.meta[WRITTEN] = list(parts(options_of(self, ctx.help_option_names), args))
        changed: list[str] = []
        side: str | None = None
        for part in line:
            side = part.option if part.option is not None else side
            more = part.option is None and part.known and side in SIDES and "=" in part.value
            changed += [str(side), part.value] if more else part.arguments
        return super().parse_args(ctx, changed)

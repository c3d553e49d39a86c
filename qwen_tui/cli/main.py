"""The entry point. It turns every error into a message and an exit code, so that no other room has to."""

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from qwen_tui import cancellation, i18n
from qwen_tui.cli import signals
from qwen_tui.cli.environment import Environment
from qwen_tui.cli.failure import refused_by_system, report, unforeseen
from qwen_tui.errors import ConfigError, OutputClosedError, QwenError, UsageError

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None, environment: Environment | None = None) -> int:
    """Run the command line and return its exit code; every failure ends in one or two lines on stderr.

    By default, it works on the arguments and in the environment of this process.
    """
    environment = environment or Environment.of_process()
    with signals.heeded() as operation:
        code = _run(sys.argv[1:] if arguments is None else arguments, environment)
        _give_up(environment.stdout, lost=operation.requested)
        if operation.requested and arguments is None:
            # Everything is closed. Python's own way out takes time, and can crash in threads that were left behind. A
            # second Ctrl-C is still heeded here.
            environment.stderr.flush()
            os._exit(operation.exit_code)
    # The exit code of a signal goes before that of the command.
    return operation.exit_code or code


def _run(arguments: Sequence[str], environment: Environment) -> int:
    try:
        code = program(list(arguments), environment)
        if not cancellation.current().requested:
            environment.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except OutputClosedError as closed:
        code = closed.exit_code
    except QwenError as error:
        code = report(environment, error)
    except BrokenPipeError:
        code = 0
    except OSError as error:
        code = report(environment, refused_by_system(error, environment.stdout))
    except Exception as error:
        code = report(environment, unforeseen(error))
    return code


def program(arguments: list[str], environment: Environment) -> int:
    """Run the command line and return its exit code; raises `QwenError` and `KeyboardInterrupt`."""
    language, others = _split(arguments)
    # These imports take seconds on a slow disk. Ctrl-C may end them anywhere, because nothing could be lost yet.
    with cancellation.current().interruptible():
        i18n.use_language(language or _language(environment))
        # The language must be set before: importing a command translates its help.
        import typer

        from qwen_tui.cli import shells
        from qwen_tui.cli.app import build, knows_languages, path_of, see_help

        if shells.COMPLETE in environment.variables:
            from qwen_tui.cli.shell_completion import answer

            environment.print_answer(answer(environment.variables))
            return 0
        if (code := shells.run(environment, others)) is not None:
            return code
        if others[:1] == ["help"]:
            arguments = others = [*others[1:], "--help"]
        wanted = next((argument for argument in others if not argument.startswith("-")), "")
        if not knows_languages(wanted):
            arguments = others
        command = build(wanted)
    try:
        # Typer prints its help on Python's own sys.stdout.
        with contextlib.redirect_stdout(environment.stdout):
            code = command(args=arguments, prog_name="qwen", standalone_mode=False, obj=environment)
    except typer.TyperException as error:
        from qwen_tui.cli.usage import explained

        raise explained(error, arguments) from error
    except UsageError as error:
        error.remedy = error.remedy or see_help(path_of(arguments))
        raise
    except typer.Abort:
        return INTERRUPTED
    except SystemExit as left:
        # Typer turns a closed pipe into SystemExit.
        if isinstance(left.__context__, BrokenPipeError):
            raise left.__context__ from None
        raise
    return code if isinstance(code, int) else 0


def _split(arguments: list[str]) -> tuple[str | None, list[str]]:
    """Return the language that `--lang` names, if it names one, and the arguments without it."""
    for i, argument in enumerate(arguments):
        if argument == "--":
            break
        name, equals, value = argument.partition("=")
        if name == "--lang":
            value = value or "".join(arguments[i + 1 : i + 2])
            if value in i18n.LANGUAGES:
                return value, arguments[:i] + arguments[i + (1 if equals else 2) :]
    return None, arguments


def _language(environment: Environment) -> str:
    """Return the language of the settings, else that of the locale."""
    from qwen_tui import config, files

    try:
        language = config.read(files.folders().config_file, environment.variables).config.language
    except ConfigError:
        # Without a home folder there are no settings. A command that needs the folder will say so.
        language = None
    return language or i18n.language_from_locale(environment.variables)


def _give_up(stdout: TextIO, *, lost: bool) -> None:
    """Keep Python's own flush at exit from complaining about a stdout that is closed or full.

    What a cancelled command has not written yet is `lost`: its reader may not be reading.
    """
    if not lost:
        try:
            stdout.flush()
        except (OSError, ValueError):
            lost = True
    if lost:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())

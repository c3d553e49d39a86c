"""The entry point: owns errors and exit codes, so that nothing below has to."""

import io
import os
import sys
import traceback
from collections.abc import Sequence

from qwen_tui import i18n
from qwen_tui.errors import ConfigError, OutputClosedError, QwenError, UsageError
from qwen_tui.i18n import gettext as _

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; every failure ends in one or two lines on stderr."""
    for stream in (sys.stdout, sys.stderr):
        # What a terminal's encoding lacks is shown as a question mark: a failure would lose the whole answer.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code = program(list(arguments))
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except OutputClosedError as closed:
        code = closed.exit_code
    except BrokenPipeError:
        code = 0
    except QwenError as error:
        if os.environ.get("QWEN_TUI_DEBUG"):
            traceback.print_exc()
        tell(error)
        code = error.exit_code
    _give_up_stdout()
    return code


def program(arguments: list[str]) -> int:
    """Run the command line and return its exit code; raises `QwenError` and `KeyboardInterrupt`."""
    i18n.use_language(_language(arguments))
    # Only now: the help texts are translated when the commands are imported.
    import typer

    from qwen_tui.cli.app import build

    try:
        code = build()(args=arguments, prog_name="qwen", standalone_mode=False)
    except typer.TyperException as error:
        raise UsageError(error.format_message(), _("See: qwen --help")) from error
    except typer.Abort:
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def tell(error: QwenError) -> None:
    """Say on stderr what is wrong and what to do next."""
    from qwen_tui.terminal.sanitise import clean

    lines = [f"qwen: {error.message}", error.remedy]
    try:
        print(clean("\n".join(line for line in lines if line)), file=sys.stderr)  # noqa: T201
    except OSError:
        # stderr is gone as well: the exit code is all that is left to say.
        return


def _language(arguments: list[str]) -> str:
    """Return the language to speak: `--lang`, else the settings, else the locale."""
    from qwen_tui import config, files

    for i, argument in enumerate(arguments):
        if argument == "--":
            break
        name, _equals, value = argument.partition("=")
        if name == "--lang":
            value = value or "".join(arguments[i + 1 : i + 2])
            if value in i18n.LANGUAGES:
                return value
    try:
        language = config.load(files.folders().config_file).config.language
    except ConfigError:
        # The command that needs the settings says what is wrong with them.
        language = None
    return language or i18n.language_from_locale()


def _give_up_stdout() -> None:
    """Keep Python's own flush at exit from complaining about a stdout that is closed or full."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


if __name__ == "__main__":
    sys.exit(main())

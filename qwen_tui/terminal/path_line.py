"""The line in which the person types the path of a file, with Tab to complete it."""

import os
from collections.abc import Callable
from typing import TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import PathCompleter
from prompt_toolkit.input import create_input
from prompt_toolkit.output.defaults import create_output

from qwen_tui.terminal.key_parser import filter_keys
from qwen_tui.terminal.sanitise import clean
from qwen_tui.terminal.visible import Visible
from qwen_tui.typed_text import as_text


def read_path(question: str, stderr: TextIO, is_wanted: Callable[[str], bool]) -> str:
    """Ask for a path on the terminal of stderr, and return what was typed.

    Tab offers folders, and files whose name `is_wanted`.

    Raises `EOFError` on Ctrl-D, `KeyboardInterrupt` on Ctrl-C.
    """

    def offered(path: str) -> bool:
        return os.path.isdir(path) or is_wanted(os.path.basename(path))  # noqa: PTH112, PTH119 - they never raise

    source = create_input()
    filter_keys(source)
    session: PromptSession[str] = PromptSession(
        message=f"{clean(question)} ",
        completer=PathCompleter(expanduser=True, file_filter=offered),
        complete_while_typing=False,
        input_processors=[Visible()],
        input=source,
        output=create_output(stdout=stderr),
    )
    return as_text(session.prompt()).strip()

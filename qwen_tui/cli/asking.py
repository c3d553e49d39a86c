"""Questions to the person at the terminal, and their answers."""

import os

import typer

from qwen_tui import cancellation
from qwen_tui.cli import stdin
from qwen_tui.cli.environment import Environment
from qwen_tui.i18n import gettext as _
from qwen_tui.terminal.sanitise import clean

_YES = ("y", "yes", "是", "好", "对")
_ALL = ("a", "all", "全部")


def confirm(environment: Environment, question: str, *, default: bool = False) -> bool:
    """Ask a question of yes or no; Enter alone is the default. Raises `typer.Abort` at Ctrl-D."""
    answer = ask(environment, f"{question} [{'Y/n' if default else 'y/N'}]").lower()
    return answer in _YES if answer else default


def choose(environment: Environment, lines: list[str], question: str) -> list[int]:
    """Show numbered lines and return the indices of those that are wanted: one, some, all or none."""
    for number, line in enumerate(lines, 1):
        environment.note(f"{number:3}  {line}")
    while True:
        answer = ask(environment, question).lower().replace("，", ",")
        if answer in _ALL:
            return list(range(len(lines)))
        parts = answer.replace(",", " ").split()
        if all(part.isdecimal() and 1 <= int(part) <= len(lines) for part in parts):
            return sorted({int(part) - 1 for part in parts})
        environment.note(_("Write numbers, such as 1 or 1,2."))


def ask(environment: Environment, question: str) -> str:
    """Ask and return the line without the blanks around it; raises `typer.Abort` at Ctrl-D."""
    environment.stderr.write(clean(question) + " ")
    environment.stderr.flush()
    try:
        # Bytes that are no text in the terminal's encoding are a typing error, or part of a file's name.
        with cancellation.current().interruptible():
            line = os.fsdecode(stdin.stream(environment).readline())
    except OSError:
        # The terminal is gone.
        line = ""
    if not line:
        # Ctrl-D leaves the cursor behind the question.
        environment.note("")
        raise typer.Abort
    return line.strip()

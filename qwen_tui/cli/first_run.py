"""The first run: there is no model yet, so the person hears what could be fetched, and chooses."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import typer

from qwen_tui import files
from qwen_tui.cli.fetching import Fetch
from qwen_tui.cli.main import tell
from qwen_tui.config import Config
from qwen_tui.errors import NotFetchedError, QwenError
from qwen_tui.i18n import gettext as _
from qwen_tui.models.gguf import read_header
from qwen_tui.models.locate import DEMO, locate
from qwen_tui.terminal.sanitise import clean


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that can be done; `take` does it and returns the model to use from then on."""

    label: str
    take: Callable[[], str]


def settled(settings: Config, *, offline: bool = False, quiet: bool = False) -> Config:
    """Return `settings` with a model that is on this computer, after asking for one where it is not.

    Raises `NotFetchedError` where nobody is there to be asked, `typer.Abort` where the person wants none.
    """
    try:
        locate(settings.model, files.folders().models)
    except NotFetchedError as error:
        if quiet or not _can_ask():
            raise
        model = _choose(error.message, _choices(settings.model, offline=offline))
        return msgspec.structs.replace(settings, model=model)
    return settings


def found_elsewhere() -> list[tuple[str, Path]]:
    """Return the models that other programs have fetched, each with what to call it by."""
    return []


def take_over(path: Path) -> str:
    """Use the model file at `path`, and return by which name; raises `InvalidModelError`."""
    read_header(path)
    _say(_("It is used where it is. To keep it with the models: qwen models import {path}").format(path=path))
    return str(path)


def _choices(model: str, *, offline: bool) -> list[Choice]:
    choices = []
    if not offline:
        fetch = Fetch(model)
        if not fetch.offline:
            choices.append(Choice(_("fetch it: {plan}").format(plan=fetch.plan()), lambda: _fetched(model)))
    for name, path in found_elsewhere():
        choices.append(Choice(_("use {name}, which is here: {path}").format(name=name, path=path), _Taking(path)))
    choices.append(Choice(_("use a .gguf file that is on this computer"), _from_path))
    choices.append(Choice(_("try the demonstration model, which is built in"), lambda: DEMO))
    return choices


class _Taking:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> str:
        return take_over(self._path)


def _choose(reason: str, choices: list[Choice]) -> str:
    """Ask until something comes of it; raises `typer.Abort` at the end of the input."""
    while True:
        _say(reason)
        for number, choice in enumerate(choices, 1):
            _say(f"  {number}  {choice.label}".replace("\n", "\n   "))
        answer = _ask(_("Which? (1 to {n}, Ctrl-D leaves)").format(n=len(choices)))
        if not (answer.isdecimal() and 1 <= int(answer) <= len(choices)):
            continue
        try:
            return choices[int(answer) - 1].take()
        except QwenError as error:
            # What did not work may not be the only way.
            tell(error)


def _fetched(model: str) -> str:
    # A new one each time: the sources that failed may be back.
    fetch = Fetch(model)
    fetch.learn()
    arrived = fetch.run()
    _say(_("Verified: SHA-256 {sha256}").format(sha256=arrived.sha256))
    return model


def _from_path() -> str:
    # A file that is dragged into a terminal comes in quotes.
    return take_over(files.expand(_ask(_("The path of the file:")).strip("'\"")).absolute())


def _can_ask() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def _ask(question: str) -> str:
    sys.stderr.write(clean(question) + " ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        _say("")
        raise typer.Abort
    return line.strip()


def _say(text: str) -> None:
    sys.stderr.write(clean(text) + "\n")
    sys.stderr.flush()

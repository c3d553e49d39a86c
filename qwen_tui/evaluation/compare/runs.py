"""The answers of an experiment, kept in a folder as they come: whoever stops it loses at most one."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from qwen_tui import files
from qwen_tui.engine.protocol import Request
from qwen_tui.errors import WriteError, how_to_write, why
from qwen_tui.evaluation.compare.conditions import Conditions, Machinery
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import FinishReason

_Kept = TypeVar("_Kept", bound=msgspec.Struct)


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer took: the only part of a run that differs when it is repeated.

    Seconds, tokens per second, bytes of RAM and of a card, joules of the processor and of cards; None where nobody
    tells. `first_s` is the time to the first token, with the model loaded. `busy` is which share of the processor other
    programs used before this start of the comparison.
    """

    first_s: float
    reading_tps: float | None
    writing_tps: float | None
    seconds: float
    memory: int | None = None
    card_memory: int | None = None
    processor_j: float | None = None
    card_j: float | None = None
    busy: float | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of a side to a task. `seed` is None for the greedy one."""

    task: str
    side: int
    seed: int | None
    answer: str
    reason: FinishReason
    prompt_tokens: int
    answer_tokens: int
    measured: Measured


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """A side that was led through the first side's greedy answer to a task.

    At each place are the token that was there, the two most likely tokens of this side, and their logits.
    """

    task: str
    side: int
    tokens: tuple[int, ...]
    best: tuple[tuple[int, int], ...]
    logits: tuple[tuple[float, float], ...]


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What the first start of an experiment settled for all that follow."""

    machinery: Machinery
    sides: tuple[Conditions, ...]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a server told of itself while it answered: which models it said it computes, and notes on its requests."""

    models: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class KeptRuns:
    """The folder of one experiment; every file in it is readable by the person alone (0600)."""

    def __init__(self, root: Path, key: object) -> None:
        """`key` is what makes two experiments the same one."""
        self.name = hashlib.sha256(msgspec.json.encode(key, order="sorted")).hexdigest()[:12]
        self.folder = root / self.name

    def settle(self, sides: Sequence[Conditions], machinery: Callable[[], Machinery]) -> Settled:
        """Return what was settled at the first start; if this is the first, settle what is so now."""
        file = self.folder / "experiment.json"
        if (before := _read(file, Settled)) is not None:
            # The names say nothing of what is computed: those of the last command count.
            named = [msgspec.structs.replace(b, name=now.name) for b, now in zip(before.sides, sides, strict=True)]
            return msgspec.structs.replace(before, sides=tuple(named))
        now = Settled(machinery=machinery(), sides=tuple(sides))
        self._write(file, now)
        return now

    def told(self, side: int) -> Told:
        """Return what the server of a side told of itself; empty for a side that is none."""
        return _read(self._of_server(side), Told) or Told()

    def tell(self, side: int, model: str, notes: Sequence[str]) -> None:
        """Keep what the server of a side told with an answer; raises `WriteError`."""
        before = self.told(side)
        # In order, so that the report is the same however often the comparison was interrupted.
        now = Told(models=tuple(sorted({*before.models, model})), notes=tuple(sorted({*before.notes, *notes})))
        if now != before:
            self._write(self._of_server(side), now)

    def run(self, request: Request, task: str, side: int, seed: int | None) -> Run | None:
        """Return the finished answer to `request`, None if there is none."""
        return _read(self._file("run", request, task, side, seed), Run)

    def followed(self, request: Request, task: str, side: int) -> Followed | None:
        """Return what is known of a side that was led through an answer, None if nothing is."""
        return _read(self._file("led", request, task, side, None), Followed)

    def keep(self, request: Request, result: Run | Followed) -> None:
        """Keep what is finished, in one step; raises `WriteError`."""
        kind, seed = ("run", result.seed) if isinstance(result, Run) else ("led", None)
        self._write(self._file(kind, request, result.task, result.side, seed), result)

    def forget(self) -> None:
        """Remove all that is kept of the experiment."""
        for name in files.listing(self.folder):
            if name.endswith(".json"):
                (self.folder / name).unlink(missing_ok=True)

    def _of_server(self, side: int) -> Path:
        return self.folder / f"server{side}.json"

    def _file(self, kind: str, request: Request, task: str, side: int, seed: int | None) -> Path:
        # A changed task is another question, although its name is the same.
        about = hashlib.sha256(msgspec.json.encode(request)).hexdigest()[:12]
        shown = "greedy" if seed is None else f"seed{seed}"
        return self.folder / f"{kind}-{_file_name(task)}-{side}-{shown}-{about}.json"

    def _write(self, file: Path, content: msgspec.Struct) -> None:
        try:
            files.write_private(file, msgspec.json.format(msgspec.json.encode(content)))
        except OSError as error:
            raise WriteError(
                _("{path} could not be written: {reason}").format(path=file, reason=why(error)),
                how_to_write(error, chosen=False),
            ) from error


def _file_name(text: str) -> str:
    """Return `text` as a part of a file name that every system takes."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in text)[:60]


def _read(file: Path, kind: type[_Kept]) -> _Kept | None:
    """Return what is kept in a file; one that was damaged counts as none."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError):
        return None

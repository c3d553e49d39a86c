"""Asks the installed llama.cpp what it is and sees. A worker of its own does that: a broken driver breaks only it."""

import hashlib
import os
import re
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from qwen_tui import cancellation, learned
from qwen_tui.engine import wire
from qwen_tui.engine.library import RPC_VARIABLE, gpu_backends, library_files, nvidia_folders
from qwen_tui.engine.mending import how_to_mend
from qwen_tui.engine.process import WorkerProcess
from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.engine.silence import TICK, Silence
from qwen_tui.errors import EngineError, why
from qwen_tui.hardware.device import Build
from qwen_tui.hardware.gpu import Card, Graphics
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Loading, Note

# A worker that has used no CPU time for so many seconds hangs in the driver, and will not answer.
_PATIENCE = 30.0
# At its first start after an installation, a driver may compile for more than a minute. So the parent waits this long,
# in seconds, for a worker that computes.
_LONGEST = 180.0
# Less CPU time than this, in seconds, does not count as computing.
_COMPUTING = 0.05
# How many inspections are remembered, the latest last.
_REMEMBERED = 20
# The exit code of a worker whose library was built for another processor.
_ILLEGAL = -signal.SIGILL
# After this time, in seconds, llama.cpp is asked again: troubles end when a person adds a library or mends a driver.
_TROUBLE_LASTS = 3600.0
# The most bytes that a start takes of a card. If more has gone, another program took the rest at the same time.
_MOST_TAKEN = 600 << 20
# A worker that ends while less than `_LITTLE` bytes of a card are free may have ended for want of memory: a start of
# CUDA was seen to take up to 506 MiB. llama.cpp is asked again when `_MORE` bytes more are free.
_LITTLE, _MORE = 1 << 30, 64 << 20
# Where NVIDIA's packages have the CUDA libraries. With another one, the module for cards may be loaded.
_CUDA_FILES = ("*/lib/*.so*", "*/bin/**/*.dll")
# A place in llama.cpp's source, at the beginning of a line or behind "in function … at".
_PLACE = re.compile(r"(?:in function \S+ )?(?:\bat )?(?:[A-Za-z]:)?[^\s:]*\.(?:cpp|cuh?|cc?|hpp|h|mm?|inc):\d+:?")
# The line that says what is wrong is among so many last lines of the log.
_TOLD = 6


class AskError(EngineError):
    """llama.cpp could not be asked, for this `reason`.

    `passing` says that the reason may be gone the next time. `looking` says that llama.cpp ended or hung when it looked
    for devices, as with a broken graphics driver.
    """

    def __init__(self, reason: str, *, looking: bool = False, passing: bool = False) -> None:
        super().__init__(
            _("llama.cpp cannot be used: {reason}").format(reason=reason),
            how_to_mend(reason),
        )
        self.reason = reason
        self.looking = looking
        self.passing = passing


Show = Callable[[Loading | Note], None]


def describe(
    options: Sequence[LoadOptions] = (),
    *,
    patience: float = _PATIENCE,
    show: Show = lambda _event: None,
    log: Callable[[str], None] | None = None,
) -> Build:
    """Return what llama.cpp is and sees, with a dry run of each of `options`; raises `AskError`.

    `show` is called several times a second, with what a person who waits should see. `log` is called with each line
    that llama.cpp prints.
    """
    while True:
        try:
            worker = WorkerProcess(log)
        except OSError as error:
            raise AskError(why(error), passing=True) from error
        try:
            worker.send(wire.Describe(tuple(options)))
            return _answer(worker, patience, show)
        except AskError:
            if worker.is_alive() or not worker.steps_down(worker.wait()):
                raise
        finally:
            worker.close()


def _answer(worker: WorkerProcess, patience: float, show: Show) -> Build:
    silence, gpu = Silence(), bool(gpu_backends())
    # This counts ticks and ignores the clock: a program that was suspended, or a PC that slept, has not waited.
    ticks = idle = 0
    computed = 0.0
    while idle * TICK < patience and ticks * TICK < max(patience, _LONGEST):
        ticks, idle = ticks + 1, idle + 1
        cancellation.check()
        try:
            reply = worker.receive(TICK)
        except EOFError:
            code = worker.wait()
            # When the process is closed, all of its log has been read.
            worker.close()
            raise AskError(_end(code, worker.last_lines(_TOLD)), looking=code != _ILLEGAL) from None
        if reply is None:
            for event in silence.tick(gpu=gpu):
                show(event)
            if (seconds := worker.cpu_seconds()) > computed + _COMPUTING:
                computed, idle = seconds, 0
        if isinstance(reply, wire.Described):
            return reply.build
        if isinstance(reply, wire.Failed):
            raise AskError(reply.detail)
    raise AskError(_("it does not answer"), looking=True)


def for_people(lines: str) -> list[str]:
    """Return the lines of a log that mean something to a person: without places in llama.cpp's source code.

    llama.cpp's last line is such as `/build/ggml/src/ggml-cuda/ggml-cuda.cu:103: CUDA error`, and the lines before it
    say more. The log file has all of them.
    """
    kept: list[str] = []
    for line in lines.splitlines():
        plain = _PLACE.sub("", line).strip()
        if plain and not line.startswith("  ") and not any(other.startswith(plain) for other in kept):
            kept.append(plain)
    return kept


def _end(code: int, lines: str) -> str:
    if code == _ILLEGAL:
        return _("it was built for another processor (SIGILL)")
    try:
        name = signal.Signals(-code).name if code < 0 else str(code)
    except ValueError:
        name = str(code)
    reason = _("it ended at once ({code})").format(code=name)
    last = for_people(lines)[-1:]
    return f"{reason}: {last[0]}" if last else reason


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What llama.cpp said when it was `asked` (seconds since 1970) what it is and sees: a `build`, or the `trouble`.

    The free memory of the devices in `build` is that of the moment when it was asked, and `circumstances` are those of
    then. `gpu_taken` is what its start takes of a card, in bytes; None where that is not known. `free` is set where the
    trouble may be that only so many bytes were free of the fullest card. `idle` says that a card is here, and that
    llama.cpp found none, although it was built for cards: that is a trouble, too.
    """

    build: Build | None = None
    trouble: str = ""
    gpu_taken: int | None = None
    asked: float = 0.0
    circumstances: str = ""
    free: int | None = None
    idle: bool = False

    @property
    def is_trouble(self) -> bool:
        """Whether something kept llama.cpp from the card that a person may mend, or that may pass."""
        return self.build is None or self.idle

    def holds(self, seen: Graphics) -> bool:
        """Whether this still holds with the cards as they are now, so that nobody asks llama.cpp again."""
        if not self.is_trouble:
            return True
        card = seen.fullest
        no_more = self.free is None or card is None or (card.free or 0) < self.free + _MORE
        return no_more and 0 <= time.time() - self.asked < _TROUBLE_LASTS


def known(
    options: Sequence[LoadOptions],
    kept: Path,
    circumstances: str,
    seen: Graphics,
    show: Show = lambda _event: None,
    *,
    log: Callable[[str], None] | None = None,
    noting: bool = True,
) -> Inspection:
    """Return what `describe` says. It comes from the file `kept` if nothing has changed since llama.cpp was asked.

    Asking takes a second or more, because a graphics driver has to start: too long for every question. The answer
    depends on the library, the model and the `circumstances` (the driver and the cards). `seen` are the cards before
    the start. If the driver does not tell what is free of the card in use, llama.cpp is asked every time. `show` and
    `log` are those of `describe`. Without `noting`, nothing is written.
    """
    key = _key(options, circumstances)
    entries = _read(kept)
    if (found := entries.get(key)) and found.holds(seen):
        return found
    try:
        build = describe(options, show=show, log=log)
    except AskError as error:
        card = short_card(seen) if error.looking else None
        free = card.free if card else None
        found = Inspection(trouble=error.reason, asked=time.time(), circumstances=circumstances, free=free)
        if error.passing:
            return found
    else:
        device = build.device
        card = seen.of(device) if device else None
        before = card.free if card else None
        taken = None if device is None or before is None else min(_MOST_TAKEN, max(0, before - device.free))
        idle = bool(seen.cards) and build.gpu_offload and not build.gpus
        found = Inspection(build=build, gpu_taken=taken, asked=time.time(), circumstances=circumstances, idle=idle)
        # A graphics part inside the processor gets no layers unless a person insists. An RPC server comes and goes.
        if (device and device.kind == "gpu" and before is None) or os.environ.get(RPC_VARIABLE):
            return found
    if noting:
        learned.write(kept, learned.latest(entries, key, found, _REMEMBERED))
    return found


def short_card(seen: Graphics) -> Card | None:
    """Return the fullest card if so little of it is free that looking at it may end llama.cpp; None otherwise."""
    card = seen.fullest
    return card if card and (card.free or 0) < _LITTLE else None


def start_takes(kept: Path, circumstances: str) -> int | None:
    """Return what llama.cpp's start took of a card under these circumstances, in bytes; None if that is not known."""
    found = (known.gpu_taken for known in _read(kept).values() if known.circumstances == circumstances)
    return max((taken for taken in found if taken is not None), default=None)


def forget_troubles(kept: Path) -> bool:
    """Forget the troubles, so that llama.cpp is asked again, as after a driver was mended; whether there were any."""
    entries = _read(kept)
    sound = {key: found for key, found in entries.items() if not found.is_trouble}
    if len(sound) == len(entries):
        return False
    learned.write(kept, sound)
    return True


def _read(kept: Path) -> dict[str, Inspection]:
    return learned.read(kept, dict[str, Inspection], {})


def _key(options: Sequence[LoadOptions], circumstances: str) -> str:
    server = os.environ.get(RPC_VARIABLE, "")
    digest = hashlib.sha256(f"{circumstances}{server}".encode("utf-8", "replace"))
    of_cuda = sorted(file for folder in nvidia_folders() for pattern in _CUDA_FILES for file in folder.glob(pattern))
    models = (Path(os.fsdecode(path)) for path in {each.path for each in options})
    for file in [*library_files(), *of_cuda, *models]:
        try:
            facts = file.stat()
        except OSError:
            continue
        digest.update(f"{file.name} {facts.st_size} {facts.st_mtime_ns}\n".encode("utf-8", "replace"))
    for each in options:
        digest.update(msgspec.json.encode(msgspec.structs.replace(each, path=b"", store=None)))
    return digest.hexdigest()

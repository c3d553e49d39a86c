"""Examines in a worker whether the installed llama.cpp can answer with a model file, before the first question.

A header says what a file is. It does not say whether the installed llama.cpp knows the architecture and the tokenizer,
and whether the vocabulary has the marks of a prompt.
"""

import os
from pathlib import Path

import msgspec

from qwen_tui import cancellation, learned
from qwen_tui.engine import wire
from qwen_tui.engine.failures import unfit
from qwen_tui.engine.library import library_stamp
from qwen_tui.engine.process import WorkerProcess
from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.engine.silence import TICK
from qwen_tui.errors import InvalidModelError, QwenError
from qwen_tui.files import folders
from qwen_tui.models import identity, kinds, parts
from qwen_tui.models.identity import Facts
from qwen_tui.models.inventory import DEMO_FILE

# An examination that takes more seconds than this is given up.
_PATIENCE = 30.0
_LOG_LINES = 40
_REMEMBERED = 100


class _Examined(msgspec.Struct, frozen=True):
    """What llama.cpp `said` about a file with these `facts`; "" if it can answer with the file."""

    facts: Facts
    library: tuple[tuple[str, int, int], ...]
    said: str


def problem(path: Path, *, noting: bool = True) -> QwenError | None:
    """Return why the model in `path` cannot answer, None if no reason is known.

    The result is remembered, except without `noting`: a command that only looks changes nothing. An examination takes a
    second at most, and neither loads the weights nor uses a graphics card.
    """
    if path == DEMO_FILE:
        return None
    try:
        header = parts.read_model(path)
        kinds.require_model(header, path)
    except InvalidModelError as error:
        return error
    facts = identity.facts(os.fsencode(path))
    if facts is None:
        return None
    memory = folders().examined
    known = learned.read(memory, dict[str, _Examined], {})
    found, library = known.get(str(path)), library_stamp()
    if found is None or (found.facts, found.library) != (facts, library):
        said = _examine(path)
        if said is None:
            return None
        found = _Examined(facts, library, said)
        if noting:
            learned.write(memory, learned.latest(known, str(path), found, _REMEMBERED))
    return unfit(str(path), found.said) if found.said else None


def _examine(path: Path) -> str | None:
    """Return llama.cpp's objection to the file, "" if it has none, None if it could not be asked."""
    options = LoadOptions(path=os.fsencode(path))
    try:
        worker = WorkerProcess(None)
    except OSError:
        return None
    try:
        worker.send(wire.Examine(options))
        reply: wire.Reply | None = None
        for _tick in range(round(_PATIENCE / TICK)):
            cancellation.check()
            if (reply := worker.receive(TICK)) is not None:
                break
    except (EOFError, OSError):
        # A variant of llama.cpp that dies here is not loaded again. Else the file has crashed the worker, and the first
        # question will report how.
        return _examine(path) if worker.steps_down(worker.wait()) else None
    finally:
        worker.close()
    if isinstance(reply, wire.Failed) and reply.kind == "model":
        said = f"{reply.detail}\n{worker.last_lines(_LOG_LINES)}"
        # A failure from a lack of memory says nothing about the file.
        return said if unfit(str(path), said) else None
    return "" if isinstance(reply, wire.Examined) else None

"""`qwen read`: reads documents ahead of time, so that the first question about each is answered at once."""

import time
from contextlib import closing
from typing import Annotated

import typer

from qwen_tui import cancellation, files
from qwen_tui.chat import document_state
from qwen_tui.chat.material import report_blank
from qwen_tui.cli import options, screen, sources, wiring
from qwen_tui.cli.environment import Environment
from qwen_tui.config import Config
from qwen_tui.durations import duration
from qwen_tui.engine.protocol import Engine
from qwen_tui.errors import InputError, UsageError
from qwen_tui.hardware.tensors import kv_bytes
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import ngettext
from qwen_tui.messages import Material
from qwen_tui.planning import kept_states
from qwen_tui.planning.planner import Planner
from qwen_tui.terminal.output import HeldOutput

# So many tokens whose cost nobody knows are worth a measurement of how long they will take.
_WORTH_TRYING = 256
# How often it looks whether the worker has written a state, in seconds, and how long it waits for the beginning.
_LOOK_EVERY, _PATIENCE = 0.05, 2.0


def read(
    context: typer.Context,
    paths: Annotated[list[str], typer.Argument(metavar="FILE…", help=_("Documents: text, PDF, Word …"))],
    model: options.Model = None,
    system: options.System = None,
    encoding: options.Encoding = None,
    password_file: options.PasswordFile = None,
    ctx_size: options.CtxSize = None,
    threads: options.Threads = None,
    gpu_layers: options.GpuLayers = None,
    lang: options.Language = None,
) -> int:
    """Read each document, keep its state, and return the exit code."""
    environment = Environment.of(context)
    flags = {"model": model, "system": system, "ctx_size": ctx_size, "threads": threads, "gpu_layers": gpu_layers}
    settings = options.settings(environment, {**flags, "language": lang})
    if not settings.cache:
        raise UsageError(
            _("Nothing can be read ahead of time: computed prompts are not kept."),
            _("Keep them with: qwen config set cache true"),
        )
    output = screen.output(environment, settings, held=True)
    named = sources.password_of(password_file)
    reading = sources.reading_of(environment, output, encoding, named)
    with closing(output):
        planner = wiring.planner(environment, settings)
        for material in sources.gather(environment, paths, reading, piped=False):
            report_blank([material], output.note)
            if material.text.strip():
                _read(planner, settings, material, output)
            if cancellation.current().requested:
                break
    return cancellation.current().exit_code


def _read(planner: Planner, settings: Config, material: Material, output: HeldOutput) -> None:
    """Read one document, and say what is kept of it; raises `InputError` where it does not fit."""
    with closing(planner.engine("ask")) as engine:
        tokens = _fitting(planner, engine, settings, material, output)
        _announce(engine, settings, material, tokens, output)
        finished = document_state.compute(engine, material, settings, output)
    if finished.reason == "interrupted":
        output.note(_("{name}: stopped; nothing of it is kept.").format(name=material.name))
        return
    size = _kept(settings, document_state.owner(material, settings))
    if size is None:
        # The engine writes nothing that is computed as fast as it is read from a disk.
        output.note(_("{name}: this is read so fast that nothing needs to be kept.").format(name=material.name))
        return
    said = ngettext(
        "{name}: {n} token is read and kept, {size} on disk.",
        "{name}: {n} tokens are read and kept, {size} on disk.",
        tokens,
    )
    output.note(said.format(name=material.name, n=f"{tokens:,}", size=files.size_text(size)))


def _fitting(planner: Planner, engine: Engine, settings: Config, material: Material, output: HeldOutput) -> int:
    """Return how many tokens the document has; raises `InputError` where there is no room for it, or for its state."""
    for event in engine.load():
        output.show(event)
    tokens, most = engine.count(document_state.messages_of(material, settings)), engine.info().ctx_size
    if tokens >= most:
        raise InputError(
            _("{name} has {n} tokens, and the context holds {most}.").format(
                name=material.name, n=f"{tokens:,}", most=f"{most:,}"
            ),
            _("Read it with a larger context, and ask with the same: --ctx-size N"),
        )
    size, limit = kv_bytes(planner.header, planner.next_time("ask").plan.kv_type, tokens), kept_states.limit(settings)
    if size > limit:
        raise InputError(
            _("{name}: its computed state takes {size}, and {limit} may be kept.").format(
                name=material.name, size=files.size_text(size), limit=files.size_text(limit)
            ),
            _("Allow more with: qwen config set cache_limit GB"),
        )
    return tokens


def _announce(engine: Engine, settings: Config, material: Material, tokens: int, output: HeldOutput) -> None:
    """Say how long the reading will take, if that is long enough for the state to be kept."""
    messages = document_state.messages_of(material, settings)
    cached = engine.cached(messages)
    if engine.estimate(tokens) is None and tokens - cached >= _WORTH_TRYING:
        for event in engine.try_out(messages):
            output.show(event)
    seconds = engine.estimate(tokens, cached)
    if seconds is not None and seconds >= settings.cache_seconds:
        said = _("{name}: {n} tokens, read in about {time}")
        output.note(said.format(name=material.name, n=f"{tokens:,}", time=duration(seconds)))


def _kept(settings: Config, owner: str) -> int | None:
    """Wait until the engine, which has ended, has written the state; return its bytes, None if it writes none."""
    store = kept_states.store(settings)
    begun = time.monotonic()
    while (found := next((entry.size for entry in store.entries() if entry.conversation == owner), None)) is None:
        if store.coming_of(owner) is None and time.monotonic() - begun > _PATIENCE:
            break
        cancellation.check()
        time.sleep(_LOOK_EVERY)
    return found

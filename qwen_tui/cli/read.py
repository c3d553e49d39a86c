"""`qwen read`: reads documents ahead of time, so that the first question about each is answered at once."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Annotated, NamedTuple

import typer

from qwen_tui import cancellation, files
from qwen_tui.chat import document_state
from qwen_tui.chat.material import report_blank
from qwen_tui.cli import options, screen, sources, wiring
from qwen_tui.cli.environment import Environment
from qwen_tui.config import Config
from qwen_tui.durations import duration
from qwen_tui.engine.prefix_store import PrefixStore, StoredState
from qwen_tui.engine.protocol import Engine
from qwen_tui.engine.store_folder import MOST_STATES
from qwen_tui.errors import InputError, UsageError
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


class _Document(NamedTuple):
    """A document to read, and what is known of it before.

    `owner` is the name of its state, which takes `size` bytes at most. Of its `tokens`, so many are `cached`: kept from
    before. To read the others takes about `seconds`, None if nobody knows yet.
    """

    material: Material
    owner: str
    tokens: int
    size: int
    cached: int
    seconds: float | None

    @property
    def name(self) -> str:
        return self.material.name


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
        materials = sources.gather(environment, paths, reading, piped=False)
        report_blank(materials, output.note)
        for document in _measured(planner, settings, [one for one in materials if one.text.strip()], output):
            _read(planner, settings, document, output)
            if cancellation.current().requested:
                break
    return cancellation.current().exit_code


def _measured(planner: Planner, settings: Config, materials: Sequence[Material], output: HeldOutput) -> list[_Document]:
    """Count the documents, and say what several take together; raises `InputError` where there is no room.

    All are counted before one is read: nobody waits for minutes to hear that the next one does not fit.
    """
    if not materials:
        return []
    kv_type = planner.next_time("ask").plan.kv_type
    # It loads no weights.
    with closing(planner.counter("ask")) as engine:
        for event in engine.load():
            output.show(event)
        size_of = partial(kept_states.size, planner.header, kv_type)
        documents = [_document(engine, settings, one, size_of) for one in materials]
        slow = [one for one in documents if not _is_quick(settings, engine.estimate(one.tokens))]
    _check_room(settings, {one.owner: one for one in slow})
    different = {one.owner: one for one in documents}.values()
    if len(different) > 1:
        said = _("{n} documents, {tokens} tokens in all, at most {size} on disk")
        tokens, size = sum(one.tokens for one in different), sum(one.size for one in different)
        output.note(said.format(n=f"{len(different):,}", tokens=f"{tokens:,}", size=files.size_text(size)))
    return documents


def _document(engine: Engine, settings: Config, material: Material, size_of: Callable[[int], int]) -> _Document:
    """Return what is known of a document; raises `InputError` where the context has no room for it and a question."""
    messages = document_state.messages_of(material, settings)
    tokens, most = engine.count(messages), engine.info().ctx_size
    room = document_state.room(engine, material, settings)
    if tokens + room > most:
        raise InputError(
            _(
                "{name} has {n} tokens, and the context holds {most}: {room} of them are for a question and its answer."
            ).format(name=material.name, n=f"{tokens:,}", most=f"{most:,}", room=f"{room:,}"),
            _("Read it with a larger context, and ask with the same: --ctx-size N"),
        )
    cached = engine.cached(messages)
    owner = document_state.owner(engine, material, settings)
    return _Document(material, owner, tokens, size_of(tokens), cached, engine.estimate(tokens, cached))


def _check_room(settings: Config, kept: Mapping[str, _Document]) -> None:
    """Raise `InputError` where the states of these documents cannot all be kept: the last would push the first out."""
    limit, total = kept_states.limit(settings), sum(one.size for one in kept.values())
    if len(kept) > MOST_STATES:
        raise InputError(
            _("{n} documents are to be read, and the states of {most} may be kept.").format(
                n=f"{len(kept):,}", most=MOST_STATES
            ),
            _("Name fewer of them."),
        )
    if total <= limit:
        return
    largest = max(kept.values(), key=lambda one: one.size)
    if largest.size > limit:
        raise InputError(
            _("{name}: its computed state takes {size}, and {limit} may be kept.").format(
                name=largest.name, size=files.size_text(largest.size), limit=files.size_text(limit)
            ),
            _("Allow more with: qwen config set cache_limit {gigabytes}").format(gigabytes=_gigabytes(largest.size)),
        )
    raise InputError(
        _("{n} documents: their computed states take {size} together, and {limit} may be kept.").format(
            n=len(kept), size=files.size_text(total), limit=files.size_text(limit)
        ),
        _("Name fewer of them, or allow more with: qwen config set cache_limit {gigabytes}").format(
            gigabytes=_gigabytes(total)
        ),
    )


def _gigabytes(size: int) -> str:
    """Return a size as the setting takes it, rounded up to a tenth."""
    return f"{math.ceil(size / 1e8) / 10:g}"


def _is_quick(settings: Config, seconds: float | None) -> bool:
    """Whether what takes so long to compute is not kept; what nobody knows may be kept."""
    return seconds is not None and seconds < settings.cache_seconds


def _read(planner: Planner, settings: Config, document: _Document, output: HeldOutput) -> None:
    """Read one document, and say before what that takes, and after it what is kept."""
    _announce(document, output)
    before = _state(kept_states.store(settings), document.owner)
    with closing(planner.engine("ask")) as engine:
        _foretell(engine, settings, document, output)
        finished = document_state.compute(engine, document.material, settings, output)
        rest_s = engine.estimate(document.tokens, document.cached)
    if finished.reason == "interrupted":
        output.note(_stopped(settings, document, before))
        return
    kept = _kept(settings, document.owner, before)
    output.note(_done(document, kept, is_quick=rest_s is None or _is_quick(settings, rest_s)))


def _announce(document: _Document, output: HeldOutput) -> None:
    """Say the bytes before the model is loaded. They are the most: what is read fast is not kept."""
    said = _("{name}: {n} tokens, at most {size} on disk")
    if document.seconds is not None:
        said = _("{name}: {n} tokens, at most {size} on disk, read in about {time}")
    size, long = files.size_text(document.size), duration(document.seconds or 0.0)
    output.note(said.format(name=document.name, n=f"{document.tokens:,}", size=size, time=long))


def _foretell(engine: Engine, settings: Config, document: _Document, output: HeldOutput) -> None:
    """Load the model, and say how long the reading will take if nobody knew before."""
    for event in engine.load():
        output.show(event)
    if document.seconds is not None or document.tokens - document.cached < _WORTH_TRYING:
        return
    for progress in engine.try_out(document_state.messages_of(document.material, settings)):
        output.show(progress)
    seconds = engine.estimate(document.tokens, document.cached)
    if seconds is not None:
        output.note(_("{name}: read in about {time}").format(name=document.name, time=duration(seconds)))


def _kept(settings: Config, owner: str, before: StoredState | None) -> StoredState | None:
    """Wait until the engine, which has ended, has written the state, and return it; None if it writes none.

    The state of `before` does not count unless the engine has used it.
    """
    store = kept_states.store(settings)
    begun = time.monotonic()
    while True:
        coming, found = store.coming_of(owner), _state(store, owner)
        if coming is None and found != before:
            return found
        if coming is None and time.monotonic() - begun > _PATIENCE:
            return None
        cancellation.check()
        time.sleep(_LOOK_EVERY)


def _state(store: PrefixStore, owner: str) -> StoredState | None:
    return next((entry for entry in store.entries() if entry.conversation == owner), None)


def _stopped(settings: Config, document: _Document, before: StoredState | None) -> str:
    """Return what is left of a reading that was interrupted. The engine writes it as that of any answer."""
    store = kept_states.store(settings)
    # The command has been cancelled, and looking takes a moment only.
    with cancellation.shielded():
        coming, found = store.coming_of(document.owner), _state(store, document.owner)
    written = found.tokens if found and found != before else 0
    tokens = max(coming.common if coming else written, document.cached)
    if not tokens:
        return _("{name}: stopped; nothing of it is kept.").format(name=document.name)
    return _("{name}: stopped. {n} of its {total} tokens are kept, and reading it again goes on there.").format(
        name=document.name, n=f"{tokens:,}", total=f"{document.tokens:,}"
    )


def _done(document: _Document, kept: StoredState | None, *, is_quick: bool) -> str:
    """Return what is kept of a document that was read. What `is_quick` to compute is not kept."""
    if kept is not None:
        said = ngettext(
            "{name}: {n} token is read and kept, {size} on disk.",
            "{name}: {n} tokens are read and kept, {size} on disk.",
            document.tokens,
        )
        return said.format(name=document.name, n=f"{document.tokens:,}", size=files.size_text(kept.size))
    if not is_quick:
        said = _(
            "{name}: it is read, but not kept: to write it takes longer than to read it, or there is no room on the "
            "disk or in memory."
        )
    elif document.cached:
        said = _("{name}: {n} of its {total} tokens were kept before; the rest is read so fast that it need not be.")
    else:
        said = _("{name}: this is read so fast that nothing needs to be kept.")
    return said.format(name=document.name, n=f"{document.cached:,}", total=f"{document.tokens:,}")

"""The report of `qwen doctor` as text for people: as wide as the terminal at most, and in plain characters."""

from collections.abc import Iterable, Iterator

from wcwidth import width

from qwen_tui.columns import folded, padded
from qwen_tui.evaluation.memory_bars import bars, gib
from qwen_tui.evaluation.report import ExpectedSpeed, FolderState, Report, ServerState
from qwen_tui.files import size_text
from qwen_tui.hardware.gpu import Graphics
from qwen_tui.hardware.processor import Processor
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import labelled, listed, ngettext, noted
from qwen_tui.planning.in_force import describe

# Lines have room for at least so many cells, however narrow the terminal.
_NARROWEST = 30
# From so many cores on, what other programs use is worth a line.
_BUSY = 0.5


def text(report: Report, columns: int = 80) -> str:
    """Return the report, in lines of at most `columns` cells."""
    parts = [
        _section(_("This PC"), _machine(report), columns),
        _section("llama.cpp", _build(report), columns),
        _section(_("Model"), _model(report), columns),
        _section(_("Server"), _server(report.server), columns),
        "" if report.server else _section(_("Plan"), _plan(report), columns),
        bars(report.plan, columns) if report.plan else "",
        "" if report.server else _section(_("Speed"), _speed(report.speed), columns),
        _section(_("Folders"), [(_called(folder), _folder(folder)) for folder in report.folders], columns),
        _section(_("Network"), _network(report), columns),
        _problems(report, columns),
        folded(report.advice, columns),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _machine(report: Report) -> Iterator[tuple[str, str]]:
    processor, memory = report.machine.processor, report.machine.memory
    yield _("processor"), processor.name
    yield "", _cores(processor)
    if processor.limit:
        reasons = {
            "quota": _("a quota of the container or service"),
            "affinity": _("this program is bound to so many, as by taskset"),
        }
        limited = _("{cores} of {all} cores may be used: {reason}")
        yield "", limited.format(cores=processor.cores, all=processor.all_cores, reason=reasons[processor.limit])
    if report.load and report.load.cores >= _BUSY:
        busy = _("other programs use {cores:.1f} cores now ({program}): answers are slower meanwhile")
        yield "", busy.format(cores=report.load.cores, program=report.load.program or "?")
    sizes = _("{total}, {free} free").format(total=gib(memory.total), free=gib(memory.free))
    yield _("memory"), sizes + (_(" (limited by a container or service)") if memory.limited else "")
    yield from _graphics(report.machine.graphics)
    yield _("system"), report.machine.system


def _cores(processor: Processor) -> str:
    cores = (processor.all_cores if processor.limit else processor.cores) or 0
    counted = ngettext("{n} core", "{n} cores", cores).format(n=cores)
    if not processor.limit:
        threads = processor.logical_cores
        counted = listed((counted, ngettext("{n} thread", "{n} threads", threads).format(n=threads)))
    return _("{cores}; {instructions}").format(cores=counted, instructions=_instructions(processor))


def _instructions(processor: Processor) -> str:
    if processor.instructions is None:
        return _("instruction sets unknown")
    return " ".join(processor.instructions) or _("no AVX")


def _graphics(seen: Graphics) -> Iterator[tuple[str, str]]:
    for card in seen.cards:
        facts = [card.name, _("{total}, {free} free").format(total=gib(card.total), free=gib(card.free))]
        if card.display is not None:
            facts.append(_("with a screen") if card.display else _("without a screen"))
        yield _("graphics card"), listed(facts)
        yield "", _("driver {driver}, CUDA {cuda}").format(driver=seen.driver or "?", cuda=seen.cuda or "?")
    if seen.trouble == "broken":
        yield _("graphics card"), _("the driver does not work: {reason}").format(reason=seen.detail)
    elif not seen.cards:
        none = _("no NVIDIA card") if seen.trouble == "no_card" else _("no NVIDIA card, or no driver for it")
        yield _("graphics card"), none


def _build(report: Report) -> Iterator[tuple[str, str]]:
    build = report.build
    if build is None:
        whole = all(problem.code not in ("gpu_not_usable", "card_full") for problem in report.problems)
        yield "", _("cannot be used") if whole else _("nothing is known: it could not look at the graphics card")
        return
    yield _("version"), _("{version} (ggml {library})").format(version=build.version, library=build.library or "?")
    if build.variant:
        chosen = _("portable; of its variants for processors, {variant} suits this one best")
        if build.died:
            chosen = _(
                "portable; of its variants for processors, {died} crashed here on an instruction that the system "
                "forbids, so {variant} is used"
            )
        yield "", chosen.format(variant=build.variant, died=listed(build.died))
    for backend, instructions in build.compiled().items():
        yield _("built for"), labelled(backend, instructions)
    for device in build.gpus:
        sizes = _("{total}, {free} free").format(total=gib(device.total), free=gib(device.free))
        yield _("device"), labelled(device.name, listed((device.description, sizes)))
    if not build.gpus:
        yield (
            _("device"),
            _("the CPU alone") if not build.gpu_offload else _("the CPU; it could use a GPU and sees none"),
        )


def _model(report: Report) -> Iterator[tuple[str, str]]:
    model = report.model
    yield _("name"), model.name
    if model.path:
        yield _("file"), noted(model.path, size_text(model.size)) if model.size else model.path
    checksums = {
        "verified": _("ready, its checksum verified"),
        "changed": _("ready, but changed since its checksum was verified"),
    }
    yield _("state"), checksums.get(model.checksum, _("ready")) if model.usable else _("not usable")


def _server(server: ServerState | None) -> Iterator[tuple[str, str]]:
    if server is None:
        return
    yield _("host"), _("{host}, this computer").format(host=server.host) if server.this_computer else server.host
    told = server.asked
    if told is None:
        yield "", _("not asked; with --network it is")
        return
    yield _("kind"), _("not known") if told.kind == "other" else told.kind
    if told.model:
        yield _("model"), told.model
        known = _("{tokens} tokens") if told.context_is_told else _("not told; {tokens} tokens are assumed")
        yield _("context"), known.format(tokens=f"{told.ctx_size:,}")
        yield _("tokens"), _("estimated") if told.estimates else _("counted by the server")
    yield "", _("What its computer has and how it computes, a server does not tell; qwen bench measures it from here.")


def _plan(report: Report) -> Iterator[tuple[str, str]]:
    plan = report.plan
    if plan is None:
        yield "", _("none: that takes a model and a working llama.cpp")
        return
    if plan.gpu_layers:
        place = _("{layers} of {all} layers on the graphics card").format(layers=plan.gpu_layers, all=plan.all_layers)
    else:
        place = _("on the CPU")
    yield _("where"), place
    if plan.gpu_layers and plan.room.device:
        yield _("device"), plan.room.device
    yield _("context"), _("{tokens} tokens").format(tokens=plan.ctx_size)
    yield _("how"), describe(plan.plan)
    yield _("from"), report.origin
    if report.note:
        yield "", report.note


def _speed(speed: ExpectedSpeed) -> Iterator[tuple[str, str]]:
    if speed.writing is None:
        yield "", _("unknown; qwen tune measures it")
        return
    figure = _("{writing:.1f} tokens/s").format(writing=speed.writing)
    if speed.source == "measured":
        yield _("writing"), _("{figure}, measured {date}").format(figure=figure, date=speed.when)
        yield _("reading"), _("{reading:.1f} tokens/s").format(reading=speed.reading or 0.0)
    else:
        yield _("writing"), _("about {figure}: an estimate; qwen tune measures it").format(figure=figure)
    if speed.bandwidth:
        named = (
            _("from {bandwidth:.1f} GB/s of the graphics card's memory")
            if speed.on_card
            else _("from {bandwidth:.1f} GB/s of memory")
        )
        yield "", named.format(bandwidth=speed.bandwidth / 1e9)


def _called(folder: FolderState) -> str:
    names = {"config": _("settings"), "data": _("data"), "cache": _("cache"), "models": _("models")}
    return names.get(folder.name, folder.name)


def _folder(folder: FolderState) -> str:
    notes = [] if folder.exists else [_("not there yet")]
    if not folder.writable:
        notes.append(_("cannot be written"))
    if folder.private is False:
        notes.append(_("readable by others"))
    if folder.free is not None:
        notes.append(_("{size} free on the disk").format(size=size_text(folder.free)))
    return noted(folder.path, listed(notes)) if notes else folder.path


def _network(report: Report) -> Iterator[tuple[str, str]]:
    if report.offline:
        yield "", _("not checked, since HF_HUB_OFFLINE is set")
    for source in report.network or ():
        answer = _("answers in {seconds:.1f} s").format(seconds=source.seconds) if source.reachable else _("no answer")
        yield "", labelled(source.address, answer)


def _problems(report: Report, columns: int) -> str:
    if not report.problems:
        return _("Nothing is wrong.")
    lines = [_("What is wrong")]
    for problem in report.problems:
        mark = "!!" if problem.severity == "error" else "! "
        lines.append(_indented(f"{mark} ", problem.message, columns))
        if problem.remedy:
            lines.append(_indented("   > ", problem.remedy, columns))
    return "\n".join(lines)


def _section(title: str, rows: Iterable[tuple[str, str]], columns: int) -> str:
    """Return a title and rows of a name and a text, in which the lines of a text begin in the same column."""
    listing = list(rows)
    if not listing:
        return ""
    wide = max(width(name) for name, _said in listing)
    lines = [title]
    for name, said in listing:
        head = f"  {padded(name, wide)}  " if wide else "  "
        lines.append(_indented(head, said, columns))
    return "\n".join(lines)


def _indented(head: str, said: str, columns: int) -> str:
    indent = width(head)
    lines = folded(said, max(_NARROWEST, columns - indent)).split("\n")
    return head + ("\n" + " " * indent).join(lines)

"""Rules that find problems in what was examined on a PC, each with a remedy."""

from collections.abc import Iterator, Sequence

from qwen_tui.engine.mending import build_command, how_to_mend
from qwen_tui.evaluation import idle_card
from qwen_tui.evaluation.report import FolderState, ModelState, Problem
from qwen_tui.hardware.device import Build
from qwen_tui.hardware.gpu import Graphics
from qwen_tui.hardware.placement import Placement
from qwen_tui.hardware.processor import Processor
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.models.fetching.reach import Reachability

# Instruction sets that a build may use and an older processor may lack: then the first computation crashes.
_RISKY = (
    "AVX",
    "AVX2",
    "FMA",
    "F16C",
    "BMI2",
    "AVX_VNNI",
    "AVX512",
    "AVX512_VBMI",
    "AVX512_VNNI",
    "AVX512_BF16",
    "AMX_INT8",
)
_LITTLE_DISK = 1 << 30
# A graphics card with at least so many bytes of memory is worth its own build of llama.cpp.
WORTH = int(1.8 * (1 << 30))


def _reinstall() -> str:
    return _("Build it here: {command}").format(command=build_command())


def until_mended() -> str:
    """Return the remedy for a broken graphics driver."""
    return _("Restart the PC; if that does not help, install the driver again. Until then the CPU computes.")


def of_build(build: Build, processor: Processor) -> Iterator[Problem]:
    """Yield a problem if the installed llama.cpp does not suit the processor."""
    # The variants of a portable build ask the processor itself, and the next one is taken where one dies.
    lacking = [name for name in _RISKY if build.compiled_for(name) and processor.has(name) is False]
    if lacking and not build.variant:
        yield Problem(
            code="built_for_another_processor",
            severity="error",
            message=_("llama.cpp was built for a processor with {names}, which this one lacks: it will crash.").format(
                names=listed(lacking)
            ),
            remedy=_reinstall(),
        )
    without = build.features.get("CPU") and not build.compiled_for("AVX2")
    if processor.has("AVX2") and without and not build.variant:
        yield Problem(
            code="build_without_avx2",
            severity="warning",
            message=_("This processor has AVX2, and llama.cpp was built without it: it is several times slower."),
            remedy=_reinstall(),
        )
    if build.broken:
        # One file tells enough: whatever has cut it, has often cut others.
        reason = build.broken[0]
        yield Problem(
            code="variant_broken",
            severity="warning",
            message=_(
                "A part of llama.cpp that may be the fastest for this processor cannot be loaded ({reason}); another "
                "is used, which may be slower."
            ).format(reason=reason),
            remedy=how_to_mend(reason),
        )
    if processor.has("AVX2") is False:
        yield Problem(
            code="processor_without_avx2",
            severity="warning",
            message=_("This processor has no AVX2: answers will be slow."),
            remedy=_("Choose a smaller model with -m, or another PC."),
        )


def of_threads(processor: Processor, plan: Placement | None) -> Iterator[Problem]:
    """Yield a problem if there are more threads than cores: the threads would wait for each other."""
    if plan and plan.plan.threads > processor.logical_cores:
        yield Problem(
            code="more_threads_than_cores",
            severity="warning",
            message=_(
                "{threads} threads are set, more than the cores this program may use ({cores}): that is slower."
            ).format(threads=plan.plan.threads, cores=processor.logical_cores),
            remedy=_("Let the program decide: {command}").format(command="qwen config set threads"),
        )


def of_graphics(build: Build | None, backends: Sequence[str] | None, seen: Graphics) -> Iterator[Problem]:
    """Yield the problems that prevent the use of a graphics card."""
    if seen.trouble == "broken":
        yield Problem(
            code="driver_broken",
            severity="warning",
            message=_("NVIDIA's driver does not work: {reason}").format(reason=seen.detail),
            remedy=until_mended(),
        )
    # Nobody misses a card that is not there, unless the build cannot be loaded without its driver.
    elif not seen.cards and "cuda" in (backends or ()) and not (build and (build.gpus or seen.trouble == "no_card")):
        yield Problem(
            code="driver_missing",
            severity="warning",
            message=_("llama.cpp was built for NVIDIA cards, and no driver for one is found."),
            # Some builds cannot even be loaded without the driver.
            remedy=_("Install NVIDIA's driver if the PC has such a card.")
            if build is None
            else _("Install NVIDIA's driver if the PC has such a card. Until then the CPU computes."),
        )
    card = seen.card
    if card is None or build is None or build.gpus:
        return
    if build.gpu_offload:
        reason = build.notes[0] if build.notes else _("no reason given")
        yield Problem(
            code="card_not_usable",
            severity="warning",
            message=_("llama.cpp cannot use the {card}: {reason}").format(card=card.name, reason=reason),
            remedy=idle_card.remedy(reason),
        )
    elif (card.total or 0) >= WORTH:
        yield Problem(
            code="build_without_gpu",
            severity="warning",
            message=_("llama.cpp was built for the CPU alone, and the {card} lies idle.").format(card=card.name),
            remedy=_("Build it for the card: docs/install.md says how, under “For a graphics card”."),
        )


def of_remembered(build: Build | None, seen: Graphics, trouble: str) -> Iterator[Problem]:
    """Yield a problem if `trouble` with a graphics card is still remembered, but the card works now."""
    if trouble and build is not None and build.gpus and seen.trouble != "broken":
        yield Problem(
            code="trouble_remembered",
            severity="warning",
            message=_("The graphics card works now, but a failure of it is remembered for an hour."),
            remedy=_("To have it used at once: {command}").format(command="qwen tune --reset"),
        )


def card_full(sentence: str) -> Problem:
    """Return the problem that other programs have filled the card, which `sentence` says."""
    return Problem(
        code="card_full",
        severity="warning",
        message=sentence,
        remedy=_("Close it, or leave it: the card is used again with the first question for which it has room."),
    )


def of_layers(build: Build | None, plan: Placement | None) -> Iterator[Problem]:
    """Yield a problem if the settings ask for layers on a graphics card that is missing or too small for them."""
    if plan is None or not plan.gpu_layers:
        return
    if build is None or not build.device:
        yield Problem(
            code="layers_without_gpu",
            severity="warning",
            message=_("gpu_layers is set, and llama.cpp sees no graphics card."),
            remedy=_("Set gpu_layers to auto: then a graphics card is used where there is one."),
        )
    elif plan.room.gpu_total and plan.room.gpu_free is not None and not plan.fits:
        yield Problem(
            code="layers_too_many",
            severity="warning",
            message=_(
                "{layers} layers take {needed:.1f} GiB of the graphics card, and {free:.1f} are free: they may not fit."
            ).format(layers=plan.gpu_layers, needed=plan.gpu.total / 2**30, free=plan.room.gpu_free / 2**30),
            remedy=_("Set gpu_layers to auto: then as many are given to it as fit."),
        )


def of_memory(plan: Placement | None) -> Iterator[Problem]:
    """Yield a problem if the plan needs more memory than is free."""
    if plan is None or plan.ram_left >= 0:
        return
    yield Problem(
        code="little_memory",
        severity="warning",
        message=_("The model needs {needed:.1f} GiB of memory, and {free:.1f} are free: it will be slow.").format(
            needed=plan.ram.total / 2**30, free=plan.room.ram_free / 2**30
        ),
        remedy=_("Close other programs, or choose a smaller context with --ctx-size."),
    )


def of_folders(folders: Sequence[FolderState]) -> Iterator[Problem]:
    """Yield the problems of folders and disks."""
    # Several of the folders may be the same.
    for folder in {folder.path: folder for folder in folders}.values():
        if not folder.writable:
            yield Problem(
                code="folder_not_writable",
                severity="warning",
                message=_("Nothing can be kept in {path}: it cannot be written.").format(path=folder.path),
                remedy=_("Check the folder's permissions, or set QWEN_TUI_HOME to another."),
            )
        if folder.private is False:
            yield Problem(
                code="folder_not_private",
                severity="warning",
                message=_("Other people on this PC can read {path}.").format(path=folder.path),
                remedy=_("Keep it to yourself with: chmod 700 {path}").format(path=folder.path),
            )
    if any(folder.free is not None and folder.free < _LITTLE_DISK for folder in folders):
        yield Problem(
            code="little_disk",
            severity="warning",
            message=_("The disk is nearly full."),
            remedy=_("Free some space; qwen cache clear removes computed prompts, which only save time."),
        )


def of_model(model: ModelState, remedy: str) -> Iterator[Problem]:
    """Yield a problem if the model in the settings cannot be used."""
    if not model.usable:
        yield Problem(code="model_not_usable", severity="error", message=model.problem, remedy=remedy)


def of_network(reached: Sequence[Reachability] | None) -> Iterator[Problem]:
    """Yield a problem for each server of models that cannot be reached."""
    for source in reached or ():
        if not source.reachable:
            yield Problem(
                code="not_reachable",
                severity="warning",
                message=_("{address}: {reason}").format(address=source.address, reason=source.reason),
                remedy=source.remedy
                or _("Name a mirror with HF_ENDPOINT or a proxy with HTTPS_PROXY, or bring the model on a stick."),
            )

"""`qwen bench`: how fast the program is on this PC, as a table for people or JSON for scripts."""

from collections.abc import Callable
from contextlib import closing
from typing import Annotated, Any

import msgspec
import typer

from qwen_tui import __version__, i18n
from qwen_tui.cli import options, screen, wiring
from qwen_tui.cli.environment import Environment
from qwen_tui.engine.crashes import differing
from qwen_tui.errors import UsageError, WorkerDiedError
from qwen_tui.evaluation.bench import QUICK, Bench, Report, Shape
from qwen_tui.hardware.processor import busy
from qwen_tui.i18n import gettext as _
from qwen_tui.planning.in_force import InForce
from qwen_tui.planning.planner import Planner

_MOST = 100_000

AsJson = Annotated[bool, typer.Option("--json", help=_("Print one JSON object."))]
Yardstick = Annotated[
    str | None,
    typer.Option("--llama-bench", metavar="PATH", help=_("llama.cpp's own program to compare with (the one on PATH).")),
]
Depths = Annotated[
    str | None,
    typer.Option("--depths", metavar="N,…", help=_("Tokens already in the context (0,1024).")),
]
Rounds = Annotated[int | None, typer.Option("--rounds", metavar="N", min=1, max=100, help=_("How often (3)."))]
Quick = Annotated[bool, typer.Option("--quick", help=_("Less of everything: figures in a minute, and coarser."))]
All = Annotated[bool, typer.Option("--all-samples", help=_("Prompt lookup on all twelve samples, not on one."))]


def bench(
    context: typer.Context,
    model: options.Model = None,
    as_json: AsJson = False,
    llama_bench: Yardstick = None,
    depths: Depths = None,
    rounds: Rounds = None,
    quick: Quick = False,
    all_samples: All = False,
    threads: options.Threads = None,
    gpu_layers: options.GpuLayers = None,
    lang: options.Language = None,
) -> None:
    """Measure and print."""
    from qwen_tui.evaluation import llama_bench as yardstick
    from qwen_tui.evaluation.samples import samples

    environment = Environment.of(context)
    flags = {"model": model, "threads": threads, "gpu_layers": gpu_layers, "language": lang}
    settings = options.settings(environment, flags)
    shape = QUICK if quick else Shape()
    shape = shape._replace(depths=_depths(depths) or shape.depths, rounds=rounds or shape.rounds)
    program = yardstick.find(llama_bench)
    subject = wiring.planner(environment, settings, learning=False)
    chosen = [sample for sample in samples() if all_samples or sample.name == f"proofread-{i18n.language()}"]
    output = screen.output(environment, settings, held=True)

    def measure(plan: InForce) -> Report:
        bench = Bench(
            subject.open_engine,
            subject.load_options(plan.plan, plan.batch_costs),
            shape,
            chosen,
            doing=output.note,
            show=output.show,
        )
        if program:
            bench.yardstick = lambda load, shape, depth: yardstick.speeds(
                program, load, shape.prompt, shape.answer, (depth,)
            )
        return bench.run()

    with closing(output):
        share = busy()
        plan, report = _measured(subject, measure, output.note)
    conditions = {
        "qwen-tui": __version__,
        **_conditions(subject),
        "computing": plan.describe(),
        "rounds": shape.rounds,
        "busy": round(share, 2),
    }
    if as_json:
        from qwen_tui.evaluation.bench_table import summary

        printed = {"conditions": conditions, **msgspec.to_builtins(report), "median_ratios": summary(report)}
        environment.print(msgspec.json.encode(printed).decode())
    else:
        from qwen_tui.evaluation.bench_table import table

        described = "\n".join(f"- {name}: {value}" for name, value in conditions.items())
        environment.print(f"{table(report)}\n\n{described}")


def _measured(
    subject: Planner, measure: Callable[[InForce], Report], note: Callable[[str], None]
) -> tuple[InForce, Report]:
    """Measure the plan in force, and one that is nearer to the rule where it crashes here, which is remembered."""
    crashed_once = False
    while True:
        plan = subject.in_force()
        try:
            return plan, measure(plan)
        except WorkerDiedError as error:
            spoilt = differing([plan.plan], subject.start)
            if not (error.crash and spoilt):
                raise
            note(_("  This does not work here: {reason}").format(reason=error.message.splitlines()[0]))
            if crashed_once or error.crash == "SIGILL":
                subject.crashes.note(spoilt, error.crash, gpu=bool(subject.gpu_layers))
                if subject.in_force().plan == plan.plan:
                    # It could not be remembered.
                    raise
            # One crash may be an accident.
            crashed_once = not crashed_once and error.crash != "SIGILL"


def _conditions(subject: Planner) -> dict[str, Any]:
    """Return what the figures hold for; names of files, not their folders: the table is to be shown around."""
    from qwen_tui.planning import tuned

    about = tuned.subject(subject.path, subject.gpu_layers)
    return {
        "llama-cpp-python": about.library,
        "model": about.model,
        "cpu": f"{about.machine.cpu}, {about.machine.cores}/{about.machine.logical_cores}, {about.machine.memory} GiB",
        "gpu_layers": about.gpu_layers,
    }


def _depths(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    numbers = [part.strip() for part in text.split(",")]
    if not all(number.isdecimal() and int(number) <= _MOST for number in numbers):
        raise UsageError(
            _("--depths {text} is not understood.").format(text=text),
            _("Write numbers of tokens, such as: --depths 0,1024,4096"),
        )
    return tuple(sorted({int(number) for number in numbers}))

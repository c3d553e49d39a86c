"""`qwen bench`: how fast the program is on this PC, as a table for people or JSON for scripts."""

from contextlib import closing
from typing import Annotated

import typer

from qwen_tui import i18n
from qwen_tui.cli import options, screen, wiring
from qwen_tui.cli.environment import Environment
from qwen_tui.config import Config
from qwen_tui.errors import UsageError
from qwen_tui.evaluation.bench import QUICK, Shape
from qwen_tui.i18n import gettext as _
from qwen_tui.servers import on_server

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
    from qwen_tui.evaluation import bench_table
    from qwen_tui.evaluation import llama_bench as yardstick
    from qwen_tui.evaluation.measuring import samples
    from qwen_tui.evaluation.model_bench import ModelBench

    environment = Environment.of(context)
    flags = {"model": model, "threads": threads, "gpu_layers": gpu_layers, "language": lang}
    settings = options.settings(environment, flags)
    shape = QUICK if quick else Shape()
    shape = shape._replace(depths=_depths(depths) or shape.depths, rounds=rounds or shape.rounds)
    chosen = [sample for sample in samples() if all_samples or sample.name == f"proofread-{i18n.language()}"]
    if on_server(settings.model, settings.servers):
        _bench_server(environment, settings, shape, as_json=as_json)
        return
    program = yardstick.find(llama_bench)
    subject = wiring.planner(environment, settings, learning=False)
    with closing(screen.output(environment, settings, held=True)) as output:
        measured = ModelBench(subject, shape, chosen, output, program).run()
    environment.print((bench_table.encoded if as_json else bench_table.text)(*measured))


def _bench_server(environment: Environment, settings: Config, shape: Shape, *, as_json: bool) -> None:
    """Measure a server from here: what it does inside, it does not tell."""
    from qwen_tui.evaluation.server_bench import measure

    engine = wiring.engine(environment, settings)
    if engine.host:
        environment.note(_("The questions go to {host}.").format(host=engine.host))
    with closing(screen.output(environment, settings, held=True)) as output, closing(engine):
        report = measure(engine, output.show, prompt=shape.long, answer=2 * shape.answer, rounds=shape.rounds)
    environment.print(report.encoded() if as_json else report.text())


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

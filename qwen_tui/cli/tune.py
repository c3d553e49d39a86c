"""`qwen tune`: what is fastest on this PC is measured, kept, and used from then on."""

from contextlib import closing
from typing import Annotated

import typer

from qwen_tui.cli import options, screen, wiring
from qwen_tui.cli.environment import Environment
from qwen_tui.errors import UsageError
from qwen_tui.i18n import gettext as _
from qwen_tui.quoting import command_line
from qwen_tui.servers import on_server

Show = Annotated[bool, typer.Option("--show", help=_("Show what is in force, and measure nothing."))]
Reset = Annotated[bool, typer.Option("--reset", help=_("Forget what was measured for this model, and what failed."))]
Seconds = Annotated[
    int, typer.Option("--seconds", metavar="N", min=1, max=3600, help=_("About how long it may take (60)."))
]


def tune(
    context: typer.Context,
    model: options.Model = None,
    show: Show = False,
    reset: Reset = False,
    seconds: Seconds = 60,
    ctx_size: options.CtxSize = None,
    gpu_layers: options.GpuLayers = None,
    lang: options.Language = None,
) -> None:
    """Measure, keep what is best, and print the table."""
    from qwen_tui.evaluation import model_tuning

    environment = Environment.of(context)
    flags = {"model": model, "ctx_size": ctx_size, "gpu_layers": gpu_layers, "language": lang}
    settings = options.settings(environment, flags)
    if on_server(settings.model, settings.servers):
        raise UsageError(
            _("{name} is on a server: it is tuned where it runs.").format(name=settings.model),
            _("To see how fast it is from here: {command}").format(
                command=command_line("qwen", "bench", "-m", settings.model)
            ),
        )
    if reset:
        forgotten = model_tuning.forget(lambda: wiring.planner(environment, settings, learning=False))
        environment.print(
            _("What was measured for this model is removed.")
            if forgotten
            else _("Nothing has been measured for this model.")
        )
        return
    subject = wiring.planner(environment, settings, learning=not show)
    if not show:
        start = subject.start
        with closing(screen.output(environment, settings, held=True)) as output:
            found = model_tuning.tune(subject, start, seconds, output)
        environment.print(model_tuning.table(found, start) + "\n\n")
    environment.print(model_tuning.in_force(subject))

"""`qwen doctor`: what this PC has, what will run where and how fast, what is wrong and how to mend it."""

from typing import Annotated

import msgspec
import typer

from qwen_tui import config, files
from qwen_tui.cli import options, wiring
from qwen_tui.cli.environment import Environment
from qwen_tui.engine import examining, installed
from qwen_tui.engine.library import gpu_backends
from qwen_tui.i18n import gettext as _
from qwen_tui.models.locate import locate
from qwen_tui.planning import default_model
from qwen_tui.planning.access import Access, endpoint
from qwen_tui.planning.server_check import Check, check
from qwen_tui.servers import OnServer, Server, on_server

_COLUMNS = 80

AsJson = Annotated[bool, typer.Option("--json", help=_("Print one JSON object."))]
Network = Annotated[
    bool,
    typer.Option(
        "--network",
        help=_("Also check whether the sources of models can be reached; without it, the network is not used."),
    ),
]


def doctor(
    context: typer.Context,
    model: options.Model = None,
    as_json: AsJson = False,
    network: Network = False,
    ctx_size: options.CtxSize = None,
    threads: options.Threads = None,
    gpu_layers: options.GpuLayers = None,
    lang: options.Language = None,
) -> int:
    """Examine this PC and print the report; the exit code is 1 if the program cannot answer here."""
    from qwen_tui.evaluation.doctor import Patient, examine
    from qwen_tui.evaluation.report import Problem, ServerState, encoded
    from qwen_tui.evaluation.report_text import text

    environment = Environment.of(context)
    flags = {"model": model, "ctx_size": ctx_size, "threads": threads, "gpu_layers": gpu_layers, "language": lang}
    folders = files.folders()
    read = config.read(folders.config_file, environment.variables)
    usual = default_model.settled(read, noting=False) if model is None else read.config
    settings = options.settings_of(usual, flags)
    problems = tuple(
        Problem(code="settings", severity="error", message=problem.message, remedy=problem.remedy)
        for problem in read.problems
    )
    found = on_server(settings.model, settings.servers)
    server = settings.servers[found.server] if found else None
    report = examine(
        Patient(
            model=settings.model,
            folders=folders,
            locate=lambda name: locate(name, folders.models),
            describe=lambda: installed.describe(log=wiring.log(environment)),
            backends=gpu_backends,
            starting=lambda circumstances: installed.start_takes(folders.engine, circumstances),
            in_force=lambda trouble: wiring.planner(environment, settings, trouble, learning=False).next_time(),
            network=network,
            problems=problems,
            unfit=lambda file: examining.problem(file, noting=False),
            server=ServerState(name=found.server, host=server.host, this_computer=server.is_here)
            if found and server
            else None,
            asked=lambda: _asked(environment, found, server, network=network) if found and server else None,
        )
    )
    if as_json:
        environment.print(encoded(report).decode())
    else:
        environment.print(text(report, environment.columns or _COLUMNS))
    return 0 if report.usable else 1


def _asked(environment: Environment, found: OnServer, server: Server, *, network: bool) -> Check | None:
    """Return what the server has told; with `network` off only whether it might be asked: raises `ServerError`."""
    entry = Access(environment.variables)
    named = msgspec.structs.replace(server, model=found.model or server.model)
    if network:
        return check(found.server, named, entry, asking=False)
    endpoint(found.server, named, entry)
    return None

"""Measures a model in the way it is loaded on this PC, and returns the conditions with the figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from qwen_tui import __version__
from qwen_tui.engine.crashes import differing
from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.errors import WorkerDiedError
from qwen_tui.evaluation import llama_bench
from qwen_tui.evaluation.bench import Bench, BenchReport, Shape
from qwen_tui.evaluation.measuring import Sample
from qwen_tui.hardware.load import load_of_others
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Output
from qwen_tui.planning import tuned
from qwen_tui.planning.in_force import InForce
from qwen_tui.planning.planner import Planner


class BenchResult(NamedTuple):
    """The figures, and by name the conditions under which they were measured."""

    report: BenchReport
    conditions: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ModelBench:
    """Measures the model of `subject`; `output` shows what begins, and the progress of loading and prefill.

    The program `llama_bench`, if there is one, measures in turn with our engine.
    """

    subject: Planner
    shape: Shape
    samples: Sequence[Sample]
    output: Output
    llama_bench: Path | None = None

    def run(self) -> BenchResult:
        """Measure; raises what engines and llama-bench raise."""
        load = load_of_others()
        plan, report = self._surviving()
        conditions = {
            "qwen-tui": __version__,
            **self._subject(),
            "computing": plan.describe(),
            "rounds": self.shape.rounds,
            "busy": round(load.share, 2) if load else 0.0,
        }
        return BenchResult(report, conditions)

    def _surviving(self) -> tuple[InForce, BenchReport]:
        """Measure the plan in force. If it crashes here, remember that, and measure the plan that is then in force."""
        subject, crashed_once = self.subject, False
        while True:
            plan = subject.in_force()
            try:
                return plan, self._measured(plan)
            except WorkerDiedError as error:
                spoilt = differing([plan.plan], subject.start)
                if not (error.crash and spoilt):
                    raise
                reason = error.message.splitlines()[0]
                self.output.note(_("  This does not work here: {reason}").format(reason=reason))
                # A single crash may be an accident, but not one from an instruction that the processor lacks.
                is_certain = crashed_once or error.crash == "SIGILL"
                if is_certain:
                    subject.crashes.note(spoilt, error.crash, gpu=bool(subject.gpu_layers))
                    if subject.in_force().plan == plan.plan:
                        # The crash could not be remembered, so the next try would be the same.
                        raise
                crashed_once = not is_certain

    def _measured(self, plan: InForce) -> BenchReport:
        options = self.subject.load_options(plan.plan, plan.costs)
        return Bench(
            self.subject.open_engine,
            options,
            self.shape,
            self.samples,
            yardstick=self._yardstick(),
            on_step=self.output.note,
            on_event=self.output.show,
        ).run()

    def _yardstick(self) -> Callable[[LoadOptions, Shape, int], dict[tuple[str, int], float]] | None:
        program = self.llama_bench
        if program is None:
            return None
        return lambda load, shape, depth: llama_bench.speeds(program, load, shape.prompt, shape.answer, (depth,))

    def _subject(self) -> dict[str, Any]:
        """Return what was measured. It names files without their folders, because people show the table around."""
        about = tuned.subject(self.subject.path, self.subject.gpu_layers)
        machine = about.machine
        return {
            "llama-cpp-python": about.library,
            "model": about.model,
            "cpu": f"{machine.cpu}, {machine.cores}/{machine.logical_cores}, {machine.memory} GiB",
            "gpu_layers": about.gpu_layers,
        }

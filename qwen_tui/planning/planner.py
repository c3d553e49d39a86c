"""One model on this computer: the ways to load it, the best first, and the engines that do it."""

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from qwen_tui import files
from qwen_tui.config import Config
from qwen_tui.engine import installed, ladder, leaving
from qwen_tui.engine.crashes import Crashes, differing
from qwen_tui.engine.installed import Inspection
from qwen_tui.engine.ladder import Worked
from qwen_tui.engine.library import gpu_backends, library_stamp
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import Costs, LargerContext, LoadOptions
from qwen_tui.engine.speeds import Speeds
from qwen_tui.hardware.gpu import Graphics, remembering
from qwen_tui.hardware.machine import default_plan, this_machine
from qwen_tui.hardware.memory import available_memory
from qwen_tui.hardware.placement import Placement, lay_out, nothing_measured, steps_down
from qwen_tui.hardware.plan import ALL_LAYERS, Plan
from qwen_tui.i18n import gettext as _
from qwen_tui.models import identity, kinds, parts
from qwen_tui.models.gguf import Header
from qwen_tui.models.locate import locate
from qwen_tui.models.shelf import Shelf
from qwen_tui.models.verifying import check_unchanged
from qwen_tui.planning import kept_states, tuned
from qwen_tui.planning.automatic import Ask, Automatic, automatic, ram_room
from qwen_tui.planning.in_force import InForce, in_force, with_threads
from qwen_tui.planning.larger import larger_context
from qwen_tui.planning.tuned import Purpose


class Watcher(Protocol):
    """Shows the person who waits how far the planning has come, and takes what llama.cpp prints."""

    @property
    def log(self) -> Callable[[str], None] | None:
        """Called with each line of llama.cpp's log; None if nobody wants them."""

    def hashing(self, name: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """During the block, give a callback for how many bytes of the file `name` are hashed, and how many it has."""

    def asking(self) -> AbstractContextManager[installed.Show]:
        """During the block, give a callback for the events while llama.cpp is asked about this PC.

        That takes long when a graphics driver starts for the first time, because it compiles its code then.
        """


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans how to load one model file on this computer, and opens engines with it.

    `gpu_layers` are the layers for a graphics card, `auto` is what was decided about them; None if the person wants
    none. `log` is called with each line that llama.cpp prints.
    """

    settings: Config
    path: Path
    header: Header
    gpu_layers: int
    auto: Automatic | None = None
    log: Callable[[str], None] | None = None

    @property
    def start(self) -> Plan:
        """The plan by the rules, from which the search for a better one starts."""
        ruled = self.auto.placement.plan if self.auto else default_plan(this_machine(), gpu=bool(self.gpu_layers))
        asked = {"ctx_size": self.settings.ctx_size, "gpu_layers": self.gpu_layers}
        return self.avoid(msgspec.structs.replace(ruled, **asked))

    @property
    def crashes(self) -> Crashes:
        """The settings that crashed on this computer, with any model."""
        return Crashes(files.folders().crashes)

    def avoid(self, plan: Plan, *, gpu: bool | None = None) -> Plan:
        """Return `plan` without the settings that crash here, on a `gpu` or not; None means: where the model goes."""
        on_gpu = bool(self.gpu_layers) if gpu is None else gpu
        return self.crashes.around(plan, default_plan(this_machine(), gpu=on_gpu), gpu=on_gpu)

    def crashed(self, failed: Sequence[Plan], works: Plan, by: str) -> None:
        """Remember the settings that all `failed` plans share and that the one that `works` lacks.

        `by` is the signal by which the engine ended.
        """
        if spoilt := differing(failed, works):
            self.crashes.note(spoilt, by)

    def ways(self, purpose: Purpose = "chat") -> list[LoadOptions]:
        """Return the ways to load the model: the best first, then others that take less and less memory.

        Some have a smaller context than the person wants. The engine does not take those, but names one in its message.
        """
        return [options for options, _placement in self._placed(purpose)]

    def _placed(self, purpose: Purpose) -> list[tuple[LoadOptions, Placement]]:
        """Return the ways, each with what it takes of which memory."""
        forced = self.in_force(purpose)
        first = self.load_options(forced.plan, forced.costs)
        measured = self.auto.measured if self.auto else nothing_measured
        on_cpu = self._in_force_on_cpu(purpose) if self.gpu_layers else forced
        steps = steps_down(forced.placement, self.header, cpu=on_cpu.plan, measured=measured)
        # A plan that was measured on another PC may crash on this processor, and so may all ways that derive from it.
        # So the last way is that of the rules.
        ruled = with_threads(self.avoid(default_plan(this_machine()), gpu=False), self.settings)
        ruled = msgspec.structs.replace(ruled, ctx_size=self.settings.ctx_size)
        steps.append(lay_out(self.header, ruled, forced.placement.room))
        steps = [step for step in steps if self.avoid(step.plan, gpu=bool(step.gpu_layers)) == step.plan]
        return [(first, forced.placement), *((self._options(step, on_cpu), step) for step in steps)]

    def worked(self, first: LoadOptions) -> Worked:
        """Return the memory of which way worked the last time; `first` is the best of them."""
        room = self.auto.placement.room if self.auto else ram_room()
        free = room.gpu_free if first.plan.gpu_layers else room.ram_free
        return Worked(files.folders().worked, lambda: self.circumstances(first), free)

    def forget_worked(self) -> bool:
        """Forget which ways worked for this model, so that the best is tried first; whether there were any."""

        def is_of_this(key: str) -> bool:
            try:
                about = msgspec.convert(msgspec.json.decode(key)[0], tuned.Subject)
            except (msgspec.MsgspecError, LookupError, TypeError):
                return False
            return tuned.is_of(about, self.path)

        return ladder.forget(files.folders().worked, is_of_this)

    def circumstances(self, first: LoadOptions) -> str:
        """Return the key for what decides which of the ways works; `first` is the best of them.

        That is the machine, its driver, the installed llama.cpp, the model, and what the person wants.
        """
        about, settings = tuned.subject(self.path, self.gpu_layers), self.settings
        driver = self.auto.circumstances if self.auto else ""
        asked = (settings.ctx_size, settings.gpu_layers)
        return msgspec.json.encode((about, driver, asked, first.plan, library_stamp())).decode()

    def _in_force_on_cpu(self, purpose: Purpose) -> InForce:
        return in_force(
            self.settings,
            self.path,
            self.header,
            files.folders().tuned,
            purpose=purpose,
            avoid=lambda plan: self.avoid(plan, gpu=False),
        )

    def _options(self, placement: Placement, on_cpu: InForce) -> LoadOptions:
        plan = placement.plan
        if not placement.needs_word:
            # A context that is smaller because the model was trained for no more does not count as smaller.
            plan = msgspec.structs.replace(plan, ctx_size=self.settings.ctx_size)
        # The measured costs hold for smaller ubatches and contexts, too: no draft is as long as a ubatch.
        as_measured = {"batch_size": on_cpu.plan.batch_size, "ctx_size": on_cpu.plan.ctx_size}
        same = msgspec.structs.replace(plan, **as_measured) == on_cpu.plan
        return self.load_options(plan, on_cpu.costs if same else Costs())

    def engine(self, purpose: Purpose = "chat") -> LocalEngine:
        """Return the engine that answers, not yet started. It will load the model in the best way that works."""
        store = kept_states.options(self.settings)
        ways = [msgspec.structs.replace(way, store=store) for way in self.ways(purpose)]
        # The sentence that says what keeps a graphics card from use.
        trouble = (self.auto.trouble or self.auto.full) if self.auto else ""
        notes = (trouble,) if trouble else ()
        return LocalEngine(
            ways,
            self.log,
            self.worked(ways[0]),
            notes,
            crashed=self.crashed,
            leaving=files.folders().leaving,
            speeds=self.speeds,
            larger=self.larger,
        )

    def counter(self, purpose: Purpose = "chat") -> LocalEngine:
        """Return an engine that counts tokens and estimates waits, and answers nothing: it loads no weights."""
        way = msgspec.structs.replace(self.ways(purpose)[0], store=kept_states.options(self.settings), counts_only=True)
        return LocalEngine(way, self.log, speeds=self.speeds, larger=self.larger, again=False)

    @property
    def speeds(self) -> Speeds:
        """The memory of how fast this model was computed here."""
        return Speeds(files.folders().speeds, self._key_of)

    def _key_of(self, plan: Plan) -> str:
        """Return the key of a speed: the machine, the file, the library, and the plan but for its context."""
        alike = msgspec.structs.replace(plan, ctx_size=0)
        about = (this_machine(), identity.facts(os.fsencode(self.path)), library_stamp(), alike)
        return hashlib.sha256(msgspec.json.encode(about)).hexdigest()

    def larger(self, plan: Plan, ctx_size: int) -> LargerContext:
        """Return what it takes to let the context of an engine with this `plan` hold `ctx_size` tokens."""
        before = self.auto.placement.room if self.auto else ram_room()
        return larger_context(self.header, plan, ctx_size, before=before, ram_free=available_memory())

    def open_engine(self, options: LoadOptions) -> LocalEngine:
        """Return an engine for a measurement, not yet started.

        It tries nothing a second time, because a measurement has to know what fails.
        """
        return LocalEngine(options, log=self.log, again=False)

    def load_options(self, plan: Plan, costs: Costs = Costs()) -> LoadOptions:  # noqa: B008 - it cannot change
        """Return the options that load the model with `plan`; the `costs` were measured with it."""
        return LoadOptions(path=os.fsencode(self.path), plan=plan, costs=costs)

    def in_force(self, purpose: Purpose = "chat") -> InForce:
        """Return the plan for this PC, and why it is used."""
        return in_force(
            self.settings,
            self.path,
            self.header,
            files.folders().tuned,
            gpu_layers=self.gpu_layers,
            auto=self.auto,
            purpose=purpose,
            avoid=self.avoid,
        )

    def next_time(self, purpose: Purpose = "chat") -> InForce:
        """Return the plan of the next loading: the best one, or a more modest one that worked the last time."""
        forced, placed = self.in_force(purpose), self._placed(purpose)
        known = self.worked(placed[0][0]).recall()
        at = next((at for at, (way, _placement) in enumerate(placed) if way.plan.without_threads() == known), 0)
        if not at:
            return forced
        options, placement = placed[at]
        note = _("What asked for more failed the last time. To have it tried again: qwen tune --reset")
        return forced._replace(
            plan=options.plan,
            costs=options.costs,
            placement=placement,
            note="\n".join(filter(None, (forced.note, note))),
            tuned=None,
        )


def planner_of(
    settings: Config, watcher: Watcher, trouble: str = "", *, learning: bool = True, freeing: int = 0
) -> Planner:
    """Return the planner of the model that `settings` name; raises `ModelNotFoundError`, `InvalidModelError`.

    If a verified file has changed since, it is hashed, and refused if its content has changed; `watcher` shows the
    progress. `trouble` is the reason if llama.cpp has just failed to look at the graphics card: then it is not asked
    again. Without `learning`, nothing is written, because a command that only looks must change nothing. `freeing` is
    how many bytes of a card an engine holds that will be closed before.
    """
    models = files.folders().models
    path = locate(settings.model, models)
    for part in parts.files(path):
        with watcher.hashing(part.name) as show:
            check_unchanged(part, Shelf(models), show, noting=learning)
    # The header is read before llama.cpp starts: if the file is damaged, it shows that at once, with a clear message.
    header = parts.read_model(path)
    kinds.require_model(header, path)
    named: dict[str, int | None] = {"auto": None, "all": ALL_LAYERS}
    layers = named[settings.gpu_layers] if settings.gpu_layers in named else int(settings.gpu_layers)
    if layers == 0:
        return Planner(settings, path, header, 0, log=watcher.log)
    auto = automatic(
        header,
        settings.ctx_size,
        gpu_backends(),
        lambda: remembering(files.folders().driver_hung, noting=learning),
        _failed(trouble) if trouble else _asker(path, watcher, learning=learning),
        layers,
        starting=lambda circumstances: installed.start_takes(files.folders().engine, circumstances),
        freeing=freeing + leaving.still_held(files.folders().leaving),
    )
    placement = auto.placement
    return Planner(settings, path, header, ALL_LAYERS if placement.whole else placement.gpu_layers, auto, watcher.log)


def _failed(trouble: str) -> Ask:
    """Return the answer of llama.cpp without asking it: it has just given this `trouble`."""

    def ask(_plans: Sequence[Plan], circumstances: str, seen: Graphics) -> Inspection:
        card = installed.short_card(seen)
        return Inspection(trouble=trouble, circumstances=circumstances, free=card.free if card else None)

    return ask


def _asker(path: Path, watcher: Watcher, *, learning: bool) -> Ask:
    """Return a function that asks the installed llama.cpp and, when `learning`, remembers its answer."""

    def ask(plans: Sequence[Plan], circumstances: str, seen: Graphics) -> Inspection:
        options = [LoadOptions(path=os.fsencode(path), plan=plan) for plan in plans]
        with watcher.asking() as show:
            kept = files.folders().engine
            return installed.known(options, kept, circumstances, seen, show, log=watcher.log, noting=learning)

    return ask

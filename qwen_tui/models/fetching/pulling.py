"""Decides how a model comes here: it is here already, another program has it, or it is fetched with all its parts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from qwen_tui import columns
from qwen_tui.errors import InvalidModelError, ModelNotFoundError, UsageError
from qwen_tui.files import folders, size_text
from qwen_tui.i18n import gettext as _
from qwen_tui.models import address, catalogue, inventory, parts
from qwen_tui.models.fetching import repository
from qwen_tui.models.fetching.fetch import Display, Fetch, proof
from qwen_tui.models.importing import elsewhere
from qwen_tui.models.importing.takeover import Person, Takeover
from qwen_tui.models.inventory import in_repository
from qwen_tui.models.locate import locate
from qwen_tui.models.shelf import Shelf
from qwen_tui.models.verifying import is_fetchable
from qwen_tui.quoting import command_line, quoted

# What came of a model: it was here, the person did not want it, or it was fetched.
Came = Literal["here", "unwanted", "fetched"]


@dataclass(frozen=True, slots=True)
class Pulling:
    """Gets models for the person, and asks them where that is needed and `may_ask` allows it.

    `say` prints results, and `on_refused` tells why a model of another program was not taken over. `display` makes what
    shows the progress of one file. `sources` replace the built-in ones. With `repair`, a file that is here is checked,
    and fetched again if it is wrong.
    """

    person: Person
    takeover: Takeover
    display: Callable[[], Display]
    say: Callable[[str], None]
    on_refused: Callable[[InvalidModelError], None]
    sources: tuple[str, ...] = ()
    may_ask: bool = False
    repair: bool = False
    offline: bool = False

    def names(self, name: str) -> list[str]:
        """Return the model `name`, or, if it is a repository, those of its models that the person wants.

        Raises `UsageError` if there are several and nobody can choose.
        """
        wanted = repository.repository(name)
        if wanted is None:
            return [name]
        offered = repository.models(wanted, offline=self.offline, sources=self.sources)
        if len(offered) == 1:
            return [offered[0].name]
        several = _("There are several models in {path}.").format(path=wanted[0])
        if not self.person.can_answer:
            commands = [f"  {command_line('qwen', 'pull', one.name)}" for one in offered]
            raise UsageError(several, "\n".join([_("Fetch one of them:"), *commands]))
        self.person.note(several)
        rows = columns.lines([(one.file, size_text(one.size) if one.size else "") for one in offered])
        which = self.person.choose(rows, _("Type numbers, all, or Enter for none:"))
        return [offered[index].name for index in which]

    def pull(self, name: str) -> tuple[Came, str]:
        """Get a model with all its parts; return what came of it, and the name that the model has here.

        Raises `DownloadError`, `InvalidModelError`, `WriteError`.
        """
        fetched = ""
        for number, each in enumerate(parts.names(name)):
            fetch = Fetch(each, self.display(), self.sources, offline=self.offline)
            # Whoever wants the first part wants the others.
            came = self._file(fetch, may_ask=self.may_ask and number == 0)
            if came == "unwanted":
                return came, fetch.wanted.name
            if came == "fetched":
                fetched = fetched or fetch.wanted.name
        return ("fetched", fetched) if fetched else ("here", name)

    def _file(self, fetch: Fetch, *, may_ask: bool) -> Came:
        if not self.repair and (sentence := fetch.ready()):
            self.say(sentence)
            return "here"
        if self.repair and (arrived := fetch.check()):
            self.say(_("{path} is whole.").format(path=arrived.path))
            return "here"
        if not (self.repair or self.sources) and self._taken_over(fetch, may_ask=may_ask):
            return "here"
        fetch.learn()
        self.say(fetch.plan())
        if warning := fetch.warning():
            # Nobody vouches for the file. Where nobody can be asked, the warning must do.
            self.say(warning)
            if may_ask and not self.person.confirm(_("Fetch it?")):
                return "unwanted"
        self.say(proof(fetch.run(replace=self.repair)))
        return "fetched"

    def _taken_over(self, fetch: Fetch, *, may_ask: bool) -> bool:
        """Offer the file that another program has fetched; return True if that was the right one and is here now."""
        name = fetch.wanted.name
        if not catalogue.find(name):
            return False
        found = next((one for one in elsewhere.find() if one.entry and one.entry.full_name == name), None)
        if found is None:
            return False
        has = _("{program} has this model already: {path}").format(program=found.program, path=found.path)
        if not may_ask:
            command = f"qwen models import {quoted(found.path)}"
            self.say(f"{has}\n" + _("To take it over instead: {command}").format(command=command))
            return False
        self.say(has)
        if not self.person.confirm(_("Take it over instead of fetching it?"), default=True):
            return False
        try:
            return self.takeover.take_foreign(found).record.name == name
        except InvalidModelError as error:
            # It has only the size of the right one, which is fetched then.
            self.on_refused(error)
            return False


def here_for_good(name: str, *, is_named: bool) -> str | None:
    """Return a sentence for a model that is here and cannot be fetched; None for any other.

    The settings may name one that was imported: then nothing is to be fetched unless the person names something.
    """
    shelf = Shelf(folders().models)
    if catalogue.find(name) or address.is_address(name) or in_repository(name):
        return None
    try:
        file: Path = locate(name, shelf.folder)
    except (ModelNotFoundError, InvalidModelError):
        return None
    held = next((one for one in inventory.held(shelf) if one.file == file), None)
    if held and is_fetchable(held.name, pinned=bool(held.record and held.record.pinned)):
        return None
    if is_named and held is None:
        return None
    here = _("{name} is here already: {path}").format(name=held.name if held else name, path=file)
    return here if is_named else f"{here}\n{standard()}"


def standard() -> str:
    """Return the sentence that says how to fetch the standard model."""
    return _("To fetch the standard model: {command}").format(command=f"qwen pull {catalogue.DEFAULT_MODEL}")

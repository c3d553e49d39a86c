"""The models of this computer as a list, for people and for scripts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from qwen_tui import columns
from qwen_tui.files import size_text, time_text
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import ngettext
from qwen_tui.models.describing import timestamp
from qwen_tui.models.fetching.source import ABRIDGED
from qwen_tui.models.importing.elsewhere import ForeignModel
from qwen_tui.models.inventory import DEMO, DEMO_FILE, FileState, Held, Leftover
from qwen_tui.quoting import quoted


class ListedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model as `--json` prints it; `size` in bytes, `pinned` says whether its hash equals a published one.

    `problem` says why no answer can come from it, None if nothing is known against it.
    """

    name: str
    quant: str
    file: str
    size: int
    state: FileState
    verified: str | None
    sha256: str | None
    default: bool
    linked: bool
    pinned: bool
    source: str
    problem: str | None


class ListedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A partial download, of which `size` of `total` bytes are there, or a file of another `program`."""

    name: str
    file: str
    size: int
    total: int | None = None
    program: str | None = None


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What `qwen models list --json` prints. Scripts rely on the names of the fields."""

    folder: str
    models: list[ListedModel]
    partial: list[ListedFile]
    elsewhere: list[ListedFile]


def listing(
    folder: Path,
    models: Sequence[Held],
    leftovers: Sequence[Leftover],
    found: Sequence[ForeignModel],
    default: Held | None,
    problems: Mapping[Path, str],
) -> Listing:
    """Return the listing for `--json`; `default` is the model in use when the person names none.

    `problems` says, by its file, why a model cannot answer.
    """
    return Listing(
        folder=str(folder),
        models=[
            _model(one, problems.get(one.file), is_default=default is not None and one.file == default.file)
            for one in models
        ],
        partial=[ListedFile(name=one.name, file=str(one.file), size=one.size, total=one.total) for one in leftovers],
        elsewhere=[
            ListedFile(name=one.called, file=str(one.path), size=one.size, program=one.program) for one in found
        ],
    )


def lines(
    models: Sequence[Held],
    leftovers: Sequence[Leftover],
    default: Path | None,
    problems: Mapping[Path, str],
    width: int | None,
) -> list[str]:
    """Return one line for each model, the demonstration model and each partial download.

    `default` is the file of the model in use when the person names none. Below a model stands what is the matter with
    it. In a terminal of that `width`, lines about models are cut; those about partial downloads hold commands.
    """

    def mark(file: Path) -> str:
        # It stands near the name, since a narrow terminal cuts what stands at the end.
        return _("default") if file == default else ""

    rows: list[tuple[str, ...]] = [
        (one.name, mark(one.file), one.quant, size_text(one.size), _state(one), _remarks(one)) for one in models
    ]
    rows.append((DEMO, mark(DEMO_FILE), "", size_text(DEMO_FILE.stat().st_size), _("built in"), ""))
    count = len(rows)
    rows += [(one.name, "", "", _amount(one), _("incomplete"), _remedy(one)) for one in leftovers]
    if not any(row[1] for row in rows):
        rows = [(name, *others) for name, _mark, *others in rows]
    set_out = columns.lines(rows)
    printed = [columns.cut(line, width) if width else line for line in set_out[:count]] + set_out[count:]
    below = [_below(one, problems) for one in models]
    for at in reversed(range(len(models))):
        printed[at + 1 : at + 1] = below[at]
    return printed


def _below(one: Held, problems: Mapping[Path, str]) -> list[str]:
    if one.state == "missing" and one.parts:
        return ["  " + _("{path} is no longer there.").format(path=one.absent)]
    problem = problems.get(one.file)
    return ["  " + _("It cannot answer: {problem}").format(problem=problem)] if problem else []


def _model(one: Held, problem: str | None, *, is_default: bool) -> ListedModel:
    record = one.record
    return ListedModel(
        name=one.name,
        quant=one.quant,
        file=str(one.file),
        size=one.size,
        state=one.state,
        verified=timestamp(record.verified) if record else None,
        sha256=record.sha256 if record else None,
        default=is_default,
        linked=one.linked,
        pinned=bool(record and record.pinned),
        source=record.source if record else "",
        problem=problem,
    )


def _state(one: Held) -> str:
    if one.state == "verified" and one.record:
        return _("verified {when}").format(when=time_text(one.record.verified))
    return {"changed": _("changed since"), "missing": _("missing")}.get(one.state, _("not verified"))


def _remarks(one: Held) -> str:
    remarks = []
    if one.parts:
        remarks.append(ngettext("{n} part", "{n} parts", len(one.parts)).format(n=len(one.parts)))
    if one.linked:
        remarks.append(_("linked: {path}").format(path=one.file))
    elif one.file.name != one.name and (not one.entry or one.file.name != one.entry.file):
        remarks.append(one.file.name)
    return " · ".join(remarks)


def _remedy(one: Leftover) -> str:
    if not one.asked:
        return _("remove it with: qwen models rm --partial")
    words = " ".join(map(quoted, one.asked))
    if any(word.endswith(ABRIDGED) for word in one.asked):
        return _("go on with the same command as before: qwen pull {name}").format(name=words)
    return _("go on with: qwen pull {name}").format(name=words)


def _amount(one: Leftover) -> str:
    if one.total is None:
        return size_text(one.size)
    return _("{done} of {total}").format(done=size_text(one.size), total=size_text(one.total))

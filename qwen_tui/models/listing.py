"""The models of this computer as a list, for people and for scripts."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from qwen_tui import columns
from qwen_tui.files import quoted, size_text, time_text
from qwen_tui.i18n import gettext as _
from qwen_tui.models.describing import timestamp
from qwen_tui.models.fetching.source import ABRIDGED
from qwen_tui.models.importing.elsewhere import ForeignModel
from qwen_tui.models.inventory import Held, Leftover, State


class ListedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model as `--json` prints it; `size` in bytes, `pinned` says whether its hash equals a published one."""

    name: str
    quant: str
    file: str
    size: int
    state: State
    verified: str | None
    sha256: str | None
    default: bool
    linked: bool
    pinned: bool
    source: str


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
) -> Listing:
    """Return the listing for `--json`; `default` is the model in use when the person names none."""
    return Listing(
        folder=str(folder),
        models=[_model(one, is_default=default is not None and one.file == default.file) for one in models],
        partial=[ListedFile(name=one.name, file=str(one.file), size=one.size, total=one.total) for one in leftovers],
        elsewhere=[
            ListedFile(name=one.called, file=str(one.path), size=one.size, program=one.program) for one in found
        ],
    )


def lines(models: Sequence[Held], leftovers: Sequence[Leftover], default: Held | None) -> list[str]:
    """Return one line for each model and each partial download."""
    rows = [
        (one.name, one.quant, size_text(one.size), _state(one), _remarks(one, is_default=one is default))
        for one in models
    ]
    rows += [(one.name, "", _amount(one), _("incomplete"), _remedy(one)) for one in leftovers]
    return columns.lines(rows)


def _model(one: Held, *, is_default: bool) -> ListedModel:
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
    )


def _state(one: Held) -> str:
    if one.state == "verified" and one.record:
        return _("verified {when}").format(when=time_text(one.record.verified))
    return {"changed": _("changed since"), "missing": _("missing")}.get(one.state, _("not verified"))


def _remarks(one: Held, *, is_default: bool) -> str:
    remarks = [_("default")] if is_default else []
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

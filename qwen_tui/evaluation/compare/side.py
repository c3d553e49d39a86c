"""The sides of a comparison: what a person sets for each, as `device=gpu` or `kv_type=q8_0`."""

import difflib
import typing
from collections.abc import Sequence

import msgspec

from qwen_tui import config
from qwen_tui.config import Config
from qwen_tui.errors import ConfigError, UsageError
from qwen_tui.hardware.plan import KVType
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed

# The settings of the program that a side may change.
_SETTINGS = (
    "model",
    "threads",
    "gpu_layers",
    "ctx_size",
    "system",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "presence_penalty",
    "max_tokens",
    "lookup",
)
# What a side has besides.
_OWN = ("device", "kv_type", "template", "name")
NAMES = ("device", "model", "kv_type", "template", *_SETTINGS[1:], "name")
_KV_TYPES: tuple[str, ...] = typing.get_args(KVType)
# The value of `template` for the template that each task names itself, and for none.
OF_TASK, NO_TEMPLATE = "task", "none"


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One side: its name, the settings that the person gave it (`given`), and all settings that come of them.

    With `needs_card`, it is no answer to compute it without a card. `kv_type` None leaves that to the plan. `template`
    is the name of one, or `OF_TASK`, or "".
    """

    name: str
    given: tuple[tuple[str, str], ...]
    settings: Config
    needs_card: bool = False
    kv_type: KVType | None = None
    template: str = ""


def sides(given: Sequence[tuple[str, Sequence[str]]], base: Config) -> list[Side]:
    """Return the sides for pairs of an option (as `--a`) and what the person wrote behind it; raises `UsageError`.

    Besides what is given, a side has the settings of `base`. If only one side is given, the other one has just these.
    """
    found = [_side(option, written, base) for option, written in given]
    if len(found) == 1:
        found.insert(0, Side(name=_("as usual"), given=(), settings=base))
    else:
        found = [_told_apart(side, option, found) for side, (option, _written) in zip(found, given, strict=True)]
    names = [side.name for side in found]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                _("Two sides are the same: {name}.").format(name=name),
                _("Change a setting of one, or compare a side with itself under two names: --a name=one --b name=two"),
            )
    return found


def devices(base: Config) -> list[Side]:
    """Return the sides of the usual question: this PC's processor against its card."""
    return sides([("--a", ["device=cpu"]), ("--b", ["device=gpu"])], base)


def with_and_without_template(base: Config) -> list[Side]:
    """Return the sides that ask the same without the built-in templates and with them."""
    return [
        Side(name=_("without template"), given=(("template", NO_TEMPLATE),), settings=base),
        Side(name=_("with template"), given=(("template", OF_TASK),), settings=base, template=OF_TASK),
    ]


def _told_apart(side: Side, option: str, others: Sequence[Side]) -> Side:
    """Return `side` with its letter in its name if another side has that name and other settings.

    Two files of the same name, or two system prompts that begin alike, are such sides.
    """
    if all(other.name != side.name or other.given == side.given for other in others):
        return side
    return msgspec.structs.replace(side, name=f"{option.lstrip('-').upper()}: {side.name}")


def _side(option: str, written: Sequence[str], base: Config) -> Side:
    values: dict[str, str] = {}
    for name, value in (_pair(option, one) for one in written):
        if name in values:
            raise UsageError(_("{option}: {name} is given twice.").format(option=option, name=name))
        values[name] = value
    settings = {name: _checked(option, name, value) for name, value in values.items() if name in _SETTINGS}
    device = values.get("device")
    if device is not None:
        if device not in ("cpu", "gpu"):
            raise _wrong(option, "device", device, ("cpu", "gpu"))
        if "gpu_layers" in values:
            raise UsageError(_("{option}: device and gpu_layers say the same; give one.").format(option=option))
        settings["gpu_layers"] = "0" if device == "cpu" else "auto"
    kv_type = values.get("kv_type")
    if kv_type is not None and kv_type not in _KV_TYPES:
        raise _wrong(option, "kv_type", kv_type, _KV_TYPES)
    template = values.get("template", NO_TEMPLATE)
    given = tuple((name, value) for name, value in values.items() if name != "name")
    return Side(
        name=" ".join(values.get("name", "").split()) or _named(given),
        given=given,
        settings=msgspec.structs.replace(base, **settings),
        needs_card=device == "gpu",
        kv_type=msgspec.convert(kv_type, KVType | None),
        template="" if template == NO_TEMPLATE else template,
    )


def _named(given: Sequence[tuple[str, str]]) -> str:
    if not given:
        return _("as usual")
    if given in ((("device", "cpu"),), (("device", "gpu"),)):
        return given[0][1].upper()
    return listed(f"{name}={_short(value)}" for name, value in given)


def _short(value: str) -> str:
    value = " ".join(value.split())
    # Of a file, its name tells what it is.
    value = value.replace("\\", "/").rsplit("/", 1)[-1] if value.endswith(".gguf") else value
    return value if len(value) <= 40 else value[:39] + "…"


def _pair(option: str, one: str) -> tuple[str, str]:
    name, equals, value = one.partition("=")
    # People write the names as those of options, with dashes, and the words in capitals: kv-type=Q8_0, device=GPU.
    name = name.strip().lower().replace("-", "_")
    if not equals:
        raise UsageError(
            _("{option} {written} is not understood.").format(option=option, written=one),
            _("Write NAME=VALUE, with one of: {names}.").format(names=listed(NAMES)),
        )
    if name not in (*_SETTINGS, *_OWN):
        near = difflib.get_close_matches(name, NAMES, n=1)
        raise UsageError(
            _("{option}: a side has no “{name}”.").format(option=option, name=name),
            _("Did you mean: {names}?").format(names=near[0])
            if near
            else _("Write NAME=VALUE, with one of: {names}.").format(names=listed(NAMES)),
        )
    return name, value.strip().lower() if name in ("device", "kv_type") else value


def _checked(option: str, name: str, value: str) -> object:
    try:
        return config.check(name, value, where=option)
    except ConfigError as error:
        raise UsageError(error.message) from error


def _wrong(option: str, name: str, value: str, choices: Sequence[str]) -> UsageError:
    return UsageError(
        _("{where}: {name} cannot be “{value}”: {reason}")
        .format(where=option, name=name, value=value, reason=_("it has to be one of {choices}"))
        .format(choices=listed(choices))
    )

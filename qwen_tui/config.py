"""The settings: defaults, under the file, under the environment, under the flags."""

import os
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from qwen_tui.errors import ConfigError, why
from qwen_tui.files import write_private
from qwen_tui.i18n import LANGUAGES, listed
from qwen_tui.i18n import gettext as _

PREFIX = "QWEN_TUI_"
# The two names that people are told about; every other setting follows the rule QWEN_TUI_<NAME>.
ENVIRONMENT_NAMES = {"language": "LANG"}
THEMES = ("auto", "dark", "light")


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every setting with its default; `None` means that the program decides."""

    model: str = "qwen3-4b-instruct"
    language: str | None = None
    system: str | None = None
    ctx_size: int = 8192
    threads: int | None = None
    gpu_layers: str = "auto"
    temperature: float = 0.7
    top_p: float = 0.8
    top_k: int = 20
    min_p: float = 0.0
    presence_penalty: float = 0.0
    seed: int | None = None
    max_tokens: int | None = None
    history: bool = True
    # Answers are drafted from the text at hand.
    lookup: bool = True
    # What was computed for prompts is kept on disk: up to so many GB, and what took at least so many seconds.
    cache: bool = True
    cache_limit: Literal["auto"] | float = "auto"
    cache_seconds: float = 0.5
    theme: str = "auto"
    ambiguous_width: int = 1


FIELDS = {field.name: field for field in msgspec.structs.fields(Config)}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force, and where each one that is not a default comes from (`file` or `environment`)."""

    config: Config
    sources: Mapping[str, str]


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings in force, flags aside; raises `ConfigError` for what cannot be used."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, value in _read(path).items():
        values[name] = check(name, value, where=str(path))
        sources[name] = "file"
    for name in FIELDS:
        variable = environment_name(name)
        if environ.get(variable):
            values[name] = check(name, environ[variable], where=variable)
            sources[name] = "environment"
    return Settings(Config(**values), sources)


def environment_name(name: str) -> str:
    """Return the environment variable of the setting `name`."""
    return PREFIX + ENVIRONMENT_NAMES.get(name, name.upper())


def check(name: str, value: object, where: str) -> Any:
    """Return `value` as the setting `name` wants it (strings are converted); raises `ConfigError` naming `where`."""
    field = FIELDS.get(name)
    if field is None:
        raise ConfigError(
            _("{where}: there is no setting “{name}”.").format(where=where, name=name),
            _("The settings are: {names}.").format(names=listed(FIELDS)),
        )
    try:
        converted = msgspec.convert(value, field.type, strict=not isinstance(value, str))
    except msgspec.ValidationError as error:
        raise ConfigError(
            _("{where}: “{value}” is no value for {name}: {reason}").format(
                where=where, value=value, name=name, reason=_kind(field.type)
            ),
            _("Set another with: qwen config set {name} VALUE").format(name=name),
        ) from error
    problem = _problem(name, converted)
    if problem:
        raise ConfigError(
            _("{where}: “{value}” is no value for {name}: {reason}").format(
                where=where, value=value, name=name, reason=problem
            ),
            _("Set another with: qwen config set {name} VALUE").format(name=name),
        )
    return converted


def set_value(path: Path, name: str, text: str | None) -> None:
    """Write the setting `name` into the file, keeping its comments; `None` removes it."""
    import tomlkit

    # A file that is not TOML is told as such, not overwritten.
    _read(path)
    document = tomlkit.parse(path.read_text(encoding="utf-8-sig")) if path.is_file() else tomlkit.document()
    if text is None and name in FIELDS:
        document.pop(name, None)
    else:
        document[name] = check(name, text, where="qwen config set")
    write_private(path, tomlkit.dumps(document).encode())


def _read(path: Path) -> dict[str, Any]:
    try:
        # Notepad begins its files with a byte order mark.
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            _("{path} is not valid TOML: {reason}").format(path=path, reason=error),
            _("Mend it with: qwen config edit"),
        ) from error
    except OSError as error:
        raise ConfigError(
            _("{path} cannot be read: {reason}").format(path=path, reason=why(error)),
            _("Check its permissions, or set QWEN_TUI_HOME to another folder."),
        ) from error


def _kind(wanted: Any) -> str:
    """Say which values the type of a setting allows."""
    kinds = typing.get_args(wanted) or (wanted,)
    if bool in kinds:
        return _("it is true or false")
    if int in kinds:
        return _("it is a whole number")
    return _("it is a number") if float in kinds else _("it is a text")


def _problem(name: str, value: Any) -> str:
    """Say what is wrong with a value of the right type, or return an empty string."""
    if value is None:
        return ""
    lowest_highest = {
        "ctx_size": (256, 1_048_576),
        "threads": (1, 1024),
        "temperature": (0, 10),
        "top_p": (0, 1),
        "top_k": (0, 1_000_000),
        "min_p": (0, 1),
        "presence_penalty": (-2, 2),
        "seed": (0, 2**32 - 2),
        "max_tokens": (1, 1_048_576),
        "ambiguous_width": (1, 2),
        "cache_limit": (0, 100_000),
        "cache_seconds": (0, 3600),
    }
    if name in lowest_highest and value != "auto":
        lowest, highest = lowest_highest[name]
        if not lowest <= value <= highest:
            return _("it lies between {lowest} and {highest}").format(lowest=lowest, highest=highest)
    if name == "language" and value not in LANGUAGES:
        return _("it is one of {choices}").format(choices=listed(LANGUAGES))
    if name == "theme" and value not in THEMES:
        return _("it is one of {choices}").format(choices=listed(THEMES))
    if name == "gpu_layers" and value not in ("auto", "all") and not value.isdecimal():
        return _("it is auto, all, or a number")
    return ""

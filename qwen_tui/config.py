"""The settings. The flags win over the environment, the environment over the file, and the file over the defaults."""

import os
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from qwen_tui import toml_file
from qwen_tui.errors import ConfigError, which_is_meant
from qwen_tui.i18n import LANGUAGES, listed
from qwen_tui.i18n import gettext as _
from qwen_tui.quoting import quoted, unsetting
from qwen_tui.servers import Server, checked, told

PREFIX = "QWEN_TUI_"
# Settings with a variable of another name; every other setting follows the rule QWEN_TUI_<NAME>.
ENVIRONMENT_NAMES = {"language": "LANG"}
# What is done with material that does not fit into the context; see `qwen_tui.chat.fitting`.
Fit = Literal["ask", "context", "select", "map", "each", "error"]
FITS: tuple[Fit, ...] = typing.get_args(Fit)
THEMES = ("auto", "dark", "light")
# The table of the servers: it is no setting with one value, and only the file has it.
SERVERS = "servers"


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
    # What is done with material that does not fit, and from how many seconds of waiting on the person is asked first.
    fit: Fit = "ask"
    ask_above: float = 30.0
    history: bool = True
    # Whether the worker drafts tokens by prompt lookup: it proposes text that already stands in the context.
    lookup: bool = True
    # Whether the program keeps computed prompts (KV cache states) on disk, the most GB of them, and the least seconds
    # that the prefill of one must have taken.
    cache: bool = True
    cache_limit: Literal["auto"] | float = "auto"
    cache_seconds: float = 0.5
    # Whether the engine reads the beginning of the next prompt while the person types, and the least charge of a
    # battery for that, in percent.
    read_ahead: bool = True
    read_ahead_charge: int = 40
    theme: str = "auto"
    ambiguous_width: int = 1
    # The most columns that sentences take on a wide terminal; code and tables may take all.
    prose_width: int = 100
    # OpenAI-compatible servers by their names, which -m takes as well.
    servers: dict[str, Server] = {}


# What `-o NAME=VALUE` and `/set` change: how the next answer is sampled, and how long it may be.
SETTABLE = ("temperature", "top_p", "top_k", "min_p", "presence_penalty", "seed", "max_tokens")
FIELDS = {field.name: field for field in msgspec.structs.fields(Config) if field.name != SERVERS}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force; `sources` says where each non-default one comes from (`file` or `environment`).

    `problems` has an error for each setting that could not be used; such a setting has its default.
    """

    config: Config
    sources: Mapping[str, str]
    problems: tuple[ConfigError, ...] = ()


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings without the flags; raises `ConfigError` for the first that cannot be used."""
    settings = read(path, environ)
    if settings.problems:
        raise settings.problems[0]
    return settings


def read(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the usable settings without the flags, and the problems of the others."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    problems: list[ConfigError] = []
    try:
        text, in_file = toml_file.read(path)
    except ConfigError as error:
        text, in_file = "", {}
        problems.append(error)
    servers, of_servers = _servers(path, text, in_file.pop(SERVERS, {}))
    problems += of_servers
    in_environment = {name: environ[environment_name(name)] for name in FIELDS if environ.get(environment_name(name))}
    for source, given in (("file", in_file), ("environment", in_environment)):
        for name, value in given.items():
            where = toml_file.place(path, text, name) if source == "file" else environment_name(name)
            try:
                values[name] = check(name, value, where)
                sources[name] = source
            except ConfigError as error:
                problems.append(ConfigError(error.message, _mending(name, source)))
    return Settings(Config(servers=servers, **values), sources, tuple(problems))


def _servers(path: Path, text: str, tables: object) -> tuple[dict[str, Server], list[ConfigError]]:
    """Return the usable servers of the file, and the problems of the others."""
    servers: dict[str, Server] = {}
    problems: list[ConfigError] = []
    if not isinstance(tables, dict):
        where = toml_file.place(path, text, SERVERS)
        said = _("{where}: servers are tables: [servers.NAME]").format(where=where)
        return {}, [ConfigError(said, _("Set one up with: qwen servers add NAME URL"))]
    for name, table in tables.items():
        try:
            servers[name] = checked(name, table, toml_file.place(path, text, f"{SERVERS}.{name}"))
        except ConfigError as error:
            problems.append(error)
    return servers, problems


def set_server(path: Path, name: str, server: Server | None) -> None:
    """Write the server `name` into the file, and keep the rest as it is; None removes it. Raises `ConfigError`."""
    toml_file.change(path, (SERVERS, name), None if server is None else told(server))


def _mending(name: str, source: str) -> str:
    if source == "environment":
        variable = environment_name(name)
        return _("Set {variable} to another value, or remove it: {command}").format(
            variable=variable, command=unsetting(variable)
        )
    if name in FIELDS:
        return _("Set another with: qwen config set {name} VALUE").format(name=name)
    return _("Remove it with: qwen config set {name}").format(name=quoted(name))


def environment_name(name: str) -> str:
    """Return the environment variable of the setting `name`."""
    return PREFIX + ENVIRONMENT_NAMES.get(name, name.upper())


def check(name: str, value: object, where: str) -> Any:
    """Return `value` with the type of the setting `name`, strings converted; raises `ConfigError` naming `where`."""
    field = FIELDS.get(name)
    if field is None:
        raise ConfigError(
            _("{where}: there is no setting “{name}”.").format(where=where, name=name), which_is_meant(name, FIELDS)
        )
    if name == "gpu_layers" and type(value) is int:
        # In TOML, people write a number of layers as a number.
        value = str(value)
    try:
        converted = msgspec.convert(value, field.type, strict=not isinstance(value, str))
        problem = _problem(name, converted)
    except msgspec.ValidationError:
        problem = _kind(name, field.type)
    if problem:
        raise ConfigError(
            _("{where}: {name} cannot be “{value}”: {reason}").format(
                where=where, value=value, name=name, reason=problem
            ),
            _("Set another with: qwen config set {name} VALUE").format(name=name),
        )
    return converted


def set_value(path: Path, name: str, text: str | None) -> Any:
    """Write the setting `name` into the file, and keep the rest as it is; return the value. `None` removes the setting.

    Raises `ConfigError` for an unknown setting, and for a file that is not TOML, which stays as it is.
    """
    there = toml_file.read(path).values
    # A name in the file that is no setting may be removed: this is how the person mends such a file.
    value = None if text is None and name in {*FIELDS, *there} else check(name, text, where="qwen config set")
    instead = _("Set {variable} to it instead.").format(variable=environment_name(name))
    toml_file.change(path, (name,), value, instead)
    return value


def _kind(name: str, wanted: Any) -> str:
    """Return the clause that says which values a setting allows that was given one of another type."""
    if name in ("gpu_layers", "cache_limit"):
        return _number_or_word(name)
    if wanted is Fit:
        return _("it has to be one of {choices}").format(choices=listed(FITS))
    kinds = typing.get_args(wanted) or (wanted,)
    if bool in kinds:
        return _("it has to be true or false")
    if int in kinds:
        return _("it has to be a whole number")
    return _("it has to be a number") if float in kinds else _("it has to be a text")


def _problem(name: str, value: Any) -> str:
    """Return the clause that says what is wrong with a value of the right type; empty if nothing is."""
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
        "prose_width": (20, 10_000),
        "ask_above": (0, 86_400),
        "cache_limit": (0, 100_000),
        "cache_seconds": (0, 3600),
        "read_ahead_charge": (0, 100),
    }
    if name in lowest_highest and value != "auto":
        lowest, highest = lowest_highest[name]
        if not lowest <= value <= highest:
            return _("it has to lie between {lowest} and {highest}").format(lowest=lowest, highest=highest)
    if name == "language" and value not in LANGUAGES:
        return _("it has to be one of {choices}").format(choices=listed(LANGUAGES))
    if name == "theme" and value not in THEMES:
        return _("it has to be one of {choices}").format(choices=listed(THEMES))
    if name == "gpu_layers" and value not in ("auto", "all") and not value.isdecimal():
        return _number_or_word(name)
    return ""


def _number_or_word(name: str) -> str:
    return _("it has to be auto, all, or a number") if name == "gpu_layers" else _("it has to be auto or a number")

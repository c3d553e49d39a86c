"""The names that options and arguments take, for the Tab key of a shell."""

import itertools
from collections.abc import Callable, Iterator, Sequence

from qwen_tui import config, files, i18n
from qwen_tui.cli.arguments import SIDES
from qwen_tui.errors import QwenError
from qwen_tui.i18n import gettext as _

# A possible word, and what it is.
Offer = tuple[str, str]

# Common encodings of texts beside UTF-8.
_ENCODINGS = ("utf-8", "gb18030", "big5", "shift_jis", "euc-kr", "cp1252", "cp1251", "utf-16")
_MOST_CONVERSATIONS = 50


def of(path: Sequence[str], parameter: str, begun: str, before: Sequence[str]) -> list[Offer] | None:
    """Return the values of a command's `parameter`, None for files; `before` are the words before the one `begun`.

    A failure offers nothing: the person is typing, and would not read an error.
    """
    if parameter == "model" and path[:1] != ["servers"] and "/" in begun:
        offers = _on_server(begun)
        if offers is not None:
            return offers
    if parameter in _FILES or (parameter == "model" and begun.startswith((".", "/", "~"))):
        return None
    names = _NAMES.get((*path[:1], parameter)) or _NAMES.get((parameter,))
    try:
        return list(names(before)) if names else []
    except (QwenError, OSError):
        return []


def _models(_before: Sequence[str] = ()) -> Iterator[Offer]:
    """Yield the values of -m: the demonstration model, servers, the models here, and those that can be fetched."""
    yield "demo", _("the demonstration model")
    yield from _servers()
    installed = dict(_installed())
    yield from installed.items()
    yield from (offer for offer in _published() if offer[0] not in installed)


def _servers(_before: Sequence[str] = ()) -> Iterator[Offer]:
    yield from ((name, server.host) for name, server in _settings().servers.items())


def _on_server(begun: str) -> list[Offer] | None:
    """Return the models of the server in NAME/…, None for another name. Only such a beginning lets Tab ask a server.

    There are none if it may not be asked, or answers late.
    """
    from qwen_tui.planning.access import Access
    from qwen_tui.planning.opening import names_on

    name, settings = begun.partition("/")[0], _settings()
    return [(each, "") for each in names_on(name, settings, Access())] if name in settings.servers else None


def _settings() -> config.Config:
    return config.read(files.folders().config_file).config


def _installed(_before: Sequence[str] = ()) -> Iterator[Offer]:
    from qwen_tui.models import inventory
    from qwen_tui.models.shelf import Shelf

    folder = files.folders().models
    if folder.is_dir():
        yield from ((held.name, files.size_text(held.size)) for held in inventory.held(Shelf(folder)))


def _published(_before: Sequence[str] = ()) -> Iterator[Offer]:
    from qwen_tui.models.catalogue import CATALOGUE, DEFAULT_MODEL

    sizes = {entry.full_name: entry.size for entry in reversed(CATALOGUE)}
    yield DEFAULT_MODEL, files.size_text(CATALOGUE[0].size)
    yield from ((name, files.size_text(size)) for name, size in reversed(sizes.items()))


def _templates(_before: Sequence[str] = ()) -> Iterator[Offer]:
    from qwen_tui.chat import templates
    from qwen_tui.cli.wiring import template_folders

    yield from templates.described(template_folders())


def _variables(before: Sequence[str]) -> Iterator[Offer]:
    """Yield the variables of the template that the line names, each with = after it and with its choices."""
    from qwen_tui.chat import templates
    from qwen_tui.cli.wiring import template_folders

    named = [after for word, after in itertools.pairwise(before) if word in ("-t", "--template")]
    if not named:
        return
    for variable in templates.find(named[-1], template_folders()).variables:
        yield f"{variable.name}=", variable.description
        yield from ((f"{variable.name}={choice}", "") for choice in variable.choices)


def _conversations(_before: Sequence[str] = ()) -> Iterator[Offer]:
    from qwen_tui.history.store import History

    file = files.folders().history
    if file.exists():
        recent = History(file).recent(_MOST_CONVERSATIONS)
        yield from ((one.id, f"{files.time_text(one.written)}  {one.title}") for one in recent)


def _tasks(_before: Sequence[str] = ()) -> Iterator[Offer]:
    from qwen_tui.evaluation.compare.experiment import ALL
    from qwen_tui.evaluation.compare.task import tasks

    yield from ((task.name, task.description) for task in tasks(i18n.language()).values())
    yield ALL, ""


def _side(_before: Sequence[str] = ()) -> Iterator[Offer]:
    """Yield what a side of a comparison takes, each with = after it, and its values where these are known."""
    from qwen_tui.evaluation.compare.side import NAMES
    from qwen_tui.explanations import explanation

    values = {"device": ("cpu", "gpu"), "kv_type": ("f16", "q8_0"), "template": ("none", "task")}
    for name in NAMES:
        words = values.get(name, ("",))
        yield from ((f"{name}={word}", explanation(name) if name in config.FIELDS else "") for word in words)


def _sampling(_before: Sequence[str] = ()) -> Iterator[Offer]:
    from qwen_tui.config import SETTABLE
    from qwen_tui.explanations import explanation

    yield from ((f"{name}=", explanation(name)) for name in SETTABLE)


def _setting_names(_before: Sequence[str] = ()) -> Iterator[Offer]:
    from qwen_tui.explanations import explanation

    yield from ((name, explanation(name)) for name in config.FIELDS)


def _setting_values(before: Sequence[str]) -> Iterator[Offer]:
    """Yield the values of the setting named before."""
    name = before[-1] if before else ""
    if name == "model":
        yield from _models()
        return
    words = {
        "language": i18n.LANGUAGES,
        "theme": config.THEMES,
        "gpu_layers": ("auto", "all"),
        "cache_limit": ("auto",),
        "ambiguous_width": ("1", "2"),
        "fit": config.FITS,
    }.get(name, ())
    if name in config.FIELDS and config.FIELDS[name].type is bool:
        words = ("true", "false")
    yield from ((word, "") for word in words)


def _words(*words: str) -> Callable[[Sequence[str]], Iterator[Offer]]:
    return lambda _before: ((word, "") for word in words)


_FILES = ("prompt", "file", "schema", "out", "path", "llama_bench", "output", "output_file", "password_file")
# By the name of the parameter; if it means something else in one command, the name of that command comes before it.
_NAMES: dict[tuple[str, ...], Callable[[Sequence[str]], Iterator[Offer]]] = {
    ("model",): _models,
    ("pull", "model"): _published,
    ("models", "name"): _installed,
    ("servers", "name"): _servers,
    ("servers", "model"): _words(),
    ("template",): _templates,
    ("templates", "name"): _templates,
    ("param",): _variables,
    ("option",): _sampling,
    ("cid",): _conversations,
    ("conversation",): _conversations,
    ("conversations",): _conversations,
    ("name",): _setting_names,
    ("value",): _setting_values,
    ("lang",): _words(*i18n.LANGUAGES),
    ("gpu_layers",): _words("auto", "all"),
    ("encoding",): _words(*_ENCODINGS),
    ("form",): _words("md", "html", "json"),
    ("older_than",): _words("7d", "30d", "1y"),
    ("source",): _words("hub", "modelscope"),
    ("fit",): _words(*config.FITS),
    ("compare", "tasks"): _tasks,
    **{("compare", side.removeprefix("--")): _side for side in SIDES},
}

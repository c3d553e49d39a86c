"""The options that several commands share, and what they come to together with the settings."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer

from qwen_tui import config, files
from qwen_tui.cli.environment import Environment
from qwen_tui.cli.failure import tell
from qwen_tui.config import FITS, SETTABLE, Config
from qwen_tui.errors import ConfigError, UsageError, which_is_meant
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.planning import default_model
from qwen_tui.typed_text import as_text

Model = Annotated[
    str | None,
    typer.Option("-m", "--model", metavar="MODEL", help=_("The model: its name, a .gguf file, a server or demo.")),
]
System = Annotated[
    str | None, typer.Option("-s", "--system", metavar="TEXT", help=_("Who the model is and what it must heed."))
]
Option = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--option",
        metavar="NAME=VALUE",
        help=_("How to answer: {names}; repeatable.").format(names=", ".join(SETTABLE)),
    ),
]
Template = Annotated[
    str | None, typer.Option("-t", "--template", metavar="NAME", help=_("A prompt template; see: qwen templates list."))
]
Parameter = Annotated[
    list[str] | None,
    typer.Option("-p", "--param", metavar="NAME=VALUE", help=_("A value for the template; repeatable.")),
]
File = Annotated[
    list[str] | None,
    typer.Option(
        "-f",
        "--file",
        metavar="PATH",
        help=_("A file (text, PDF, Word, Excel …) or folder the question is about, - for stdin; repeatable."),
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option("--encoding", metavar="NAME", help=_("The encoding of the files and of stdin, such as gb18030.")),
]
PasswordFile = Annotated[
    str | None,
    typer.Option("--password-file", metavar="FILE", help=_("A file with the password of a protected document.")),
]
Fit = Annotated[
    str | None,
    typer.Option("--fit", metavar="|".join(FITS), help=_("What to do with material that does not fit.")),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help=_("Only say how many tokens it is and how long it takes; ask nothing."))
]
Continue = Annotated[bool, typer.Option("-c", "--continue", help=_("Go on with the conversation last written."))]
Cid = Annotated[str | None, typer.Option("--cid", metavar="ID", help=_("Go on with the conversation of this id."))]
NoLog = Annotated[bool, typer.Option("-n", "--no-log", help=_("Keep nothing of this conversation."))]
CtxSize = Annotated[
    int | None, typer.Option("--ctx-size", metavar="N", help=_("The context in tokens (8192); it takes memory."))
]
Threads = Annotated[
    int | None, typer.Option("--threads", metavar="N", help=_("Computing threads (the physical cores)."))
]
GpuLayers = Annotated[
    str | None,
    typer.Option("--gpu-layers", metavar="auto|all|N", help=_("How many layers the graphics card computes.")),
]
Offline = Annotated[bool, typer.Option("--offline", help=_("Never use the network."))]
Language = Annotated[str | None, typer.Option("--lang", metavar="zh|en", help=_("The language of the program."))]


# Options whose name differs from that of the setting they change.
_OPTIONS = {"language": "--lang"}


def settings(environment: Environment, flags: dict[str, Any]) -> Config:
    """Return the settings with `flags`, where None means not given, over them; raises `UsageError`, `ConfigError`."""
    read = config.load(files.folders().config_file, environment.variables)
    return settings_of(default_model.settled(read) if flags.get("model") is None else read.config, flags)


def usable_settings(environment: Environment, *, standing_in: bool = False) -> Config:
    """Return the settings for a command that only looks: without those that cannot be used, and stderr tells which.

    With `standing_in`, they name a model that is here if nobody has chosen one, and there is any.
    """
    settings = config.read(files.folders().config_file, environment.variables)
    tell_problems(environment, settings.problems)
    return default_model.settled(settings, noting=False) if standing_in else settings.config


def tell_problems(environment: Environment, problems: Sequence[ConfigError]) -> None:
    """Tell the person on stderr what is wrong with settings, and that the program goes on without them."""
    for problem in problems:
        remedy = _("It is left out for now. {remedy}").format(remedy=problem.remedy)
        tell(environment, ConfigError(problem.message, remedy))


def settings_of(base: Config, flags: dict[str, Any]) -> Config:
    """Return the settings `base` with `flags` over them; raises `UsageError`."""
    given = {name: _flag(name, value) for name, value in flags.items() if value is not None}
    merged = msgspec.structs.replace(base, **given)
    return msgspec.structs.replace(merged, system=as_text(merged.system)) if merged.system else merged


def sampling_flags(options: Sequence[str] | None) -> dict[str, Any]:
    """Return the settings that `-o NAME=VALUE` options name; raises `UsageError`."""
    flags: dict[str, Any] = {}
    for option in options or ():
        name, equals, value = option.partition("=")
        if equals and name not in SETTABLE:
            raise UsageError(
                _("-o {option}: there is no setting “{name}” to answer by.").format(option=option, name=name),
                which_is_meant(name, SETTABLE),
            )
        if not equals:
            raise UsageError(
                _("-o {option} is not understood.").format(option=option),
                _("Write NAME=VALUE, with one of: {names}.").format(names=listed(SETTABLE)),
            )
        flags[name] = value
    return flags


def _flag(name: str, value: object) -> Any:
    option = f"-o {name}" if name in SETTABLE else _OPTIONS.get(name, "--" + name.replace("_", "-"))
    try:
        return config.check(name, value, where=option)
    except ConfigError as error:
        # `main` adds which command's help says what the option takes.
        raise UsageError(error.message) from error

"""`qwen servers`: OpenAI-compatible servers that answer in place of this computer."""

from getpass import getpass
from typing import Annotated

import msgspec
import typer

from qwen_tui import cancellation, config, files
from qwen_tui.cli import options
from qwen_tui.cli.asking import Asker
from qwen_tui.cli.config import writing
from qwen_tui.cli.environment import Environment
from qwen_tui.columns import table
from qwen_tui.errors import QwenError, UsageError, which_is_meant
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.models import catalogue
from qwen_tui.network import key_store
from qwen_tui.planning import access
from qwen_tui.planning.access import Access
from qwen_tui.planning.server_check import Check, check
from qwen_tui.quoting import command_line
from qwen_tui.servers import Server, address, checked, is_name, told

# The list of a server's models is cut behind so many.
_MOST_MODELS = 40

Name = Annotated[str, typer.Argument(metavar="NAME", help=_("The server's name, as in -m NAME."))]
AsJson = Annotated[bool, typer.Option("--json", help=_("Print one JSON object."))]
KeyVariable = Annotated[
    str | None,
    typer.Option("--key-env", metavar="VARIABLE", help=_("The environment variable that holds the key.")),
]
Keyring = Annotated[
    bool, typer.Option("--keyring", help=_("Ask for the key, and keep it in the keyring of the system."))
]
Usual = Annotated[
    str | None, typer.Option("--model", metavar="MODEL", help=_("The model that is meant where none is named."))
]
Parallel = Annotated[
    int | None, typer.Option("--parallel", metavar="N", help=_("How many questions it gets at the same time (4)."))
]
Context = Annotated[
    int | None, typer.Option("--ctx-size", metavar="N", help=_("Its context in tokens, if it does not tell."))
]
AllowHttp = Annotated[
    bool, typer.Option("--allow-http", help=_("Ask it without TLS, where others on the way can read everything."))
]
Yes = Annotated[bool, typer.Option("-y", "--yes", help=_("Agree that what you write is sent there; do not ask."))]


def build() -> typer.Typer:
    """Return the command group."""
    app = typer.Typer()
    app.command("add", help=_("Set up a server, or change how it is set up."))(add)
    app.command("list", help=_("List the servers; nothing is sent."))(list_)
    app.command("test", help=_("Ask a server what it is and can, and for one token."))(test)
    app.command("rm", help=_("Forget a server, its key, and that you agreed to its host."))(rm)
    return app


def add(
    context: typer.Context,
    name: Name,
    url: Annotated[str, typer.Argument(metavar="URL", help=_("Its address; mostly it ends in /v1."))],
    key_env: KeyVariable = None,
    keyring: Keyring = False,
    model: Usual = None,
    parallel: Parallel = None,
    ctx_size: Context = None,
    allow_http: AllowHttp = False,
    yes: Yes = False,
) -> int:
    """Write a server into the configuration, once the person agrees to its host, and say whether it answers."""
    environment = Environment.of(context)
    _refuse_name(name)
    before = _servers(environment).get(name)
    given = {"key_env": key_env, "keyring": keyring, "model": model, "parallel": parallel, "ctx_size": ctx_size}
    fields = {field: value for field, value in given.items() if value} | ({"allow_http": True} if allow_http else {})
    server = checked(name, {"url": address(url), **fields}, "qwen servers add")
    if server.is_plain and not allow_http:
        raise UsageError(
            access.refused_as_plain(server), _("Use https://, or accept that everybody can read it: --allow-http")
        )
    if not _agreed(environment, server, yes=yes):
        environment.note(_("Nothing was set up, and nothing was sent."))
        return 1
    if keyring:
        key_store.store(name, _typed_key(environment, name))
    with writing():
        access.agree(server)
        config.set_server(files.folders().config_file, name, server)
    changed = _("Changed: {name} is {url}") if before else _("Set up: {name} is {url}")
    environment.print(changed.format(name=name, url=server.url))
    try:
        found = check(name, server, Access(environment.variables), asking=False)
    except QwenError as error:
        # It may run later.
        environment.note(f"{error.message}\n{error.remedy}")
        return 0
    _print_check(environment, found)
    environment.note(
        _("Talk to it with: {command}").format(command=command_line("qwen", "chat", "-m", _shown(name, found)))
    )
    return 0


def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """Print one line a server, from the configuration alone."""
    environment = Environment.of(context)
    servers = _servers(environment)
    if as_json:
        printed = [_as_listed(environment, name, server) for name, server in servers.items()]
        environment.print(msgspec.json.encode({"servers": printed}).decode())
        return
    if not servers:
        environment.note(_("There is no server yet. Set one up with: qwen servers add NAME URL"))
        return
    environment.print(table([_row(environment, name, server) for name, server in servers.items()]))


def test(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Ask a server what it is, and one short question; raises `ServerError` where it does not answer."""
    environment = Environment.of(context)
    server = _named(environment, name)
    if not server.is_here:
        environment.note(_("The question goes to {host}.").format(host=server.host))
    found = check(name, server, Access(environment.variables))
    if as_json:
        environment.print(msgspec.json.encode(found).decode())
    else:
        _print_check(environment, found)


def rm(context: typer.Context, name: Name) -> None:
    """Remove a server from the configuration, with what belongs to it."""
    environment = Environment.of(context)
    server = _named(environment, name)
    with writing():
        config.set_server(files.folders().config_file, name, None)
        if server.host not in [other.host for other in _servers(environment).values()]:
            access.withdraw(server.host)
    environment.print(_("{name} is forgotten.").format(name=name))
    if server.keyring:
        key_store.remove(name)


def _refuse_name(name: str) -> None:
    if not is_name(name) or catalogue.find(name):
        raise UsageError(
            _("“{name}” cannot be the name of a server.").format(name=name),
            _("Use letters, digits, - and _; it must not mean a model already, as demo does."),
        )


def _agreed(environment: Environment, server: Server, *, yes: bool) -> bool:
    """Return whether the person agrees to what is sent to a foreign host; raises `UsageError` where nobody can say."""
    if yes or access.is_agreed(server):
        return True
    asker = Asker(environment)
    what = _(
        "{host} is not this computer. What you ask it is sent there: your words, your files, the conversation so far. "
        "Whoever runs it can read that."
    ).format(host=server.host)
    if not asker.can_answer:
        raise UsageError(what, _("To agree without being asked: --yes"))
    environment.note(what)
    return asker.confirm(_("Do you agree?"))


def _typed_key(environment: Environment, name: str) -> str:
    """Ask for a key without showing it; raises `UsageError` where nobody can type one."""
    if not Asker(environment).can_answer:
        raise UsageError(
            _("There is no terminal on which to ask for the key."), _("Put it into a variable: --key-env VARIABLE")
        )
    with cancellation.current().interruptible():
        key = getpass(_("The key of {name}:").format(name=name) + " ", environment.stderr).strip()
    if not key:
        raise UsageError(_("No key was typed."), _("Without --keyring, none is needed."))
    return key


def _servers(environment: Environment) -> dict[str, Server]:
    return options.usable_settings(environment).servers


def _named(environment: Environment, name: str) -> Server:
    servers = _servers(environment)
    if name not in servers:
        remedy = which_is_meant(name, servers) if servers else _("Set it up with: qwen servers add NAME URL")
        raise UsageError(_("There is no server “{name}”.").format(name=name), remedy)
    return servers[name]


def _shown(name: str, found: Check) -> str:
    return name if found.model else f"{name}/{found.models[0]}" if found.models else f"{name}/MODEL"


def _row(environment: Environment, name: str, server: Server) -> tuple[str, ...]:
    here = _("this computer") if server.is_here else _("agreed") if access.is_agreed(server) else _("not agreed to")
    return name, server.url, here, _key(environment, server), server.model or ""


def _key(environment: Environment, server: Server) -> str:
    """Say where the key comes from, and whether it is there; never what it is."""
    if server.key_env:
        is_set = bool(environment.variables.get(server.key_env, "").strip())
        said = _("key in {variable}") if is_set else _("key in {variable}, which is not set")
        return said.format(variable=server.key_env)
    return _("key in the keyring") if server.keyring else _("no key")


def _as_listed(environment: Environment, name: str, server: Server) -> dict[str, object]:
    return {
        "name": name,
        **told(server),
        "host": server.host,
        "this_computer": server.is_here,
        "agreed": access.is_agreed(server),
        "key": "keyring" if server.keyring else server.key_env,
        "key_set": bool(environment.variables.get(server.key_env, "").strip()) if server.key_env else None,
    }


def _print_check(environment: Environment, found: Check) -> None:
    """Print what a server has told, and what it has not."""
    models = [*found.models[:_MOST_MODELS], *(["…"] if len(found.models) > _MOST_MODELS else [])]
    context = _("not told; {n} is assumed").format(n=f"{found.ctx_size:,}")
    if found.context_is_told:
        context = _("{tokens} tokens").format(tokens=f"{found.ctx_size:,}")
    rows = [
        (_("server"), found.host if found.kind == "other" else f"{found.host} · {found.kind}"),
        (_("models"), listed(models) or _("none named")),
    ]
    if found.model:
        rows += [
            (_("model"), found.model),
            (_("context"), context),
            (_("tokens"), _("estimated") if found.estimates else _("counted by the server")),
            (_("at once"), str(found.parallel)),
        ]
    if found.first_s is not None:
        rows.append((_("answers"), _("after {seconds:.1f} s").format(seconds=found.first_s)))
    environment.print(table(rows))

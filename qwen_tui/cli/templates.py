"""`qwen templates`: the prompt templates, listed, shown, made and edited."""

from pathlib import Path
from typing import Annotated

import typer

from qwen_tui import columns, files
from qwen_tui.chat import templates
from qwen_tui.cli import wiring
from qwen_tui.cli.editor import open_editor
from qwen_tui.cli.environment import Environment
from qwen_tui.errors import TemplateError, UsageError
from qwen_tui.i18n import gettext as _
from qwen_tui.quoting import quoted

Name = Annotated[str, typer.Argument(metavar="NAME", help=_("A template; see: qwen templates list."))]


def build() -> typer.Typer:
    """Return the command group."""
    app = typer.Typer()
    app.command("list", help=_("List the templates."))(list_)
    app.command("show", help=_("Print a template."))(show)
    app.command("new", help=_("Make a template of your own and open it in your editor."))(new)
    app.command("edit", help=_("Edit a template; a built-in one is copied first, and yours wins."))(edit)
    app.command("path", help=_("Print the folder of your own templates."))(path)
    return app


def list_(context: typer.Context) -> None:
    """Print a line a template: its name, what it does, and what it wants."""
    folders = wiring.template_folders()
    rows = []
    for name in templates.names(folders):
        try:
            template = templates.find(name, folders)
        except TemplateError as error:
            rows.append((name, f"! {error.message}"))
            continue
        wanted = " ".join(f"{v.name}*" if v.default is None else v.name for v in template.variables)
        rows.append((name, template.description + (f"  [{wanted}]" if wanted else "")))
    Environment.of(context).print("\n".join(columns.lines(rows)))


def show(context: typer.Context, name: Name) -> None:
    """Print the file of a template."""
    text = templates.find(name, wiring.template_folders()).path.read_text(encoding="utf-8")
    Environment.of(context).print(text)


def new(context: typer.Context, name: Name) -> None:
    """Make a template with a first text in it."""
    file = _own(name)
    if files.is_there(file):
        raise UsageError(
            _("You have a template “{name}” already.").format(name=name),
            _("Edit it with: qwen templates edit {name}").format(name=quoted(name)),
        )
    files.save_new(
        file, _FIRST.format(description=_("What it does"), body=_("What to do with the text above.")), chosen=False
    )
    edit(context, name)


def edit(context: typer.Context, name: Name) -> None:
    """Open a template in the editor and check it afterwards."""
    file = _own(name)
    if not files.is_there(file):
        files.save_new(
            file, templates.find(name, wiring.template_folders()).path.read_text(encoding="utf-8"), chosen=False
        )
    open_editor(Environment.of(context), file)
    templates.read(file)


def path(context: typer.Context) -> None:
    """Print the folder."""
    Environment.of(context).print(str(files.folders().templates))


_FIRST = "---\ndescription: {description}\n---\n{{{{input}}}}\n\n{body}\n"


def _own(name: str) -> Path:
    folder = files.folders().templates
    file = folder / f"{name}.md"
    if file.parent != folder or name.startswith("."):
        raise UsageError(
            _("“{name}” cannot be the name of a template.").format(name=name), _("Use letters, digits and hyphens.")
        )
    return file

"""The slash commands, as one table: the program runs, explains and completes them from it."""

import difflib
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from qwen_tui import typed_paths
from qwen_tui.chat import compacting, overviews, settable, templates, transfer
from qwen_tui.chat.contents import contents
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.from_template import begins_with_input, draft
from qwen_tui.chat.going_on import is_same
from qwen_tui.chat.keeping import resume
from qwen_tui.chat.question import ask_about, prompt_text
from qwen_tui.chat.session import Session
from qwen_tui.columns import table
from qwen_tui.errors import HistoryError, UsageError
from qwen_tui.history.records import title_of
from qwen_tui.history.store import History
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.messages import Draft
from qwen_tui.models.locate import DEMO
from qwen_tui.typed_text import as_command


class Farewell(Exception):  # noqa: N818 - not an error
    """The person wants to leave."""


@dataclass(frozen=True, slots=True)
class Command:
    """One slash command. `run` gets the text after the name, and returns the draft of the next line, or None.

    `takes` says how its argument is completed; `usage` is how the help shows the argument. The help shows a command
    with `in_row_before` in the row of the command before it, because all rows must fit on a screen of 24.
    """

    names: tuple[str, ...]
    description: str
    run: Callable[[Session, str], str | Draft | None]
    usage: str = ""
    takes: Literal["nothing", "text", "path", "option", "template", "conversation", "model"] = "nothing"
    in_row_before: bool = False


def commands() -> list[Command]:
    """Return the table, in the language in use."""
    return [
        Command(("/help", "/?"), _("show commands and keys"), _help),
        Command(("/bye", "/exit", "/quit"), _("leave"), _bye),
        Command(("/clear",), _("begin a new conversation"), _clear),
        Command(("/compact",), _("sum up the oldest turns"), compacting.compact, in_row_before=True),
        Command(("/undo",), _("take back the last turn, edit or retry"), _undo),
        Command(("/redo",), _("bring it back"), _redo, in_row_before=True),
        Command(("/retry",), _("answer the last message again"), _retry),
        Command(("/edit",), _("change and resend it"), _edit, in_row_before=True),
        Command(
            ("/template",),
            _("insert a prompt template to fill in; alone, list them"),
            _template,
            _("[NAME [TEXT]]"),
            "template",
        ),
        Command(
            ("/file",), _("attach a file or folder: text, PDF, Word, Excel …"), transfer.attach_file, _("PATH"), "path"
        ),
        Command(("/paste",), _("attach the clipboard's text"), transfer.attach_clipboard),
        Command(("/drop",), _("drop what is attached"), transfer.drop, _("[NAME]"), "text", in_row_before=True),
        Command(("/copy",), _("copy the last answer, or its code"), transfer.copy, "[code]", "text"),
        Command(("/save",), _("write the last answer to a file"), transfer.save_answer, _("FILE"), "path"),
        Command(
            ("/export",),
            _("write the conversation to a .md, .html or .json file"),
            transfer.export_conversation,
            _("FILE"),
            "path",
        ),
        Command(("/logs",), _("list conversations, or find some by words"), _logs, _("[WORDS]"), "text"),
        Command(("/resume",), _("go on with a conversation"), _resume, _("ID"), "conversation"),
        Command(("/fork",), _("go on in a branch of it"), _fork, in_row_before=True),
        Command(("/system",), _("set the system prompt; alone, remove it"), _system, _("[TEXT]"), "text"),
        Command(("/set",), _("set how to answer (temperature 0)"), settable.change, _("NAME VALUE"), "option"),
        Command(("/show",), _("show the settings"), settable.show, in_row_before=True),
        Command(("/model",), _("go on with another model; alone, list them"), _model, _("[NAME]"), "model"),
        Command(("/context",), _("show what fills the context"), _context),
        Command(("/stats",), _("speeds of the last answer"), _stats, in_row_before=True),
    ]


def run(session: Session, line: str) -> str | Draft | None:
    """Run the command of a line that begins with a slash; raises `UsageError` for an unknown one, and `Farewell`."""
    name, argument = as_command(line.strip()) or (line, None)
    argument = (argument or "").strip()
    table = {name: command for command in commands() for name in command.names}
    command = table.get(name.lower())
    if command is None:
        begun = [one for one in table if len(name) > 1 and one.startswith(name.lower())]
        near = begun[:3] or difflib.get_close_matches(name, table, n=3, cutoff=0.5) or ["/help"]
        raise UsageError(
            _("There is no command {name}.").format(name=name),
            _("Did you mean {names}? To send the line as it is, put a space before it.").format(names=listed(near)),
        )
    if command.usage and not command.usage.startswith("[") and not argument:
        raise UsageError(
            _("{name} needs something more.").format(name=name),
            _("Write: {name} {usage}").format(name=name, usage=command.usage),
        )
    if argument and not command.usage:
        raise UsageError(
            _("{name} takes nothing more.").format(name=name),
            _("Write: {name} {usage}").format(name=name, usage="").strip(),
        )
    if command.takes in ("option", "conversation"):
        # Nothing of these is ever full-width but by the input method.
        argument = unicodedata.normalize("NFKC", argument)
    return command.run(session, argument)


def _help(session: Session, _argument: str) -> None:
    rows: list[tuple[str, str]] = []
    for command in commands():
        name = " ".join(filter(None, (", ".join(command.names), command.usage)))
        does = command.description
        if command.in_row_before:
            before, did = rows.pop()
            name, does = f"{before}, {name}", _("{one}; {other}").format(one=did, other=does)
        rows.append((name, does))
    keys = _(
        "Enter sends · Ctrl-J or Alt-Enter new line · Tab next slot, else completion · Up, Ctrl-R earlier questions · "
        "Ctrl-X Ctrl-E editor · Ctrl-C stops the answer, clears the line · Ctrl-D leaves"
    )
    session.report(f"{table(rows)}\n\n{keys}")


def _bye(_session: Session, _argument: str) -> None:
    raise Farewell


def _clear(session: Session, _argument: str) -> None:
    before = session.conversation
    session.turn_to(Conversation(None if before.from_template else before.system))
    session.attached.clear()
    session.report(_("A new conversation."))


def _undo(session: Session, _argument: str) -> None:
    undone = session.undo()
    said = _("Taken back: {title}").format(title=title_of(undone.question))
    if undone.instead_of is not None:
        before = _("The turn is as it was before: {title}").format(title=title_of(undone.instead_of.question))
        said = f"{said}\n{before}"
    session.report(said)


def _redo(session: Session, _argument: str) -> None:
    session.report(_("Brought back: {title}").format(title=title_of(session.redo().question)))


def _retry(session: Session, _argument: str) -> None:
    session.answer_again()


def _edit(session: Session, _argument: str) -> str:
    line = session.replace_last()
    session.tell_attached_again()
    return line


def _template(session: Session, argument: str) -> Draft | None:
    name, text = _template_name(argument, templates.names(session.template_folders))
    if not name:
        session.report(table(templates.described(session.template_folders)))
        return None
    template = templates.find(name, session.template_folders)
    if not text.strip() and session.attached and template.names_input and not begins_with_input(template):
        # The text belongs in the middle of the body. So it goes into the line now: later its place would be unknown.
        text = prompt_text(ask_about(session.attached, ""))
        session.attached.clear()
    filled = draft(template, {}, text, text_precedes=bool(session.attached))
    session.template = template
    return filled


def _template_name(argument: str, known: Sequence[str]) -> tuple[str, str]:
    """Return the name of a template at the beginning of `argument`, which may hold blanks, and the text behind it."""
    for name in sorted(known, key=len, reverse=True):
        for written in (name, f"'{name}'", f'"{name}"'):
            if " " in name and (argument == written or argument.startswith(f"{written} ")):
                return name, argument[len(written) :].strip()
    name, text = (*argument.split(maxsplit=1), "", "")[:2]
    return name, text


def _logs(session: Session, argument: str) -> None:
    history = _history(session)
    columns = session.columns()
    if not argument:
        session.report(overviews.conversations(history.recent(), columns) or _("There is no conversation yet."))
        return
    session.report(overviews.found(history.search(argument), argument, columns) or overviews.nothing_found(argument))


def _resume(session: Session, argument: str) -> None:
    said = session.go_on_with(resume(_history(session), argument))
    show_standing(session)
    if said:
        session.report(f"\n{said}")


def show_standing(session: Session) -> None:
    """Show the title and the last turn of the conversation, which is in the history."""
    conversation = session.conversation
    assert conversation.id is not None, "a resumed conversation has an id"
    summary = _history(session).read(conversation.id).summary
    overviews.standing(summary, conversation.exchanges, session.output)


def _fork(session: Session, _argument: str) -> None:
    if session.conversation.id is None:
        raise UsageError(_("There is nothing to branch from yet."), _("Ask something first."))
    session.conversation.id = _history(session).fork(session.conversation.id)
    session.report(_("From here on this is conversation {id}.").format(id=session.conversation.id))


def _system(session: Session, argument: str) -> None:
    session.conversation.system, session.conversation.from_template = argument or None, False
    applies = _("It applies from the next message on.")
    session.report(applies if argument else _("From the next message on there is no system prompt."))


def _model(session: Session, argument: str) -> None:
    if not argument:
        in_use = session.keeper.model
        marks = {True: _("in use"), False: ""}
        rows = [(name, about, marks[is_same(name, in_use, session.meaning)]) for name, about in session.models()]
        session.report(table(rows))
        return
    argument = typed_paths.meant(argument)
    session.use_model(argument)
    # Of the beginning of a name, the whole name is told; of a path, what the person wrote.
    name = argument if Path(session.keeper.model).is_absolute() else session.keeper.model
    session.report(_("From here on {name} answers.").format(name=name))
    if session.engine.host:
        session.report(goes_to(session.engine.host))
    if argument == DEMO:
        session.report(_("This is the demonstration model: it has learned a few dozen conversations by heart."))


def goes_to(host: str) -> str:
    """Say that another computer gets what the person writes."""
    return _("What you write goes to {host}.").format(host=host)


def _context(session: Session, _argument: str) -> None:
    session.report(contents(session))


def _stats(session: Session, _argument: str) -> None:
    if session.last is None:
        raise UsageError(_("There is no answer yet."), _("Ask something first."))
    session.report(overviews.figures(session.last))


def _history(session: Session) -> History:
    if session.keeper.history is None:
        raise HistoryError(
            _("Conversations are not kept in this sitting."), _("Start again without -n, and with history = true.")
        )
    return session.keeper.history

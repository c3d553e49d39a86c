"""The slash commands that read material from files and the clipboard, and write answers to them."""

import io
import time
from collections.abc import Sequence
from pathlib import Path

from qwen_tui import files, typed_paths
from qwen_tui.chat import material
from qwen_tui.chat.code_blocks import code_blocks
from qwen_tui.chat.export import export
from qwen_tui.chat.gathering import Gathering, check_count
from qwen_tui.chat.material import MOST_NAMED, Reading, report_blank, some_names
from qwen_tui.chat.session import Session
from qwen_tui.documents.text import encoding_called
from qwen_tui.errors import ClipboardError, UsageError
from qwen_tui.history.records import StoredConversation, Summary, title_of
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed, ngettext
from qwen_tui.messages import Material


def attach_file(session: Session, argument: str) -> None:
    """Run /file: the text of a file, or of all in a folder or that match a pattern, goes with the next message."""
    names = typed_paths.all_meant(argument)
    check_count(names)
    gathering = Gathering(session.reading())
    # All are read before the first is attached: if one cannot be read, none goes with the message.
    for name in names:
        gathering.add(name)
    attach(session, gathering.materials)


def attach_clipboard(session: Session, _argument: str) -> None:
    """Run /paste: the text in the clipboard goes with the next message."""
    text = session.clipboard.paste()
    if not text.strip():
        raise ClipboardError(_("The clipboard is empty, or holds no text."), _("Copy some text, then try again."))
    if _are_files(text):
        session.report(
            _("The clipboard holds where files are, and not what is in them. Attach them with: /file, and the paths.")
        )
    data = io.BytesIO(text.encode("utf-8", "replace"))
    reading = Reading(session.report, encoding_called("utf-8"))
    attach(session, [material.from_stream(data, _("the clipboard"), reading, "clipboard")])


def drop(session: Session, argument: str) -> str | None:
    """Run /drop: all attached materials, or those of this name or folder, do not go with the next message.

    If the person writes /drop in place of an edited message, this returns the line of that message.
    """
    line = session.replace_last() if session.left_edit and not session.attached else ""
    if not session.attached:
        session.drop_draft()
        raise UsageError(_("Nothing is attached."), _("Attach a file with: /file PATH"))
    names = list(dict.fromkeys(one.name for one in session.attached))
    if argument not in names:
        argument = typed_paths.unquoted(argument)
    above = argument.rstrip("/\\") + "/"
    dropped = [name for name in names if not argument or name == argument or name.startswith(above)]
    if not dropped:
        session.unsent = line
        raise UsageError(
            _("“{name}” is not attached.").format(name=argument),
            _("What is attached: {names}.").format(names=listed(some_names(session.attached))),
        )
    session.report(
        _("Left out of the next message: {names}.").format(
            names=listed(some_names([one for one in session.attached if one.name in dropped]))
        )
    )
    session.attached = [one for one in session.attached if one.name not in dropped]
    session.attached_again = tuple(one for one in session.attached_again if one.name not in dropped)
    return line or None


def copy(session: Session, argument: str) -> None:
    """Run /copy: put the last answer, or the code in it, into the clipboard."""
    if argument not in ("", "code"):
        raise UsageError(
            _("/copy {argument} is not understood.").format(argument=argument), _("Write: /copy, or: /copy code")
        )
    answer = session.last_answer()
    if argument:
        blocks = code_blocks(answer)
        if not blocks:
            raise UsageError(_("The last answer has no code block."), _("Copy all of it with: /copy"))
        text = "\n\n".join(block.code.strip("\n") for block in blocks)
        copied = ngettext("The code block was copied.", "{n} code blocks were copied.", len(blocks)).format(
            n=len(blocks)
        )
        if not blocks[-1].closed:
            copied += " " + _("The answer ended inside the last one: it may not be whole.")
    else:
        text = answer.strip("\n")
        if not text.strip():
            raise UsageError(_("The last answer is empty."), _("Ask for it again with: /retry"))
        copied = _("The answer was copied.")
    remark = session.clipboard.copy(text + "\n")
    session.report(f"{copied}\n{remark}".strip())


def save_answer(session: Session, argument: str) -> None:
    """Run /save: write the last answer to a file."""
    _write(session, argument, session.last_answer())


def export_conversation(session: Session, argument: str) -> None:
    """Run /export: write the conversation to a file, in the format of the name's ending."""
    session.last_answer()
    form = Path(typed_paths.unquoted(argument)).suffix.removeprefix(".").lower() or "md"
    _write(session, argument, export(_stored(session), form))


def attach(session: Session, materials: Sequence[Material]) -> None:
    """Attach texts to the next message, and say so; a text takes the place of an earlier one of the same file."""
    names = {one.name for one in materials if one.kind == "file"}
    session.attached = [one for one in session.attached if one.kind != "file" or one.name not in names]
    session.attached += materials
    report_blank(materials, session.report)
    if len(materials) > MOST_NAMED:
        sentence = _("{n} files go with the next message ({characters} characters): {names}")
        session.report(
            sentence.format(
                n=f"{len(materials):,}",
                characters=f"{sum(len(one.text) for one in materials):,}",
                names=listed(some_names(materials)),
            )
        )
        return
    for one in materials:
        session.report(
            _("{name} goes with the next message ({n} characters).").format(name=one.name, n=f"{len(one.text):,}")
        )


def _are_files(text: str) -> bool:
    """Whether each line of `text` is the path of a file or folder, as after copying files in a file manager."""
    lines = [typed_paths.unquoted(line) for line in text.strip().splitlines()]
    return all(Path(line).is_absolute() and files.is_there(files.expand(line)) for line in lines)


def _stored(session: Session) -> StoredConversation:
    """Return the conversation as it is in this process; another program may have gone on with it in the history."""
    conversation, history, exchanges = session.conversation, session.keeper.history, session.conversation.exchanges
    if history is not None and conversation.id is not None:
        summary = history.read(conversation.id).summary
    else:
        now = time.time()
        summary = Summary("", title_of(exchanges[0].question), session.keeper.model, now, now)
    return StoredConversation(summary, conversation.system, tuple(exchanges))


def _write(session: Session, argument: str, text: str) -> None:
    path = files.expand(typed_paths.unquoted(argument))
    files.save_new(path, text)
    session.report(_("Written: {path}").format(path=path))

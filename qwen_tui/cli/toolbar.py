"""The line below the input of `qwen chat`: the model, how full the context is, and what the engine does."""

import re
from pathlib import Path

from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.session import Session
from qwen_tui.config import Config
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed, ngettext, noted
from qwen_tui.servers import on_server

# The toolbar shows how far the engine has read ahead if there are at least so many tokens to read.
_WORTH_SHOWING = 256


def toolbar(session: Session, settings: Config) -> list[tuple[int, str]]:
    """Return the parts of the line below the input, with their ranks; prompt_toolkit draws it often, so nothing here
    may wait for the engine.
    """
    model, loading, host = short(session.keeper.model, settings), session.engine.loading(), session.engine.host
    if loading is not None:
        return [(0, model), (1, _("loading {percent}%").format(percent=int(loading * 100)))]
    size, used = session.info.ctx_size if session.info else settings.ctx_size, session.conversation.tokens
    filled = (
        _("context {used} of {size}").format(used=used, size=size) if used else _("context {size}").format(size=size)
    )
    parts = [(0, model), (1, filled)]
    if not session.info and on_server(session.keeper.model, settings.servers):
        # The context of a server is not that of the settings, and becomes known with the first answer.
        parts.pop()
    # A short text is read before anybody could look.
    if (progress := session.engine.reading_ahead()) and progress[1] >= _WORTH_SHOWING:
        parts.insert(1, (1, f"{_reading(session)} {100 * progress[0] // progress[1]}%"))
    if host:
        # Whatever else there is no room for, the person sees where their words go.
        parts.insert(1, (0, host))
    elif session.info:
        parts.insert(1, (3, session.info.device))
    if out := _out(session.conversation):
        parts.append((1, out))
    if session.last and session.last.timings.decode_tps:
        parts.append((2, _("{speed:.1f} tokens/s").format(speed=session.last.timings.decode_tps)))
    return parts


def short(model: str, settings: Config) -> str:
    """Return the name of a model, or only the file name if it is a path, also behind the name of a server."""
    found = on_server(model, settings.servers)
    file = re.split(r"[/\\]", found.model if found else model)[-1]
    return str(found._replace(model=file)) if found else file


def _out(conversation: Conversation) -> str:
    """Say how many turns are not in the prompt, and how many of these a summary stands for."""
    gone, summarised = conversation.out, conversation.summarised
    if not gone:
        return ""
    said = ngettext("{n} turn out", "{n} turns out", gone).format(n=gone)
    return noted(said, _("{n} summed up").format(n=summarised)) if summarised else said


def _reading(session: Session) -> str:
    """Say what is being read before the next message is sent."""
    names = [Path(one.name).name for one in session.attached]
    return listed(names) if 0 < len(names) < 3 else _("reading")

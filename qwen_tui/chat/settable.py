"""/set and /show: how the rest of the conversation is answered, and how files are read for it."""

import msgspec

from qwen_tui import config, typed_paths
from qwen_tui.chat.material import password_in
from qwen_tui.chat.session import Session
from qwen_tui.documents.text import encoding_called
from qwen_tui.errors import ConfigError, UsageError, which_is_meant
from qwen_tui.explanations import explanation, shown_value
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import in_a_row, listed

# The names that /set takes.
NAMES = (*config.SETTABLE, "fit", "ask_above", "encoding", "password_file")


def change(session: Session, argument: str) -> None:
    """Set a name to a value; raises `UsageError`."""
    name, value = (*argument.split(maxsplit=1), "")[:2]
    if value and name not in NAMES:
        raise UsageError(_("There is no setting “{name}” to answer by.").format(name=name), which_is_meant(name, NAMES))
    if name in NAMES and not value:
        raise UsageError(
            _("{name} needs something more.").format(name=f"/set {name}"),
            in_a_row(_takes(name), _("Write: {name} {usage}").format(name=f"/set {name}", usage="…")),
        )
    if not value:
        raise UsageError(
            _("/set {argument} is not understood.").format(argument=argument),
            _("Write /set NAME VALUE, with one of: {names}.").format(names=listed(NAMES)),
        )
    # What has no value until one is set can be without one again.
    is_unset = value.strip().lower() == "auto"
    if name == "encoding":
        session.encoding = None if is_unset else encoding_called(value.strip())
        session.report(f"encoding = {session.encoding.name if session.encoding else 'auto'}")
        return
    if name == "password_file":
        session.password = password_in(typed_paths.unquoted(value))
        session.report(f"password_file = {value}")
        return
    try:
        is_unset = is_unset and config.FIELDS[name].default is None
        checked = None if is_unset else config.check(name, value, where="/set")
    except ConfigError as error:
        raise UsageError(error.message, _("Write: {name} {usage}").format(name="/set", usage=f"{name} …")) from error
    if name in ("max_tokens", "fit", "ask_above"):
        session.options = msgspec.structs.replace(session.options, **{name: checked})
    else:
        sampling = msgspec.structs.replace(session.options.sampling, **{name: checked})
        session.options = msgspec.structs.replace(session.options, sampling=sampling)
    session.report(f"{name} = {shown_value(name, checked)}")


def _takes(name: str) -> str:
    """Say what is set by a name that /set takes, and to what."""
    if name == "encoding":
        return _("The encoding of text files: a name such as gbk, or auto.")
    if name == "password_file":
        return _("The file that holds the password of documents.")
    return explanation(name)


def show(session: Session, _argument: str) -> None:
    """Report what /set can change, what answers, and how the engine computes."""
    options = {**msgspec.structs.asdict(session.options.sampling), "max_tokens": session.options.max_tokens}
    options |= {"fit": session.options.fit, "ask_above": session.options.ask_above}
    lines = [f"{name} = {shown_value(name, value)}" for name, value in options.items()]
    if session.encoding:
        lines.append(f"encoding = {session.encoding.name}")
    about = [session.keeper.model]
    if session.info:
        about += [session.info.device, _("context {size}").format(size=session.info.ctx_size)]
    lines.insert(0, " · ".join(about))
    if session.computing:
        lines.insert(1, session.computing(session.keeper.model))
    if session.conversation.system:
        lines.append(_("system: {text}").format(text=session.conversation.system))
    session.report("\n".join(lines))

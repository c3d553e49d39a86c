"""What the person is told when a server cannot be reached, refuses, or answers what cannot be understood."""

import json
import re
from typing import Any

from qwen_tui.engine.remote.endpoint import Endpoint
from qwen_tui.errors import PromptTooLongError, QwenError, ServerError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import in_a_row
from qwen_tui.network.request import RequestError, ResponseHead
from qwen_tui.quoting import command_line

# The most characters that are shown of what a server says.
_LONGEST = 300
# How servers say that the prompt does not fit: OpenAI and LM Studio, vLLM and SGLang, llama.cpp, its Python binding.
_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum context length|max(?:imum)?_?(?: model)? ?len"
    r"|longer than the model's context|exceeds? (?:the )?(?:available |maximum |model's )?context"
    r"|context (?:length|window|size).{0,40}(?:exceed|overflow|too)|prompt is too long|input is too long",
    re.IGNORECASE | re.DOTALL,
)
_UNAUTHORISED, _FORBIDDEN, _NOT_FOUND, _TIMEOUT, _TOO_LARGE, _TOO_MANY = 401, 403, 404, 408, 413, 429
_GATEWAY = (502, 503, 504)


def unreachable(endpoint: Endpoint, error: RequestError) -> ServerError:
    """Return the error for a connection that did not come about, or broke before the answer."""
    remedy = error.remedy or in_a_row(_("Is the server running?"), _test(endpoint))
    return ServerError(f"{endpoint}: {error.reason}", remedy, again=error.again)


def silent(endpoint: Endpoint, *, connected: bool) -> ServerError:
    """Return the error for a server that does not respond, `connected` or not."""
    if not connected:
        return ServerError(_("{server}: it does not answer").format(server=endpoint), _check_address(endpoint))
    return ServerError(
        _("{server}: it has the request, and has not answered; the server is busy.").format(server=endpoint),
        _("Ask again later. To wait longer, set patience (in seconds) in [servers.{name}]: qwen config edit").format(
            name=endpoint.name
        ),
    )


def broke_off(endpoint: Endpoint, why: str, *, said: bool) -> ServerError:
    """Return the error for an answer that ends in the middle because of `why`; `said`: some of it has come."""
    sentence = f"{endpoint}: {why}"
    if said:
        return ServerError(sentence, _("What has come is kept; ask it to go on."))
    return ServerError(
        sentence, _("Nothing is sent again by itself: the server may have the question already. Ask again.")
    )


def failed(endpoint: Endpoint, said: str, *, said_some: bool) -> QwenError:
    """Return the error that a server reports within its answer, in the words that it `said`."""
    if _TOO_LONG.search(said):
        return too_long(endpoint, said)
    return broke_off(endpoint, in_a_row(_("it reports a failure."), said), said=said_some)


def fell_silent(endpoint: Endpoint, *, said: bool) -> ServerError:
    """Return the error for a server that stopped in the middle of an answer."""
    seconds = f"{endpoint.server.silence:g}"
    return broke_off(endpoint, _("nothing more has come for {seconds} s").format(seconds=seconds), said=said)


def not_understood(endpoint: Endpoint, head: ResponseHead, content: bytes) -> ServerError:
    """Return the error for an answer that is not what such a server answers."""
    if is_page(head, content):
        return ServerError(
            _("{server}: it answers with a web page.").format(server=endpoint),
            in_a_row(
                _("Does this network want a login? Open a web page in the browser first."), _check_address(endpoint)
            ),
        )
    return ServerError(
        _("{server}: what it answers is not OpenAI's interface.").format(server=endpoint),
        _check_address(endpoint),
    )


def empty(endpoint: Endpoint) -> ServerError:
    """Return the error for an answer that ended before any of it."""
    # So llama-cpp-python's server ends what it cannot answer, and it does not tell its context.
    remedy = _(
        "Its log says why. If the question is too long for its context, set ctx_size in [servers.{name}] to the "
        "size of that: qwen config edit"
    )
    return ServerError(
        _("{server}: its answer ended before it began.").format(server=endpoint), remedy.format(name=endpoint.name)
    )


def is_page(head: ResponseHead, content: bytes) -> bool:
    """Whether a response is a web page."""
    begins = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:9].lower()
    return "html" in head.headers.get("content-type", "").lower() or begins.startswith((b"<!doctype", b"<html"))


def refused(endpoint: Endpoint, head: ResponseHead, content: bytes, model: str = "") -> QwenError:
    """Return the error of a response with another status than 200; `model` is the one that was asked for."""
    status, name = head.status, endpoint
    said = "" if is_page(head, content) else told(endpoint, content)
    if _TOO_LONG.search(content[:4096].decode("utf-8", "replace")) and 400 <= status < 500:
        return too_long(endpoint, said)
    if status in (_UNAUTHORISED, _FORBIDDEN):
        return _not_allowed(endpoint, status, said)
    if status == _NOT_FOUND:
        return _not_found(endpoint, said, model)
    if status == _TOO_LARGE:
        return PromptTooLongError(
            _("{server}: the question is larger than it takes (HTTP 413).").format(server=name),
            _("Shorten it, or have it asked part by part: --fit map"),
        )
    if status == _TOO_MANY:
        what = _("{server}: it takes no more questions at the moment (HTTP 429).").format(server=name)
        wait = head.retry_after
        again = _("Ask again later.") if wait is None else _("Ask again in {n} s.").format(n=round(wait))
        return ServerError(in_a_row(what, said), again, status=status, wait=wait)
    if status == _TIMEOUT:
        what = _("{server}: it waited too long for the question (HTTP 408).").format(server=name)
        return ServerError(what, _("Ask again."), status=status)
    if 300 <= status < 400:
        return _elsewhere(endpoint, head)
    if status in _GATEWAY:
        what = _("{server}: what is to answer there cannot be reached or is not ready (HTTP {status}).")
        again = _("Ask again later.")
    elif status >= 500:
        what, again = _("{server}: it failed (HTTP {status})."), _("Ask again; its log says why it failed.")
    else:
        what, again = _("{server}: it refuses the question (HTTP {status})."), _test(endpoint)
    sentence = in_a_row(what.format(server=name, status=status), said)
    return ServerError(sentence, again, status=status, wait=head.retry_after)


def too_long(endpoint: Endpoint, said: str) -> PromptTooLongError:
    """Return the error for a prompt that does not fit into the server's context, with what it `said`."""
    return PromptTooLongError(
        in_a_row(_("{server}: the question does not fit into its context.").format(server=endpoint), said),
        how_to_fit(endpoint),
    )


def how_to_fit(endpoint: Endpoint) -> str:
    """Return what to do about a prompt that is too long for a server, whose context cannot be set from here."""
    return _(
        "Shorten it, or have it asked part by part: --fit map. The context of {name} is set on the server."
    ).format(name=endpoint.name)


def _not_allowed(endpoint: Endpoint, status: int, said: str) -> ServerError:
    server, name = endpoint.server, endpoint.name
    if endpoint.key is None:
        what = _("{server}: it wants a key (HTTP {status}).")
        how = _("Put it into a variable, and name that: {command}").format(
            command=command_line("qwen", "servers", "add", name, server.url, "--key-env", "VARIABLE")
        )
    elif status == _UNAUTHORISED:
        what = _("{server}: it does not accept the key (HTTP {status}).")
        how = (
            _("Check the key in {variable}.").format(variable=server.key_env)
            if server.key_env
            else _("Store another with: {command}").format(
                command=command_line("qwen", "servers", "add", name, server.url, "--keyring")
            )
        )
    else:
        what = _("{server}: it does not allow that with this key (HTTP {status}).")
        how = _("Ask whoever runs it, or choose another model: -m {name}/MODEL").format(name=name)
    return ServerError(in_a_row(what.format(server=endpoint, status=status), said), how, status=status)


def _not_found(endpoint: Endpoint, said: str, model: str) -> ServerError:
    name = endpoint
    if model and (model.lower() in said.lower() or "model" in said.lower()):
        return ServerError(
            _("{server}: it has no model “{model}” (HTTP 404).").format(server=name, model=model),
            _test(endpoint),
            status=_NOT_FOUND,
        )
    return ServerError(
        _("{server}: there is nothing at this address (HTTP 404).").format(server=name),
        _check_address(endpoint),
        status=_NOT_FOUND,
    )


def _elsewhere(endpoint: Endpoint, head: ResponseHead) -> ServerError:
    """Return the error of a redirection: what is sent is meant for one server, and goes to no other."""
    target = " ".join(head.headers.get("location", "").split())[:_LONGEST].partition("?")[0]
    return ServerError(
        _("{server}: it leads to another address, and nothing is sent there unasked.").format(server=endpoint),
        _("If that is right, add it: {command}").format(
            command=command_line("qwen", "servers", "add", endpoint.name, target or "URL")
        ),
        status=head.status,
    )


def _test(endpoint: Endpoint) -> str:
    command = command_line("qwen", "servers", "test", endpoint.name)
    return _("See what it is and has: {command}").format(command=command)


def _check_address(endpoint: Endpoint) -> str:
    return _("Check the address {url}; mostly it ends in /v1: {command}").format(
        url=endpoint.server.url, command=command_line("qwen", "servers", "add", endpoint.name, "URL")
    )


def told(endpoint: Endpoint, content: bytes | Any) -> str:
    """Return what a server says about its error: in one line, cut, and without the key that it may repeat."""
    said = content
    if isinstance(content, bytes):
        try:
            said = json.loads(content)
        except (ValueError, RecursionError):
            said = content.decode("utf-8", "replace")
    for name in ("error", "message", "detail", "msg"):
        if isinstance(said, list) and said:
            said = said[0]
        if isinstance(said, dict):
            said = said.get(name, said)
    text = said if isinstance(said, str) else ""
    if endpoint.key:
        text = text.replace(endpoint.key, "…")
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return f"“{text}”" if text else ""

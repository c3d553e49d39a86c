"""Exports a conversation as Markdown, as a self-contained HTML page, or as JSON."""

import html
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from qwen_tui.chat import endings
from qwen_tui.chat.question import Part, caption, folded, parts, prompt_text, said
from qwen_tui.errors import UsageError
from qwen_tui.history.records import StoredConversation
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.messages import Exchange, FinishReason, Role

FORMATS = ("md", "html", "json")


class ExportedMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message in the JSON export.

    A question has the `parts` that make up its `content`. An answer has a `finish_reason`; null means that the program
    ended before the answer.
    """

    role: Role
    content: str
    parts: tuple[Part, ...] | msgspec.UnsetType = msgspec.UNSET
    finish_reason: FinishReason | msgspec.UnsetType | None = msgspec.UNSET


class ExportedConversation(msgspec.Struct, frozen=True):
    """The JSON export. Scripts rely on its names. Times are in ISO 8601, local time."""

    id: str
    title: str
    model: str
    created: str
    written: str
    system: str | None
    messages: tuple[ExportedMessage, ...]


def export(stored: StoredConversation, form: str) -> str:
    """Return the conversation in one of `FORMATS`; raises `UsageError` for another."""
    match form:
        case "md":
            return _markdown(stored)
        case "html":
            return _page(stored)
        case "json":
            return _json(stored)
    raise UsageError(
        _("“.{form}” is no format for a conversation.").format(form=form),
        _("Choose one of: {names}.").format(names=listed(f".{name}" for name in FORMATS)),
    )


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


def _json(stored: StoredConversation) -> str:
    summary = stored.summary
    exported = ExportedConversation(
        summary.id,
        summary.title,
        summary.model,
        _when(summary.created),
        _when(summary.written),
        stored.system,
        tuple(message for exchange in stored.exchanges for message in _messages(exchange)),
    )
    return msgspec.json.format(msgspec.json.encode(exported)).decode() + "\n"


def _messages(exchange: Exchange) -> tuple[ExportedMessage, ExportedMessage]:
    return (
        ExportedMessage("user", prompt_text(exchange.question), tuple(parts(exchange.question))),
        ExportedMessage("assistant", exchange.answer, finish_reason=exchange.reason),
    )


def _markdown(stored: StoredConversation) -> str:
    from qwen_tui.markdown.parser import with_plain_fences

    blocks = [f"# {stored.summary.title}", f"*{stored.summary.model}, {_when(stored.summary.written)}*"]
    for spoken in _spoken(stored):
        blocks += [f"## {spoken.speaker}", *map(_quoted, spoken.about)]
        blocks += filter(None, (with_plain_fences(spoken.content.strip()), f"*[{spoken.mark}]*" if spoken.mark else ""))
    return "\n\n".join(blocks) + "\n"


def _quoted(part: Part) -> str:
    """Return a folded part as a Markdown quotation whose text is shown literally."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", part.text)), default=0))
    # Characters of a name that Markdown would interpret are escaped.
    name = re.sub(r"([\\`*_\[\]<>])", r"\\\1", caption(part))
    lines = [f"**{name}**", "", fence, *part.text.strip("\n").split("\n"), fence]
    return "\n".join(f"> {line}".rstrip() for line in lines)


class _Spoken(NamedTuple):
    """A message to show: who wrote it, its folded parts, the text, and how it ended if it is incomplete."""

    role: Role
    speaker: str
    content: str
    about: Sequence[Part] = ()
    mark: str = ""


def _spoken(stored: StoredConversation) -> Iterator[_Spoken]:
    if stored.system:
        yield _Spoken("system", _("System"), stored.system)
    for exchange in stored.exchanges:
        yield _Spoken("user", _("You"), said(exchange.question), folded(exchange.question))
        yield _Spoken("assistant", _("Assistant"), exchange.answer, mark=endings.mark_of(exchange))


def _page(stored: StoredConversation) -> str:
    from qwen_tui.markdown.parser import parser

    # Raw HTML in an answer is shown as text. markdown-it itself drops links to scripts.
    renderer = parser()
    renderer.options["highlight"] = _highlight
    # A line break in the text is one on the page, as on the screen.
    renderer.options["breaks"] = True
    renderer.add_render_rule("math_inline", _formula)
    renderer.add_render_rule("math_block", _formula)
    # The page must not load anything from the network: of a picture, only the description is shown.
    renderer.disable("image")
    sections = []
    for spoken in _spoken(stored):
        ending = f'<p class="ending">{html.escape(spoken.mark)}</p>' if spoken.mark else ""
        text = "".join(map(_details, spoken.about)) + renderer.render(spoken.content)
        sections.append(
            f'<section class="{spoken.role}"><h2>{html.escape(spoken.speaker)}</h2>{text}{ending}</section>'
        )
    title = html.escape(stored.summary.title)
    about = html.escape(f"{stored.summary.model}, {_when(stored.summary.written)}")
    return (
        f'<!doctype html>\n<html><head><meta charset="utf-8"><title>{title}</title>\n<style>{_style()}</style></head>\n'
        f"<body><h1>{title}</h1><p>{about}</p>\n" + "\n".join(sections) + "\n</body></html>\n"
    )


def _details(part: Part) -> str:
    text = html.escape(part.text.strip("\n"))
    return f"<details><summary>{html.escape(caption(part))}</summary><pre>{text}</pre></details>"


def _formula(_renderer: Any, tokens: Sequence[Any], index: int, _options: Any, _env: Any) -> str:
    from qwen_tui.markdown.mathematics import readable

    tag = "p" if tokens[index].type == "math_block" else "i"
    return f"<{tag}>{html.escape(readable(tokens[index].content))}</{tag}>"


def _highlight(code: str, language: str, _attributes: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        return ""
    marked: str = highlight(code, lexer, HtmlFormatter(nowrap=True))
    return marked


def _style() -> str:
    from pygments.formatters import HtmlFormatter

    def definitions(style: str) -> str:
        defined: str = HtmlFormatter(style=style).get_style_defs("pre")  # type: ignore[no-untyped-call]
        # The background of the pygments style would differ from that of the page.
        return re.sub(r"background(-color)?: [^;]+;?", "", defined)

    light, dark = definitions("default"), definitions("github-dark")
    return (
        ":root{color-scheme:light dark}body{max-width:46rem;margin:2rem auto;padding:0 1rem;"
        "font:1rem/1.6 system-ui,sans-serif}section{border-top:1px solid #8886;margin-top:1.5rem}"
        "section h2{font-size:.9rem;opacity:.7}.user{white-space:normal}.ending{font-style:italic;opacity:.7}"
        "pre{overflow:auto;padding:.8rem;"
        "background:#8882;border-radius:6px}code{font-family:ui-monospace,monospace}table{border-collapse:collapse}"
        "td,th{border:1px solid #8886;padding:.2rem .6rem}blockquote{border-left:3px solid #8886;margin:0;"
        f"padding-left:1rem}}\n{light}\n@media(prefers-color-scheme:dark){{{dark}}}"
    )

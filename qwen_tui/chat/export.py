"""Exports a conversation as Markdown, as a self-contained HTML page, or as JSON."""

import html
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from qwen_tui.chat import endings
from qwen_tui.chat.checking.coverage import Coverage
from qwen_tui.chat.checking.doubts import Doubts
from qwen_tui.chat.question import QuestionPart, caption, folded, parts, said, without_system
from qwen_tui.chat.remarks import looked_at, remarks
from qwen_tui.errors import UsageError
from qwen_tui.history.records import StoredConversation, Summary
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import language, listed
from qwen_tui.messages import Exchange, FinishReason, Limit, Role

FORMATS = ("md", "html", "json")
# The folder of a file that is a model, also behind the name of a server.
_FOLDER = re.compile(r"^([^/\\]+/)?(?:[A-Za-z]:)?[/\\](?:.*[/\\])?")
# The languages of the program, as a page names them (BCP 47).
_TAGS = {"zh": "zh-CN", "en": "en"}


class ExportedMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message in the JSON export.

    A question has `parts`. Its `content` is made of them, without the part of the kind "system", which a template gave
    to the model with this question. An answer has a `finish_reason`, null where its program ended before it did, and
    the `limit` that cut it, null where none did. If its material was not read whole, it has `read`. What the material
    does not bear out stands in `not_in_material`; without material, it has none. `summary` stands in later prompts in
    the place of all messages up to this one.
    """

    role: Role
    content: str
    parts: tuple[QuestionPart, ...] | msgspec.UnsetType = msgspec.UNSET
    finish_reason: FinishReason | msgspec.UnsetType | None = msgspec.UNSET
    limit: Limit | msgspec.UnsetType | None = msgspec.UNSET
    read: Coverage | msgspec.UnsetType = msgspec.UNSET
    not_in_material: Doubts | msgspec.UnsetType = msgspec.UNSET
    summary: str = ""


class ExportedConversation(msgspec.Struct, frozen=True):
    """The JSON export. Scripts rely on its names. Times are in ISO 8601, local time."""

    id: str
    title: str
    model: str
    created: str
    written: str
    system: str | None
    messages: tuple[ExportedMessage, ...]


class FoundLine(msgspec.Struct, frozen=True):
    """What a search found, in the JSON of a list: a line of an answer, or of a part of a question."""

    kind: str
    name: str
    line: str


class ListedConversation(msgspec.Struct, frozen=True, omit_defaults=True):
    """A conversation in the JSON of a list; `match` is what a search found in it."""

    id: str
    title: str
    model: str
    created: str
    written: str
    match: FoundLine | msgspec.UnsetType = msgspec.UNSET


def index(summaries: Sequence[Summary]) -> str:
    """Return a list of conversations as one JSON object."""
    listed = [
        ListedConversation(
            one.id,
            one.title,
            _named(one.model),
            _when(one.created),
            _when(one.written),
            FoundLine(one.hit.kind, one.hit.name, one.hit.line) if one.hit else msgspec.UNSET,
        )
        for one in summaries
    ]
    return msgspec.json.encode({"conversations": listed}).decode() + "\n"


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
        _("A conversation cannot be exported as “.{form}”.").format(form=form),
        _("Choose one of: {names}.").format(names=listed(f".{name}" for name in FORMATS)),
    )


def _named(model: str) -> str:
    """Return the name of a model, of a file without its folder: whoever gets an export need not know this PC."""
    return _FOLDER.sub(r"\1", model)


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


def _json(stored: StoredConversation) -> str:
    summary = stored.summary
    exported = ExportedConversation(
        summary.id,
        summary.title,
        _named(summary.model),
        _when(summary.created),
        _when(summary.written),
        stored.system,
        tuple(message for looked in looked_at(stored.exchanges) for message in _messages(*looked)),
    )
    return msgspec.json.format(msgspec.json.encode(exported)).decode() + "\n"


def _messages(
    exchange: Exchange, coverage: Coverage | None, doubts: Doubts | None
) -> tuple[ExportedMessage, ExportedMessage]:
    answer = ExportedMessage(
        "assistant",
        exchange.answer,
        finish_reason=exchange.reason,
        limit=exchange.limit,
        read=msgspec.UNSET if coverage is None else coverage,
        not_in_material=msgspec.UNSET if doubts is None else doubts,
        summary=exchange.summary,
    )
    return ExportedMessage("user", without_system(exchange.question), tuple(parts(exchange.question))), answer


def _markdown(stored: StoredConversation) -> str:
    from qwen_tui.markdown.parser import with_plain_fences

    blocks = [f"# {stored.summary.title}", f"*{_named(stored.summary.model)}, {_when(stored.summary.written)}*"]
    for spoken in _spoken(stored):
        blocks += [f"## {spoken.speaker}", *map(_quoted, spoken.about)]
        blocks += filter(None, (with_plain_fences(spoken.content.strip()), *map(_remark, spoken.remarks)))
    return "\n\n".join(blocks) + "\n"


def _remark(sentence: str) -> str:
    return f"*[{_escaped(sentence)}]*"


def _escaped(text: str) -> str:
    """Return `text` with the characters escaped that Markdown would interpret."""
    return re.sub(r"([\\`*_\[\]<>])", r"\\\1", text)


def _quoted(part: QuestionPart) -> str:
    """Return a folded part as a Markdown quotation whose text is shown literally."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", part.text)), default=0))
    lines = [f"**{_escaped(caption(part))}**", "", fence, *part.text.strip("\n").split("\n"), fence]
    return "\n".join(f"> {line}".rstrip() for line in lines)


class _Spoken(NamedTuple):
    """A message to show: who wrote it, its folded parts, the text, and what is to be said below it.

    That is how it ended if it is incomplete, how much of the material was read, and what that does not bear out.
    """

    role: Role
    speaker: str
    content: str
    about: Sequence[QuestionPart] = ()
    remarks: Sequence[str] = ()


def _spoken(stored: StoredConversation) -> Iterator[_Spoken]:
    if stored.system:
        yield _Spoken("system", _("System"), stored.system)
    for exchange, coverage, doubts in looked_at(stored.exchanges):
        yield _Spoken("user", _("You"), said(exchange.question), folded(exchange.question))
        ending = endings.mark_of(exchange)
        below = [*([ending] if ending else []), *remarks(coverage, doubts)]
        yield _Spoken("assistant", _("Assistant"), exchange.answer, remarks=below)
        if exchange.summary:
            yield _Spoken("system", _("Summary of all above, in its place in prompts from here on"), exchange.summary)


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
        ending = "".join(f'<p class="ending">{html.escape(remark)}</p>' for remark in spoken.remarks)
        heading = f"<h2>{html.escape(spoken.speaker)}</h2>" + "".join(map(_details, spoken.about))
        content = f'<div lang="{_tag_of(spoken.content)}">{renderer.render(spoken.content)}</div>'
        sections.append(f'<section class="{spoken.role}">{heading}{content}{ending}</section>')
    title = html.escape(stored.summary.title)
    about = html.escape(f"{_named(stored.summary.model)}, {_when(stored.summary.written)}")
    return (
        f'<!doctype html>\n<html lang="{_TAGS[language()]}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title>\n<style>{_style()}</style></head>\n"
        f'<body><h1 lang="{_tag_of(title)}">{title}</h1><p>{about}</p>\n' + "\n".join(sections) + "\n</body></html>\n"
    )


def _tag_of(text: str) -> str:
    """Return the tag for a text that may be in any language; empty, which is HTML's word for unknown, if it is open.

    With the tag, a browser chooses the Chinese form of a character that Japanese writes otherwise.
    """
    return _TAGS["zh"] if re.search("[\u4e00-\u9fff]", text) and not re.search("[\u3040-\u30ff]", text) else ""


def _details(part: QuestionPart) -> str:
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
        "section h2{font-size:.9rem;opacity:.7}.ending{font-style:italic;opacity:.7}"
        "body{overflow-wrap:break-word}pre,code{font-family:ui-monospace,monospace;background:#8883;border-radius:4px}"
        "pre{overflow:auto;padding:.8rem}code{padding:.1em .35em;border:1px solid #8886}"
        "pre code{padding:0;border:0;background:none}table{border-collapse:collapse}"
        "td,th{border:1px solid #8886;padding:.2rem .6rem}blockquote{border-left:3px solid #8886;margin:0;"
        f"padding-left:1rem}}\n{light}\n@media(prefers-color-scheme:dark){{{dark}}}"
    )

"""The report of an experiment as files: HTML that needs nothing else, Markdown, and all runs as JSON."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from statistics import median

from qwen_tui.columns import markdown_table
from qwen_tui.evaluation.compare import plots, summary, tables
from qwen_tui.evaluation.compare.differences import Piece, marked, word_diff
from qwen_tui.evaluation.compare.plots import Bar, Interval
from qwen_tui.evaluation.compare.results import Results
from qwen_tui.evaluation.compare.tables import Table
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import labelled, listed

HTML, MARKDOWN, JSON = "report.html", "report.md", "results.json"
_STYLE = Path(__file__).with_name("report.css")


def files_of(results: Results) -> dict[str, bytes]:
    """Return the files of the report by name."""
    return {HTML: html(results).encode(), MARKDOWN: markdown(results).encode(), JSON: results.encoded()}


def heading(results: Results) -> str:
    """Return the title of the report."""
    if results.of_templates:
        return _("The effect of the built-in templates")
    return labelled(_("Compared"), listed(results.names))


def _notes() -> dict[str, str]:
    """Return what has to be known to read each section."""
    return {
        "speed": _(
            "The model was loaded before; the answers of all sides have the same seeds, in a shuffled order. Energy is"
            " that of the whole processor and of all cards, other programs included."
        ),
        "checks": _(
            "A check gives 0 to 100 points, without anybody's opinion. Pairs have the same task and seed. p is"
            " corrected for the number of checks (Holm), so that all of them together raise a false alarm in 5 of 100"
            " experiments at most; the interval is that of each check alone. How many pairs would show a difference is"
            " told so that they show it in 4 of 5 experiments."
        ),
        "places": _(
            "All sides were led through the same greedy answers, token by token. If they have the same model file, what"
            " differs is all that their arithmetic changes. A small lead means that the model itself was undecided. The"
            " interval takes the places as independent, and neighbours are not quite that."
        ),
        "answers": _("What is marked, the other answer does not have at that place."),
    }


def markdown(results: Results) -> str:
    """Return the report in Markdown."""
    notes = _notes()
    parts = [f"# {heading(results)}", summary.markdown(results).rstrip()]
    parts += [f"## {_('Speed')}", notes["speed"], _markdown(tables.speeds(results))]
    parts += [f"## {_('Quality')}", notes["checks"]]
    parts += [_markdown(tables.checks(results, side)) for side in range(1, len(results.names))]
    if results.places:
        parts += [f"## {_('Token by token')}", notes["places"], _markdown(tables.places(results))]
    parts += [f"## {_('Answers')}", _("What only one side has stands in [-…-] and {+…+}.")]
    for task in results.tasks:
        for seed in results.seeds:
            parts += _markdown_answers(results, task, seed)
    parts += [f"## {_('To repeat it')}", *map(_markdown, tables.repeating(results))]
    return "\n\n".join(parts) + "\n"


def _markdown(table: Table) -> str:
    rows = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in table.rows]
    return markdown_table([cell.replace("|", "\\|") for cell in table.head], rows)


def _markdown_answers(results: Results, task: str, seed: int) -> Iterator[str]:
    yield f"### {_round(task, seed)}"
    yield _markdown(tables.findings(results, task, seed))
    first = results.answer(task, 0, seed).answer
    yield f"**{results.names[0]}**{_remarks(results, task, 0, seed)}\n\n{_fenced(first)}"
    for side in range(1, len(results.names)):
        other = results.answer(task, side, seed).answer
        named = f"**{results.names[side]}**{_remarks(results, task, side, seed)}"
        yield named if other == first else f"{named}\n\n{_fenced(word_diff(first, other))}"


def _round(task: str, seed: int) -> str:
    return listed((task, _("seed {seed}").format(seed=seed)))


def _remarks(results: Results, task: str, side: int, seed: int) -> str:
    """Return what has to be said behind the name of a side, of one answer."""
    run = results.answer(task, side, seed)
    said = [_("cut off")] if run.reason == "length" else []
    if side and run.answer == results.answer(task, 0, seed).answer:
        said.append(_("the same, letter for letter"))
    return "".join(f" · {one}" for one in said)


def _fenced(text: str) -> str:
    """Return an answer in a fence that is longer than every one within."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}"


def html(results: Results) -> str:
    """Return the report as one page without anything from a network."""
    sections = [
        ("summary", _("Summary"), _html_summary(results)),
        ("speed", _("Speed"), _html_speed(results)),
        ("quality", _("Quality"), _html_checks(results)),
        *([("places", _("Token by token"), _html_places(results))] if results.places else []),
        ("answers", _("Answers"), _html_answers(results)),
        ("repeat", _("To repeat it"), "".join(map(_html, tables.repeating(results)))),
    ]
    title = escape(heading(results))
    links = "".join(f'<a href="#{name}">{escape(said)}</a>' for name, said, _body in sections)
    body = "".join(f'<section id="{name}"><h2>{escape(said)}</h2>{inside}</section>' for name, said, inside in sections)
    language = "zh-CN" if results.language == "zh" else results.language
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{title}</title><style>{_STYLE.read_text('utf-8')}</style></head>"
        f"<body><h1>{title}</h1><nav>{links}</nav>{body}</body></html>\n"
    )


def _html_summary(results: Results) -> str:
    return "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in summary.sentences(results)) + "</ul>"


def _html(table: Table) -> str:
    kind = "words" if table.words else "figures"
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.head)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return f'<div class="wide"><table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _note(name: str) -> str:
    return f'<p class="note">{escape(_notes()[name])}</p>'


def _html_speed(results: Results) -> str:
    rows = []
    for side, name in enumerate(results.names):
        known = [one.writing_tps for one in results.measured(side) if one.writing_tps]
        if known:
            text = f"{median(known):.1f} ({min(known):.1f}–{max(known):.1f})"
            rows.append(Bar(name, min(known), median(known), max(known), text))
    plot = plots.bars(_("Writing, tokens per second"), rows)
    return f"{_note('speed')}<h3>{escape(_('Writing, tokens per second'))}</h3>{plot}{_html(tables.speeds(results))}"


def _html_checks(results: Results) -> str:
    text = _note("checks")
    for side in range(1, len(results.names)):
        rows = [
            Interval(
                tables.label(checked),
                [b - a for a, b in results.pairs[checked] if a is not None and b is not None],
                one.difference,
                one.low,
                one.high,
                one.seen,
            )
            for checked, one in results.compared.items()
            if checked.side == side
        ]
        about = _("{b} beside {a}").format(a=results.names[0], b=results.names[side])
        worse, better = (_("{name} got more points").format(name=results.names[which]) for which in (0, side))
        legend = _("A dot is a pair, the line their mean, the bar the 95% interval, red where a difference was seen.")
        text += f"<h3>{escape(about)}</h3>{plots.intervals(about, rows, worse, better)}"
        text += f'<p class="note">{escape(legend)}</p>{_html(tables.checks(results, side))}'
    return text


def _html_places(results: Results) -> str:
    return _note("places") + _html(tables.places(results))


def _html_answers(results: Results) -> str:
    text = _note("answers")
    for task in results.tasks:
        text += f'<p class="note">{escape(labelled(task, results.tasks[task].description))}</p>'
        for seed in results.seeds:
            text += f"<h3>{escape(_round(task, seed))}</h3>"
            text += f'<div class="answers">{"".join(_columns(results, task, seed))}</div>'
            text += _html(tables.findings(results, task, seed))
    return text


def _columns(results: Results, task: str, seed: int) -> Iterator[str]:
    answers = [results.answer(task, side, seed).answer for side in range(len(results.names))]
    for side, name in enumerate(results.names):
        if side:
            pieces = marked(answers[0], answers[side])[1]
        elif len(answers) == 2:
            pieces = marked(answers[0], answers[1])[0]
        else:
            # It differs from each of the others in another way.
            pieces = [Piece(answers[0], is_shared=True)]
        remarks = _remarks(results, task, side, seed)
        yield f"<div><h4>{escape(name)}{escape(remarks)}</h4><pre>{_marked(pieces)}</pre></div>"


def _marked(pieces: Sequence[Piece]) -> str:
    return "".join(escape(piece.text) if piece.is_shared else f"<mark>{escape(piece.text)}</mark>" for piece in pieces)

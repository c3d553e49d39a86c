"""Plots as SVG with real text, which screens read aloud and printers keep sharp; colours come from the page's style."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from wcwidth import wcswidth

_WIDTH, _LABEL, _ROW, _TOP = 760, 300, 26, 26
# A character of 13 pixels takes about so many of them, a Chinese one two of these.
_CHARACTER = 6.6


class Bar(NamedTuple):
    """A side's value with its range, and how that is written."""

    label: str
    low: float
    middle: float
    high: float
    text: str


class Interval(NamedTuple):
    """A difference from -1 to 1: each round's, their mean, and the interval if there is one."""

    label: str
    rounds: Sequence[float]
    mean: float
    low: float | None
    high: float | None
    is_seen: bool


def bars(title: str, rows: Sequence[Bar]) -> str:
    """Return horizontal bars from 0 on, each with a line from its lowest to its highest value, as HTML."""
    most = max((row.high for row in rows), default=0.0) or 1.0
    # The text behind the longest bar needs room, too.
    room = _WIDTH - _LABEL - 170

    def x(value: float) -> float:
        return _LABEL + room * value / most

    parts = []
    for at, row in enumerate(rows):
        y = _TOP + at * _ROW
        parts += [
            _label(row.label, y),
            f'<rect class="side{at % 6}" x="{_LABEL}" y="{y - 8}" width="{x(row.middle) - _LABEL:.1f}" height="16"/>',
            f'<line class="range" x1="{x(row.low):.1f}" y1="{y}" x2="{x(row.high):.1f}" y2="{y}"/>',
            f'<text x="{x(row.high) + 8:.1f}" y="{y + 4}">{escape(row.text)}</text>',
        ]
    return _svg(title, len(rows), parts)


def intervals(title: str, rows: Sequence[Interval], worse: str, better: str) -> str:
    """Return differences around a middle line: rounds as dots, the mean as a mark, the interval as a bar, as HTML."""
    half = (_WIDTH - _LABEL - 20) / 2
    middle = _LABEL + half

    def x(value: float) -> float:
        return middle + half * max(-1.0, min(1.0, value))

    bottom = _TOP + len(rows) * _ROW
    parts = [f'<line class="zero" x1="{middle}" y1="12" x2="{middle}" y2="{bottom}"/>']
    parts += [
        f'<line class="grid" x1="{x(value):.1f}" y1="12" x2="{x(value):.1f}" y2="{bottom}"/>'
        for value in (-1.0, -0.5, 0.5, 1.0)
    ]
    for at, row in enumerate(rows):
        y = _TOP + at * _ROW
        parts.append(_label(row.label, y))
        if row.low is not None and row.high is not None:
            seen = " seen" if row.is_seen else ""
            width = max(2.0, x(row.high) - x(row.low))
            parts.append(
                f'<rect class="interval{seen}" x="{x(row.low):.1f}" y="{y - 5}" width="{width:.1f}" height="10"/>'
            )
        parts += [f'<circle class="round" cx="{x(value):.1f}" cy="{y}" r="3"/>' for value in row.rounds]
        if row.rounds:
            parts.append(
                f'<line class="mean" x1="{x(row.mean):.1f}" y1="{y - 9}" x2="{x(row.mean):.1f}" y2="{y + 9}"/>'
            )
    for value in (-1.0, -0.5, 0.0, 0.5, 1.0):
        anchor = "end" if value == 1 else "start" if value == -1 else "middle"
        points = f"{100 * value:+.0f}" if value else "0"
        parts.append(f'<text x="{x(value):.1f}" y="{bottom + 12}" text-anchor="{anchor}">{points}</text>')
    parts += [
        f'<text x="{x(-1):.1f}" y="{bottom + 30}">← {escape(worse)}</text>',
        f'<text x="{x(1):.1f}" y="{bottom + 48}" text-anchor="end">{escape(better)} →</text>',
    ]
    return _svg(title, len(rows) + 2, parts)


def _label(text: str, y: float) -> str:
    whole, most = text, int((_LABEL - 14) / _CHARACTER)
    while wcswidth(text) > most:
        text = text[:-2].rstrip() + "…"
    about = f"<title>{escape(whole)}</title>" if text != whole else ""
    return f'<text x="{_LABEL - 10}" y="{y + 4}" text-anchor="end">{about}{escape(text)}</text>'


def _svg(title: str, rows: int, parts: Sequence[str]) -> str:
    height = _TOP + rows * _ROW
    return (
        f'<div class="wide"><svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg></div>"
    )

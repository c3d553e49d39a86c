"""Checks of an answer that is to be JSON."""

import json
from collections.abc import Iterator
from typing import Any

from qwen_tui.chat.code_blocks import code_blocks
from qwen_tui.errors import why
from qwen_tui.evaluation.compare.checks.facts import folded
from qwen_tui.evaluation.compare.sample import Finding, Sample, shown
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed

_MOST_SHOWN = 6


def json_valid(sample: Sample) -> Finding:
    """Check that the answer is one JSON document, alone or in a code block.

    Rule: RFC 8259, as Python's `json` reads it, without what it adds (NaN) and without names that come twice.
    """
    try:
        _read(sample.text)
    except (ValueError, RecursionError) as error:
        return Finding(0.0, _("It is not JSON: {reason}.").format(reason=shown(why(error), 80)))
    return Finding(1.0, _("It is valid JSON."))


def json_right(sample: Sample, *, expected: Any) -> Finding:
    """Check that the JSON has the values that `expected` has; the value is the share of the values that are right.

    A value is right if it has the same place, the same type and the same content. Extra values count as wrong ones.
    12 and 12.0 are the same; texts are compared without regard to capitals, width and spaces beside Chinese.

    Rule: comparison of leaves, counted as the Jaccard index: right ones through all that are expected or there.
    """
    try:
        found = dict(_leaves(_read(sample.text)))
    except (ValueError, RecursionError):
        return Finding(0.0, _("It is not JSON, so no value can be compared."))
    wanted = dict(_leaves(expected))
    right = [place for place, value in wanted.items() if place in found and found[place] == value]
    wrong = [place for place in wanted if place not in right] + [place for place in found if place not in wanted]
    everything = wanted.keys() | found.keys()
    if not wrong:
        return Finding(1.0, _("Every value is right ({count}).").format(count=len(wanted)))
    sentence = _("{right} of {all} values are right; wrong, missing or too many: {places}.")
    places = listed(wrong[:_MOST_SHOWN]) + (" …" if len(wrong) > _MOST_SHOWN else "")
    return Finding(len(right) / len(everything), sentence.format(right=len(right), all=len(wanted), places=places))


def _read(answer: str) -> Any:
    blocks = code_blocks(answer)
    text = blocks[0].code if len(blocks) == 1 else answer
    return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(_("a name comes twice in one object"))
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(_("{value} is no JSON").format(value=constant))


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, object]]:
    """Yield each value that is no container, with its place, as `items[0].price`; an empty container is a value too."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{place}.{name}" if place else str(name))
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{place}[{number}]")
    else:
        yield place, _comparable(value)


def _comparable(value: Any) -> object:
    # True equals 1 in Python, and 12 equals 12.0 in JSON.
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, str):
        return folded(value)
    return float(value) if isinstance(value, int | float) else repr(value)

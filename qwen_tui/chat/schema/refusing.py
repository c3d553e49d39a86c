"""Finds the part of a schema that the engine cannot follow, if only the engine knows this."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from qwen_tui.chat.schema.reading import excerpt
from qwen_tui.chat.schema.simplifying import Document, SchemaPlace, Simplified, cannot_follow, nothing_matches
from qwen_tui.errors import UsageError
from qwen_tui.i18n import gettext as _

# Takes a schema as JSON text; returns why the engine cannot follow it, "" if it can.
FindProblem = Callable[[str], str]


def grammar_of(simplified: Simplified, find_problem: FindProblem) -> str:
    """Return the schema as JSON text for the engine; raises `UsageError` if `find_problem` finds a problem."""
    reason = _core(find_problem(json.dumps(simplified.document)))
    if not reason:
        return json.dumps(simplified.document)
    if "recursion limit" in reason:
        raise UsageError(_("The schema is nested too deeply."), _("Give what repeats a name under “$defs”."))
    parts = simplified.document["$defs"]

    def has_it(part: Any) -> bool:
        return isinstance(part, dict) and _core(find_problem(json.dumps({**part, "$defs": parts}))) == reason

    whole = {keyword: value for keyword, value in simplified.document.items() if keyword != "$defs"}
    roots = [(whole, SchemaPlace()), *((parts[name], place) for name, place in simplified.places.items())]
    narrowest = [_narrowed(part, place, has_it) for part, place in roots if has_it(part)]
    part, place = max(narrowest or [(whole, SchemaPlace())], key=lambda found: len(found[1].path))
    raise _error(part, place, reason, has_it)


def _narrowed(part: Document, place: SchemaPlace, has_it: Callable[[Any], bool]) -> tuple[Document, SchemaPlace]:
    """Return the innermost schema inside `part` that still has the problem, and its place."""
    for inner, where in _children(part, place):
        if has_it(inner):
            return _narrowed(inner, where, has_it)
    return part, place


def _children(part: Document, place: SchemaPlace) -> Iterator[tuple[Any, SchemaPlace]]:
    for keyword, value in part.items():
        if keyword in ("items", "additionalProperties"):
            yield value, place / keyword
        elif keyword in ("properties", "patternProperties"):
            yield from ((inner, place / keyword / name) for name, inner in value.items())
        elif keyword in ("allOf", "anyOf", "oneOf", "prefixItems"):
            yield from ((inner, place / keyword / at) for at, inner in enumerate(value))


def _error(part: Document, place: SchemaPlace, reason: str, has_it: Callable[[Any], bool]) -> UsageError:
    if reason.startswith("Unsatisfiable") or "Regex is empty" in reason:
        return nothing_matches(place, f"({excerpt(reason.removeprefix('Unsatisfiable schema: '))})")
    # Look for the keyword at fault: one that has the problem alone, or without which the problem is gone.
    for keyword, value in part.items():
        if keyword == "patternProperties":
            patterns = [pattern for pattern in value if has_it({keyword: {pattern: True}})]
            if patterns:
                return cannot_follow(f"{keyword}: {patterns[0]}", place, f"({_last_line(reason)})")
        elif keyword == "pattern" and has_it({keyword: value, "type": "string"}):
            return cannot_follow(f"{keyword}: {value}", place, f"({_last_line(reason)})")
    for keyword in part:
        if not has_it({name: value for name, value in part.items() if name != keyword}):
            return cannot_follow(keyword, place, f"({_last_line(reason)})")
    return UsageError(
        _("The schema cannot be followed at {place}: {reason}").format(place=place, reason=_last_line(reason)),
        _("Say it in a simpler way."),
    )


def _core(reason: str) -> str:
    """Return a reason without llguidance's list of the references that led to it."""
    return reason.partition("\n  while processing")[0]


def _last_line(reason: str) -> str:
    """Return the last line of a reason: before it, an error in a pattern has a drawing of its position."""
    return excerpt(reason.splitlines()[-1].removeprefix("error: "))

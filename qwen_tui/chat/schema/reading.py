"""Reads a JSON schema, and says what is wrong with it and where."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

from qwen_tui.chat.schema.dialect import Dialect, dialect_of
from qwen_tui.errors import UsageError, why
from qwen_tui.i18n import gettext as _

# The most characters of an excerpt.
_QUOTED = 120


@dataclass(frozen=True, slots=True)
class Schema:
    """A valid schema, with its numbers as `int` and `Decimal`, and its dialect (its draft)."""

    document: dict[str, Any] | bool
    dialect: Dialect


def read(text: str) -> Schema:
    """Return the schema in `text`; raises `UsageError`."""
    try:
        document = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
        # A lone surrogate cannot be encoded, so no answer could contain it.
        json.dumps(document, ensure_ascii=False, default=str).encode()
    except (ValueError, RecursionError) as error:
        raise UsageError(_("The schema is not valid JSON: {reason}").format(reason=why(error)), _how()) from error
    if not isinstance(document, dict | bool):
        raise UsageError(_("The schema is not a JSON object."), _how())
    dialect = dialect_of(document)
    try:
        wrong = dialect.fault(json.loads(text))
    except RecursionError as error:
        raise UsageError(_("The schema is nested too deeply."), _("Give what repeats a name under “$defs”.")) from error
    if wrong:
        sentence = _("The schema is not valid at {place}, where it says {value}.")
        older = wrong.place and wrong.place[-1] == "items" and isinstance(wrong.value, list)
        raise UsageError(
            sentence.format(place=pointer(wrong.place), value=json_excerpt(wrong.value)),
            another_draft() if older else _how(),
        )
    if isinstance(document, dict):
        # The draft is known now. Parts that refer to the whole schema must not meet the keyword again.
        document.pop("$schema", None)
    return Schema(document, dialect)


def pointer(path: Iterable[str | int], root: str = "#") -> str:
    """Return the JSON pointer (RFC 6901) of a place in a document, such as `#/properties/name`."""
    return root + "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)


def json_excerpt(value: Any) -> str:
    """Return a value as JSON text on one line, shortened if it is long."""
    return excerpt(json.dumps(value, ensure_ascii=False, default=str))


def joined(sentence: str, more: str) -> str:
    """Return two sentences as one text; `more` may be empty."""
    return _("{sentence} {more}").format(sentence=sentence, more=more) if more else sentence


def another_draft() -> str:
    """Return the advice for keywords of another draft."""
    return _("Name the draft that is meant with “$schema”, such as http://json-schema.org/draft-07/schema#.")


def excerpt(reason: str) -> str:
    """Return a text of another library on one line, shortened if it is long."""
    line = " ".join(reason.split())
    return line if len(line) <= _QUOTED else line[: _QUOTED - 1] + "…"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _how() -> str:
    return _("Give a JSON schema, as a file or as JSON text.")

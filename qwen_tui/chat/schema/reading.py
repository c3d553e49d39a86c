"""The text of a JSON schema to the schema itself, with what is wrong with it and where."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

from qwen_tui.chat.schema.dialect import Dialect, dialect_of
from qwen_tui.errors import UsageError
from qwen_tui.i18n import gettext as _

# What is json_excerpt of another's words, in characters.
_QUOTED = 120


@dataclass(frozen=True, slots=True)
class Schema:
    """A valid schema, with its numbers as they were written, and the dialect (the draft) it is in."""

    document: dict[str, Any] | bool
    dialect: Dialect


def read(text: str) -> Schema:
    """Return the schema that `text` is; raises `UsageError`."""
    try:
        document = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
        # Half of a surrogate pair is no character: no answer could hold it.
        json.dumps(document, ensure_ascii=False, default=str).encode()
    except (ValueError, RecursionError) as error:
        raise UsageError(_("The schema is not valid JSON: {reason}").format(reason=error), _how()) from error
    if not isinstance(document, dict | bool):
        raise UsageError(_("The schema is no JSON object."), _how())
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
        # Said once; the parts that refer to the whole need not hear it again.
        document.pop("$schema", None)
    return Schema(document, dialect)


def pointer(path: Iterable[str | int], root: str = "#") -> str:
    """Return a place in a JSON document as its JSON pointer (RFC 6901), as in `#/properties/name`."""
    return root + "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)


def json_excerpt(value: Any) -> str:
    """Return a value as JSON text on one line, cut where that is long."""
    return excerpt(json.dumps(value, ensure_ascii=False, default=str))


def joined(sentence: str, more: str) -> str:
    """Return two sentences as one text; `more` may be empty."""
    return _("{sentence} {more}").format(sentence=sentence, more=more) if more else sentence


def another_draft() -> str:
    """Return what to do about words that belong to another draft."""
    return _("Name the draft that is meant with “$schema”, such as http://json-schema.org/draft-07/schema#.")


def excerpt(reason: str) -> str:
    """Return another's words on one line, and not too many."""
    line = " ".join(reason.split())
    return line if len(line) <= _QUOTED else line[: _QUOTED - 1] + "…"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _how() -> str:
    return _("Give a JSON schema, as a file or as JSON text.")

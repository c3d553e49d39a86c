"""Checks whether an answer follows its schema, independently of the grammar that made it."""

import json
from decimal import Decimal
from typing import Any

from qwen_tui.chat.answer import Answer
from qwen_tui.chat.schema.reading import Schema, joined, json_excerpt, pointer
from qwen_tui.errors import QwenError, why
from qwen_tui.i18n import gettext as _


class _TwiceError(ValueError):
    """A name occurs twice in one object: readers of JSON disagree on which value counts."""


def check(schema: Schema, answer: str) -> None:
    """Raise `QwenError` unless `answer` is JSON that follows `schema`."""
    try:
        value = json.loads(answer, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_object)
        wrong = schema.dialect.mismatch(schema.document, value)
    except _TwiceError as error:
        raise _does_not_follow(_("The name “{name}” comes twice in one object.").format(name=error)) from error
    except ArithmeticError as error:
        # The exponent of a number may be too large for Decimal.
        raise _does_not_follow(_("It has a number that is too large to be checked.")) from error
    except RecursionError as error:
        raise _does_not_follow(_("It is nested too deeply to be checked.")) from error
    except ValueError as error:
        raise _does_not_follow(_("It is not JSON: {reason}.").format(reason=why(error))) from error
    if wrong:
        where = _("At {place}, {value} does not satisfy “{keyword}”: {asked}.")
        raise _does_not_follow(
            where.format(
                place=pointer(wrong.place),
                value=json_excerpt(wrong.value),
                keyword=wrong.keyword,
                asked=json_excerpt(wrong.asked),
            )
        )


def complaint(schema: Schema, answer: Answer) -> QwenError | None:
    """Return the error of an answer that is cut off or does not follow the schema, None if it does."""
    if answer.reason == "length":
        return QwenError(
            _("The answer was cut at {n} tokens, so its JSON is not complete.").format(
                n=answer.usage.completion_tokens
            ),
            _("Allow more with -o max_tokens=N, or a larger context with --ctx-size."),
        )
    try:
        check(schema, answer.text)
    except QwenError as error:
        return error
    return None


def _does_not_follow(why: str) -> QwenError:
    return QwenError(
        joined(_("The answer does not follow the schema."), why),
        _("Ask again, or in other words; another seed gives another answer: -o seed=N"),
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _value in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
    return value


def _refuse(name: str) -> Any:
    raise ValueError(name)

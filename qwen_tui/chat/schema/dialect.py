"""The drafts of JSON Schema: the keywords of each, and a validator that compares numbers exactly."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import jsonschema
import referencing.jsonschema
from jsonschema import validators
from jsonschema.exceptions import ValidationError, best_match
from referencing.jsonschema import EMPTY_REGISTRY, SchemaResource
from referencing.jsonschema import Schema as Document

from qwen_tui.errors import UsageError
from qwen_tui.i18n import gettext as _

if TYPE_CHECKING:
    from referencing._core import Resolver

# Resolves a reference, beginning with the part of the schema in which it stands.
SchemaResolver: TypeAlias = "Resolver[Document]"

# Draft 3 is not supported: many of its keywords mean something else.
_DRAFTS = (
    jsonschema.Draft4Validator,
    jsonschema.Draft6Validator,
    jsonschema.Draft7Validator,
    jsonschema.Draft201909Validator,
    jsonschema.Draft202012Validator,
)
_LATEST = jsonschema.Draft202012Validator
# Up to draft 7, keywords beside "$ref" are ignored.
_ALONE = (jsonschema.Draft4Validator, jsonschema.Draft6Validator, jsonschema.Draft7Validator)
# All keywords of all drafts.
KEYWORDS = frozenset(keyword for draft in _DRAFTS for keyword in draft.VALIDATORS)


class Mismatch(NamedTuple):
    """Where a value does not follow a schema: `value` is the part at `place`, which does not satisfy `keyword`."""

    place: Sequence[str | int]
    value: Any
    keyword: str
    asked: Any


@dataclass(frozen=True)
class Dialect:
    """One draft of JSON Schema; `draft` is jsonschema's class for it."""

    draft: Any

    @property
    def name(self) -> str:
        """The address of the draft, as in “$schema”."""
        return _name(self.draft)

    @property
    def keywords(self) -> frozenset[str]:
        """The keywords that decide whether a value is valid."""
        return frozenset(self.draft.VALIDATORS)

    @property
    def references_stand_alone(self) -> bool:
        """Whether keywords beside “$ref” are ignored."""
        return self.draft in _ALONE

    def fault(self, document: Document) -> Mismatch | None:
        """Return where `document` breaks the rules of this draft, None if it is a valid schema."""
        # Formats are not checked: a regular expression that Python rejects may be valid in ECMA-262.
        return _mismatch(self.draft(self.draft.META_SCHEMA), document)

    def resource(self, document: Document) -> SchemaResource:
        """Return `document`, or a part of one, as a resource in which references are resolved."""
        return referencing.jsonschema.specification_with(self.name).create_resource(document)

    def resolver(self, document: Document) -> SchemaResolver:
        """Return a resolver for the references in `document`; it looks nowhere else."""
        return EMPTY_REGISTRY.resolver_with_root(self.resource(document))

    def mismatch(self, document: Document, value: Any) -> Mismatch | None:
        """Return where `value` does not follow the schema `document`, None if it does.

        The numbers in both are `int` and `Decimal`.
        """
        validator = self._exact(document, registry=EMPTY_REGISTRY, format_checker=_LATEST.FORMAT_CHECKER)
        return _mismatch(validator, value)

    @cached_property
    def _exact(self) -> Any:
        types = self.draft.TYPE_CHECKER
        if self.draft is not jsonschema.Draft4Validator:
            types = types.redefine("integer", _is_integer)
        return validators.extend(self.draft, {"multipleOf": _multiple_of}, type_checker=types)


def dialect_of(document: Document) -> Dialect:
    """Return the draft that a schema names, the latest one if it names none; raises `UsageError`."""
    named = document.get("$schema") if isinstance(document, dict) else None
    if named is None:
        return Dialect(_LATEST)
    for draft in _DRAFTS:
        if isinstance(named, str) and named.rstrip("#") == _name(draft).rstrip("#"):
            return Dialect(draft)
    raise UsageError(
        _("The schema's “$schema” is {name}, which is not known here.").format(name=named),
        _("Write it for one of the drafts 4 to 2020-12, such as {name}.").format(name=_name(_LATEST)),
    )


def _mismatch(validator: Any, value: Any) -> Mismatch | None:
    error = best_match(validator.iter_errors(value))
    if error is None:
        return None
    # For the schema False there is no keyword.
    return Mismatch(list(error.absolute_path), error.instance, error.validator or "false", error.validator_value)


def _name(draft: Any) -> str:
    return str(draft.META_SCHEMA.get("$id") or draft.META_SCHEMA["id"])


def _is_integer(_checker: object, value: object) -> bool:
    if isinstance(value, Decimal):
        return value == value.to_integral_value()
    return isinstance(value, int) and not isinstance(value, bool)


def _multiple_of(validator: Any, of: int | Decimal, value: Any, _schema: Document) -> Iterator[ValidationError]:
    if validator.is_type(value, "number") and not _is_multiple(Decimal(value), Decimal(of)):
        yield ValidationError(f"{value} is not a multiple of {of}")


def _is_multiple(value: Decimal, of: Decimal) -> bool:
    """Whether `value` is exactly a multiple of `of`; large exponents cost no time."""
    if not value:
        return True
    digits, exponent = _normal(value)
    of_digits, of_exponent = _normal(of)
    if exponent < of_exponent:
        # The digits of `value` do not end in 0, so `value` lacks factors of ten that `of` has.
        return False
    return digits * pow(10, exponent - of_exponent, of_digits) % of_digits == 0


def _normal(value: Decimal) -> tuple[int, int]:
    """Return the digits of a number as an integer that does not end in 0, and the exponent of ten."""
    _sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits))
    stripped = text.rstrip("0")
    return int(stripped or "0"), exponent + len(text) - len(stripped)

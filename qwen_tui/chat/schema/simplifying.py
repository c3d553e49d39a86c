"""Simplifies a schema for the engine: resolves references, drops annotations, and translates it to the latest draft.

A keyword that the engine cannot follow is refused here, with its place, before a model is loaded.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from referencing.exceptions import Unresolvable

from qwen_tui.chat.schema.dialect import KEYWORDS, SchemaResolver
from qwen_tui.chat.schema.reading import Schema, another_draft, joined, pointer
from qwen_tui.chat.schema.rewriting import bound, exact, few_multiples, spelled_out
from qwen_tui.errors import UsageError, why
from qwen_tui.i18n import gettext as _

Document = dict[str, Any]
# Formats that the engine can follow.
_FOLLOWED_FORMATS = frozenset(
    ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"]
)
# Formats that the engine cannot follow and that cannot be checked. All others are checked afterwards if jsonschema
# knows them; otherwise they are annotations.
_REFUSED_FORMATS = frozenset(["iri", "iri-reference", "regex", "uri-template"])
_COUNTS = frozenset(["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"])
_LISTS = frozenset(["allOf", "anyOf", "oneOf", "prefixItems"])
_BOUNDS = {"minimum": False, "exclusiveMinimum": False, "maximum": True, "exclusiveMaximum": True}
# Keywords whose schemas apply to the same value as the schema that contains them, not to a part of it.
_IN_PLACE = frozenset(["allOf", "anyOf", "oneOf", "$ref"])


@dataclass(frozen=True)
class SchemaPlace:
    """The place of a part of a schema: a path from the top of the schema, or from the part that `root` refers to."""

    path: tuple[str | int, ...] = ()
    root: str = "#"

    def __str__(self) -> str:
        return pointer(self.path, self.root)

    def __truediv__(self, key: str | int) -> "SchemaPlace":
        return SchemaPlace((*self.path, key), self.root)


@dataclass(frozen=True)
class Simplified:
    """The schema for the engine; its `$defs` are all parts that it refers to, and `places` where these stood."""

    document: Document
    places: dict[str, SchemaPlace]


def simplify(schema: Schema) -> Simplified:
    """Return `schema` with keywords that the engine follows; raises `UsageError` that names one that it cannot."""
    if schema.document is False:
        raise nothing_matches(SchemaPlace())
    return _Simplifier(schema).simplified()


def cannot_follow(keyword: str, place: SchemaPlace, reason: str = "") -> UsageError:
    """Return the error that says which keyword the engine cannot follow, and where it stands."""
    what = _("The schema asks for “{keyword}” at {place}, which an answer cannot be made to follow here.")
    sentence = what.format(keyword=keyword, place=place)
    return UsageError(
        f"{sentence} {reason}" if reason else sentence,
        _("Leave it out, or say it in another way, and check for it yourself."),
    )


def nothing_matches(place: SchemaPlace, reason: str = "") -> UsageError:
    """Return the error for a schema that no value can follow."""
    sentence = _("Nothing can follow the schema at {place}.").format(place=place)
    return UsageError(joined(sentence, reason), _("Look for what contradicts itself there."))


@dataclass
class _Simplifier:
    schema: Schema
    # The parts that are referred to: the name of each under `$defs` by its id(), and in the order of these names the
    # part itself with its resolver and its place.
    names: dict[int, str] = field(default_factory=dict)
    found: list[tuple[Any, SchemaResolver, SchemaPlace]] = field(default_factory=list)
    # For each part, the parts that apply to the same value, by id().
    implied: dict[int, set[int]] = field(default_factory=dict)

    def simplified(self) -> Simplified:
        document = self.schema.document
        try:
            resolver = self.schema.dialect.resolver(document)
            whole = self._within(document, resolver, SchemaPlace(), id(document))
            parts: Document = {}
            while len(parts) < len(self.found):
                part, resolver, place = self.found[len(parts)]
                parts[str(len(parts))] = self._within(part, resolver, place, id(part))
        except RecursionError as error:
            raise UsageError(
                _("The schema is nested too deeply."), _("Give what repeats a name under “$defs”.")
            ) from error
        self._refuse_circles()
        places = {name: place for name, (_part, _resolver, place) in zip(parts, self.found, strict=True)}
        return Simplified({**({} if whole is True else whole), "$defs": parts}, places)

    def _part(self, schema: Any, resolver: SchemaResolver, place: SchemaPlace, owner: int | None = None) -> Any:
        """Simplify a schema that may be a resource of its own (with “$id”)."""
        return self._within(schema, resolver.in_subresource(self.schema.dialect.resource(schema)), place, owner)

    def _within(self, schema: Any, resolver: SchemaResolver, place: SchemaPlace, owner: int | None) -> Any:
        """Simplify a schema inside the resource of `resolver`.

        `owner` is the id() of the referred part that applies to the same value, None if there is none.
        """
        if isinstance(schema, bool):
            return schema
        dialect = self.schema.dialect
        if schema.pop("$schema", dialect.name) != dialect.name:
            raise cannot_follow("$schema", place)
        if dialect.references_stand_alone and "$ref" in schema:
            schema = {"$ref": schema["$ref"]}
        simple: Document = {}
        for keyword, value in schema.items():
            if keyword in dialect.keywords or (keyword in _BOUNDS and isinstance(value, bool)):
                inner = owner if keyword in _IN_PLACE else None
                simple |= self._keyword(schema, keyword, value, resolver, place, inner)
            elif keyword in KEYWORDS:
                raise UsageError(
                    _("“{keyword}” at {place} belongs to another draft of JSON Schema.").format(
                        keyword=keyword, place=place
                    ),
                    another_draft(),
                )
        if "enum" not in simple and "const" not in simple and (numbers := few_multiples(schema)):
            return {"type": "number", "enum": numbers} | {key: simple[key] for key in simple if key in _IN_PLACE}
        return simple

    def _keyword(
        self,
        schema: Document,
        keyword: str,
        value: Any,
        resolver: SchemaResolver,
        place: SchemaPlace,
        owner: int | None,
    ) -> Document:
        """Return the simplified form of `keyword`, an empty schema if it has no effect."""
        inside = place / keyword
        if keyword == "$ref":
            return {"$ref": self._reference(value, resolver, place, owner)}
        if keyword in _LISTS or (keyword == "items" and isinstance(value, list)):
            parts = [self._part(part, resolver, inside / at, owner) for at, part in enumerate(value)]
            return {"prefixItems" if keyword == "items" else keyword: parts}
        if keyword in ("items", "additionalProperties"):
            return {keyword: self._part(value, resolver, inside)}
        if keyword == "additionalItems":
            follows = isinstance(schema.get("items"), list)
            return {"items": self._part(value, resolver, inside)} if follows else {}
        if keyword in ("properties", "patternProperties"):
            if keyword == "patternProperties":
                for pattern in value:
                    _check_pattern(keyword, pattern, place)
            return {keyword: {name: self._part(part, resolver, inside / name) for name, part in value.items()}}
        return self._value(schema, keyword, value, place)

    def _value(self, schema: Document, keyword: str, value: Any, place: SchemaPlace) -> Document:
        """Return the same for a keyword that contains no schemas that the engine follows."""
        if keyword in ("type", "required"):
            return {keyword: value}
        if keyword in _COUNTS:
            return {keyword: int(value)}
        if keyword in _BOUNDS:
            number = value if isinstance(value, bool) else bound(value, upper=_BOUNDS[keyword])
            return {} if number is None else {keyword: number}
        if keyword in ("const", "enum", "multipleOf"):
            return {keyword: _literal(value, keyword, place)}
        if keyword == "pattern":
            _check_pattern(keyword, value, place)
            # The check of answers uses the same pattern.
            schema[keyword] = spelled_out(value)
            return {keyword: schema[keyword]}
        if keyword == "format":
            if value in _REFUSED_FORMATS:
                raise cannot_follow(f"format: {value}", place)
            return {keyword: value} if value in _FOLLOWED_FORMATS else {}
        if _WITHOUT_EFFECT[keyword](schema, value):
            return {}
        raise cannot_follow(keyword, place)

    def _reference(self, reference: str, resolver: SchemaResolver, place: SchemaPlace, owner: int | None) -> str:
        """Return the reference to where the simplified schema has what `reference` means."""
        try:
            resolved = resolver.lookup(reference)
        except (Unresolvable, ValueError, TypeError, LookupError) as error:
            why = _("It names {reference}, which the schema does not contain, and nothing is fetched.")
            raise cannot_follow("$ref", place, why.format(reference=reference)) from error
        part = resolved.contents
        if not isinstance(part, dict | bool):
            raise cannot_follow(
                "$ref", place, _("It names {reference}, which is not a schema.").format(reference=reference)
            )
        # All True share an id(), and so do all False: they need one name each.
        key = id(part)
        if key not in self.names:
            self.names[key] = str(len(self.found))
            self.found.append((part, resolved.resolver, SchemaPlace(root=reference)))
        if owner is not None:
            self.implied.setdefault(owner, set()).add(key)
        return f"#/$defs/{self.names[key]}"

    def _refuse_circles(self) -> None:
        """Raise for a reference that leads back to itself while it applies to the same value: it would never end."""
        for part, _resolver, place in self.found:
            reached, ahead = set(), list(self.implied.get(id(part), ()))
            while ahead:
                if (key := ahead.pop()) == id(part):
                    raise cannot_follow("$ref", place, _("It leads back to itself."))
                if key not in reached:
                    reached.add(key)
                    ahead += self.implied.get(key, ())


def _literal(value: Any, keyword: str, place: SchemaPlace) -> Any:
    """Return a constant value with its numbers as the engine takes them."""
    if isinstance(value, dict):
        return {name: _literal(part, keyword, place) for name, part in value.items()}
    if isinstance(value, list):
        return [_literal(part, keyword, place) for part in value]
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = exact(value)
        if number is None:
            raise cannot_follow(keyword, place, _("The number {n} has too many digits.").format(n=value))
        return number
    return value


def _check_pattern(keyword: str, pattern: str, place: SchemaPlace) -> None:
    """Raise for a pattern that Python does not know: answers could not be checked."""
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise cannot_follow(
            f"{keyword}: {pattern}", place, _("Python does not know it: {reason}.").format(reason=why(error))
        ) from error


def _is_anything(value: Any) -> bool:
    return value is True or value == {}


# Keywords that the engine cannot follow, each with a test of whether it has no effect.
_WITHOUT_EFFECT: dict[str, Callable[[Document, Any], bool]] = {
    "not": lambda _schema, value: value is False,
    "if": lambda schema, _value: not ("then" in schema or "else" in schema),
    "uniqueItems": lambda _schema, value: value is False,
    "contains": lambda schema, _value: schema.get("minContains") == 0 and "maxContains" not in schema,
    "propertyNames": lambda _schema, value: _is_anything(value),
    "unevaluatedItems": lambda _schema, value: _is_anything(value),
    "unevaluatedProperties": lambda _schema, value: _is_anything(value),
    "dependentRequired": lambda _schema, value: not any(value.values()),
    "dependentSchemas": lambda _schema, value: all(map(_is_anything, value.values())),
    "dependencies": lambda _schema, value: all(part in (True, {}, []) for part in value.values()),
    "$dynamicRef": lambda _schema, _value: False,
    "$recursiveRef": lambda _schema, _value: False,
}

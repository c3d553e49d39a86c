"""A JSON schema as the grammar that llguidance follows, and why it cannot follow one.

Both sides need it: the parent asks before a model is loaded, and the worker follows. llguidance is imported only where
there is a schema.
"""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import llguidance

_OPTIONS: Any = {
    # Exactly one of several is more than a grammar can ask for: who has asked checks the answer.
    "coerce_one_of": True,
    # A model that likes blanks must not write them for ever. Deep indentation has its place.
    "whitespace_pattern": r"(?:\n[ \t]{0,48}|[ \t]{1,4})",
}


class GrammarError(Exception):
    """A schema that cannot be followed, or not any further; the text says why, in llguidance's words."""


def problem(schema: str) -> str:
    """Return why no answer could be made to follow `schema`, in llguidance's words; an empty string if one could."""
    import llguidance

    grammar = llguidance.LLMatcher.grammar_from_json_schema(schema, overrides=_OPTIONS)
    matcher = llguidance.LLMatcher(llguidance.LLTokenizer("byte", slices=[]), grammar, log_level=0)
    if not matcher.is_error():
        # What is too complex shows where it is used.
        matcher.compute_bitmask()
    return reason(matcher)


def as_lark(schema: str) -> str:
    """Return a JSON schema, given as JSON text, as the grammar that llguidance is given for it."""
    document = json.loads(schema)
    options = {**(document if isinstance(document, dict) else {}), "x-guidance": _OPTIONS}
    # A key or a text that has no choice left is not forced upon the model as tokens: it writes it in those of its own.
    return f'%llguidance {{"no_forcing": true}}\nstart: %json {json.dumps(options)}'


def reason(matcher: "llguidance.LLMatcher") -> str:
    """Return why `matcher` cannot go on, in llguidance's words."""
    # What follows is a dump of the parser's state.
    return matcher.get_error().partition("\n<state>")[0].strip()

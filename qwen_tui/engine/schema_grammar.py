"""Turns a JSON schema into a grammar for llguidance, and says why that is not possible.

Both sides need it: the parent checks the schema before a model is loaded, and the worker follows it. llguidance is
imported only where there is a schema.
"""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import llguidance

_OPTIONS: Any = {
    # A grammar cannot demand that exactly one alternative fits: `oneOf` becomes `anyOf`. The caller checks the answer.
    "coerce_one_of": True,
    # A model must not write blanks without end. Deep indentation is allowed.
    "whitespace_pattern": r"(?:\n[ \t]{0,48}|[ \t]{1,4})",
}


class GrammarError(Exception):
    """The schema cannot be followed, or no further; the text says why, in llguidance's words."""


def problem(schema: str) -> str:
    """Return why no answer can follow `schema`, in llguidance's words; an empty string if one can."""
    import llguidance

    grammar = llguidance.LLMatcher.grammar_from_json_schema(schema, overrides=_OPTIONS)
    matcher = llguidance.LLMatcher(llguidance.LLTokenizer("byte", slices=[]), grammar, log_level=0)
    if not matcher.is_error():
        # Only using the grammar shows that it is too complex.
        matcher.compute_bitmask()
    return reason(matcher)


def as_lark(schema: str) -> str:
    """Return the grammar, in llguidance's Lark format, of a JSON schema given as JSON text."""
    document = json.loads(schema)
    options = {**(document if isinstance(document, dict) else {}), "x-guidance": _OPTIONS}
    # Where only one text is possible, no_forcing lets the model still choose the tokens in which it writes that text.
    return f'%llguidance {{"no_forcing": true}}\nstart: %json {json.dumps(options)}'


def reason(matcher: "llguidance.LLMatcher") -> str:
    """Return why `matcher` cannot go on, in llguidance's words."""
    # llguidance appends a dump of its parser's state.
    return matcher.get_error().partition("\n<state>")[0].strip()

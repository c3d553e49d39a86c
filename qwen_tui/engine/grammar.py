"""A JSON schema to a grammar that llama.cpp can follow."""

from qwen_tui.engine.binding import load_grammar_module
from qwen_tui.engine.sampling import GrammarError

# llama.cpp walks through nested groups recursively: some ten thousand of them overflow its stack.
_MOST_GROUPS = 5000
# The binding's converter lets line breaks into strings, and quotes where a pattern has a dot: JSON allows neither.
_STRICT = r'[^"\\\x7F\x00-\x1F]'
_LOOSE = {"\nchar ::= " + r'[^"\\]', "\ndot ::= " + r"[^\x0A\x0D]"}


def grammar_of(schema: str) -> str:
    """Return the GBNF grammar of a JSON schema given as JSON text; raises `GrammarError`."""
    try:
        grammar = str(load_grammar_module().json_schema_to_gbnf(schema))
    # The binding's converter raises whatever its way through the schema runs into.
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError, RecursionError) as error:
        raise GrammarError(str(error) or type(error).__name__) from error
    grammar = "\n" + grammar
    for rule in _LOOSE:
        grammar = grammar.replace(rule, rule.partition("[")[0] + _STRICT)
    if grammar.count("(") > _MOST_GROUPS:
        raise GrammarError("it repeats something too often")
    return grammar

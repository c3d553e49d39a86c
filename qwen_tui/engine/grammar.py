"""A JSON schema to a grammar that llama.cpp can follow."""

from qwen_tui.engine.binding import load_grammar_module
from qwen_tui.engine.sampling import GrammarError


def grammar_of(schema: str) -> str:
    """Return the GBNF grammar of a JSON schema given as JSON text; raises `GrammarError`."""
    try:
        return str(load_grammar_module().json_schema_to_gbnf(schema))
    # The binding's converter raises whatever its way through the schema runs into.
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError, RecursionError) as error:
        raise GrammarError(f"{type(error).__name__}: {error}") from error

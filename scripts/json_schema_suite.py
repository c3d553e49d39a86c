"""Test `--schema` with the public test suite of JSON Schema: which cases it follows, refuses by name, and gets wrong.

The suite is not part of this project. It lies in the source distribution of jsonschema, in `json/tests`:

    pip download --no-binary :all: --no-deps jsonschema
    python scripts/json_schema_suite.py PATH/json/tests

A case is a schema with one value, valid or not. `--schema` follows the case if the grammar allows the value, in some
order of its properties, exactly when the value is valid.
"""

import argparse
import itertools
import json
import sys
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import llguidance

from qwen_tui.chat.schema.checking import check
from qwen_tui.chat.schema.reading import read
from qwen_tui.chat.schema.refusing import grammar_of
from qwen_tui.chat.schema.simplifying import simplify
from qwen_tui.engine.schema_grammar import as_lark, problem
from qwen_tui.errors import QwenError

# The “$schema” for each folder of the suite whose schemas do not name their draft.
_NAMES = {
    "draft4": "http://json-schema.org/draft-04/schema#",
    "draft6": "http://json-schema.org/draft-06/schema#",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
}
# Cases in which the suite allows several results, with the one that this program has.
_DECIDED = {
    "format": "decided: a format is not only an annotation",
    "content": "decided: what a string contains is an annotation",
}
# At most so many orders of the properties are tried.
_ORDERS = 2000
_BYTES = llguidance.LLTokenizer("byte", slices=[])


def main() -> int:
    """Print the counts for each draft and the wrong cases; return 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path, help="the folder that holds draft7 and draft2020-12")
    parser.add_argument("--draft", action="append", help="a folder of it; by default draft7 and draft2020-12")
    parser.add_argument("--verbose", action="store_true", help="name every case")
    options = parser.parse_args()
    wrong = 0
    for draft in options.draft or ("draft7", "draft2020-12"):
        for part in ("", "optional", "optional/format"):
            counts = _count(options.suite, Path(draft) / part, verbose=options.verbose)
            wrong += sum(n for verdict, n in counts.items() if verdict.startswith("wrong"))
            print(f"{Path(draft) / part}: {dict(sorted(counts.items()))}")
    return int(wrong > 0)


def _count(suite: Path, part: Path, *, verbose: bool) -> Counter[str]:
    """Count the results of the cases in one folder, and print the wrong cases, or all."""
    counts: Counter[str] = Counter()
    for file in sorted((suite / part).glob("*.json")):
        for group in json.loads(file.read_bytes(), parse_float=Decimal):
            for test, verdict, why in _verdicts(group, part.parts[0]):
                if verdict.startswith("wrong") and file.stem in _DECIDED:
                    verdict = _DECIDED[file.stem]
                elif verdict.startswith("wrong: valid") and part.name == "format":
                    verdict = "narrower: a rare form of a format"
                counts[verdict] += 1
                counts["cases"] += 1
                if verbose or verdict.startswith("wrong"):
                    print(f"{verdict}: {part / file.name}: {group['description']}: {test}  {why}")
    return counts


def _verdicts(group: dict[str, Any], draft: str) -> Iterator[tuple[str, str, str]]:
    """Yield each test of a group, its result, and the reason."""
    document = group["schema"]
    if isinstance(document, dict) and "$schema" not in document:
        document = {"$schema": _NAMES[draft], **document}
    try:
        schema = read(_written(document))
        grammar = grammar_of(simplify(schema), problem)
    except QwenError as error:
        verdict = "nothing can follow it" if "Nothing can follow" in error.message else "refused by name"
        for test in group["tests"]:
            wrong = verdict.startswith("nothing") and test["valid"]
            yield test["description"], "wrong: said to be impossible" if wrong else verdict, error.message
        return
    matcher = llguidance.LLMatcher(_BYTES, as_lark(grammar), log_level=0)
    for test in group["tests"]:
        verdict = "held"
        written = passed = False
        for at, text in enumerate(_texts(test["data"])):
            matcher.reset()
            data = text.encode()
            if matcher.try_consume_tokens(list(data)) < len(data) or not matcher.is_accepting():
                continue
            written = True
            try:
                check(schema, text)
            except QwenError as error:
                why = error.message
                continue
            passed = True
            verdict = "held in another order" if at else "held"
            break
        if test["valid"] and not passed:
            verdict = "wrong: valid but refused" if written else "wrong: valid but impossible"
        elif not test["valid"]:
            verdict = "wrong: invalid but passed" if passed else "held by the check" if written else "held"
        yield (
            test["description"],
            verdict,
            why if written and not passed else json.dumps(test["data"], default=str)[:200],
        )


def _texts(value: Any) -> Iterator[str]:
    """Yield the JSON text of a value, first in its own order of properties, then in every other."""
    yield from itertools.islice(_orders(value), _ORDERS)


def _orders(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for names in itertools.permutations(value):
            for parts in itertools.product(*(list(itertools.islice(_orders(value[name]), 50)) for name in names)):
                members = (f"{_written(name)}:{part}" for name, part in zip(names, parts, strict=True))
                yield "{" + ",".join(members) + "}"
    elif isinstance(value, list):
        for parts in itertools.product(*(list(itertools.islice(_orders(part), 50)) for part in value)):
            yield "[" + ",".join(parts) + "]"
    else:
        yield _written(value)


def _written(value: Any) -> str:
    """Return JSON text in which numbers have no exponent, and integers no decimal point."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_written(name)}:{_written(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    if isinstance(value, Decimal):
        return format(value.quantize(1) if value == value.to_integral_value() and value < 1e20 else value, "f")
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


if __name__ == "__main__":
    sys.exit(main())

"""Reads CSV and TSV: as a table where all rows agree on the columns, as text where they do not."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from qwen_tui import cancellation
from qwen_tui.documents.document import Document, Options, Section
from qwen_tui.documents.tables import table
from qwen_tui.documents.text import decode

_ENDINGS = (".csv", ".tsv", ".tab")
# If two give the same columns, the first one counts: a comma may also be that of a decimal.
_SEPARATORS = "\t;,|"
# Excel writes and obeys such a first line.
_NAMED = re.compile(r"sep=(.)\n", re.IGNORECASE)
# So large a share of the rows below the head have all columns. Others may end early, as a sum does.
_WHOLE = 0.8
# The loop over the rows looks for Ctrl-C every so many.
_LOOK_EVERY = 1_000


class _Table(NamedTuple):
    before: Sequence[Sequence[str]]
    rows: Sequence[Sequence[str]]
    columns: int


def is_separated(_head: bytes, name: str) -> bool:
    """Whether a file of that name holds separated values: any text with commas may look so."""
    return name.lower().endswith(_ENDINGS)


def read(data: bytes, name: str, options: Options) -> Document | None:
    """Return the table that a file holds; None if it is a text after all. Raises `InputError`."""
    with cancellation.current().interruptible():
        text, notes = decode(data, name, options.encoding, options.say_otherwise)
    named = _NAMED.match(text)
    body = text[named.end() :] if named else text
    tables = [found for separator in (named[1] if named else _SEPARATORS) if (found := _table(body, separator))]
    if not tables:
        return None
    # With the wrong separator, the head may have fewer columns than the decimals below it.
    best = max(tables, key=lambda found: (-len(found.before), found.columns))
    before = "\n".join(" ".join(filter(None, row)) for row in best.before).strip()
    return Document(name, (Section("\n\n".join(filter(None, (before, table(best.rows))))),), notes=notes)


def _table(text: str, separator: str) -> _Table | None:
    """Return the table in `text` with columns parted by `separator`, and the lines before it; None without one."""
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=separator != "\t")
    try:
        for number, row in enumerate(reader):
            if not number % _LOOK_EVERY:
                cancellation.check()
            if any(row):
                rows.append(row)
    except csv.Error:
        return None
    if not rows:
        return None
    columns = Counter(map(len, rows)).most_common(1)[0][0]
    head = next(place for place, row in enumerate(rows) if len(row) == columns)
    below = rows[head:]
    whole = sum(len(row) == columns for row in below)
    is_table = columns > 1 and len(below) > 1 and whole >= _WHOLE * len(below) and max(map(len, rows)) == columns
    return _Table(rows[:head], below, columns) if is_table else None

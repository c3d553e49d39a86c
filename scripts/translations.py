"""Keeps the Chinese catalogue in step with the sentences of the source.

    python scripts/translations.py update     after a change of a sentence: merges, compiles, names what is untranslated
    python scripts/translations.py --check    writes nothing; if source and catalogue differ, says how and exits with 1

People write the translations into the .po by hand, then run `update` again. What it writes depends neither on the date
nor on line numbers, so that a catalogue changes only if its sentences change.
"""

import ast
import io
import string
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po, write_po
from command_line import command_line

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "qwen_tui"
LANGUAGE = "zh"
CATALOGUE = SOURCE / "assets" / "locale" / LANGUAGE / "LC_MESSAGES" / "qwen_tui.po"

KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2)}
HEADER = """\
# The sentences of qwen-tui in Simplified Chinese.
# Translate here, then run: python scripts/translations.py update"""


class SteadyCatalog(Catalog):
    """A catalogue whose header has only what gettext reads: dates, names or versions would change needlessly."""

    def _header(self) -> list[tuple[str, str]]:
        return [
            ("Language", LANGUAGE),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
            ("Plural-Forms", self.plural_forms),
        ]

    mime_headers = property(_header)


def main() -> int:
    """Run the command line, and return the exit code."""
    parser = command_line(__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("action", nargs="?", choices=["update"], help="merge new sentences and compile")
    action.add_argument("--check", action="store_true", help="change nothing, and exit 1 if anything is stale")
    parser.add_argument("--source", type=Path, default=SOURCE, help="the package to read sentences from")
    parser.add_argument("--catalogue", type=Path, default=CATALOGUE, help="the .po file; the .mo lies beside it")
    options = parser.parse_args()
    if options.action == "update":
        for sentence in update(options.source, options.catalogue):
            print(f"to translate: {sentence}")
        return 0
    try:
        found = problems(options.source, options.catalogue)
    except (OSError, PoFileError) as error:
        found = [f"{options.catalogue.name} cannot be read: {error}"]
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


def empty() -> SteadyCatalog:
    """Return a catalogue without sentences."""
    return SteadyCatalog(locale=LANGUAGE, header_comment=HEADER, fuzzy=False)


def extract(source: Path) -> SteadyCatalog:
    """Return a catalogue of all sentences in the modules below `source`, in the order of files and lines."""
    catalog = empty()
    found = extract_from_dir(source, [("**.py", "python")], keywords=KEYWORDS)
    for name, _line, sentence, _comments, _context in found:
        catalog.add(sentence, locations=[((source.name / Path(name)).as_posix(), 0)])
    return catalog


def read(path: Path) -> SteadyCatalog:
    """Return the translations in the .po file at `path`; raises `OSError` and `PoFileError`."""
    catalog = empty()
    with path.open("rb") as file:
        written = read_po(file, locale=LANGUAGE, abort_invalid=True)
    for message in written:
        if message.id:
            catalog[message.id] = message
    catalog.obsolete = written.obsolete
    return catalog


def update(source: Path, path: Path) -> list[str]:
    """Merge the sentences of `source` into the .po at `path`, compile it, and return the untranslated ones.

    A reworded sentence keeps its old translation, marked fuzzy. A sentence that is gone is removed: git still has it.
    """
    template = extract(source)
    catalog = read(path) if path.exists() else empty()
    catalog.update(template)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalog, width=0, include_lineno=False, ignore_obsolete=True, include_previous=True)
    path.with_suffix(".mo").write_bytes(compiled(read(path)))
    return [shown(message) for message in sentences(catalog) if message.fuzzy or not all(translations(message))]


def problems(source: Path, path: Path) -> list[str]:
    """Return in one line each why the catalogue at `path` is not a complete translation of `source`."""
    template, catalog = extract(source), read(path)
    found = [f"missing: {shown(message)}" for message in sentences(template) if message.id not in catalog]
    for message in sentences(catalog):
        wanted, given = fields(forms(message)[-1]), [fields(text) for text in translations(message)]
        if message.id not in template:
            found.append(f"obsolete: {shown(message)}")
        elif not all(translations(message)):
            found.append(f"untranslated: {shown(message)}")
        elif message.fuzzy:
            found.append(f"fuzzy: {shown(message)}")
        elif any(here != wanted for here in given):
            differing = ", ".join(sorted(set.union(*(here ^ wanted for here in given))))
            found.append(f"different fields ({differing}): {shown(message)}")
    found += [f"obsolete: {shown(message)}" for message in catalog.obsolete.values()]
    known = {form for message in sentences(template) for form in forms(message)}
    found += [f"within an f-string, where Babel does not look: {one}" for one in hidden(source) if one not in known]
    binary = path.with_suffix(".mo")
    if not binary.exists() or binary.read_bytes() != compiled(catalog):
        found.append(f"{binary.name} does not hold what {path.name} says: python scripts/translations.py update")
    return found


def hidden(source: Path) -> Iterator[str]:
    """Yield the sentences within f-strings: before Python 3.12, Babel does not find them."""
    for file in sorted(source.rglob("*.py")):
        for text in ast.walk(ast.parse(file.read_bytes())):
            for call in ast.walk(text) if isinstance(text, ast.JoinedStr) else ():
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in KEYWORDS:
                    yield ast.literal_eval(call.args[0])


def compiled(catalog: Catalog) -> bytes:
    """Return the .mo file of `catalog`."""
    file = io.BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def fields(sentence: str) -> set[str]:
    """Return the `{…}` fields of `sentence` as they are written, none if it is not a format string."""
    try:
        parsed = list(string.Formatter().parse(sentence))
    except ValueError:
        return set()
    return {
        "{" + name + (f"!{conversion}" if conversion else "") + (f":{layout}" if layout else "") + "}"
        for _literal, name, layout, conversion in parsed
        if name is not None
    }


def sentences(catalog: Catalog) -> Iterator[Message]:
    """Yield the entries of `catalog` without its header."""
    return (message for message in catalog if message.id)


def forms(message: Message) -> tuple[str, ...]:
    """Return the sentence of the source: one text, or singular and plural."""
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def translations(message: Message) -> tuple[str, ...]:
    """Return the translation: one text, or one for each plural form; empty texts if there is none."""
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ("",))


def shown(message: Message) -> str:
    """Return the sentence on one line, for messages."""
    return forms(message)[-1].replace("\n", "\\n")


if __name__ == "__main__":
    sys.exit(main())

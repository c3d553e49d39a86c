"""Tells which share of the words of each document of tests/documents/corpus the program reads in their order.

    python scripts/documents/corpus.py             # all of them
    python scripts/documents/corpus.py two-columns # those whose names begin so

Beside each document lies a .txt with its words in the order in which a person reads them. Chinese is compared by
characters. The share is that of the longest common part of both sequences.
"""

import re
from pathlib import Path

from qwen_tui.documents.document import Document, Options
from qwen_tui.documents.reading import read
from qwen_tui.errors import InputError
from scripts.command_line import command_line

CORPUS = Path(__file__).resolve().parents[2] / "tests" / "documents" / "corpus"
PASSWORD = "garden"
_WORD = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+(?:['’-][^\W_\u3400-\u9fff]+)*")


def share_in_order(expected: str, read_text: str) -> float:
    """Return the share of the words of `expected` that `read_text` has in the same order."""
    wanted, found = _WORD.findall(expected), _WORD.findall(read_text)
    common = [0] * (len(found) + 1)
    for word in wanted:
        diagonal = 0
        for place, other in enumerate(found, 1):
            diagonal, common[place] = (
                common[place],
                diagonal + 1 if word == other else max(common[place], common[place - 1]),
            )
    return common[-1] / len(wanted)


def words_in_order(path: Path) -> float:
    """Return the share of the words of a document that the program reads in their order."""
    text = "\n".join(section.text for section in read_document(path).sections)
    return share_in_order(path.with_suffix(".txt").read_text(encoding="utf-8"), text)


def with_words(pattern: str) -> list[Path]:
    """Return the documents whose names fit, and beside which their words lie."""
    return [
        path for path in sorted(CORPUS.glob(pattern)) if path.suffix != ".txt" and path.with_suffix(".txt").exists()
    ]


def read_document(path: Path) -> Document:
    """Read a document of the corpus; raises `InputError`."""
    with path.open("rb") as stream:
        return read(stream, path.name, Options(password=lambda _name, wrong: None if wrong else PASSWORD))


def main() -> None:
    """Print a line for each document."""
    parser = command_line(__doc__)
    parser.add_argument("begins", nargs="*", help="with what the names begin (default: all)")
    begins = tuple(parser.parse_args().begins) or ("",)
    for path in sorted(CORPUS.iterdir()):
        words = path.with_suffix(".txt")
        if path.suffix == ".txt" or not path.name.startswith(begins):
            continue
        try:
            document = read_document(path)
        except InputError as error:
            print(f"{path.name:24} {error.message}")
            continue
        share = f"{words_in_order(path):7.2%}" if words.exists() else ""
        print(f"{path.name:24} {share} {len(document.sections):3} {document.unit} {' '.join(document.notes)}")


if __name__ == "__main__":
    main()

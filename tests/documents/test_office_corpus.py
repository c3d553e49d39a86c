"""Office files of real programs: every word in order, the tables whole, and what is said of those that are not read."""

import io
import re
from pathlib import Path

import pytest

from qwen_tui.documents.document import Options, as_text
from qwen_tui.documents.reading import read
from qwen_tui.errors import InputError
from scripts.documents.corpus import CORPUS, read_document, share_in_order

FILES = sorted(path for ending in ("docx", "pptx", "xlsx") for path in CORPUS.glob(f"*.{ending}"))
COSTS = (
    "|Soil|190,000|50,000|Fund|\n|Fence|42,000|0|Council|\n|Lighting|18,500|21,000|Council|\n|Gardeners|60,000|62,000|"
)
COSTS_ZH = "|土壤|190,000|50,000|基金|\n|围栏|42,000|0|区里|\n|照明|18,500|21,000|区里|\n|园丁|60,000|62,000|植物学会|"


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.with_suffix(".txt").exists()], ids=lambda path: path.name
)
def test_the_words_of_real_files_come_in_order_with_their_tables(path: Path) -> None:
    document = read_document(path)
    text = "\n".join(section.text for section in document.sections)
    assert share_in_order(path.with_suffix(".txt").read_text(encoding="utf-8"), text) >= 0.99
    assert (COSTS_ZH if "-zh" in path.name else COSTS) in text
    assert document.unit == {".docx": "", ".pptx": "slide", ".xlsx": "sheet"}[path.suffix]


def test_nothing_that_was_deleted_is_read_and_no_number_of_a_page() -> None:
    told = as_text(read_document(CORPUS / "minutes-zh.docx"))
    assert "这句话" not in told
    assert "页码" not in told
    assert told.startswith("花园委员会年度报告\n\n# 一、花园的由来\n\n")
    assert "   a) 夜间进行，以免扬尘\n" in told


def test_a_computed_formula_gives_its_result() -> None:
    document = read_document(CORPUS / "budget-zh.xlsx")
    assert "|合计|310,500|133,000||" in as_text(document)
    assert "|2025年3月9日|310|31.0%|March|" in as_text(document)


@pytest.mark.parametrize(
    ("name", "says", "remedy"),
    [
        ("old.doc", "is a file of Word before 2007", r"save it as \.docx"),
        ("old.xls", "is a file of Excel before 2007", r"save it as \.xlsx"),
        ("locked.docx", "is protected by a password", "save it without the password"),
    ],
)
def test_what_is_not_read_says_what_to_do(name: str, says: str, remedy: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        read_document(CORPUS / name)
    assert re.search(remedy, refused.value.remedy)


def compound(*names: str) -> bytes:
    """Return the beginning of a file as Office wrote them before 2007, whose directory has these names."""
    entries = (name.encode("utf-16-le").ljust(128, b"\0") for name in ("Root Entry", *names))
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(512, b"\0") + b"".join(entries)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("PowerPoint Document", "WordDocument"), "is a file of PowerPoint before 2007"),
        (("Book",), "is a file of Excel before 2007"),
        (("__nameid_version1.0",), "of an old format that is not known"),
    ],
    ids=["ppt", "xls of 1995", "mail of Outlook"],
)
def test_files_before_2007_are_told_apart_by_their_content(names: tuple[str, ...], says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        read(io.BytesIO(compound(*names)), "it.docx", Options())
    assert refused.value.remedy

"""A text in pieces: every character in one, each within the budget, split where a person would."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_tui.chat.fitting.splitting import Piece, split


def words(text: str) -> int:
    return len(text.split())


def letters(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def heavy(text: str) -> int:
    """A character here is more tokens than some budgets have."""
    return 7 * len(text)


COUNTS: list[Callable[[str], int]] = [words, letters, heavy]
LINES = [
    "# A heading",
    "A sentence. Another one! And a third?",
    "",
    "",
    "```python",
    "```",
    "~~~",
    "| a | b |",
    "|---|---|",
]
LINES += [
    "[p. 1]",
    "[p. 2]",
    "[p. 3]",
    "[p. 2]",
    "这是一句话。这是第二句！第三句？",
    "- an item",
    "x" * 40,
    "Title",
    "-----",
    "\t in",
]
structured = st.lists(st.sampled_from(LINES), max_size=40).map("\n".join)


@given(st.text() | structured, st.integers(1, 60), st.sampled_from(COUNTS))
def test_every_character_is_in_one_piece_and_every_piece_fits(
    text: str, most: int, count: Callable[[str], int]
) -> None:
    pieces = split(text, most, count)
    assert "".join(piece.text for piece in pieces) == text
    assert [piece.start for piece in pieces] == [0, *itertools.accumulate(len(piece.text) for piece in pieces)][
        : len(pieces)
    ]
    for piece in pieces:
        assert piece.text
        assert count(piece.shown) <= most or len(piece.text) == 1


def test_it_counts_about_once_for_each_piece() -> None:
    text = "\n\n".join(
        f"Paragraph {n} has some words in it. It has a second sentence, too. 也有一句中文。" * (1 + n % 3)
        for n in range(400)
    )
    calls: list[int] = []

    def count(piece: str) -> int:
        calls.append(len(piece))
        return len(piece) // 3

    pieces = split(text, 300, count)
    assert len(calls) < 2.5 * len(pieces)
    assert sum(len(piece.text) for piece in pieces) / len(pieces) > 0.6 * 900


def shown(text: str, most: int) -> list[str]:
    return [piece.shown for piece in split(text, most, words)]


def test_a_heading_is_better_than_a_paragraph_and_that_better_than_a_sentence() -> None:
    text = "# One\n\naa aa aa. bb bb bb.\n\ncc cc cc.\n\n# Two\n\ndd dd dd. ee ee ee."
    assert shown(text, 16) == ["# One\n\naa aa aa. bb bb bb.\n\ncc cc cc.", "# Two\n\ndd dd dd. ee ee ee."]
    assert shown(text, 9) == ["# One\n\naa aa aa. bb bb bb.", "cc cc cc.", "# Two\n\ndd dd dd. ee ee ee."]
    assert shown("aa aa aa. bb bb bb. cc cc cc.", 4) == ["aa aa aa. ", "bb bb bb. ", "cc cc cc."]


def test_chinese_is_split_at_its_sentences_then_at_its_clauses() -> None:
    text = "旧货运站停用已有十二年。铁轨之间长出了白桦！花园何时开放？费用由谁承担；没有人知道。"
    assert [piece.text for piece in split(text, 14, len)] == [
        "旧货运站停用已有十二年。",
        "铁轨之间长出了白桦！",
        "花园何时开放？",
        "费用由谁承担；没有人知道。",
    ]
    assert [piece.text for piece in split("南半部分建成游乐场，北半部分保持原样，只在有人带领时开放", 12, len)] == [
        "南半部分建成游乐场，",
        "北半部分保持原样，",
        "只在有人带领时开放",
    ]


@pytest.mark.parametrize(
    "block",
    [
        "```python\nfirst = 1\n\nsecond = 2\n\n# not a heading\nthird = 3\n```\n",
        "~~~~\nfirst = 1\n~~~\nsecond = 2\n\nthird\n~~~~\n",
        "| a | b |\n|---|---|\n| 1. | 2. |\n| 3. | 4. |\n",
        "a | b\n--- | ---\n1 | 2\n3 | 4\n",
    ],
)
def test_code_and_tables_stay_whole_if_they_fit(block: str) -> None:
    before = "\n\n".join(f"Some words stand before it, number {n}." for n in range(6))
    text = f"{before}\n\n{block}\nAnd some words stand behind the block. They go on."
    for most in range(words(block) + 1, 80):
        assert any(block.strip() in piece.text for piece in split(text, most, words)), most


def test_a_table_that_is_too_large_is_split_between_its_rows() -> None:
    rows = [f"| name {n} of it | value {n} |" for n in range(30)]
    for piece in split("\n".join(["| a | b |", "|---|---|", *rows]), 40, words):
        assert all(line.startswith("| ") or line == "|---|---|" for line in piece.shown.splitlines())
        assert piece.shown.endswith("|")


def test_a_piece_knows_its_pages_and_shows_the_one_in_which_it_begins() -> None:
    long = " ".join(f"Word{n}." for n in range(30))
    text = f"Foreword.\n\n[p. 1]\n{long}\n\n[p. 2]\nShort.\n\n[p. 3]\nShort, too."
    pieces = split(text, 20, words)
    assert ["".join(map(str, piece.places)) for piece in pieces] == ["[p. 1]", "[p. 1][p. 2]", "[p. 3]"]
    assert pieces[1].shown.startswith("[p. 1]\nWord")
    assert pieces[2].shown == "[p. 3]\nShort, too."


def test_a_mark_stays_with_its_page() -> None:
    text = "\n\n".join(
        f"[p. {n}]\n\nHeading {n}\n\nThis page has one sentence of ten words in it, number {n}." for n in range(1, 9)
    )
    for most in range(17, 60):
        for piece in split(text, most, words):
            assert piece.shown.startswith("[p. ") and "number" in piece.shown.splitlines()[-1]
            assert piece.began is None


def test_blank_texts_and_no_text() -> None:
    assert split("", 5, words) == []
    assert [piece.shown for piece in split("\n\n\n", 5, words)] == [""]
    assert split("one", 5, words) == [Piece("one", 0)]

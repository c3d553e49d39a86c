"""Columns of text stay straight with Chinese characters, which are two columns wide."""

import pytest

from qwen_tui.columns import cut, fitting, folded, lines, markdown_table


def width(text: str) -> int:
    return sum(2 if ord(char) > 0x2E7F else 1 for char in text)


def test_a_table_lines_up_in_chinese_too() -> None:
    table = markdown_table(["读取", "x"], [["a", 1.5], ["写作速度", 22.25]]).splitlines()
    assert len({width(line) for line in table}) == 1


def test_columns_begin_at_the_same_place_in_every_line() -> None:
    short, chinese, long = lines([("a", "1", "x"), ("翻译", "22", "x"), ("letters", "333", "x")])
    assert {width(line[: line.index("x")]) for line in (short, chinese, long)} == {len("letters  333  ")}
    assert lines([]) == []
    assert lines([("name", "")]) == ["name"]


def test_cut_text_fits_into_its_columns() -> None:
    assert cut("模型在这里", 10) == "模型在这里"
    assert cut("模型在这里", 9) == "模型在这…"
    assert cut("模型在这里", 8) == "模型在…"


def test_in_a_row_whole_parts_are_left_out_the_least_wanted_first() -> None:
    parts = [(0, "模型"), (3, "CPU"), (1, "context 90 of 8192"), (2, "5.3 tokens/s")]
    assert fitting(parts, 49) == "模型 · CPU · context 90 of 8192 · 5.3 tokens/s"
    assert fitting(parts, 45) == "模型 · context 90 of 8192 · 5.3 tokens/s"
    assert fitting(parts, 30) == "模型 · context 90 of 8192"
    assert fitting(parts, 10) == "模型"
    assert fitting(parts, 3) == "模…"


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("It is short:  qwen pull", ["It is short:  qwen pull"]),
        ("A long one is broken between its words alone.", ["A long one is broken between", "its words alone."]),
        (
            "Take the first: qwen models import PATH, or the other: -m demo",
            ["Take the first:", "qwen models import PATH, or", "the other: -m demo"],
        ),
        (
            "Write one: qwen ask 'Why is the sky blue, and not green?'",
            ["Write one:", "qwen ask 'Why is the sky blue, and not green?'"],
        ),
        (
            "The file /home/li/reports/of/this/year.pdf is no",
            ["The file", "/home/li/reports/of/this/year.pdf", "is no"],
        ),
        (
            "qwen tune finds in a minute what is fastest; qwen logs rm bcd",
            ["qwen tune finds in a minute", "what is fastest;", "qwen logs rm bcd"],
        ),
        (
            "Build it here: python scripts/build_engine.py --kind avx2",
            ["Build it here:", "python scripts/build_engine.py --kind avx2"],
        ),
        (
            "Install them: '/home/li/my qwen/bin/python' -m pip install a \"b==13.*\". Until then",
            ["Install them:", "'/home/li/my qwen/bin/python' -m pip install a \"b==13.*\".", "Until then"],
        ),
        (
            "请安装：/home/li/qwen/bin/python -m pip install a。在此之前",
            ["请安装：", "/home/li/qwen/bin/python -m pip install a。", "在此之前"],
        ),
        ("Choose what is read: --fit select, --fit map.", ["Choose what is read:", "--fit select, --fit map."]),
        (
            "提示词太长，放不下，请选择要读的内容：--fit select、--fit map。",
            ["提示词太长，放不下，请选择要读", "的内容：--fit select、", "--fit map。"],
        ),
    ],
)
def test_sentences_are_broken_between_words_and_never_in_what_people_copy(sentence: str, shown: list[str]) -> None:
    assert folded(sentence, 30).splitlines() == shown

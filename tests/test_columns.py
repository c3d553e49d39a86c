"""Columns of text stay straight with Chinese characters, which are two columns wide."""

from qwen_tui.columns import cut, lines, markdown_table


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

"""CSV and TSV: which files are tables, and how they are told from text with commas."""

import io

import pytest

from qwen_tui.documents.document import Document, Options, as_text
from qwen_tui.documents.reading import read
from qwen_tui.errors import InputError


def read_csv(data: bytes, name: str = "it.csv") -> Document:
    return read(io.BytesIO(data), name, Options())


@pytest.mark.parametrize(
    "data",
    [
        b"name,amount\nA,1\nB,2\n",
        b"name;amount\r\nA;1\r\nB;2\r\n",
        b"name\tamount\nA\t1\nB\t2\n",
        b"name|amount\nA|1\nB|2",
        b"\xef\xbb\xbfname, amount\nA, 1\n\n\nB, 2\n",
        b"sep=~\nname~amount\nA~1\nB~2\n",
        b'"name","amount"\n"A","1"\n"B","2"\n',
        "name\tamount\r\nA\t1\r\nB\t2\r\n".encode("utf-16"),
        b"name,amount,,\nA,1,,\nB,2,,\n,,,\n",
    ],
    ids=["comma", "semicolon", "tab", "pipe", "spaces", "named", "quoted", "UTF-16", "empty columns"],
)
def test_rows_become_a_table_whatever_parts_their_cells(data: bytes) -> None:
    assert as_text(read_csv(data)) == "|name|amount|\n|---|---|\n|A|1|\n|B|2|"


def test_pipes_and_line_breaks_stay_in_their_cells() -> None:
    text = as_text(read_csv(b'name,note\nA,"first\nsecond | third"\nB,"say ""no"""\n'))
    assert text == '|name|note|\n|---|---|\n|A|first<br>second \\| third|\n|B|say "no"|'


def test_a_decimal_comma_parts_no_cells() -> None:
    assert as_text(read_csv(b"1;2,5\n3;4,5\n")) == "|1|2,5|\n|---|---|\n|3|4,5|"
    assert as_text(read_csv(b"a;b\n1,5;2,5\n2,5;3,5\n")) == "|a|b|\n|---|---|\n|1,5|2,5|\n|2,5|3,5|"


def test_what_stands_above_a_table_stays_there_and_a_sum_below_it() -> None:
    export = b"Account 123\n\nDay;Sum;For\n1.1.;1,5;Bread\n2.1.;2,5;Milk\n3.1.;2;Tea\n4.1.;2;Rice\nAll;8\n"
    text = as_text(read_csv(export))
    assert text.startswith("Account 123\n\n|Day|Sum|For|\n|---|---|---|\n|1.1.|1,5|Bread|\n")
    assert text.endswith("\n|All|8||")


def test_chinese_tables_are_read_in_their_encoding() -> None:
    document = read_csv("编号,姓名\n1,王伟\n2,李娜\n".encode("gb18030"))
    assert as_text(document) == "|编号|姓名|\n|---|---|\n|1|王伟|\n|2|李娜|"
    assert document.notes == ("it.csv was read as GB18030.",)


@pytest.mark.parametrize(
    "text",
    [
        "just, a text\nwith commas, here, and\nthere\n",
        "one\ntwo\nthree\n",
        "a,b\n1,2\n3,4,5\n",
        "a,b\n",
        'a,b\n1,"' + "x" * 200_000 + '"\n',
        "",
    ],
    ids=["prose", "one column", "too wide", "one row", "a huge cell", "empty"],
)
def test_what_is_no_table_stays_as_it_stands(text: str) -> None:
    assert as_text(read_csv(text.encode())) == text


def test_the_same_bytes_under_the_name_of_a_text_are_text() -> None:
    assert as_text(read_csv(b"a,b\n1,2\n", "it.txt")) == "a,b\n1,2\n"


def test_a_file_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match=r"it\.csv is not text"):
        read_csv(b"\x89PNG\r\n\x1a\n\0\0\0")

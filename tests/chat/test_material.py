"""Bytes of any origin to text."""

import io

import pytest

from qwen_tui.chat.extract import first_code_block
from qwen_tui.chat.material import MOST_BYTES, decode, read
from qwen_tui.errors import InputError

CHINESE = "会议记录：张三说下周五之前要交报告，李四同意。"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "gb18030", "gbk"])
def test_chinese_in_any_usual_encoding(encoding: str) -> None:
    assert decode(CHINESE.encode(encoding), "it").text == CHINESE


def test_line_ends_become_newlines() -> None:
    assert decode(b"a\r\nb\rc\n", "it").text == "a\nb\nc\n"


def test_a_few_broken_bytes_are_shown_not_hidden() -> None:
    text, note = decode(CHINESE.encode() * 10 + b"\xe4\xbd", "notes.txt")
    assert text == CHINESE * 10 + "\ufffd"
    assert "notes.txt" in note
    assert "1 broken" in note


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(InputError, match=r"photo\.png is not text"):
        decode(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "photo.png")


def test_what_is_too_large_is_refused_without_being_read() -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            Endless.given += size
            return b"x" * size

    with pytest.raises(InputError, match="larger than 8 MB"):
        read(Endless(), "it")  # type: ignore[arg-type]
    assert Endless.given == MOST_BYTES + 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("Here:\n\n```python\nprint(1)\n```\n\nand\n\n```\nother\n```\n", "print(1)\n"),
        ("- item\n\n  ~~~\n  a\n    b\n  ~~~\n", "a\n  b\n"),
        ("````\n```\n````\n", "```\n"),
        ("```\ncut off", "cut off"),
        ("no code, only `inline`", None),
    ],
)
def test_the_first_code_block(answer: str, code: str | None) -> None:
    assert first_code_block(answer) == code

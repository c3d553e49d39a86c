"""Bytes of any origin to text: what is taken out of them, what is said about it, and what is refused."""

import pytest

from qwen_tui.documents.text import decode, encoding_called
from qwen_tui.errors import InputError, UsageError

CHINESE = "会议记录：张三说下周五之前要交报告，李四同意。"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a\r\nb\rc\n", "a\nb\nc\n"),
        (b"a\r\r\nb", "a\nb"),
        (b"10%\r20%\r", "10%\n20%\n"),
        (b"end of a DOS file\r\n\x1a", "end of a DOS file\n"),
    ],
)
def test_line_ends_become_newlines(data: bytes, text: str) -> None:
    assert decode(data, "it") == (text, ())


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x1b[31mred\x1b[0m and \x1b[1;38;5;12mblue\x1b[m", "red and blue"),
        (b"\x1b]0;the title\x07text", "text"),
        (b"\x1b]8;;https://example.org\x1b\\a link\x1b]8;;\x1b\\", "a link"),
        (b"\x1bP1;2|a picture\x1b\\text", "text"),
        (b"\x1b(Btext\x1b7\x1b8\x1b=", "text"),
        (b"\x1b[2K\x1b[1Gprogress", "progress"),
        (b"N\bNA\bAM\bME\bE and _\bu", "NAME and u"),
        (b"10%\b\b\b20%\n\bend", "20%\nend"),
        (b"a" * 300_000 + b"\b" * 300_000, ""),
        ("\x9b31mrot\x9b0m".encode(), "rot"),
        ("\x1b[32m好\x1b[0m".encode("gb18030"), "好"),
        (b"cut off \x1b", "cut off "),
    ],
)
def test_what_steers_a_terminal_is_taken_out(data: bytes, text: str) -> None:
    decoded = decode(data, "the log", encoding_called("gb18030") if b"\xba\xc3" in data else None)
    assert decoded.text == text
    assert decoded.notes == ("Terminal colours and other escape sequences were taken out of the log.",)


def test_a_few_nuls_are_left_out() -> None:
    log = b"10:00 started\n" + b"\0" * 40 + b"10:05 started again\n" * 20
    text, notes = decode(log, "app.log")
    assert text == "10:00 started\n" + "10:05 started again\n" * 20
    assert notes == ("40 NUL bytes were left out of app.log.",)
    assert decode(b"abc\0def", "it").notes == ("1 NUL byte was left out of it.",)


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
        b"\x00\x01\x02binary",
        bytes(range(256)) * 50,
        bytes(range(1, 32)) * 20,
        b"one\0two\0three\0four\0five\0six\0",
        b"notes.txt".ljust(257, b"\0") + b"ustar\0" + b"some text " * 200,
        b"\x1f\x8b\x08" + bytes(range(128, 256)),
    ],
)
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="photo is not text"):
        decode(data, "photo")


@pytest.mark.parametrize(
    ("data", "text", "stray"),
    [
        ("Zürich ist schön. ".encode() * 5 + b"Don\x92t", "Zürich ist schön. " * 5 + "Don’t", 1),
        ("Größe: ".encode() * 5 + b"\x80 5 f\xfcr alle", "Größe: " * 5 + "€ 5 für alle", 2),
        ((CHINESE + "\n").encode() * 3 + b"caf\xe9 \x97 25\xb0", (CHINESE + "\n") * 3 + "café — 25°", 3),
    ],
)
def test_stray_bytes_in_utf_8_are_read_as_windows_1252(data: bytes, text: str, stray: int) -> None:
    decoded = decode(data, "notes.txt")
    assert decoded.text == text
    assert len(decoded.notes) == 1
    assert f"{stray} byte" in decoded.notes[0]
    assert "Windows-1252" in decoded.notes[0]


def test_ascii_with_one_other_byte_is_windows_1252() -> None:
    assert decode(b"It costs 5 \x80 in the caf\xe9", "it").text == "It costs 5 € in the café"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (CHINESE.encode() * 10 + b"\xe4\xbd", CHINESE * 10 + "\ufffd"),
        (b"\x98\x8e" + CHINESE.encode(), "\ufffd" + CHINESE),
        ("Zürich. ".encode() * 10 + "ü".encode()[:1], "Zürich. " * 10 + "\ufffd"),
    ],
)
def test_a_character_that_was_cut_is_shown(data: bytes, text: str) -> None:
    decoded = decode(data, "notes.txt")
    assert decoded.text == text
    assert decoded.notes == ("notes.txt is UTF-8 with 1 broken character, shown as \ufffd.",)


def test_an_encoding_that_the_person_names_is_taken() -> None:
    data = "für".encode("cp850")
    assert decode(data, "it", encoding_called("cp850")) == ("für", ())
    assert decode(CHINESE.encode(), "it", encoding_called("UTF-8")) == (CHINESE, ())
    assert decode(CHINESE.encode("utf-16"), "it", encoding_called("utf-16")) == (CHINESE, ())
    assert decode(b"a\0b", "it", encoding_called("cp850")) == ("ab", ("1 NUL byte was left out of it.",))
    assert decode(b"abc\xff", "it", encoding_called("gbk")).notes == (
        "it does not seem to be GB18030: 1 character is broken, shown as \ufffd.",
    )


@pytest.mark.parametrize("name", ["hex", "rot13", "gbkk", ""])
def test_a_name_of_no_encoding_is_refused_with_some_that_are(name: str) -> None:
    with pytest.raises(UsageError) as refused:
        encoding_called(name)
    assert f"“{name}”" in refused.value.message
    assert "gb18030" in refused.value.remedy
    assert "windows-1252" in refused.value.remedy


def test_what_may_be_another_encoding_says_how_to_say_so() -> None:
    (note,) = decode("ﾃﾞｰﾀ".encode("cp932"), "a.csv", say_otherwise="--encoding {name}").notes
    assert note.startswith("a.csv was read as ")
    assert "; it may be " in note
    assert "--encoding " in note


def test_a_stray_byte_that_no_encoding_knows_is_told_once() -> None:
    text, notes = decode("Küche und Flur, für alle\n".encode() * 3 + b"\x81", "it")
    assert text.endswith("\ufffd")
    assert notes == ("it is UTF-8 with 1 broken character, shown as \ufffd.",)

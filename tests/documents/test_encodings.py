"""Which encoding bytes are in: texts as people have them, in the encodings that are still met."""

import pytest

from qwen_tui.documents import encodings
from qwen_tui.documents.encodings import Encoding, decoded, guess, named, of_locale
from qwen_tui.documents.text import decode
from tests.documents.samples import CERTAIN, GUESSED, Sample


def _called(sample: Sample) -> str:
    return f"{sample.codec} {sample.text[:12]}"


@pytest.mark.parametrize("sample", GUESSED, ids=_called)
def test_the_likeliest_encoding_is_the_right_one(sample: Sample) -> None:
    data = sample.text.encode(sample.codec)
    encoding = guess(data, favoured=()).encoding
    assert decoded(data, encoding) == sample.text
    assert encoding.name == sample.name


@pytest.mark.parametrize("sample", CERTAIN, ids=_called)
def test_what_leaves_no_doubt(sample: Sample) -> None:
    text, notes = decode(sample.text.encode(sample.codec), "notes.txt")
    assert text == sample.text
    assert notes == ((f"notes.txt was read as {sample.name}.",) if sample.name else ())


def test_a_long_line_is_judged_by_what_is_not_ascii() -> None:
    text = '{"numbers": [' + "1, " * 20_000 + '], "name": "张三", "city": "北京"}'
    assert decoded(text.encode("gb18030"), guess(text.encode("gb18030"), favoured=()).encoding) == text


def test_what_reads_alike_is_decided_by_the_locale() -> None:
    data = "谢谢".encode("gb18030")
    assert decoded(data, guess(data, favoured=("GB18030",)).encoding) == "谢谢"


def test_the_locale_does_not_decide_against_the_text() -> None:
    for sample in GUESSED:
        if len(sample.text) > 40:
            data = sample.text.encode(sample.codec)
            for favourite in ("GB18030", "Big5", "Shift-JIS", "EUC-KR", "Windows-1251", "Windows-1250"):
                assert decoded(data, guess(data, favoured=(favourite,)).encoding) == sample.text


def test_another_encoding_that_is_nearly_as_likely_is_named() -> None:
    assert guess("für die Küche".encode("cp1252"), favoured=()).other is None
    assert guess("役".encode("euc_jp"), favoured=()).other is not None


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({"LANG": "zh_CN.UTF-8"}, {"GB18030"}),
        ({"LC_ALL": "zh_TW.UTF-8", "LANG": "en_US.UTF-8"}, {"Big5"}),
        ({"LANG": "ja_JP.UTF-8"}, {"Shift-JIS"}),
        ({"LANG": "pl_PL"}, {"Windows-1250"}),
        ({"LANG": "de_DE.UTF-8"}, {"Windows-1252"}),
    ],
)
def test_the_encodings_of_a_locale(variables: dict[str, str], names: set[str]) -> None:
    assert names <= set(of_locale(variables))


@pytest.mark.parametrize(
    ("said", "codec"),
    [
        ("gbk", "gb18030"),
        ("GB2312", "gb18030"),
        ("utf8", "utf-8-sig"),
        ("Shift_JIS", "cp932"),
        ("sjis", "cp932"),
        ("windows-1252", "cp1252"),
        ("latin1", "iso8859-1"),
        ("mac-roman", "mac_roman"),
        ("utf-16", "utf-16"),
    ],
)
def test_an_encoding_is_found_by_any_of_its_names(said: str, codec: str) -> None:
    encoding = named(said)
    assert encoding is not None
    assert encoding.codec == codec


@pytest.mark.parametrize(
    "said", ["", "hex", "rot13", "base64", "zip", "idna", "punycode", "unicode_escape", "gbkk", "a\0b"]
)
def test_what_is_no_encoding_for_text_is_not_found(said: str) -> None:
    assert named(said) is None


@pytest.mark.parametrize("encoding", encodings.ENCODINGS, ids=lambda encoding: encoding.name)
def test_every_encoding_can_be_named_as_it_is_called(encoding: Encoding) -> None:
    assert named(encoding.name.lower()) == encoding

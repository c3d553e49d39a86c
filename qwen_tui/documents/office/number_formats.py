"""Writes the numbers and dates of a spreadsheet as a person sees them there: 1,200.50, 12%, 2025年3月1日.

A format has up to four sections: for positive numbers, negative numbers, zero and text (ECMA-376, part 1, 18.8.30 and
18.8.31). What is not simple, such as fractions and conditions, is written as the plain number.
"""

import datetime
import functools
import re
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

# The formats that a file names by number only. 14 and 22 follow the system's language, so the date is unambiguous here;
# 27 to 58 are those of Chinese systems.
BUILT_IN = {
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    14: "yyyy-mm-dd",
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM",
    20: "h:mm",
    21: "h:mm:ss",
    22: "yyyy-mm-dd h:mm",
    30: "m-d-yy",
    31: 'yyyy"年"m"月"d"日"',
    32: 'h"时"mm"分"',
    33: 'h"时"mm"分"ss"秒"',
    **dict.fromkeys((37, 38, 41, 42), "#,##0;(#,##0)"),
    **dict.fromkeys((39, 40, 43, 44), "#,##0.00;(#,##0.00)"),
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss.0",
    48: "0.0E+0",
    **dict.fromkeys((27, 36, 50, 52, 57), 'yyyy"年"m"月"'),
    **dict.fromkeys((28, 29, 51, 53, 54, 58), 'm"月"d"日"'),
}
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|(?P<space>_.)|(?P<fill>\*.)|\[\$(?P<symbol>[^\]-]*)[^\]]*\]'
    r"|\[(?P<elapsed>h+|m+|s+)\]|\[(?P<bracket>[^\]]*)\]|(?P<half>AM/PM|A/P|上午/下午)|(?P<general>General)"
    r"|(?P<date>y+|m+|d+|h+|s+(?:\.0+)?|aaaa?)|(?P<exponent>E[+-]0+)|(?P<digits>[0#?][0#?,]*(?:\.[0#?]*,*)?|\.[0#?]+)"
    r"|(?P<percent>%)|(?P<text>@)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_SECTIONS = re.compile(r'(?:"[^"]*"|\\.|\[[^\]]*\]|[^;"\\\[])*(?:;|$)', re.DOTALL)
_CHINESE = re.compile(r"(?i)\[\$[^\]]*-(?:804|1004|404|c04|1404|7804)\]|a{3}|上午")
_NOT_SIMPLE = re.compile(r"(?i)\[(?:[<>=]|dbnum)|\?\s*/\s*[?\d]|\[\$-f800\]")
_MONTHS = ["January", "February", "March", "April", "May", "June", "July"]
_MONTHS += ["August", "September", "October", "November", "December"]
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_CHINESE_DAYS = "一二三四五六日"
# A spreadsheet shows integers of up to 15 digits exactly; of other numbers, 11 digits.
_EXACT, _DIGITS = 10**15, 11
# A larger number is not written in full in any format.
_LARGEST = 1e20
_LAST_DAY = 2_958_466
_DAY = 86_400


class _Token(NamedTuple):
    kind: str
    text: str


class _Section(NamedTuple):
    tokens: tuple[_Token, ...]
    is_date: bool
    is_chinese: bool
    is_simple: bool


def shown(value: float, code: str, *, from_1904: bool = False) -> str:
    """Return a number as a cell with the format `code` shows it; dates count days from 1900, or `from_1904`."""
    if code == "General":
        return general(value)
    sections = _sections(code)
    own = 1 if value < 0 and len(sections) > 1 else 2 if value == 0 and len(sections) > 2 else 0
    section = sections[own]
    if not section.is_simple or abs(value) > _LARGEST:
        return general(value)
    if section.is_date:
        in_range = 0 <= value < _LAST_DAY
        return _date(value, section, from_1904=from_1904) if in_range else general(value)
    written = _number(abs(value), section.tokens)
    if written is None:
        return general(value)
    return f"-{written}" if value < 0 and own == 0 and re.search("[1-9]", written) else written


def general(value: float) -> str:
    """Return a number as a cell without a format shows it."""
    if value == int(value) and abs(value) < _EXACT:
        return str(int(value))
    written = f"{value:.{_DIGITS}g}"
    mantissa, _, exponent = written.partition("e")
    if not exponent:
        return written
    if -_DIGITS < int(exponent) < 0:
        return f"{Decimal(written):f}"
    return f"{mantissa}E{exponent}"


@functools.lru_cache(maxsize=256)
def _sections(code: str) -> tuple[_Section, ...]:
    return tuple(_section(part.removesuffix(";")) for part in _SECTIONS.findall(code) if part) or (_section(""),)


def _section(text: str) -> _Section:
    tokens = tuple(_Token(found.lastgroup or "", found[found.lastgroup or 0]) for found in _TOKEN.finditer(text))
    is_date = any(token.kind in ("date", "elapsed", "half") for token in tokens)
    return _Section(tokens, is_date, bool(_CHINESE.search(text)), not _NOT_SIMPLE.search(text))


def _number(value: float, tokens: Sequence[_Token]) -> str | None:
    """Return a number in the digits of a section; None if they are not simple."""
    patterns = [token.text for token in tokens if token.kind == "digits"]
    if any(token.kind == "general" for token in tokens):
        inner = general(value)
        return "".join(inner if token.kind == "general" else _literal(token) for token in tokens).strip()
    if not patterns:
        # A section of words alone says what stands for the number: ;;"none".
        literal = "".join(map(_literal, tokens)).strip()
        return literal if literal or not tokens else None
    number = Decimal(repr(value)).scaleb(2 * sum(token.kind == "percent" for token in tokens))
    exponent = next((token.text for token in tokens if token.kind == "exponent"), "")
    if exponent:
        places = len(patterns[0].partition(".")[2])
        mantissa, _, power = f"{number:.{places}E}".partition("E")
        sign = "-" if power.startswith("-") else "+" if "+" in exponent else ""
        texts = [f"{mantissa}E{sign}{power.lstrip('+-').zfill(exponent.count('0'))}"]
    elif len(patterns) == 1:
        texts = [_digits(number, patterns[0])]
    elif any("," in one or "." in one for one in patterns):
        return None
    else:
        # A number in groups, such as 021-555 0123: the digits fill them from the right.
        whole = str(int(number.to_integral_value(ROUND_HALF_UP))).zfill(sum(map(len, patterns)))
        ends = [len(whole) - sum(map(len, patterns[place + 1 :])) for place in range(len(patterns))]
        texts = [whole[begin:end] for begin, end in zip([0, *ends[:-1]], ends, strict=True)]
    rest = iter(texts)
    return "".join(next(rest, "") if token.kind == "digits" else _literal(token) for token in tokens).strip()


def _literal(token: _Token) -> str:
    return token.text if token.kind in ("quoted", "escaped", "symbol", "other", "percent") else ""


def _digits(number: Decimal, pattern: str) -> str:
    """Return a number in a pattern such as `#,##0.00`; each comma at its end divides by a thousand."""
    scaled = pattern.rstrip(",")
    whole, _, places = scaled.partition(".")
    number = number.scaleb(-3 * (len(pattern) - len(scaled)))
    rounded = number.quantize(Decimal(1).scaleb(-len(places)), ROUND_HALF_UP)
    digits, _, decimals = f"{rounded:f}".partition(".")
    kept = len(places.rstrip("#?"))
    decimals = decimals[:kept] + decimals[kept:].rstrip("0")
    digits = digits.lstrip("0").zfill(whole.count("0"))
    if "," in whole and digits:
        digits = f"{int(digits):,}".zfill(len(digits))
    return f"{digits}.{decimals}" if decimals else digits


def _date(value: float, section: _Section, *, from_1904: bool) -> str:
    tokens, is_chinese = section.tokens, section.is_chinese
    smallest = max((len(token.text.partition(".")[2]) for token in tokens if token.kind == "date"), default=0)
    ticks = round(value * _DAY * 10**smallest)
    seconds, fraction = divmod(ticks, 10**smallest)
    days, in_day = divmod(seconds, _DAY)
    # Day 60 from 1900 is 29 February 1900, which there never was: before it the count begins a day later.
    begin = datetime.date(1904, 1, 1) if from_1904 else datetime.date(1899, 12, 30 if days >= 60 else 31)
    day = begin + datetime.timedelta(days=days)
    hour, minute, second = in_day // 3600, in_day // 60 % 60, in_day % 60
    has_half = any(token.kind == "half" for token in tokens)
    written = ""
    for place, token in enumerate(tokens):
        text = token.text.lower()
        if token.kind == "elapsed":
            total = {"h": seconds // 3600, "m": seconds // 60, "s": seconds}[text[0]]
            written += str(total).zfill(len(text))
        elif token.kind == "half":
            written += ("上午" if hour < 12 else "下午") if is_chinese else "AM" if hour < 12 else "PM"
        elif token.kind != "date":
            written += token.text if token.kind == "digits" else _literal(token)
        elif text[0] == "h":
            written += _padded((hour - 1) % 12 + 1 if has_half else hour, text)
        elif text[0] == "s":
            places = text.partition(".")[2]
            written += _padded(second, text.partition(".")[0]) + (f".{fraction:0{len(places)}}" if places else "")
        elif text[0] == "m" and _is_minute(tokens, place):
            written += _padded(minute, text)
        else:
            written += _DATE_PARTS[text[0]](day, len(text), is_chinese)
    return written.strip()


def _is_minute(tokens: Sequence[_Token], place: int) -> bool:
    """Whether an m stands for minutes: it follows hours, or seconds follow it."""
    times = [(at, token) for at, token in enumerate(tokens) if token.kind in ("date", "elapsed")]
    at = next(number for number, (where, _token) in enumerate(times) if where == place)
    before = times[at - 1][1].text[0].lower() if at else ""
    after = times[at + 1][1].text[0].lower() if at + 1 < len(times) else ""
    return before == "h" or after == "s"


def _padded(number: int, text: str) -> str:
    return str(number).zfill(min(len(text), 2))


def _month(day: datetime.date, length: int, is_chinese: bool) -> str:
    if length <= 2:
        return str(day.month).zfill(length)
    name = f"{day.month}月" if is_chinese else _MONTHS[day.month - 1]
    return name if length == 4 or is_chinese else name[:1] if length > 4 else name[:3]


def _day(day: datetime.date, length: int, is_chinese: bool) -> str:
    if length <= 2:
        return str(day.day).zfill(length)
    if is_chinese:
        return ("星期" if length > 3 else "周") + _CHINESE_DAYS[day.weekday()]
    return _DAYS[day.weekday()] if length > 3 else _DAYS[day.weekday()][:3]


_DATE_PARTS: dict[str, Callable[[datetime.date, int, bool], str]] = {
    "y": lambda day, length, _is_chinese: str(day.year) if length > 2 else f"{day.year % 100:02}",
    "m": _month,
    "d": _day,
    "a": lambda day, length, _is_chinese: _day(day, length, True),
}

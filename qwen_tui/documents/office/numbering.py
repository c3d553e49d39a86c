"""Counts the numbers of Word's lists and headings: the file does not hold them, only how they are counted."""

from typing import NamedTuple

from qwen_tui.documents.office.markup import Element, child, name_of, value

_CIRCLED = ord("①")
_DIGITS = "〇一二三四五六七八九"
_FORMAL_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_CYCLES = {
    "ideographTraditional": "甲乙丙丁戊己庚辛壬癸",
    "ideographZodiac": "子丑寅卯辰巳午未申酉戌亥",
    "aiueo": "アイウエオカキクケコサシスセソタチツテト",
    "iroha": "イロハニホヘトチリヌルヲワカヨタレソ",
    "ganada": "가나다라마바사아자차카타파하",
}
_CHINESE = {"chineseCounting", "chineseCountingThousand", "taiwaneseCounting", "taiwaneseCountingThousand"}
_CHINESE |= {"japaneseCounting", "koreanCounting"}
_DIGIT_BY_DIGIT = ("ideographDigital", "taiwaneseDigital", "japaneseDigitalTenThousand", "koreanDigital2")
_BULLETS = ("bullet", "none")


class Level(NamedTuple):
    """How one level of a list is counted, and what its label looks like: `%1.%2` for 3.1.

    A paragraph with the `style` is on this level.
    """

    format: str
    text: str
    start: int
    is_legal: bool
    style: str


class Label(NamedTuple):
    """What stands before an item: its text, empty for a bullet, and how deep the item is, from 0."""

    text: str
    depth: int


class Numbering:
    """The lists of a document. `label` is asked once for each item, in order."""

    def __init__(self, part: Element | None) -> None:
        self._levels: dict[str, dict[int, Level]] = {}
        self._abstract: dict[str, str] = {}
        self._restarts: dict[str, dict[int, int]] = {}
        self._counts: dict[str, dict[int, int]] = {}
        self._seen: set[str] = set()
        if part is not None:
            self._learn(part)

    def _learn(self, part: Element) -> None:
        links: dict[str, str] = {}
        linked: dict[str, str] = {}
        for element in part:
            identifier = value(element, "w:abstractNumId") or ""
            if name_of(element) == "w:abstractNum":
                self._levels[identifier] = {
                    _number(level, "w:ilvl"): _level(level) for level in element if name_of(level) == "w:lvl"
                }
                if style := value(child(element, "w:styleLink")):
                    linked[style] = identifier
                if style := value(child(element, "w:numStyleLink")):
                    links[identifier] = style
            elif name_of(element) == "w:num":
                number = value(element, "w:numId") or ""
                self._abstract[number] = value(child(element, "w:abstractNumId")) or ""
                self._override(number, element)
        for identifier, style in links.items():
            self._levels[identifier] = self._levels.get(linked.get(style, ""), {})

    def _override(self, number: str, element: Element) -> None:
        """Note what one list does otherwise than those it shares its levels with."""
        for override in element:
            if name_of(override) != "w:lvlOverride":
                continue
            depth = _number(override, "w:ilvl")
            start = value(child(override, "w:startOverride"))
            if start and start.isdecimal():
                self._restarts.setdefault(number, {})[depth] = int(start)
            if (level := child(override, "w:lvl")) is not None:
                own = f"{self._abstract[number]}/{number}"
                self._levels.setdefault(own, dict(self._levels.get(self._abstract[number], {})))[depth] = _level(level)
                self._abstract[number] = own

    def depth_of(self, number: str, style: str) -> int:
        """Return on which level of a list the paragraphs of a style are."""
        levels = self._levels.get(self._abstract.get(number, ""), {})
        return next((depth for depth, level in levels.items() if level.style == style), 0)

    def label(self, number: str, depth: int) -> Label | None:
        """Count an item of the list `number` and return its label; None if there is no such list."""
        abstract = self._abstract.get(number, "")
        levels = self._levels.get(abstract, {})
        level = levels.get(depth)
        if level is None:
            return None
        counts = self._counts.setdefault(abstract, {})
        if number not in self._seen:
            self._seen.add(number)
            for restarted, start in self._restarts.get(number, {}).items():
                counts[restarted] = start - 1
        counts[depth] = counts.get(depth, level.start - 1) + 1
        for deeper in [one for one in counts if one > depth]:
            del counts[deeper]
        if level.format in _BULLETS:
            return Label("" if level.format == "bullet" else level.text, depth)
        text = level.text
        for place in range(depth + 1):
            of = levels.get(place, level)
            count = counts.get(place, of.start)
            written = str(count) if level.is_legal else counted(count, of.format)
            text = text.replace(f"%{place + 1}", written)
        return Label(text.strip(), depth)


def counted(number: int, kind: str) -> str:
    """Return a number as a list of that kind has it: 4 as d, IV, ④ or 四."""
    if kind in ("lowerLetter", "upperLetter") and number > 0:
        letter = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 % 50 + 1)
        return letter.upper() if kind == "upperLetter" else letter
    if kind in ("lowerRoman", "upperRoman"):
        return roman(number).lower() if kind == "lowerRoman" else roman(number)
    if kind == "decimalZero":
        return f"{number:02}"
    if kind in ("decimalEnclosedCircle", "decimalEnclosedCircleChinese") and 0 < number <= 20:
        return chr(_CIRCLED + number - 1)
    if kind in _CHINESE:
        return chinese(number, _DIGITS, "十百千万")
    if kind in _DIGIT_BY_DIGIT and number >= 0:
        return "".join(_DIGITS[int(digit)] for digit in str(number))
    if kind in ("chineseLegalSimplified", "ideographLegalTraditional", "japaneseLegal"):
        return chinese(number, _FORMAL_DIGITS, "拾佰仟万")
    if (cycle := _CYCLES.get(kind)) and number > 0:
        return cycle[(number - 1) % len(cycle)]
    return str(number)


def roman(number: int) -> str:
    """Return a Roman numeral; a number that has none stays as it is."""
    if not 0 < number < 4000:
        return str(number)
    written = ""
    for worth, sign in zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"),
        strict=True,
    ):
        written += sign * (number // worth)
        number %= worth
    return written


def chinese(number: int, digits: str, units: str) -> str:
    """Return a number below 10,000 in Chinese, as in 第二十一条; a larger one stays as it is."""
    if not 0 <= number < 10_000:
        return str(number)
    if number == 0:
        return digits[0]
    written = ""
    zero = False
    for place, digit in zip(range(len(str(number)) - 1, -1, -1), str(number), strict=True):
        if digit == "0":
            zero = True
            continue
        written += ("零" if zero and written else "") + digits[int(digit)] + (units[place - 1] if place else "")
        zero = False
    # Twelve is 十二, not 一十二.
    return written[1:] if digits == _DIGITS and 10 <= number < 20 else written


def _number(element: Element, attribute: str) -> int:
    text = value(element, attribute) or ""
    return int(text) if text.isdecimal() else 0


def _level(element: Element) -> Level:
    start = value(child(element, "w:start")) or "1"
    return Level(
        value(child(element, "w:numFmt")) or "decimal",
        value(child(element, "w:lvlText")) or "",
        int(start) if start.isdecimal() else 1,
        child(element, "w:isLgl") is not None,
        value(child(element, "w:pStyle")) or "",
    )

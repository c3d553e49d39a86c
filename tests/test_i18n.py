"""The language of the program: how it is chosen, and that the catalogue agrees with the source."""

import errno
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qwen_tui import i18n
from qwen_tui.errors import why

CATALOGUE = i18n.LOCALE_FOLDER / "zh" / "LC_MESSAGES" / "qwen_tui.po"
SCRIPT = Path(__file__).parent.parent / "scripts" / "translations.py"

SOURCE = """\
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import ngettext

GREETING = _("Good morning, {name}.").format(name="Ann")
COUNT = ngettext("One file.", "{n} files.", 2).format(n=2)
"""
TRANSLATED = """\
msgid "Good morning, {name}."
msgstr "{name}，早上好。"

msgid "One file."
msgid_plural "{n} files."
msgstr[0] "{n} 个文件。"
"""

NOT_COMPILED = "catalogue.mo does not hold what catalogue.po says: python scripts/translations.py update"

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def english() -> Iterator[None]:
    yield
    i18n.use_language("en")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A program with two sentences."""
    file = tmp_path / "program" / "main.py"
    file.parent.mkdir()
    file.write_text(SOURCE, encoding="utf-8")
    return file


@pytest.fixture
def catalogue(tmp_path: Path, source: Path, script: Script) -> Path:
    """The catalogue of that program, complete and compiled."""
    file = tmp_path / "catalogue.po"
    file.write_text(TRANSLATED, encoding="utf-8")
    assert script("update").returncode == 0
    return file


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """The script as a command, for that program and catalogue."""

    def run(action: str) -> "subprocess.CompletedProcess[str]":
        places = ["--source", str(tmp_path / "program"), "--catalogue", str(tmp_path / "catalogue.po")]
        return call([action, *places])

    return run


def call(arguments: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-X", "utf8", str(SCRIPT), *arguments], capture_output=True, encoding="utf-8", timeout=60
    )


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_the_catalogue_of_the_program_is_complete() -> None:
    done = call(["--check"])
    assert (done.returncode, done.stderr) == (0, "")


def test_a_complete_catalogue_passes_and_updating_it_changes_nothing(catalogue: Path, script: Script) -> None:
    files = (catalogue, catalogue.with_suffix(".mo"))
    before = [file.read_bytes() for file in files]
    assert script("--check").returncode == 0
    assert script("update").stdout == ""
    assert [file.read_bytes() for file in files] == before


def test_a_sentence_may_move_without_making_the_catalogue_stale(source: Path, catalogue: Path, script: Script) -> None:
    source.with_name("other.py").write_text("\n\n" + SOURCE, encoding="utf-8")
    source.unlink()
    assert script("--check").returncode == 0


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("GREETING", 'BYE = _("Goodbye.")\nGREETING', "missing: Goodbye."),
        ('GREETING = _("Good morning, {name}.").format(name="Ann")\n', "", "obsolete: Good morning, {name}."),
        ("Good morning, {name}", "Good evening, {name}", "missing: Good evening, {name}."),
        (
            "GREETING",
            "BYE = f\"{_('Goodbye.')}\"\nGREETING",
            "within an f-string, where Babel does not look: Goodbye.",
        ),
    ],
    ids=["new", "removed", "reworded", "hidden"],
)
def test_a_changed_source_makes_it_stale(
    source: Path, catalogue: Path, script: Script, old: str, new: str, complaint: str
) -> None:
    replace(source, old, new)
    before = catalogue.read_bytes()
    done = script("--check")
    assert done.returncode == 1
    assert complaint in done.stderr.splitlines()
    assert catalogue.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"{name}，早上好。"', '""', "untranslated: Good morning, {name}."),
        ('"{n} 个文件。"', '""', "untranslated: {n} files."),
        ("#, python-brace-format", "#, fuzzy, python-brace-format", "fuzzy: Good morning, {name}."),
        ("{name}，早上好。", "早上好。", "different fields ({name}): Good morning, {name}."),
        ("{name}，早上好。", "{nam}，早上好。", "different fields ({name}, {nam}): Good morning, {name}."),
        ("{n} 个文件。", "{n:,} 个文件。", "different fields ({n:,}, {n}): {n} files."),
        ("早上好", "上午好", NOT_COMPILED),
    ],
    ids=["untranslated", "untranslated plural", "fuzzy", "no field", "misspelt field", "other field", "not compiled"],
)
def test_a_faulty_translation_is_named(catalogue: Path, script: Script, old: str, new: str, complaint: str) -> None:
    replace(catalogue, old, new)
    done = script("--check")
    assert done.returncode == 1
    assert complaint in done.stderr.splitlines()


def test_an_entry_kept_as_obsolete_is_named(catalogue: Path, script: Script) -> None:
    with catalogue.open("a", encoding="utf-8") as file:
        file.write('\n#~ msgid "Good night."\n#~ msgstr "晚安。"\n')
    done = script("--check")
    assert (done.returncode, done.stderr) == (1, "obsolete: Good night.\n")


def test_without_a_catalogue_the_check_says_so(source: Path, script: Script) -> None:
    done = script("--check")
    assert done.returncode == 1
    assert done.stderr.startswith("catalogue.po cannot be read: ")
    assert not source.parent.with_name("catalogue.po").exists()


def test_updating_keeps_the_translation_of_a_reworded_sentence_for_review(
    source: Path, catalogue: Path, script: Script
) -> None:
    replace(source, "Good morning, {name}", "Good evening, {name}")
    assert script("update").stdout == "to translate: Good evening, {name}.\n"
    assert "fuzzy" in catalogue.read_text(encoding="utf-8")
    assert "{name}，早上好。" in catalogue.read_text(encoding="utf-8")
    assert script("--check").stderr == "fuzzy: Good evening, {name}.\n"


def test_chinese_is_used_when_it_is_chosen(english: None) -> None:
    sentence = "There is no question."
    assert i18n.gettext(sentence) == sentence
    i18n.use_language("zh")
    assert i18n.gettext(sentence) == "没有问题。"
    i18n.use_language("en")
    assert i18n.gettext(sentence) == sentence


def test_a_plural_has_one_form_in_chinese_and_two_in_english(english: None) -> None:
    forms = (
        "The context is full: the oldest turn is no longer part of the prompt.",
        "The context is full: the oldest {n} turns are no longer part of the prompt.",
    )
    assert [i18n.ngettext(*forms, n) for n in (1, 2)] == list(forms)
    i18n.use_language("zh")
    assert {i18n.ngettext(*forms, n).format(n=3) for n in (1, 2)} == {"上下文已满：最早的 3 轮对话不再包含在提示词中。"}


def test_lists_and_the_systems_reasons_are_in_the_language_in_use(english: None) -> None:
    missing = FileNotFoundError(errno.ENOENT, "No such file or directory")
    rare = OSError(12345, "Gone fishing")
    misspelt = ValueError("Expected '=' (at line 3, column 5)")
    told = [(i18n.listed(["md", "html"]), why(missing), why(rare))]
    assert why(misspelt) == str(misspelt)
    i18n.use_language("zh")
    told.append((i18n.listed(["md", "html"]), why(missing), why(rare)))
    assert why(misspelt) == "第 3 行第 5 列"
    assert told == [
        ("md, html", "No such file or directory", "Gone fishing"),
        ("md、html", "没有这个文件或文件夹", "系统错误 12345"),
    ]


def test_a_sentence_without_translation_stays_english(english: None) -> None:
    i18n.use_language("zh")
    assert i18n.gettext("No catalogue has this.") == "No catalogue has this."


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_TW.UTF-8"}, "zh"),
        ({"LANG": "ZH"}, "zh"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LC_ALL": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "zh"),
        ({"LC_ALL": "C", "LC_MESSAGES": "zh_CN.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_MESSAGES": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "zh"),
        ({"LC_ALL": "", "LANG": "zh_CN.UTF-8"}, "zh"),
    ],
)
def test_the_language_comes_from_the_locale(environ: dict[str, str], language: str) -> None:
    assert i18n.language_from_locale(environ) == language


@pytest.mark.parametrize(
    ("name", "language"),
    [("Chinese (Simplified)_China", "zh"), ("zh_CN", "zh"), ("English_United States", "en"), (None, "en")],
)
def test_without_variables_the_system_is_asked(
    monkeypatch: pytest.MonkeyPatch, name: str | None, language: str
) -> None:
    monkeypatch.setattr("locale.getlocale", lambda: (name, None))
    assert i18n.language_from_locale({}) == language


def test_a_locale_that_python_does_not_know_is_english(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> tuple[str, str]:
        raise ValueError("unknown locale: UTF-8")

    monkeypatch.setattr("locale.getlocale", fail)
    assert i18n.language_from_locale({}) == "en"


def test_sentences_in_a_row_are_separated_as_in_their_language() -> None:
    assert i18n.in_a_row("It was cut.", "", "Ask again.") == "It was cut. Ask again."
    assert i18n.in_a_row("回答已截断。", "请重新提问。") == "回答已截断。请重新提问。"
    # After a sentence that ends with a command, there is a blank.
    assert i18n.in_a_row("请执行：qwen pull", "或换一个来源。") == "请执行：qwen pull 或换一个来源。"


def test_chinese_sentences_have_chinese_punctuation_and_say_ni() -> None:
    from babel.messages.pofile import read_po

    with CATALOGUE.open("rb") as file:
        messages = [message for message in read_po(file) if message.id]
    written = [text for one in messages for text in ([one.string] if isinstance(one.string, str) else one.string or ())]
    assert len(written) > 900
    beside_chinese = re.compile(r'[\u4e00-\u9fff][,;:!?()"]|[,;:!?()"][\u4e00-\u9fff]|您')
    assert [text for text in written if beside_chinese.search(text)] == []


def test_names_and_lists_take_the_punctuation_of_the_language(english: None) -> None:
    assert (i18n.labelled("memory", "16 GB"), i18n.listed(["a", "b"])) == ("memory: 16 GB", "a, b")
    i18n.use_language("zh")
    assert (i18n.labelled("内存", "16 GB"), i18n.listed(["a", "b"])) == ("内存：16 GB", "a、b")
    assert i18n.noted("缓存", "已关闭") == "缓存（已关闭）"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How many ships?", "en"),
        ("一共有多少艘船？", "zh"),
        ("把 report.pdf 里的要点翻译成 English", "zh"),
        ("What does 船 mean in this report?", "en"),
        ("この報告書を要約してください", "en"),
        ("Wie viele Schiffe?", "en"),
        ("", "en"),
    ],
)
def test_the_model_is_spoken_to_in_the_language_of_the_question(text: str, language: str) -> None:
    assert i18n.language_of(text) == language


def test_another_language_holds_for_a_block_alone() -> None:
    with i18n.speaking("zh"):
        assert i18n.language() == "zh"
    assert i18n.language() == "en"

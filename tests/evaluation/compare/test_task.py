"""Tasks as files: the built-in ones, those of the user's own, and what is said of a mistake in one."""

from pathlib import Path

import pytest

from qwen_tui.errors import TaskError
from qwen_tui.evaluation.compare.checks import catalogue
from qwen_tui.evaluation.compare.sample import Finding
from qwen_tui.evaluation.compare.task import BUILT_IN, DEFAULT, read, select, tasks
from qwen_tui.i18n import LANGUAGES, use_language

OWN = """\
---
description: A mail
language: en
checks:
  - planted_facts:
      facts: [[12 May, May 12]]
  - length_in_range: {least: 5, most: 50}
---
Write a mail that invites Ms Chen for 12 May.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks"
    folder.mkdir()
    return folder


def test_the_seven_tasks_are_there_in_both_languages_with_the_same_checks() -> None:
    both = {language: tasks(language) for language in LANGUAGES}
    names = ["ages", "calculator", "commentary", "http", "json", "proofread", "summary"]
    assert [sorted(found) for found in both.values()] == [names, names]
    for name in names:
        assert [check.name for check in both["zh"][name].checks] == [check.name for check in both["en"][name].checks]


def test_every_check_is_used_by_a_built_in_task() -> None:
    used = {check.name for task in tasks("zh").values() for check in task.checks}
    # The effect of templates is measured by two checks, one of which no task has.
    assert used | {"first_sentence"} == set(catalogue.CHECKS)


def test_without_names_it_is_the_four_tasks_of_the_published_test() -> None:
    assert [task.name for task in select([], "zh")] == list(DEFAULT) == ["calculator", "commentary", "ages", "http"]


def test_ten_mistakes_are_planted_in_each_text_to_proofread() -> None:
    for language in LANGUAGES:
        mistakes = tasks(language)["proofread"].checks[0].parameters["mistakes"]
        assert len(mistakes) == 10


def test_a_task_of_ones_own_is_read_and_judges_answers(folder: Path) -> None:
    (folder / "mail.md").write_text(OWN)
    (task,) = select(["mail"], "en", folder)
    assert (task.name, task.language, task.prompt) == ("mail", "en", "Write a mail that invites Ms Chen for 12 May.")
    assert task.judge("Dear Ms Chen, please come on May 12.") == {
        "planted_facts": Finding(1.0, "Every fact is there (1)."),
        "length_in_range": Finding(1.0, "Length: 8 words; asked for: 5 to 50."),
    }
    findings = task.judge("Dear Ms Chen, please come soon.")
    assert findings["planted_facts"].sentence == "0 of 1 facts are there; missing: 12 May."


def test_ones_own_task_wins_over_the_built_in_one(folder: Path) -> None:
    (folder / "http.en.md").write_text(OWN)
    assert tasks("en", folder)["http"].description == "A mail"
    assert tasks("zh", folder)["http"].description != "A mail"


def test_findings_are_in_the_language_in_use() -> None:
    task = tasks("en")["ages"]
    use_language("zh")
    assert task.judge("A = 24, B = 21, C = 26")["honest_solution"].sentence == (
        "给出的解是 A = 24、B = 21、C = 26，不满足：A + B + C = 72。"
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("language: en", "language: fr", "has to be one of"),
        ("language: en\n", "", "has to be one of"),
        ("length_in_range", "length", "no check “length”"),
        ("least: 5,", "", "needs: least"),
        ("least: 5", "lest: 5", "has no “lest”"),
        ("least: 5", "least: five", "wrong kind"),
        ("[[12 May, May 12]]", "12 May", "wrong kind"),
        ("  - planted_facts:\n      facts: [[12 May, May 12]]", "  - 5", "has to be a name"),
        ("checks:", "tests:", "“tests” is not known here"),
        ("  - planted_facts:", "  - length_in_range: {least: 1, most: 2}\n  - planted_facts:", "comes twice"),
        ("language: en", "language: en\nanswer_tokens: many", "whole number"),
        ("description: A mail", "description: [", "line"),
        ("Write a mail that invites Ms Chen for 12 May.", "", "no text after the front matter"),
        (
            "  - planted_facts:\n      facts: [[12 May, May 12]]",
            "  - arithmetic\n  - honest_solution: {equations: [A]}",
            "linear",
        ),
        ("planted_facts:\n      facts: [[12 May", "mistakes_corrected:\n      mistakes: [[teh", "no mistake “teh”"),
    ],
)
def test_a_mistake_in_a_task_is_named_with_its_file(folder: Path, old: str, new: str, says: str) -> None:
    path = folder / "mail.md"
    path.write_text(OWN.replace(old, new))
    with pytest.raises(TaskError) as raised:
        read(path)
    assert str(path) in raised.value.message
    assert says in raised.value.message
    assert str(BUILT_IN) in raised.value.remedy


def test_an_unknown_task_is_named_with_those_there_are() -> None:
    with pytest.raises(TaskError) as raised:
        select(["poem"], "en")
    assert "“poem”" in raised.value.message
    assert "summary" in raised.value.remedy


def test_an_empty_answer_is_judged_by_every_check_of_every_task() -> None:
    for language in LANGUAGES:
        for task in tasks(language).values():
            for name, finding in task.judge("").items():
                assert finding.value is None or 0 <= finding.value <= 1, (task.name, name)
                assert finding.sentence


@pytest.mark.parametrize(
    "answer", ["((((" * 300, "= = = 1/0 = 2", "```" * 99, "\0\ud800", "1" * 5000 + " = 2", "[{" * 1000, "A = " * 900]
)
def test_hostile_answers_break_no_check(answer: str) -> None:
    for language in LANGUAGES:
        for task in tasks(language).values():
            for finding in task.judge(answer).values():
                assert finding.value is None or 0 <= finding.value <= 1

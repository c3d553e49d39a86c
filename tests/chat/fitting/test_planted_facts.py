"""Ten facts on ten pages of a PDF of twenty: `select` gives the passage with the answer to each question."""

import pytest

from qwen_tui.chat.material import Reading, from_file
from qwen_tui.messages import Material
from scripts.documents.town_report import CHINESE, ENGLISH, PLANTED, Report
from tests.chat.fitting.test_select import Asking


def read(report: Report) -> Material:
    name = "report-en.pdf" if report is ENGLISH else "report-zh.pdf"
    material = from_file(PLANTED / name, Reading(print), name)
    assert [material.text.count(f"[p. {page}]\n") for page in range(1, 21)] == [1] * 20
    return material


@pytest.mark.parametrize("report", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_each_fact_is_in_the_passages_and_little_else(report: Report) -> None:
    material = read(report)
    for fact in report.facts:
        for question in fact.questions:
            asking = Asking(ctx_size=8192)
            prompt = asking.ask(question, material)
            assert fact.answer in prompt, question
            assert f"[p. {fact.page}]" in prompt
            assert len(prompt) < len(material.text) / 2


@pytest.mark.parametrize("report", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_long_questions_one_after_the_other_find_their_facts_too(report: Report) -> None:
    asking, material = Asking(ctx_size=8192), [read(report)]
    for fact in report.facts:
        asking.ask(fact.questions[1], *material)
        # A passage that an earlier question brought is not given again.
        assert any(fact.answer in message.content for message in asking.engine.requests[-1].messages), fact.questions[1]
        material = []

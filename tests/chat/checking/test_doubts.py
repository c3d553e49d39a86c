"""Answers with right and wrong citations and quotations, and what of them is marked."""

import pytest

from qwen_tui.chat.checking.checking import Checking
from qwen_tui.chat.checking.doubts import Doubts
from qwen_tui.messages import Given, Material, Question

REPORT = Material(
    "reports/harbour.pdf",
    "[p. 6]\nThe harbour opened in 1874 and was widened twice. Its keeper was named Odile Marchand.\n\n"
    "[p. 7]\nIn 2019 the well-\nknown ferry was can-\ncelled on nine days, and revenue fell by 3.5% to €1,200,000. "
    "Nobody could explain the drop¹ at first.\n\n"
    "[p. 8]\nThe library lent 40,000 books [12] that year; see (p. 112) of the old catalogue. "
    'She said: "We will never close the reading room." The figures are given below.\n\n'
    "[p. 9]\nDie Schule blieb im Winter geschlossen, und der Markt war klein.",
)
CHINESE = Material(
    "报告.pdf",
    "[p. 1]\n灯塔的看守人叫马晓兰，她在岛上住了三十年。\n\n[p. 2]\n二〇一九年渡轮停航九天，\n"
    "收入下降百分之三点五。\n\n[p. 3]\n图书馆全年借出四万册书。",
)
SLIDES = Material("talk.pptx", "[slide 3]\nGrowth came from the islands.\n\n[slide 4]\nThank you.")
BOOK = Material("book.xlsx", "[sheet Costs 2024]\n| a |\n\n[sheet Staff]\n| b |")
PLAIN = Material("notes.txt", "The meeting was moved to Thursday because of the storm.")

RIGHT_CITATIONS = [
    "It opened in 1874 [p. 6].",
    "It opened in 1874 [p.6], and fell later (p. 7).",
    "Three pages say so [p. 6, 8], [pp. 6-8], [pp. 6–9], (pages 6 and 7), [p. 6; p. 9].",
    "As said [P. 6] and [page 7] and [Pages 7, 8 & 9] and [p 6] and [p6].",
    "With the name: [harbour.pdf, p. 6], (harbour, p. 7), [reports/harbour.pdf p. 8].",
    "全角：［ｐ．７］、［第７页］、（第 7 页）、【第7页】、[第7-9页]、（第7、8页）、[页码 7]、【p. 7】。",
    "See p. 99 of another book: no brackets, so nobody can say of which. (40,000 books, 300 pages)",
    "It cites itself: see (p. 112).",
    "`[p. 99]` is code.\n\n```\nprint('[p. 98]')\n```\n\n~~~\n(p. 97)\n",
    "A list:\n\n- one\n  ```python\n  x[p. 99]\n  ```\n- two [p. 8]",
    "Footnotes [1] and (2), a chapter (chapter 3), a range (6–9), a year (1874), [x], p < 0.05 (p < 0.05).",
]
WRONG_CITATIONS = [
    ("It opened in 1874 [p. 5].", ["[p. 5]"]),
    ("It opened [p.12] and closed (p. 13), [p. 6].", ["[p.12]", "(p. 13)"]),
    ("Both [p. 6, 10] and [pp. 8-10].", ["[p. 6, 10]", "[pp. 8-10]"]),
    ("Twice the same [p. 10] and [p. 10].", ["[p. 10]"]),
    (
        "[第10页]和（第 11 页）、【第12、7页】，［ｐ．１３］",
        ["[第10页]", "（第 11 页）", "【第12、7页】", "［ｐ．１３］"],
    ),
    ("[page 60], [Pages 6 and 70], (see page 1), [p 40]", ["[page 60]", "[Pages 6 and 70]", "(see page 1)", "[p 40]"]),
    ("With its name [harbour.pdf, p. 3].", ["[harbour.pdf, p. 3]"]),
    ("It is no slide [slide 3].", []),
    ("No slide 30 either [slide 30].", ["[slide 30]"]),
    ("`code` [p. 99] ```` `x` ```` [p. 98]", ["[p. 99]", "[p. 98]"]),
]
RIGHT_QUOTATIONS = [
    "It says “The harbour opened in 1874 and was widened twice.”",
    'It says "the harbour opened in 1874 and was\nwidened twice", no more.',
    "«Its keeper was named Odile Marchand» and „Its keeper was named Odile Marchand“",
    "> In 2019 the well-known ferry was cancelled on nine days [p. 7]\n> — harbour.pdf",
    "“the well-known ferry … revenue fell by 3.5% to €1,200,000”",
    "“the harbour opened […] was widened twice”, “The harbour [of the town] opened in 1874”",
    "“Nobody could explain the drop at first” (p. 7)",
    "“The library lent **40,000** books that year”",
    '“She said: ‘We will never close the reading room.’”, "We will never close the reading room"',
    "“lent 40000 books”, “a new era”: too short to be judged.",
    "A translation: “Le port fut ouvert en 1874 et il est élargi deux fois dans les années.”",
    "译文：“港口于一八七四年开放，后来两次拓宽。”",
    "“Die Schule blieb im Winter geschlossen”",
    'Code: `"this is not a quotation"`\n\n```\nprint("nor is this one here")\n```',
    "You asked “when did it open, and who kept it?”",
    'A screen of 5" and one of 7" stand there in the hall.',
    '{"answer": "this string of JSON is no quotation"}',
]
WRONG_QUOTATIONS = [
    ("It says “The harbour was closed in 1874 for ever.”", ["The harbour was closed in 1874 for ever."]),
    ('It says "revenue fell by 35% to €1,200,000".', ["revenue fell by 35% to €1,200,000"]),
    ("“The harbour opened in 1874 and was widened thrice”", ["The harbour opened in 1874 and was widened thrice"]),
    ("«Its keeper was called Odile Marchand»", ["Its keeper was called Odile Marchand"]),
    ("> The ferry was never cancelled at all.\n\nIndeed.", ["The ferry was never cancelled at all."]),
    ("“widened twice … The harbour opened in 1874”", ["widened twice … The harbour opened in 1874"]),
    ("“the harbour opened … in the rain in 1874”", ["the harbour opened … in the rain in 1874"]),
    (
        "“the harbours opened in 1874”, “he harbour opened in 1874”",
        ["the harbours opened in 1874", "he harbour opened in 1874"],
    ),
]
CHINESE_RIGHT = [
    "“灯塔的看守人叫马晓兰，她在岛上住了三十年”[p. 1]",
    "「二〇一九年渡轮停航九天，收入下降百分之三点五」（第2页）",
    "『图书馆全年借出四万册书』",
    "“灯塔的看守人……在岛上住了三十年”",
    "> 图书馆全年借出四万册书。",
    "“看守人很年轻”太短，不算引文。",
    "“The keeper of the light has lived on that island for thirty years”",
]
CHINESE_WRONG = [
    ("“灯塔的看守人叫马小兰，她在岛上住了三十年”", ["灯塔的看守人叫马小兰，她在岛上住了三十年"]),
    ("「二〇一九年渡轮停航十九天，收入下降」", ["二〇一九年渡轮停航十九天，收入下降"]),
    ("『图书馆全年共借出四万册书』", ["图书馆全年共借出四万册书"]),
    ("> 图书馆从来没有借出过任何书。", ["图书馆从来没有借出过任何书。"]),
]


def doubts(answer: str, *materials: Material, words: str = "When did it open, and who kept it?") -> Doubts:
    found = Checking().doubts([Question(words, materials)], answer)
    assert found is not None
    return found


@pytest.mark.parametrize("answer", RIGHT_CITATIONS)
def test_citations_of_what_was_given_are_not_marked(answer: str) -> None:
    assert doubts(answer, REPORT).citations == ()


@pytest.mark.parametrize(("answer", "marked"), WRONG_CITATIONS)
def test_citations_of_what_was_not_given_are_marked(answer: str, marked: list[str]) -> None:
    assert [*doubts(answer, REPORT).citations] == (marked or ["[slide 3]"])


@pytest.mark.parametrize("answer", RIGHT_QUOTATIONS)
def test_quotations_of_the_material_are_not_marked(answer: str) -> None:
    assert doubts(answer, REPORT).quotations == ()


@pytest.mark.parametrize(("answer", "marked"), WRONG_QUOTATIONS)
def test_quotations_that_are_not_in_the_material_are_marked(answer: str, marked: list[str]) -> None:
    assert [*doubts(answer, REPORT).quotations] == marked


@pytest.mark.parametrize("answer", CHINESE_RIGHT)
def test_chinese_quotations_of_the_material_are_not_marked(answer: str) -> None:
    assert doubts(answer, CHINESE) == Doubts()


@pytest.mark.parametrize(("answer", "marked"), CHINESE_WRONG)
def test_chinese_quotations_that_are_not_in_the_material_are_marked(answer: str, marked: list[str]) -> None:
    assert [*doubts(answer, CHINESE).quotations] == marked


def test_slides_sheets_and_chapters_are_places_too() -> None:
    assert doubts("[slide 3], (slides 3–4), [幻灯片 3], [第3张幻灯片], [p. 4]", SLIDES).citations == ()
    assert doubts("[slide 5], [第6张幻灯片]", SLIDES).citations == ("[slide 5]", "[第6张幻灯片]")
    assert doubts("[sheet Costs 2024], [Sheet staff], [工作表 Staff], (sheet of paper)", BOOK).citations == ()
    assert doubts("[sheet Costs 2025]", BOOK).citations == ("[sheet Costs 2025]",)
    epub = Material("novel.epub", "[ch. The Road, at last]\nOne.\n\n[ch. Home]\nTwo.")
    assert doubts("[ch. The road, at last] [chapter Home] [ch. Home, The Road, at last]", epub).citations == (
        "[ch. Home, The Road, at last]",
    )


def test_of_several_documents_the_named_one_counts() -> None:
    other = Material("other.pdf", "[p. 1]\nOne.\n\n[p. 2]\nTwo.")
    answer = "[p. 1], [p. 6], [other.pdf, p. 2], [other, p. 6], [harbour.pdf, p. 6], [harbour.pdf, p. 1], [p. 20]"
    assert doubts(answer, REPORT, other).citations == ("[other, p. 6]", "[harbour.pdf, p. 1]", "[p. 20]")


def test_a_material_without_places_is_held_against_quotations_alone() -> None:
    answer = "“The meeting was moved to Thursday”, “The meeting was moved to Friday” [p. 3]"
    assert doubts(answer, PLAIN) == Doubts((), ("The meeting was moved to Friday",))
    assert Checking().doubts([Question("Hello")], "“One two three four five” [p. 3]") is None


def test_only_the_pages_of_selected_passages_were_given() -> None:
    passages = Material(REPORT.name, "[…]\n\n[p. 7]\nIn 2019 the well-\nknown ferry was cancelled\n\n[…]")
    question = Question("?", (REPORT,), given=Given("select", (passages,), 1, 4))
    found = Checking().doubts([question], "“The harbour opened in 1874” [p. 6], [p. 7], “The harbour burned in 1874”")
    assert found == Doubts(("[p. 6]",), ("The harbour burned in 1874",))


def test_of_notes_the_pages_that_they_name_were_given() -> None:
    notes = Material("Notes", "Part 1:\nOpened in 1874 [p. 6]; fell (pp. 7-8). A slip: [p. 70].")
    question = Question("?", (REPORT,), given=Given("map", (notes,), 2, 2))
    assert Checking().doubts([question], "[p. 6] [p. 8] [p. 9] [p. 70]") == Doubts(("[p. 9]", "[p. 70]"))


def test_what_earlier_questions_brought_counts_and_work_on_each_part_is_not_judged() -> None:
    again = [Question("?", (REPORT,)), Question("And then?")]
    assert Checking().doubts(again, "[p. 7] [p. 70]") == Doubts(("[p. 70]",))
    each = Question("Translate", (REPORT,), given=Given("each", (), 2, 2))
    assert Checking().doubts([each], "“One two three four five” [p. 70]") is None

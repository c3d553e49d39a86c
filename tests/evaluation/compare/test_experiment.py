"""What the summary says of experiments whose outcome the test decides, and never more than that bears."""

import dataclasses
import random
from collections.abc import Generator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_tui.engine.protocol import Request, SamplingOptions
from qwen_tui.errors import EngineError
from qwen_tui.evaluation.compare import grid, report, requests, summary, template_effect
from qwen_tui.evaluation.compare.differences import marked, word_diff
from qwen_tui.evaluation.compare.grid import shuffled
from qwen_tui.evaluation.compare.places import share
from qwen_tui.evaluation.compare.results import Results
from qwen_tui.evaluation.compare.side import OF_TASK
from qwen_tui.evaluation.compare.task import Task, select
from qwen_tui.files import packaged
from qwen_tui.hardware.load import Load
from qwen_tui.i18n import use_language
from qwen_tui.messages import Loading
from tests.evaluation.compare.answering_engine import grid_of, place_of, side_of, worked
from tests.scripted_engine import RecordingOutput, ScriptedEngine

RIGHT = '{"customer": "nobody"}'
WRONG = "Here is the JSON that you wanted, I hope that it helps you in every way that there is, and more so today."


def seed_of(request: Request) -> int:
    return request.sampler.seed or 0 if isinstance(request.sampler, SamplingOptions) else 0


@pytest.fixture(autouse=True)
def _idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else this machine does, no summary speaks of it."""
    monkeypatch.setattr(grid, "load_of_others", lambda: None)


@pytest.fixture
def json_task() -> Task:
    return select(["json"], "en")[0]


def test_two_sides_that_answer_alike_differ_in_speed_alone(tmp_path: Path, json_task: Task) -> None:
    places = [place_of(side_of("CPU"), lambda _r: WRONG), place_of(side_of("GPU"), lambda _r: WRONG, tps=31.0)]
    said = summary.sentences(worked(places, [json_task], 6, tmp_path))
    assert "GPU writes 3.1 times as fast as CPU: 31.0 against 10.0 tokens/s." in said
    assert "6 of 6 pairs of answers of CPU and GPU are the same, letter for letter." in said
    quality = next(sentence for sentence in said if sentence.startswith("Over all checks"))
    assert "no difference in quality was seen between CPU and GPU in 6 rounds (6 pairs)." in quality
    assert "rounds would show one of 10 points." in quality
    assert said[-1].endswith(
        "CPU, too, writes faster than people read (about 5 tokens/s): for letters and questions it is enough."
    )


def test_a_difference_that_chance_does_not_make_is_said(tmp_path: Path, json_task: Task) -> None:
    places = [place_of(side_of("small"), lambda _r: WRONG), place_of(side_of("large"), lambda _r: RIGHT)]
    said = "\n".join(summary.sentences(worked(places, [json_task], 12, tmp_path)))
    assert "valid JSON, json: large got +100.0 points of 100 beside small (95%:" in said
    assert "no difference in quality" not in said
    # Speed alone decides only where the quality does not.
    assert "speed and memory decide" not in said


def test_the_same_in_three_rounds_is_no_difference_yet(tmp_path: Path, json_task: Task) -> None:
    places = [place_of(side_of("small"), lambda _r: WRONG), place_of(side_of("large"), lambda _r: RIGHT)]
    said = "\n".join(summary.sentences(worked(places, [json_task], 3, tmp_path)))
    assert "got +" not in said
    assert "no difference in quality was seen between small and large in 3 rounds" in said


def test_a_side_that_is_slower_than_a_reader_is_called_that(tmp_path: Path, json_task: Task) -> None:
    places = [place_of(side_of("CPU"), lambda _r: WRONG, tps=2.0), place_of(side_of("GPU"), lambda _r: WRONG)]
    said = summary.sentences(worked(places, [json_task], 6, tmp_path))
    assert said[-1].endswith("CPU writes more slowly than people read (about 5 tokens/s).")


def test_a_round_that_is_faster_and_one_that_is_slower_make_no_faster_side(tmp_path: Path, json_task: Task) -> None:
    places = [place_of(side_of("A"), lambda _r: WRONG), place_of(side_of("B"), lambda _r: WRONG)]
    said = summary.sentences(worked(places, [json_task], 6, tmp_path))
    assert said[0] == "B and A write about equally fast: 10.0 and 10.0 tokens/s."
    assert said[-1] == "Nothing that was seen here speaks for one side."


def test_speeds_that_change_from_answer_to_answer_are_not_called_equal(tmp_path: Path, json_task: Task) -> None:
    steady = place_of(side_of("A"), lambda _r: WRONG, tps=12.0)
    changing = place_of(
        side_of("B"), lambda _r: WRONG, tps=lambda request: {1: 10.0, 2: 40.0}.get(seed_of(request), 30.0)
    )
    said = summary.sentences(worked([steady, changing], [json_task], 3, tmp_path))
    assert said[0] == "B or A, which is faster changes from answer to answer: 30.0 and 12.0 tokens/s."


@pytest.mark.parametrize(
    ("rounds", "said"),
    [
        (
            1,
            "In the one pair of answers, B wrote 1.05 times as fast as A: 10.5 against 10.0 tokens/s. That may be"
            " chance.",
        ),
        (
            5,
            "In all 5 pairs of answers, B wrote 1.05 times as fast as A: 10.5 against 10.0 tokens/s. So few may agree"
            " by chance.",
        ),
        (6, "B writes 1.05 times as fast as A: 10.5 against 10.0 tokens/s."),
    ],
)
def test_a_few_answers_make_no_side_the_faster_one(rounds: int, said: str, tmp_path: Path, json_task: Task) -> None:
    places = [place_of(side_of("A"), lambda _r: WRONG), place_of(side_of("B"), lambda _r: WRONG, tps=10.5)]
    found = summary.sentences(worked(places, [json_task], rounds, tmp_path))
    assert found[0] == said
    assert (found[-1] == "So few answers speak for no side.") == (rounds < 6)


FASTER, BETTER = True, True
# What the last sentence says after forty rounds, by whether B is faster, and whether it answers better.
ADVICE = {
    "en": {
        (
            FASTER,
            not BETTER,
        ): "So far, speed and memory decide. A, too, writes faster than people read (about 5 tokens/s):"
        " for letters and questions it is enough.",
        (FASTER, BETTER): "By these checks, B answers better, and it is faster.",
        (not FASTER, BETTER): "By these checks, B answers better.",
        (not FASTER, not BETTER): "Nothing that was seen here speaks for one side.",
    },
    "zh": {
        (FASTER, not BETTER): "就目前所见，看速度和内存来选即可。A 也比人读得快（人约 5 token/秒）：写信、提问够用了。",
        (FASTER, BETTER): "按这些检查，B 答得更好，而且更快。",
        (not FASTER, BETTER): "按这些检查，B 答得更好。",
        (not FASTER, not BETTER): "这里看到的结果，不足以支持选择任何一方。",
    },
}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("faster", "better"), ADVICE["en"])
def test_the_advice_follows_from_what_was_seen_and_from_nothing_else(
    faster: bool, better: bool, language: str, tmp_path: Path, json_task: Task
) -> None:
    use_language(language)

    def right(request: Request, share: float, side: str) -> str:
        return RIGHT if random.Random(f"{side}{seed_of(request)}").random() < share else WRONG

    def pace(request: Request) -> float:
        return random.Random(seed_of(request)).uniform(25, 35) if faster else 10.0 + (seed_of(request) % 3 - 1)

    places = [
        place_of(side_of("A"), lambda request: right(request, 0.2, "A")),
        place_of(side_of("B"), lambda request: right(request, 0.9 if better else 0.2, "B"), tps=pace),
    ]
    assert summary.sentences(worked(places, [json_task], 40, tmp_path))[-1] == ADVICE[language][faster, better]
    # Of three pairs, nothing follows, however large the difference is.
    few = "\n".join(summary.sentences(worked(places, [json_task], 3, tmp_path)))
    assert few.endswith("So few answers speak for no side." if language == "en" else "不足以支持选择任何一方。")
    assert not any(words in few for words in ("writes", "answers better", "的生成速度是 A 的", "答得更好"))


def test_a_side_that_answers_better_and_slower_is_for_the_person_to_weigh(tmp_path: Path, json_task: Task) -> None:
    places = [place_of(side_of("small"), lambda _r: WRONG), place_of(side_of("large"), lambda _r: RIGHT, tps=4.0)]
    said = summary.sentences(worked(places, [json_task], 12, tmp_path))
    assert said[0] == "small writes 2.5 times as fast as large: 10.0 against 4.0 tokens/s."
    assert said[-1] == "By these checks, large answers better, and small is faster: weigh that for your work."


def test_a_check_that_could_not_judge_is_not_counted_among_those_without_a_difference(tmp_path: Path) -> None:
    calculator = select(["calculator"], "en")
    code = "```python\nimport tkinter as tk\nroot = tk.Tk()\nroot.mainloop()\n```"
    places = [place_of(side_of(name), lambda _r: code) for name in "AB"]
    said = summary.sentences(worked(places, calculator, 12, tmp_path))
    # To compute needs --run-code.
    assert "In none of the 6 checks taken alone, a difference was seen." in said
    assert "1 check could not judge the answers of both sides: the tables below the answers say why." in said


def test_three_rounds_are_said_to_be_too_few_for_a_check_alone(tmp_path: Path, json_task: Task) -> None:
    places = [place_of(side_of(name), lambda _r: WRONG) for name in "AB"]
    said = summary.sentences(worked(places, [json_task], 3, tmp_path))
    assert any("in 3 rounds (3 pairs). So few cannot show any." in sentence for sentence in said)
    # Two ways to choose the signs of each pair, three checks and their mean: 2 / 2^8 is below 5% of one in four.
    assert (
        "The 3 checks taken alone have too few pairs of answers (3 at most) to show a difference: 8 are the fewest"
        " that can." in said
    )


def test_memory_alone_may_speak_for_a_side(tmp_path: Path, json_task: Task) -> None:
    found = worked([place_of(side_of(name), lambda _r: WRONG) for name in ("f16", "q8_0")], [json_task], 6, tmp_path)
    for side, size in enumerate((200_600_000, 177_400_000)):
        found = with_measured(found, side, memory=size)
    said = summary.sentences(found)
    assert "Memory (RAM), at most: f16 200.6 MB, q8_0 177.4 MB." in said
    assert said[-1] == "So far, memory alone decides."


def with_measured(found: Results, side: int, **measured: object) -> Results:
    """Return the results as if the answers of a side had taken that."""
    runs = {
        place: msgspec.structs.replace(run, measured=msgspec.structs.replace(run.measured, **measured))
        if place[1] == side
        else run
        for place, run in found.runs.items()
    }
    return found._replace(runs=runs)


def test_a_side_without_a_counter_of_energy_is_named(tmp_path: Path, json_task: Task) -> None:
    found = worked([place_of(side_of(name), lambda _r: WRONG) for name in ("here", "there")], [json_task], 1, tmp_path)
    assert "How much energy it takes, this PC does not tell." in summary.sentences(found)
    words = len(WRONG.split())
    told = summary.sentences(with_measured(found, 0, processor_j=3.0 * words, card_j=1.0 * words))
    assert (
        "Energy for each token that was written, with the reading of the prompt: here 4.00 J, there not told." in told
    )


def test_a_server_that_does_not_tell_its_speed_is_not_called_slow(tmp_path: Path, json_task: Task) -> None:
    places = [place_of(side_of("here"), lambda _r: WRONG, tps=9.0), place_of(side_of("there"), lambda _r: WRONG)]
    found = with_measured(worked(places, [json_task], 6, tmp_path), 1, writing_tps=None)
    said = "\n".join(summary.sentences(found))
    assert "tokens/s" not in said
    assert said.endswith("Nothing that was seen here speaks for one side.")


def test_speeds_of_a_busy_pc_are_called_that(tmp_path: Path, json_task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "load_of_others", lambda: Load(cores=1.2, all_cores=4, program="backup"))
    said = summary.sentences(worked([place_of(side_of(n), lambda _r: WRONG) for n in "AB"], [json_task], 1, tmp_path))
    assert said[-1] == "Other programs used 30% of the processor when it began: do not rely on the speeds."


def test_places_where_the_likeliest_token_differs_are_counted(tmp_path: Path, json_task: Task) -> None:
    places = [
        place_of(side_of("f16"), lambda _r: "a b c d e f g h"),
        place_of(side_of("q8_0"), lambda _r: "a b c d e f g h", prefers={3: 77}),
    ]
    found = worked(places, [json_task], 1, tmp_path)
    said = next(sentence for sentence in summary.sentences(found) if sentence.startswith("Led through"))
    assert "the same 8 places of greedy answers, q8_0 would have said something else than f16 at 1 (12.5%;" in said
    assert "was at most 0.50" in said
    assert found.places[1].count == 8


def test_a_server_is_led_through_nothing(tmp_path: Path, json_task: Task) -> None:
    places = [
        place_of(side_of("here"), lambda _r: WRONG),
        place_of(side_of("there"), lambda _r: WRONG, host="models.example"),
    ]
    found = worked(places, [json_task], 1, tmp_path)
    assert not found.places and "Token by token" not in report.html(found)


@pytest.mark.parametrize(("hits", "count", "low", "high"), [(0, 100, 0.0, 0.037), (5, 10, 0.237, 0.763)])
def test_the_interval_of_a_share_is_that_of_wilson(hits: int, count: int, low: float, high: float) -> None:
    assert share(hits, count) == pytest.approx((low, high), abs=0.001)


def test_each_round_has_another_order_and_more_rounds_change_none_before() -> None:
    three = shuffled(2, ["a", "b", "c", "d"], [1, 2, 3], order=1)
    assert shuffled(2, ["a", "b", "c", "d"], [1, 2, 3, 4], order=1)[:24] == three
    assert len({tuple((cell.task, cell.side) for cell in three[at : at + 8]) for at in (0, 8, 16)}) == 3
    assert len(set(three)) == 24
    # All sides have the same seeds.
    assert all(sum(cell.side == side and cell.seed == 2 for cell in three) == 4 for side in (0, 1))


def test_an_experiment_goes_on_where_it_was_stopped(tmp_path: Path, json_task: Task) -> None:
    asked: list[int] = []

    def answer(request: Request) -> str:
        asked.append(seed_of(request))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return f"answer {seed_of(request)}"

    places = [place_of(side_of("A"), answer), place_of(side_of("B"), answer)]
    begun, _settled = grid_of(places, [json_task], 3, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        begun.work()
    assert len(begun.left()) == len(begun.cells()) - 2
    found = worked(places, [json_task], 3, tmp_path)
    assert len(found.runs) == 6
    # Two were kept, one was lost, and six with a seed and the greedy one are all there are.
    assert len(asked) == 7 + 1


def test_the_side_that_does_not_load_is_named(tmp_path: Path, json_task: Task) -> None:
    class Broken(ScriptedEngine):
        def load(self) -> Generator[Loading, None, bool]:
            yield Loading(0.5)
            raise EngineError("No memory.")

    places = [place_of(side_of(name), lambda _r: WRONG) for name in ("small", "large")]
    places[1] = dataclasses.replace(places[1], open=lambda _plan: Broken())
    begun, _settled = grid_of(places, [json_task], 3, tmp_path)
    # It comes out before the first answer.
    with pytest.raises(EngineError):
        begun.foretell()
    assert isinstance(begun.output, RecordingOutput)
    assert begun.output.notes == ["The side large does not work here:"]


def test_a_changed_task_is_asked_again(tmp_path: Path, json_task: Task) -> None:
    places = [place_of(side_of("A"), lambda _r: WRONG), place_of(side_of("B"), lambda _r: WRONG)]
    worked(places, [json_task], 1, tmp_path)
    changed = dataclasses.replace(json_task, prompt="Something else.")
    anew, _settled = grid_of(places, [changed], 1, tmp_path)
    assert len(anew.left()) == len(anew.cells())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_question_of_the_template_effect_fills_its_template(language: str) -> None:
    folders = [packaged("templates") / language]
    asked = template_effect.questions(language)
    assert len(asked) == 20
    for task in asked:
        plain = requests.messages(task, side_of("without"), folders)
        filled = requests.messages(task, side_of("with", template=OF_TASK), folders)
        assert [message.role for message in plain] == ["user"]
        assert [message.role for message in filled] == ["system", "user"]
        assert task.prompt in plain[-1].content and task.material in filled[-1].content


def test_the_template_effect_is_set_beside_what_was_published(tmp_path: Path) -> None:
    def answer(request: Request) -> str:
        question = request.messages[-1].content
        is_plain = len(request.messages) == 1
        # Without a template, half of the question comes back; with it, all. Filler is the same.
        words = question.split()
        return " ".join(words[: len(words) // 2] if is_plain else words).replace(".", "").replace("?", "") + "."

    places = [
        place_of(side_of("without template"), answer),
        place_of(side_of("with template", template=OF_TASK), answer),
    ]
    said = summary.sentences(worked(places, template_effect.questions("en"), 1, tmp_path))
    assert "a proxy for relevance" in said[0] and "(95%:" in said[0]
    assert said[1].startswith("A published test says +40%; here it is")
    assert "0.0% are filler with the templates, and 0.0% without: +0.0 points" in said[2]
    assert said[3] == "A published test says -65%: nothing here can be set beside that."


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_is_one_page_that_needs_no_network(language: str, tmp_path: Path, json_task: Task) -> None:
    use_language(language)
    places = [
        place_of(side_of("<A&B>"), lambda _r: "<script>alert(1)</script> 读书会 周三"),
        place_of(side_of("B"), lambda _r: "<script>alert(1)</script> 读书会 周四"),
    ]
    found = worked(places, [json_task], 1, tmp_path)
    files = report.files_of(found)
    page = files[report.HTML].decode()
    assert "<script" not in page and "http://" not in page and "https://" not in page and "url(" not in page
    assert "&lt;A&amp;B&gt;" in page and "prefers-color-scheme: dark" in page and "@media print" in page
    assert "周<mark>三</mark>" in page and "周<mark>四</mark>" in page
    assert "[-三-]{+四+}" in files[report.MARKDOWN].decode()
    assert set(files) == {"report.html", "report.md", "results.json"}


def test_words_and_chinese_characters_are_what_differs() -> None:
    left, right = marked("Add the two numbers 加法运算", "Add the three numbers 减法运算")
    assert [piece.text for piece in left if not piece.is_shared] == ["two", "加"]
    assert [piece.text for piece in right if not piece.is_shared] == ["three", "减"]
    assert "".join(piece.text for piece in right) == "Add the three numbers 减法运算"


def test_blanks_between_words_that_differ_are_no_common_ground() -> None:
    left, _right = marked("We met on Monday.", "We saw her Tuesday.")
    assert [piece.text for piece in left] == ["We ", "met on Monday", "."]


def test_another_blank_is_no_difference() -> None:
    left, right = marked("Sum:\nadd 3", "Sum: add 4")
    assert [piece.text for piece in left] == ["Sum:\nadd ", "3"]
    assert [piece.text for piece in right] == ["Sum: add ", "4"]


@pytest.mark.parametrize(
    ("first", "other", "shown"),
    [
        ("one two", "one very new two", "one {+very new +}two"),
        ("one two three", "one three", "one [-two -]three"),
        ("a b", "", "[-a b-]"),
        ("", "a b", "{+a b+}"),
        ("same", "same", "same"),
    ],
)
def test_what_only_one_answer_has_is_shown_wherever_it_stands(first: str, other: str, shown: str) -> None:
    assert word_diff(first, other) == shown


@given(st.text("ab 加.\n", max_size=12), st.text("ab 加.\n", max_size=12))
def test_both_answers_are_whole_in_what_is_marked(first: str, other: str) -> None:
    left, right = marked(first, other)
    assert ("".join(piece.text for piece in left), "".join(piece.text for piece in right)) == (first, other)
    assert word_diff(first, other).count("[-") == word_diff(first, other).count("-]")

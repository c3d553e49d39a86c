"""Growing Markdown: at the end the screen is as if the text had come at once, and it is never wrong before."""

import os
import re
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.text import Text

from qwen_tui.terminal.painter import Painter, static
from qwen_tui.terminal.theme import ASCII_SIGNS, background, theme
from qwen_tui.terminal.width import Ruler
from tests.streams import Clock
from tests.terminal.painting import DARK, DOCUMENTS, SIZES, Screen, at_once, chunkings, mix, painted

LONG = 400


def plain(text: str, columns: int = 80, ruler: Ruler | None = None) -> str:
    """Return a text rendered at once, without its styles."""
    return re.sub(r"\x1b\[[\d;]*m", "", static(text, columns, DARK, ruler or Ruler()))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_ends_up_as_if_rendered_at_once(name: str) -> None:
    text = DOCUMENTS[name]
    for size in SIZES:
        expected = at_once(text, *size)
        for way, chunks in chunkings(text, seed=1).items():
            # Every piece is a tick: small pieces of a long text are thousands.
            if way == "characters" and (len(text) > LONG or size != SIZES[1]):
                continue
            if way == "tokens" and len(text) > LONG and size != SIZES[1]:
                continue
            screen = Screen(*size)
            painted(screen, iter(chunks))
            assert screen.text() == expected, way


def test_random_mixes_end_up_as_if_rendered_at_once(mixes: range) -> None:
    for seed in mixes:
        text = mix(seed)
        size = SIZES[seed % len(SIZES)]
        expected = at_once(text, *size)
        for way, chunks in chunkings(text, seed).items():
            if way == "characters" and len(text) > LONG:
                continue
            screen = Screen(*size)
            painted(screen, iter(chunks))
            assert screen.text() == expected, f"mix {seed} at {size} by {way}: {text!r}"


@pytest.mark.parametrize("name", ["long table", "long code", "wide code", "essay", "tens", "wide table"])
def test_scrolled_off_lines_are_never_changed(name: str) -> None:
    text = DOCUMENTS[name]
    columns, lines = 40, 10
    expected = at_once(text, columns, lines)
    screen = Screen(columns, lines)

    def check() -> None:
        gone = screen.scrolled_off()
        assert gone == expected[: len(gone)]

    painted(screen, iter(chunkings(text, 3)["tokens"]), check)


@pytest.mark.parametrize("name", ["essay", "code", "table", "list and code", "emphasis", "mathematics"])
def test_a_stop_at_any_point_leaves_the_text_and_a_normal_cursor(name: str) -> None:
    text = DOCUMENTS[name]
    for end in range(1, len(text), 7):
        screen = Screen(40, 10)
        painted(screen, iter(chunkings(text[:end], 5)["tokens"]))
        assert screen.text() == at_once(text[:end], 40, 10), text[:end]
        assert screen.cursor[0] == 0
        assert screen.cursor_is_plain


def test_nothing_but_text_and_our_own_sequences_is_written() -> None:
    written: list[str] = []
    painter = Painter(written.append, lambda: os.terminal_size((40, 10)), DARK, Ruler())
    for char in DOCUMENTS["controls"]:
        painter.feed(char)
    painter.finish()
    shown = "".join(written)
    assert not set(shown) & {"\x07", "\x9b", "\u202e", "\u2066", "\u200b"}
    for sequence in shown.split("\x1b")[1:]:
        assert sequence.startswith("[")
        assert sequence.lstrip("[?0123456789;")[0] in "mAJKhl"
    assert "z\ufffd\ufffd" in shown, "in code, hidden characters are marked"


def test_ticks_are_rare_and_lose_no_text() -> None:
    screen, clock = Screen(80, 24), Clock()
    painter = Painter(screen.write, lambda: screen.size, DARK, Ruler(), clock=clock)
    for char in "twenty ticks a second at most ":
        clock.now += 0.01
        painter.feed(char)
    assert screen.writes <= 7
    painter.finish()
    assert screen.text() == ["twenty ticks a second at most"]


def test_nothing_is_written_where_nothing_changed() -> None:
    screen, clock = Screen(80, 24), Clock()
    painter = Painter(screen.write, lambda: screen.size, DARK, Ruler(), clock=clock)
    for piece in ("text", "\n", "\n"):
        clock.now += 1
        painter.feed(piece)
    assert screen.writes == 2, "the text, and the end of its line"


def test_code_on_the_screen_is_the_code() -> None:
    code = "def f(x):\n    if x:\n        return '中文'\n\n\treturn None\n"
    inside = "".join(f"  {line}\n" for line in code.splitlines())
    for text in (f"```python\n{code}```\n", f"- item\n\n  ```python\n{inside}  ```\n"):
        assert plain(text, 20).endswith(code), "no margin, no break, even in a list"


def test_open_marks_are_not_shown() -> None:
    shown: list[str] = []
    painter = Painter(shown.append, lambda: os.terminal_size((80, 24)), DARK, Ruler(), clock=(clock := Clock()))
    for char in "1. **重要：**先备份，再 `rm x`，和 **kept":
        clock.now += 1
        painter.feed(char)
    assert not set("*`") & set("".join(shown))
    painter.finish()
    assert "**kept" in shown[-1], "what was never closed is shown as it is"


def test_a_wider_window_keeps_every_line_once() -> None:
    screen, clock = Screen(60, 20), Clock()
    painter = Painter(screen.write, lambda: screen.size, DARK, Ruler(), clock=clock)

    def feed(text: str) -> None:
        for char in text:
            clock.now += 1
            painter.feed(char)

    feed("First.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    screen.resize(90, 30)
    feed("| 3 | 4 |\n\nLast.")
    painter.finish()
    assert screen.text() == ["First.", "", "a │ b", "──┼──", "1 │ 2", "3 │ 4", "", "Last."]


def test_after_a_stop_of_the_program_the_live_rows_are_shown_anew() -> None:
    screen, clock = Screen(60, 20), Clock()
    painter = Painter(screen.write, lambda: screen.size, DARK, Ruler(), clock=clock)
    painter.feed("Done.\n\nhalf a")
    screen.write("\n[1]+  Stopped\n$ fg\n")
    painter.forget()
    clock.now += 1
    painter.feed(" line")
    painter.finish()
    assert screen.text() == ["Done.", "", "half a", "[1]+  Stopped", "$ fg", "", "half a line"]


@pytest.mark.parametrize("name", ["essay", "wide code", "table", "list and code", "chinese", "long word"])
@pytest.mark.parametrize("size", SIZES)
def test_a_note_in_the_middle_splits_the_answer_and_repeats_nothing(name: str, size: tuple[int, int]) -> None:
    text = DOCUMENTS[name]
    expected = at_once(text, *size)
    for at in range(1, len(text), max(1, len(text) // 15)):
        screen, clock = Screen(*size), Clock()
        painter = Painter(screen.write, partial(getattr, screen, "size"), DARK, Ruler(), clock=clock)
        for piece in (text[:at], text[at:]):
            clock.now += 1
            painter.feed(piece)
            if piece == text[:at]:
                with painter.aside():
                    screen.write("<note>\n")
                # Progress is drawn and erased before the answer begins.
                screen.write("\rprogress\r        \r")
        painter.finish()
        shown = screen.text()
        assert shown.count("<note>") == 1
        shown.remove("<note>")
        assert shown == expected, f"parted at {at}"
        assert screen.cursor[0] == 0


def test_a_link_shows_where_it_leads() -> None:
    shown = plain("[bank.com](https://evil.example) <https://honest.example>")
    assert "bank.com (https://evil.example) https://honest.example\n" in shown


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (r"\(x = \frac{-b \pm \sqrt{b^2-4ac}}{2a}\)", "x = (-b ± √(b²-4ac))/(2a)"),
        (r"$2^{n+1} \times a_{i}$", "2ⁿ⁺¹ × aᵢ"),
        (r"\[ \sum_{i=1}^{n} i = \frac{n(n+1)}{2} \]", "∑ᵢ₌₁ⁿ i = n(n+1)/2"),
        (r"$\frac{1}{x^2} + \frac{3xy}{4} + \sqrt{2}$", "1/x² + 3xy/4 + √2"),
        (r"$$\text{速度} = 5\,\mathrm{km/h}$$", "速度 = 5 km/h"),
        (r"\(\lim_{x \to \infty} 90^\circ\)", "lim_(x → ∞) 90°"),
        (r"\(\frac{1\) and $5 and $10", r"\frac{1 and $5 and $10"),
        (r"\begin{cases} x+y=10 \\ x-y=2 \end{cases}", r"\begin{cases} x+y=10 \ x-y=2 \end{cases}"),
    ],
)
def test_mathematics_reads_as_text(formula: str, text: str) -> None:
    assert plain(formula + "\n").strip() == text


def test_bold_beside_chinese_is_bold() -> None:
    assert plain("**注意：**请看**“引号”**。\n").strip().count("*") == 0


def test_chinese_lines_do_not_begin_with_a_closing_mark() -> None:
    lines = plain("一二三四五六七八九，十（一二）三四五六七八。" * 5, 20).splitlines()
    assert len(lines) > 5
    assert not [line for line in lines if line[0] in "，。）" or line[-1] == "（"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["word", "汉", "，", "（", "“", "”", " ", "longer" * 5, "1", "…"])), st.integers(3, 40))
def test_a_line_that_grows_breaks_as_if_it_had_been_there(words: list[str], columns: int) -> None:
    text, growing = "".join(words), Ruler()
    for end in range(len(text) + 1):
        lines = [line.plain for line in growing.wrap(Text(text[:end]), columns)]
        assert lines == [line.plain for line in Ruler().wrap(Text(text[:end]), columns)]


def test_ambiguous_characters_may_be_two_columns_wide() -> None:
    ruler = Ruler(ambiguous=2)
    assert (Ruler().cells("“…”"), ruler.cells("“…”")) == (3, 6)
    table = plain("|a|b|\n|-|-|\n|“1”|2|\n", ruler=ruler)
    assert table.splitlines() == ["a     | b", f"{ASCII_SIGNS.line * 5}-+--", "“1” | 2"]


def test_without_colour_only_bold_and_italics_are_left() -> None:
    shown = static("# Head\n\n`code` **bold**\n", 80, theme("light"), Ruler(), colour=False)
    assert "\x1b[1m" in shown
    assert not [
        code for code in shown.split("\x1b[")[1:] if code.startswith(("3", "9")) and len(code.split("m")[0]) == 2
    ]


@pytest.mark.parametrize(
    ("says", "expected"), [("0;15", "light"), ("15;0", "dark"), ("", "dark"), ("0;default;7", "light")]
)
def test_the_theme_follows_the_background_of_the_terminal(says: str, expected: str) -> None:
    assert background({"COLORFGBG": says}) == expected


@pytest.fixture
def mixes(request: pytest.FixtureRequest) -> Iterator[range]:
    yield range(request.config.getoption("--mixes"))


def test_prose_is_narrower_than_a_wide_terminal_and_code_and_tables_are_not() -> None:
    sentence, code = "word " * 50, "x = " + "1 + " * 50 + "1"
    text = f"# {sentence}\n\n{sentence}\n\n- {sentence}\n\n> {sentence}\n\n```\n{code}\n```\n\n"
    text += f"| a | {sentence}|\n|-|-|\n| b | c |\n"
    head, _blank, table = plain(text, 300, Ruler(prose=100)).partition(code)
    assert 90 < max(map(len, head.splitlines())) <= 100
    assert max(map(len, table.splitlines())) > 240
    assert max(map(len, plain(sentence * 3, 60, Ruler(prose=100)).splitlines())) < 60

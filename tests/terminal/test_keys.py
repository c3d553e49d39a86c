"""What a terminal sends: keys in all their forms, pastes, and reports that the person has not typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit import PromptSession
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.input.ansi_escape_sequences import ANSI_SEQUENCES
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import DummyOutput

from qwen_tui.terminal.key_parser import KeyParser
from qwen_tui.terminal.sequences import without_sequences
from qwen_tui.terminal.typeahead import entries

# Reports of terminals: colours, the clipboard, focus, device attributes, modes, cursor, size, keyboard, theme, mouse.
REPORTS = [
    "\x1b]10;rgb:ffff/ffff/ffff\x1b\\",
    "\x1b]11;rgb:0000/0000/0000\x07",
    "\x1b]4;1;rgb:ff/00/00\x07",
    "\x1b]52;c;aGVsbG8=\x1b\\",
    "\x1b]lwindow title\x1b\\",
    "\x1bP>|XTerm(390)\x1b\\",
    "\x1bP1$r0 q\x1b\\",
    "\x1bP1+r544e=787465726d\x1b\\",
    "\x1bP!|00000000\x1b\\",
    "\x1b_Gi=31;OK\x1b\\",
    "\x1b[I",
    "\x1b[O",
    "\x1b[?62;1;2;4;22c",
    "\x1b[>41;390;0c",
    "\x1b[=0;1c",
    "\x1b[0n",
    "\x1b[?997;1n",
    "\x1b[?2026;2$y",
    "\x1b[24;80R",
    "\x1b[?24;80R",
    "\x1b[8;24;80t",
    "\x1b[?0u",
    "\x1b[97;1:3u",
    "\x1b[57441;2u",
    "\x1b[<0;10;5M",
    "\x1b[M !!",
    "\x9b?62c",
    "\x9d11;rgb:0/0/0\x9c",
]
# Control strings that are not reports of any terminal: they are not text either.
OTHERS = ["\x1b^private\x1b\\", "\x1bXstring\x1b\\", "\x1bPx\x07", "\x1b_x\x1b\\"]
ENTER_WITH_A_MODIFIER = [
    *(f"\x1b[13;{modifiers}u" for modifiers in (2, 3, 4, 5, 6, 7, 8)),
    *(f"\x1b[27;{modifiers};13~" for modifiers in (2, 3, 5, 6)),
    "\x1b[13;66u",
    "\x1b[57414;2u",
    "\x1b[13;2:1u",
    "\x1b\r",
    "\n",
]


def pressed(*pieces: str) -> list[KeyPress]:
    """Return the keys that the parser finds in `pieces`, with a pause after each."""
    keys: list[KeyPress] = []
    parser = KeyParser(keys.append)
    for piece in pieces:
        parser.feed(piece)
        parser.flush()
    return keys


def typed(*pieces: str) -> list[str]:
    return entries(pressed(*pieces))


@pytest.mark.parametrize("report", REPORTS)
def test_a_report_is_no_text_wherever_it_is_cut(report: str) -> None:
    assert typed(f"你{report}好") == ["你好"]
    for cut in range(2, len(report)):
        assert typed("你" + report[:cut], report[cut:] + "好") == ["你好"], cut
    assert typed("你", report[:2], *report[2:], "好") == ["你好"], "one character after another"


@given(st.lists(st.sampled_from([*REPORTS, *OTHERS, "hello ", "你好", "x"]), max_size=8), st.integers(0, 200))
def test_any_mix_of_text_and_reports_leaves_the_text(parts: list[str], cut: int) -> None:
    text = "".join(part for part in parts if part not in (*REPORTS, *OTHERS))
    whole = "".join(parts)
    keys: list[KeyPress] = []
    parser = KeyParser(keys.append)
    parser.feed(whole[:cut])
    parser.feed(whole[cut:])
    assert entries(keys) == ([text] if text.strip() else [])
    assert without_sequences(whole) == text


@pytest.mark.parametrize("key", ENTER_WITH_A_MODIFIER)
def test_enter_with_a_modifier_is_a_newline(key: str) -> None:
    assert typed(f"one{key}two\r") == ["one\ntwo"]


@pytest.mark.parametrize("key", ["\r", "\x1b[13u", "\x1b[13;1u", "\x1b[13;129u", "\x1b[57414u", "\x1b[27;1;13~"])
def test_enter_alone_ends_an_entry(key: str) -> None:
    assert typed(f"one{key}two") == ["one", "two"]


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ("\x1b[97;5u", Keys.ControlA),
        ("\x1b[27;5;119~", Keys.ControlW),
        ("\x1b[99;5u", Keys.ControlC),
        ("\x1b[9u", Keys.ControlI),
        ("\x1b[9;2u", Keys.BackTab),
        ("\x1b[127u", Keys.ControlH),
        ("\x1b[1;1:1D", Keys.Left),
        ("\x1b[1;129D", Keys.Left),
        ("\x1b[27u", Keys.Escape),
        ("\x1b[32;5u", Keys.ControlAt),
        ("\x1b[22;1R", Keys.CPRResponse),
        ("\x1b[1;65R", Keys.CPRResponse),
        ("\x1b[20320;;20320u", "你"),
        ("\x1b[97;2u", "A"),
        ("\x1b[49:33;2u", "!"),
        ("\x1b[57400u", "1"),
    ],
)
def test_the_new_forms_of_keys_are_the_old_keys(sent: str, key: Keys | str) -> None:
    assert [one.key for one in pressed(sent)] == [key]


@pytest.mark.parametrize("sent", ["\x1b[99;9u", "\x1b[99;6u", "\x1b[1;1:3D", "\x1b[999999999999u", "\x1b[1114112u"])
def test_what_is_no_key_for_a_program_does_nothing(sent: str) -> None:
    assert pressed(sent) == []


@pytest.mark.parametrize(
    ("keys", "written"),
    [
        ("first\rsecond\r\r third", ["first", "second", " third"]),
        ("/system 你是律师\r/export a.md\r", ["/system 你是律师", "/export a.md"]),
        ("下一个问题", ["下一个问题"]),
        ("一二\x7f\x7f三", ["三"]),
        ("\x7f\x7fx\x03", ["x"]),
        ("a\tb\x1b[Z", ["ab"]),
        ("wrong words\x15right", ["right"]),
        ("first\nwrong\x15\x15line", ["firstline"]),
        ("one two  \x17three", ["one three"]),
        ("ab\x1b[Dc\x1b[C\x1bOHd\x1bOFe", ["dacbe"]),
        ("abc\x01\x0bd", ["d"]),
        ("abc\x1b[D\x1b[D\x1b[3~", ["ac"]),
        ("a b\x1b\x7fc", ["a c"]),
        ("\x1b[200~two\r\nlines\t\r\x1b[201~!\rnext", ["two\nlines\t\n!", "next"]),
        ("a\x1bxb", ["ab"]),
        ("\x1b[A\x04\x0c\x12up", ["up"]),
        ("  \r\r", []),
    ],
)
def test_what_is_typed_ahead_is_changed_as_at_the_prompt(keys: str, written: list[str]) -> None:
    assert typed(keys) == written


# With a pause after it, the escape character alone is a key.
@pytest.mark.parametrize("cut", [1, *range(3, 30)])
def test_a_paste_may_be_cut_anywhere(cut: int) -> None:
    sent = "a\x1b[200~line 1\rline 2\x1b[201~b\rc"
    assert typed(sent[:cut], sent[cut:])[-2:] == ["aline 1\nline 2b", "c"]


def test_ctrl_c_ends_a_paste_whose_end_was_lost() -> None:
    assert [key.key for key in pressed("\x1b[200~text", "\r", "\x03", "x")] == [Keys.BracketedPaste, "x"]


@pytest.mark.parametrize(("sent", "left"), [("\x1b[1\x03", Keys.ControlC), ("\x1b]11;rgb\r", Keys.ControlM)])
def test_a_sequence_that_breaks_off_swallows_no_key(sent: str, left: Keys) -> None:
    assert [key.key for key in pressed(sent)] == [left]


def test_no_key_of_a_keyboard_writes_its_sequence_into_the_line() -> None:
    keys = [sequence for sequence in ANSI_SEQUENCES if sequence[0] == "\x1b" and len(sequence) > 2]
    with create_pipe_input() as pipe:
        pipe.vt100_parser = KeyParser(pipe.vt100_parser.feed_key_callback)  # type: ignore[attr-defined]
        pipe.send_text("".join(key for key in keys if key != "\x1b[200~") + "!\r")
        line = PromptSession[str](input=pipe, output=DummyOutput()).prompt()
    assert set(line) <= {"!"}

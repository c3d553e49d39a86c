"""Slots in the input line: they keep their places while the text around them changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_tui.messages import Draft, Slot
from qwen_tui.terminal import slots
from qwen_tui.terminal.slots import InputLine


def draft(*parts: str | tuple[str, str | None]) -> InputLine:
    """Return a line of texts and slots; a slot is given as (name, default)."""
    text = ""
    found = []
    for part in parts:
        if isinstance(part, str):
            text += part
        else:
            name, default = part
            found.append(Slot(len(text), name, default or f"{{{{{name}}}}}", default))
            text += found[-1].shown
    return slots.begin(Draft(text, tuple(found)))


def typed(line: InputLine, text: str) -> InputLine:
    """Return the line after `text` was typed or pasted at the cursor."""
    return slots.follow(line, line.text[: line.cursor] + text + line.text[line.cursor :], line.cursor + len(text))


def backspaced(line: InputLine) -> InputLine:
    before = line.text[: line.cursor - 1]
    return slots.follow(line, before + line.text[line.cursor :], len(before))


def deleted(line: InputLine, start: int, end: int) -> InputLine:
    return slots.follow(line, line.text[:start] + line.text[end:], start)


def shown(line: InputLine) -> list[str]:
    return [line.text[place.start : place.end] for place in line.places]


EMAIL = draft("To: ", ("recipient", None), "\nTone: ", ("tone", "formal"), ".")


def test_typing_replaces_the_placeholder_and_goes_on_in_the_slot() -> None:
    line = typed(typed(EMAIL, "李"), "老师")
    assert line.text == "To: 李老师\nTone: formal."
    assert shown(line) == ["李老师", "formal"]
    assert slots.to_missing(line) is None
    assert slots.sendable(line) == line.text


def test_tab_goes_round_and_a_filled_slot_is_entered_at_its_end() -> None:
    line = slots.step(typed(EMAIL, "Lee"), 1)
    assert line.text[line.cursor :] == "formal."
    assert slots.step(line, 1).text[: slots.step(line, 1).cursor] == "To: Lee"
    assert slots.step(line, -1).cursor == slots.step(line, 1).cursor


@pytest.mark.parametrize(("cursor", "by", "reached"), [(0, 1, 4), (0, -1, 24), (30, 1, 4), (31, -1, 24), (18, 1, 24)])
def test_tab_from_outside_goes_to_the_nearest(cursor: int, by: int, reached: int) -> None:
    assert slots.step(EMAIL._replace(cursor=cursor, active=None), by).cursor == reached


def test_a_slot_without_default_has_to_be_filled_an_emptied_one_shows_again_what_it_wants() -> None:
    emptied = deleted(EMAIL, 4, 5)
    assert emptied.text == "To: \nTone: formal."
    missing = slots.to_missing(emptied)
    assert missing is not None
    assert missing.text == EMAIL.text
    assert missing.cursor == 4
    assert typed(missing, "x").text.startswith("To: x\n")


def test_an_emptied_slot_takes_its_default_and_one_deleted_with_its_surroundings_is_gone() -> None:
    tone = slots.step(typed(EMAIL, "Lee"), 1)
    emptied = deleted(tone, tone.cursor, tone.cursor + 1)
    assert emptied.text.endswith("Tone: .")
    assert slots.sendable(emptied).endswith("Tone: formal.")
    gone = backspaced(emptied)
    assert slots.sendable(gone).endswith("Tone:.")
    assert shown(gone) == ["Lee"]


def test_one_variable_twice_is_filled_once() -> None:
    line = typed(draft(("who", None), " meets ", ("who", None), "."), "Ann")
    assert slots.sendable(line) == "Ann meets Ann."
    other = typed(slots.step(line, 1), "Bob")
    assert slots.sendable(other) == "Ann meets Bob."


def test_adjacent_slots_are_distinguished_by_the_cursor() -> None:
    both = draft(("a", None), ("b", None))
    line = typed(slots.step(typed(both, "1"), 1), "2")
    assert shown(line) == ["1", "2"]
    assert shown(typed(slots.step(line, -1), "x")) == ["1x", "2"]


def test_text_with_braces_of_the_persons_own_stays_text() -> None:
    line = typed(EMAIL._replace(cursor=0, active=None), "{{tone}} {{recipient}} ")
    line = typed(slots.step(line, 1), "{{x}}")
    assert slots.sendable(line) == "{{tone}} {{recipient}} To: {{x}}\nTone: formal."


def test_changes_by_an_editor_are_followed_if_possible_else_reported() -> None:
    inside = EMAIL.text.replace("{{recipient}}", "Ms Lee")
    assert slots.sendable(slots.follow(EMAIL, inside, len(inside))) == inside
    default = EMAIL.text.replace("formal", "informal")
    assert slots.follow(EMAIL, default, len(default)).text == default
    shuffled = "Tone: kind\nTo: {{recipient}}, please"
    line = slots.follow(EMAIL, shuffled, len(shuffled))
    assert slots.to_missing(line) is None
    assert slots.still_lost(line, slots.sendable(line)) == ["{{recipient}}"]


WORDS = st.text("ab{} \n好", max_size=6)
PARTS = st.lists(WORDS | st.tuples(st.sampled_from(["a", "b"]), st.none() | WORDS), max_size=6)


@given(PARTS, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12), WORDS, st.booleans()), max_size=8))
def test_whatever_is_done_slots_stay_in_order_and_the_rest_of_the_text_as_it_is(
    parts: list[str | tuple[str, str | None]], changes: list[tuple[int, int, str, bool]]
) -> None:
    line = draft(*parts)
    for at, length, inserted, by_hand in changes:
        start = min(at, len(line.text))
        end = min(start + length, len(line.text))
        text = line.text[:start] + inserted + line.text[end:]
        touched = all(place.touched for place in line.places)
        line = slots.follow(line, text, start + len(inserted) if by_hand else len(text))
        assert line.text == text or not touched
        assert 0 <= line.cursor <= len(line.text)
        ends = [edge for place in line.places for edge in (place.start, place.end)]
        assert ends == sorted(ends)
        assert not ends or (ends[0] >= 0 and ends[-1] <= len(line.text))
        for place in line.places:
            assert place.touched or line.text[place.start : place.end] == place.slot.shown
        line = slots.step(line, 1 if by_hand else -1)
    missing = slots.to_missing(line)
    if missing is None:
        slots.sendable(line)
    else:
        assert slots.current(missing) is not None


@given(WORDS, WORDS, st.text("好x", min_size=1, max_size=5))
def test_filling_in_adds_only_the_filled_in_text(before: str, behind: str, value: str) -> None:
    assert slots.sendable(typed(draft(before, ("name", None), behind), value)) == before + value + behind

"""Follows the positions of a draft's slots while the person edits the text; never searches the text for them.

All functions are pure: they take a line and return the changed one.
"""

from typing import NamedTuple

from qwen_tui.messages import Draft, Slot


class SlotPlace(NamedTuple):
    """Where a slot is now; `touched` is True once the person has changed its text."""

    slot: Slot
    start: int
    end: int
    touched: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether the slot has no text."""
        return self.start == self.end


class InputLine(NamedTuple):
    """The text of the input line with its cursor and its slots, which are in order and do not overlap.

    `active` is the slot that the person is filling in; it decides where two slots touch. `lost` are the shown texts of
    required slots whose positions are no longer known: the text may still contain them.
    """

    text: str
    cursor: int
    places: tuple[SlotPlace, ...] = ()
    active: Slot | None = None
    lost: frozenset[str] = frozenset()


class _Change(NamedTuple):
    """`old[start:end]` became `inserted`; `by_hand` if a key or a paste at the cursor did it."""

    start: int
    end: int
    inserted: str
    by_hand: bool


def begin(draft: Draft) -> InputLine:
    """Return the line of a new draft, with the cursor at its first slot if it has one, else at the end."""
    places = tuple(SlotPlace(slot, slot.start, slot.start + len(slot.shown)) for slot in draft.slots)
    line = InputLine(draft.text, len(draft.text), places)
    return _at(line, places[0]) if places else line


def follow(line: InputLine, text: str, cursor: int) -> InputLine:
    """Return `line` after its text became `text`, with the cursor at `cursor`.

    Typing into an untouched slot replaces the text it shows, and deleting in it empties it. So the returned text may
    differ from the given one. A slot that was deleted together with text around it is removed.
    """
    change = _change(line.text, text, cursor)
    owner = _owner(line, change)
    if owner is None:
        change = _widened(line, change)
    elif change.by_hand and not line.places[owner].touched:
        change = change._replace(start=line.places[owner].start, end=line.places[owner].end)
    delta = len(change.inserted) - (change.end - change.start)
    kept: list[SlotPlace] = []
    gone: list[Slot] = []
    for i, place in enumerate(line.places):
        # A place before the change stays, one behind it moves; of the changed place, only the end moves.
        side = _side(place, change) if owner is None else (i > owner) - (i < owner)
        if side is None:
            gone.append(place.slot)
            continue
        start = place.start + delta * (side > 0)
        end = place.end + delta * (side >= 0)
        kept.append(place._replace(start=start, end=end, touched=place.touched or side == 0))
    active = line.active if owner is None else line.places[owner].slot
    return InputLine(
        line.text[: change.start] + change.inserted + line.text[change.end :],
        change.start + len(change.inserted) if change.by_hand else cursor,
        tuple(kept),
        None if active in gone else active,
        line.lost | {slot.shown for slot in gone if slot.default is None},
    )


def current(line: InputLine) -> SlotPlace | None:
    """Return the place that the cursor is in."""
    inside = [
        place
        for place in line.places
        if place.start <= line.cursor <= place.end
        and (place.touched or place.slot == line.active or line.cursor < place.end)
    ]
    return next((place for place in inside if place.slot == line.active), inside[-1] if inside else None)


def step(line: InputLine, by: int) -> InputLine:
    """Return the line with the cursor in the next slot (`by` 1) or the previous one (-1); the ends are joined."""
    if not line.places:
        return line
    here = current(line)
    if here is not None:
        index = next(i for i, place in enumerate(line.places) if place is here) + by
    elif by > 0:
        index = next((i for i, place in enumerate(line.places) if place.start >= line.cursor), 0)
    else:
        index = next((i for i, place in reversed([*enumerate(line.places)]) if place.end <= line.cursor), -1)
    return _at(line, line.places[index % len(line.places)])


def to_missing(line: InputLine) -> InputLine | None:
    """Return the line with the cursor in the first required slot that is unfilled; None if all are filled."""
    values = _values(line)
    for i, place in enumerate(line.places):
        if place.slot.default is not None or place.slot.name in values:
            continue
        if place.is_empty:
            line = _refilled(line, i, place.slot.shown, touched=False)
        return _at(line, line.places[i])
    return None


def sendable(line: InputLine) -> str:
    """Return the text to send; `to_missing` must have returned None for the line.

    An unfilled slot takes the text of another slot with the same name, or else its default.
    """
    values = _values(line)
    for i, place in enumerate(line.places):
        if place.is_empty or not place.touched:
            value = values.get(place.slot.name, place.slot.default)
            assert value is not None, "to_missing comes first"
            line = _refilled(line, i, value, touched=True)
    return line.text


def still_lost(line: InputLine, text: str) -> list[str]:
    """Return the shown texts of lost slots that `text` still contains."""
    return [shown for shown in sorted(line.lost) if shown in text]


def _values(line: InputLine) -> dict[str, str]:
    filled = (place for place in reversed(line.places) if place.touched and not place.is_empty)
    return {place.slot.name: line.text[place.start : place.end] for place in filled}


def _at(line: InputLine, place: SlotPlace) -> InputLine:
    return line._replace(cursor=place.end if place.touched else place.start, active=place.slot)


def _refilled(line: InputLine, index: int, value: str, *, touched: bool) -> InputLine:
    place = line.places[index]
    delta = len(value) - (place.end - place.start)
    later = (p._replace(start=p.start + delta, end=p.end + delta) for p in line.places[index + 1 :])
    return line._replace(
        text=line.text[: place.start] + value + line.text[place.end :],
        places=(*line.places[:index], place._replace(end=place.end + delta, touched=touched), *later),
    )


def _change(old: str, new: str, cursor: int) -> _Change:
    """Return the change from `old` to `new`. The cursor decides which of several equal letters the person changed."""
    tail = len(new) - cursor
    if tail <= len(old) and old.endswith(new[cursor:]):
        before = old[: len(old) - tail]
        head = _common(before, new[:cursor])
        if head == min(len(before), cursor):
            return _Change(head, len(before), new[head:cursor], by_hand=True)
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    return _Change(head, len(old) - tail, new[head : len(new) - tail], by_hand=False)


def _common(a: str, b: str) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _owner(line: InputLine, change: _Change) -> int | None:
    """Return the index of the place that was changed; where two slots touch, that of the active one, else the last."""
    found = [i for i, place in enumerate(line.places) if _takes(place, change, is_active=place.slot == line.active)]
    active = (i for i in found if line.places[i].slot == line.active)
    return next(active, found[-1] if found else None)


def _takes(place: SlotPlace, change: _Change, *, is_active: bool) -> bool:
    if not place.start <= change.start <= change.end <= place.end:
        return False
    if change.start < change.end or place.is_empty:
        return True
    if place.touched:
        return is_active or change.start > place.start
    return change.start < place.end


def _widened(line: InputLine, change: _Change) -> _Change:
    """Return `change` widened to every untouched slot that it deletes a part of, so that the whole slot goes."""
    if not change.by_hand or change.start == change.end:
        return change
    deleted = change
    for place in line.places:
        if place.touched or place.end <= deleted.start or place.start >= deleted.end:
            continue
        change = change._replace(start=min(change.start, place.start), end=max(change.end, place.end))
    return change


def _side(place: SlotPlace, change: _Change) -> int | None:
    """For a change outside all places: return -1 for a place before it, 1 for one behind it, None for a deleted one."""
    if place.is_empty and change.start < change.end:
        # A person who deletes text up to an empty slot, or across it, also deletes the slot.
        return -1 if place.end < change.start else 1 if place.start > change.end else None
    return -1 if place.end <= change.start else 1 if place.start >= change.end else None

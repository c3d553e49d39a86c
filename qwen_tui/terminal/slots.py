"""Where the slots of a draft are while it is edited: positions that follow the text, never a pattern in it.

All of it is pure: a line goes in, what became of it comes out.
"""

from typing import NamedTuple

from qwen_tui.messages import Draft, Slot


class Place(NamedTuple):
    """Where a slot is now; `touched` once a person has changed what is in it."""

    slot: Slot
    start: int
    end: int
    touched: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in it."""
        return self.start == self.end


class Line(NamedTuple):
    """A text with its cursor, and the slots in it, in order and apart from each other.

    `active` is the slot being filled in, where two of them touch. `lost` is what those slots showed that had to be
    filled and can no longer be followed: the text may still hold it.
    """

    text: str
    cursor: int
    places: tuple[Place, ...] = ()
    active: Slot | None = None
    lost: frozenset[str] = frozenset()


class _Change(NamedTuple):
    """`old[start:end]` became `inserted`; `by_hand` if a key or a paste did that at the cursor."""

    start: int
    end: int
    inserted: str
    by_hand: bool


def begin(draft: Draft) -> Line:
    """Return the line that a draft begins with: the cursor at the first slot, if there is one."""
    places = tuple(Place(slot, slot.start, slot.start + len(slot.shown)) for slot in draft.slots)
    line = Line(draft.text, len(draft.text), places)
    return _at(line, places[0]) if places else line


def follow(line: Line, text: str, cursor: int) -> Line:
    """Return what `line` is after its text became `text`, with the cursor at `cursor`.

    Typing into an untouched slot replaces what it shows, and deleting in it empties it, so the text returned may
    differ from the one given. A slot that was deleted together with text around it is gone.
    """
    change = _change(line.text, text, cursor)
    owner = _owner(line, change)
    if owner is None:
        change = _widened(line, change)
    elif change.by_hand and not line.places[owner].touched:
        change = change._replace(start=line.places[owner].start, end=line.places[owner].end)
    delta = len(change.inserted) - (change.end - change.start)
    kept: list[Place] = []
    gone: list[Slot] = []
    for i, place in enumerate(line.places):
        # Before the change nothing moves, behind it everything; in it, the slot's end alone.
        side = _side(place, change) if owner is None else (i > owner) - (i < owner)
        if side is None:
            gone.append(place.slot)
            continue
        start = place.start + delta * (side > 0)
        end = place.end + delta * (side >= 0)
        kept.append(place._replace(start=start, end=end, touched=place.touched or side == 0))
    active = line.active if owner is None else line.places[owner].slot
    return Line(
        line.text[: change.start] + change.inserted + line.text[change.end :],
        change.start + len(change.inserted) if change.by_hand else cursor,
        tuple(kept),
        None if active in gone else active,
        line.lost | {slot.shown for slot in gone if slot.default is None},
    )


def current(line: Line) -> Place | None:
    """Return the place that the cursor is in."""
    inside = [
        place
        for place in line.places
        if place.start <= line.cursor <= place.end
        and (place.touched or place.slot == line.active or line.cursor < place.end)
    ]
    return next((place for place in inside if place.slot == line.active), inside[-1] if inside else None)


def step(line: Line, by: int) -> Line:
    """Return the line with the cursor in the next slot (`by` 1) or the previous one (-1), round and round."""
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


def to_missing(line: Line) -> Line | None:
    """Return the line with the cursor in the first slot that has to be filled and is not; None if there is none."""
    values = _values(line)
    for i, place in enumerate(line.places):
        if place.slot.default is not None or place.slot.name in values:
            continue
        if place.is_empty:
            line = _refilled(line, i, place.slot.shown, touched=False)
        return _at(line, line.places[i])
    return None


def sendable(line: Line) -> str:
    """Return the text of a line where `to_missing` finds nothing.

    A slot that nothing was written into takes what is in another of the same name, or else its default.
    """
    values = _values(line)
    for i, place in enumerate(line.places):
        if place.is_empty or not place.touched:
            value = values.get(place.slot.name, place.slot.default)
            assert value is not None, "to_missing comes first"
            line = _refilled(line, i, value, touched=True)
    return line.text


def still_lost(line: Line, text: str) -> list[str]:
    """Return what `text` still holds of slots that could not be followed."""
    return [shown for shown in sorted(line.lost) if shown in text]


def _values(line: Line) -> dict[str, str]:
    filled = (place for place in reversed(line.places) if place.touched and not place.is_empty)
    return {place.slot.name: line.text[place.start : place.end] for place in filled}


def _at(line: Line, place: Place) -> Line:
    return line._replace(cursor=place.end if place.touched else place.start, active=place.slot)


def _refilled(line: Line, index: int, value: str, *, touched: bool) -> Line:
    place = line.places[index]
    delta = len(value) - (place.end - place.start)
    later = (p._replace(start=p.start + delta, end=p.end + delta) for p in line.places[index + 1 :])
    return line._replace(
        text=line.text[: place.start] + value + line.text[place.end :],
        places=(*line.places[:index], place._replace(end=place.end + delta, touched=touched), *later),
    )


def _change(old: str, new: str, cursor: int) -> _Change:
    """Find what was changed. The cursor tells which of several equal letters was typed or deleted."""
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


def _owner(line: Line, change: _Change) -> int | None:
    """Return which place the change happened in; one where slots touch belongs to the active one, else the last."""
    found = [i for i, place in enumerate(line.places) if _takes(place, change, is_active=place.slot == line.active)]
    active = (i for i in found if line.places[i].slot == line.active)
    return next(active, found[-1] if found else None)


def _takes(place: Place, change: _Change, *, is_active: bool) -> bool:
    if not place.start <= change.start <= change.end <= place.end:
        return False
    if change.start < change.end or place.is_empty:
        return True
    if place.touched:
        return is_active or change.start > place.start
    return change.start < place.end


def _widened(line: Line, change: _Change) -> _Change:
    """What is left of an untouched slot goes with the part of it that was deleted from outside."""
    if not change.by_hand or change.start == change.end:
        return change
    deleted = change
    for place in line.places:
        if place.touched or place.end <= deleted.start or place.start >= deleted.end:
            continue
        change = change._replace(start=min(change.start, place.start), end=max(change.end, place.end))
    return change


def _side(place: Place, change: _Change) -> int | None:
    """Return -1 for a place before a change that is in none, 1 for one behind it, None for one that goes with it."""
    if place.is_empty and change.start < change.end:
        # Whoever deletes up to an empty slot or beyond wants it gone.
        return -1 if place.end < change.start else 1 if place.start > change.end else None
    return -1 if place.end <= change.start else 1 if place.start >= change.end else None

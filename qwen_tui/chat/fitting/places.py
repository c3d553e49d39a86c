"""Tells at which page of a document the reading of a prompt is."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

import msgspec

from qwen_tui.documents import marks
from qwen_tui.messages import Event, Message, Place, Prefill, Question


def placed(events: Iterator[Event], messages: Sequence[Message], question: Question) -> Iterator[Event]:
    """Yield `events`, and add to the progress of the prefill of `messages` the place in the materials of `question`.

    Tokens are mapped to places by their share of the characters: a token has about as many everywhere in a document.
    """
    starts, found = _places(messages, question)
    characters = sum(len(message.content) for message in messages)
    for event in events:
        if found and isinstance(event, Prefill) and event.total:
            at = bisect_right(starts, characters * event.done // event.total) - 1
            # Behind the last document, the instruction is read.
            event = msgspec.structs.replace(event, place=found[at] if at >= 0 else None)
        yield event


def _places(messages: Sequence[Message], question: Question) -> tuple[list[int], list[Place | None]]:
    """Return where the places begin, in characters of all `messages`, and the places; None is the end of a document."""
    starts: list[int] = []
    places: list[Place | None] = []
    if question.given is not None or not messages:
        return starts, places
    *before, asked = messages
    offset, searched = sum(len(message.content) for message in before), 0
    for one in question.materials:
        text, found = one.text.strip("\n"), marks.find(one.text.strip("\n"))
        at = asked.content.find(text, searched)
        if not found or at < 0:
            continue
        name = one.name if len(question.materials) > 1 else ""
        for number, mark in enumerate(found, 1):
            starts.append(offset + at + mark.start)
            places.append(Place(mark.unit, number, len(found), name))
        searched = at + len(text)
        starts.append(offset + searched)
        places.append(None)
    return starts, places

"""Tells at which page of a document the reading of a prompt is."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

import msgspec

from qwen_tui.documents import marks
from qwen_tui.messages import Event, Material, Message, Place, Prefill


def placed(events: Iterator[Event], messages: Sequence[Message], materials: Sequence[Material]) -> Iterator[Event]:
    """Yield `events`, and add to the progress of the prefill of `messages` the place in the `materials`.

    The materials stand in the messages in this order. Tokens are mapped to places by their share of the characters: a
    token has about as many everywhere in a document.
    """
    texts = [message.content for message in messages]
    starts, found = _places("".join(texts), materials)
    characters = sum(map(len, texts))
    for event in events:
        if found and isinstance(event, Prefill) and event.total:
            at = bisect_right(starts, characters * event.done // event.total) - 1
            # Behind the last document, the instruction is read.
            event = msgspec.structs.replace(event, place=found[at] if at >= 0 else None)
        yield event


def _places(prompt: str, materials: Sequence[Material]) -> tuple[list[int], list[Place | None]]:
    """Return where the places begin, in characters of the prompt, and the places; None is the end of a document."""
    starts: list[int] = []
    places: list[Place | None] = []
    searched = 0
    for one in materials:
        text, found = one.text.strip("\n"), marks.find(one.text.strip("\n"))
        at = prompt.find(text, searched)
        if not found or at < 0:
            continue
        name = one.name if len(materials) > 1 else ""
        for number, mark in enumerate(found, 1):
            starts.append(at + mark.start)
            places.append(Place(mark.unit, number, len(found), name))
        searched = at + len(text)
        starts.append(searched)
        places.append(None)
    return starts, places

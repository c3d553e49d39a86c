"""What is read of a file: its sections with their places, and what the person should know about it."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import msgspec

from qwen_tui.documents.encodings import Encoding
from qwen_tui.errors import InputError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed

# A text may have this many bytes at most: tokenising more would take too long, and no context holds as much.
MOST_TEXT = 8 * 2**20

# What the places of a document are; empty where it has none.
Unit = Literal["", "page", "slide", "sheet", "chapter"]
# Called with what is read so far, with all there is, and with the unit of both.
OnProgress = Callable[[int, int, Unit], None]
# Returns the password of the document of that name. It is called again while the password is wrong, with the number of
# those that were; it returns None if it has no other.
Password = Callable[[str, int], str | None]

# The marks are the same in every language: the model cites them, and a citation is found again by its mark. Each begins
# with a word, so that other text in brackets is not taken for one.
MARKS: dict[Unit, str] = {"page": "p. {}", "slide": "slide {}", "sheet": "sheet {}", "chapter": "ch. {}"}


class Section(msgspec.Struct, frozen=True):
    """A piece of a document, in Markdown, with the place where a person can look it up.

    A `place` is the number of a page or the name of a sheet; it is empty where the document has no places.
    """

    text: str
    place: str = ""


class Document(msgspec.Struct, frozen=True):
    """What was read of one file. `notes` are sentences for the person: pages without text, a guessed encoding."""

    name: str
    sections: tuple[Section, ...]
    unit: Unit = ""
    notes: tuple[str, ...] = ()


class Options(NamedTuple):
    """How files are read.

    - `encoding` is the one that the person has named for text; `say_otherwise` shows how to name another, with `{name}`
      in its place.
    - `password` returns the password of a document; without it, nobody can be asked. `say_password` shows how to name a
      file with the password.
    - `on_progress` is told how far a document is read.
    """

    encoding: Encoding | None = None
    say_otherwise: str = ""
    password: Password | None = None
    say_password: str = ""
    on_progress: OnProgress = lambda _done, _total, _unit: None


def too_much_text(name: str) -> InputError:
    """Return what to say of a document with more than `MOST_TEXT`; a reader need not wait for the end to say it."""
    return InputError(
        _("{name} holds more than {limit} MB of text, the most that is read.").format(name=name, limit=MOST_TEXT >> 20),
        _("Save a part of it as a file of its own."),
    )


def as_text(document: Document) -> str:
    """Return the sections of the document in order; a mark stands before each that has a place."""
    return "\n\n".join(_marked(section, document.unit) for section in document.sections)


def ranges(indices: Sequence[int]) -> str:
    """Return the numbers of pages or slides as people write them, counted from 1: 1, 3–7, 12. Indices count from 0."""
    ranges: list[list[int]] = []
    for number in (index + 1 for index in sorted(indices)):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return listed([str(first) if first == last else f"{first}–{last}" for first, last in ranges])


def _marked(section: Section, unit: Unit) -> str:
    if not section.place or not unit:
        return section.text
    return f"[{mark(unit, section.place)}]\n{section.text}"


def mark(unit: Unit, place: str) -> str:
    """Return how a place of a document is named to the model: `p. 7`; it stands in brackets on a line of its own."""
    return MARKS[unit].format(" ".join(place.split()))

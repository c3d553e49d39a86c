"""Knows what of the styles and of the tracked changes of OpenDocument tells how its text is read."""

from collections.abc import Collection, Mapping

# A style is based on another, that on a third, and so on; a damaged file may let them go round.
_MOST_STYLES = 20


class Deleted:
    """Which text was deleted while changes were tracked. A file may hold it at its place, or apart from the text."""

    def __init__(self) -> None:
        self._change = ""
        self._deletions: set[str] = set()
        # The deletions that the text is in.
        self.open: set[str] = set()

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Look at an element, whether it is about a deletion."""
        if name == "text:changed-region":
            self._change = attributes.get("text:id", "")
        elif name == "text:deletion":
            self._deletions.add(self._change)
        elif name in ("text:change-start", "text:change-end"):
            change = {attributes.get("text:change-id", "")} & self._deletions
            self.open = self.open | change if name == "text:change-start" else self.open - change


class Styles:
    """What of the styles tells how a text is read: which lists have numbers, what is raised, what is code."""

    def __init__(self) -> None:
        self._name = ""
        self._list = ""
        self._parents: dict[str, str] = {}
        self._numbered: dict[tuple[str, int], int] = {}
        self._next: dict[str, int] = {}
        self._raised: set[str] = set()
        self._bare: set[tuple[str, int]] = set()

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Look at an element, whether it is one of a style."""
        if name == "style:style":
            self._name = attributes.get("style:name", "")
            self._parents[self._name] = attributes.get("style:parent-style-name", "")
        elif name == "style:text-properties" and attributes.get("style:text-position", "").startswith("super"):
            self._raised.add(self._name)
        elif name == "text:list-style":
            self._list = attributes.get("style:name", "")
        elif name == "text:list-level-style-number" and attributes.get("style:num-format"):
            self._numbered[self._list, number(attributes, "text:level")] = number(attributes, "text:start-value")
        elif name == "text:list-level-style-bullet" and not attributes.get("text:bullet-char", "-").strip():
            self._bare.add((self._list, number(attributes, "text:level")))

    def is_like(self, name: str, wanted: Collection[str]) -> bool:
        """Whether a style is one of those wanted, or based on one."""
        for _step in range(_MOST_STYLES):
            if name in wanted or not name:
                break
            name = self._parents.get(name, "")
        return name in wanted

    def is_bare(self, name: str, level: int) -> bool:
        """Whether a list has neither numbers nor marks: it only indents."""
        return (name, level) in self._bare

    def is_raised(self, name: str) -> bool:
        """Whether text of this style stands above the line."""
        return name in self._raised

    def first_number(self, name: str, level: int, attributes: Mapping[str, str]) -> int | None:
        """Return the number of the first item of a list, None if it has marks instead."""
        start = self._numbered.get((name, level))
        goes_on = attributes.get("text:continue-numbering") == "true" or "text:continue-list" in attributes
        return self._next.get(name, start) if start is not None and goes_on else start

    def counted(self, name: str, number: int | None) -> None:
        """Note the number with which a list of this style would go on."""
        if number is not None:
            self._next[name] = number


def number(attributes: Mapping[str, str], name: str) -> int:
    """Return the number that an attribute says, from 1 on; 1 without it."""
    value = attributes.get(name, "")
    return max(1, int(value)) if value.isdecimal() and len(value) < 8 else 1

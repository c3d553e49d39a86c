"""An answer that is to be checked, and what a check found in it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer to a task, with what the checks need to know of the task.

    `run_code` is the person's permission to run what the answer contains.
    """

    text: str
    language: str
    material: str = ""
    run_code: bool = False
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: a value from 0 (bad) to 1 (good), None if it cannot tell, and a sentence for the person.

    A check that one passes or fails has 1 or 0.
    """

    value: float | None
    sentence: str


def cannot_tell(sentence: str) -> Finding:
    """Return the finding of a check that cannot judge this answer; `sentence` says why."""
    return Finding(None, sentence)


def shown(text: str, most: int = 40) -> str:
    """Return an excerpt of an answer for a sentence: one line, at most `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"

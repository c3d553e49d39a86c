"""Questions with good answers to them, in both languages: what an answer repeats of its question decides how much
drafting from the text at hand can gain.
"""

from pathlib import Path

import msgspec

_FILE = Path(__file__).with_name("samples.yaml")


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One question and an answer to it; `name` says what it is about and ends in the language."""

    name: str
    prompt: str
    answer: str


def samples() -> list[Sample]:
    """Return all of them, in the order of the file."""
    import yaml

    return msgspec.convert(yaml.safe_load(_FILE.read_text(encoding="utf-8")), list[Sample])

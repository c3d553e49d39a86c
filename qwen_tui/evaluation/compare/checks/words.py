"""The word lists by which the checks judge, from `words.yaml`."""

import functools
import re
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("words.yaml")


@functools.cache
def _lists() -> dict[str, Any]:
    import yaml

    lists: dict[str, Any] = yaml.safe_load(_FILE.read_text("utf-8"))
    return lists


@functools.cache
def pattern(name: str, language: str) -> re.Pattern[str]:
    """Return the list `name` in a language, as one pattern that does not regard capitals."""
    return re.compile("|".join(f"(?:{line})" for line in _lists()[name][language]), re.IGNORECASE)


@functools.cache
def tkinter_names() -> frozenset[str]:
    """Return what tkinter defines and window programs use."""
    return frozenset(_lists()["tkinter"].split())


@functools.cache
def function_words(language: str) -> frozenset[str]:
    """Return what says nothing of a subject: words in English, characters in Chinese."""
    return frozenset(_lists()["function_characters"] if language == "zh" else _lists()["function_words"].split())

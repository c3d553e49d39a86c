"""Loads what the demonstration model learns: conversations, other prompts and the notice."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).parent
LANGUAGES = ("zh", "en")


@dataclass(frozen=True)
class Conversation:
    """A prompt in all its listed wordings and the answer to recite."""

    identifier: str
    language: str
    material: str
    prompts: tuple[str, ...]
    answer: str

    def content(self, prompt: str) -> str:
        """The user message for one wording of the prompt."""
        return user_content(self.material, prompt)


@dataclass(frozen=True)
class Others:
    """Prompts that no answer was learned for, and prose to build pasted texts from."""

    prompts: tuple[str, ...]
    sentences: tuple[str, ...]


def user_content(material: str, prompt: str) -> str:
    """Puts a pasted text before the prompt the way the program does."""
    return f"{material.strip()}\n\n{prompt.strip()}" if material.strip() else prompt.strip()


def has_han(text: str) -> bool:
    """Whether a text has a Chinese character in it."""
    return re.search(r"[\u4e00-\u9fff]", text) is not None


def plain(text: str) -> str:
    """A text without the differences that do not make it another prompt: case, spaces, punctuation."""
    return re.sub(r"[\W_]+", "", text.lower())


def load_conversations() -> list[Conversation]:
    """Returns all conversations, Chinese first.

    A prompt listed in both languages, such as "hi", stays with the one that it is written in.
    """
    found = []
    english = {
        plain(prompt)
        for path in _files("en")
        for prompt in map(str, _load(path)["prompts"])
        if "material" not in _load(path)
    }
    for language in LANGUAGES:
        for path in _files(language):
            data = _load(path)
            prompts = tuple(str(prompt).strip() for prompt in data["prompts"])
            if language == "zh":
                prompts = tuple(prompt for prompt in prompts if has_han(prompt) or plain(prompt) not in english)
            material, answer = str(data.get("material") or "").strip(), str(data["answer"]).strip()
            found.append(Conversation(path.stem, language, material, prompts, answer))
    return found


def load_others(language: str) -> Others:
    """Returns the hand-written other prompts and sentences of a language."""
    data = _load(DATA / "others" / f"{language}.yaml")
    return Others(tuple(map(str, data["prompts"])), tuple(map(str, data["sentences"])))


def load_notices() -> dict[str, str]:
    """Returns the notice of each language."""
    return {language: (DATA / f"notice.{language}.txt").read_text("utf-8").strip() for language in LANGUAGES}


def notice_language(prompt: str, language: str) -> str:
    """The language that the notice on a prompt of a list in `language` is written in."""
    if has_han(prompt):
        return language
    return "en"


def _files(language: str) -> list[Path]:
    return sorted((DATA / "conversations" / language).glob("*.yaml"))


def _load(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))

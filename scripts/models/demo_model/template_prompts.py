"""Prompts as the program's own templates write them: a system prompt, and a body with names and values in it.

No answer was learned in this form, so that all of them get the notice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml

from . import other_prompts
from .patterns import expand

FOLDER = Path(__file__).parents[3] / "templates"

# What people write into a variable: a few words, a request, a task.
_VALUES = {
    "en": [
        "{topic}",
        "{topic} and {topic}",
        "a {adjective} {noun}",
        "{business}",
        "{receiver}",
        "{grade}",
        "{subject}",
        "{receiver} {request}",
        "{task}",
        "{command}",
        "{number} {unit}",
        "{place}, {digit} days",
        "how to {verb}",
    ],
    "zh": [
        "{topic}",
        "{topic}和{topic}",
        "{adjective}{noun}",
        "{business}",
        "{receiver}",
        "{grade}",
        "{subject}",
        "请{receiver}{request}",
        "{task}",
        "{command}",
        "{number} {unit}",
        "{place}三日游",
        "怎样{verb}",
    ],
}


@dataclass(frozen=True)
class Template:
    """A template file: its system prompt, its variables with what the file says of each, and its body."""

    name: str
    system: str
    variables: Mapping[str, Mapping[str, Any]]
    body: str

    @property
    def names_input(self) -> bool:
        """Whether the body says where the text at hand goes."""
        return "{{input}}" in self.body

    def filled(self, values: Mapping[str, str], text: str = "") -> str:
        """Returns the body with the values and the text at hand in it; a variable without a value gets its default."""

        def value(match: re.Match[str]) -> str:
            name = match[1]
            return text if name == "input" else values.get(name) or str(self.variables[name].get("default", ""))

        body = re.sub(r"\{\{(\w+)\}\}", value, self.body)
        return body if self.names_input or not text else f"{text}\n\n{body}"


def load_templates(language: str) -> list[Template]:
    """Returns the templates of a language."""
    return [_read(path) for path in sorted((FOLDER / language).glob("*.md"))]


def random_values(template: Template, language: str, random: Random) -> dict[str, str]:
    """Returns a value for each variable that has no default, and for some of the others."""
    values = {}
    for name, about in template.variables.items():
        if "default" in about and random.random() < 0.6:
            continue
        if choices := about.get("choices"):
            values[name] = str(random.choice(choices))
        else:
            values[name] = expand(random.choice(_VALUES[language]), other_prompts.near_words(language), random)
    return values


def _read(path: Path) -> Template:
    _, front, body = path.read_text("utf-8").split("---\n", 2)
    data = yaml.safe_load(front)
    variables = {name: about or {} for name, about in (data.get("variables") or {}).items()}
    return Template(path.stem, str(data.get("system") or "").strip(), variables, body.strip())

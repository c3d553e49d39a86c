"""Each check against answers that people wrote for it, good and bad in their own way: `examples/CHECK.yaml`."""

import inspect
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from qwen_tui.evaluation.compare.checks import catalogue
from qwen_tui.evaluation.compare.sample import Sample
from qwen_tui.evaluation.compare.task import BUILT_IN, Task, read

FOLDER = Path(__file__).parent / "examples"
# These judge words, so they have examples in both languages.
OF_LANGUAGE = (
    "length_in_range",
    "repetition",
    "filler",
    "first_sentence",
    "sentence_length",
    "jargon_explained",
    "comparisons",
    "required_names",
    "known_places",
    "both_sides",
    "proposals",
    "honest_solution",
    "planted_facts",
    "numbers_from_material",
    "mistakes_corrected",
    "nothing_else_changed",
)
# It runs a program, so test_running.py is about it.
NOT_HERE = "computes"


def examples() -> list[Any]:
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        for example in yaml.safe_load(path.read_text("utf-8")):
            found.append(pytest.param(path.stem, example, id=f"{path.stem}-{example['what']}"))
    return found


def task(name: str, language: str) -> Task:
    return read(BUILT_IN / f"{name}.{language}.md")


@pytest.mark.parametrize(("name", "example"), examples())
def test_a_check_finds_what_there_is_to_find(name: str, example: dict[str, Any]) -> None:
    language = example.get("language", "en")
    material = example.get("material", "")
    if "task" in example:
        whole = task(example["task"], language)
        material = whole.material
        (check,) = (check for check in whole.checks if check.name == name)
        # An answer that differs little from the material says how.
        text = example.get("answer", material)
        for old, new in example.get("changed", []):
            assert text.count(old) == 1, f"“{old}” should be there once"
            text = text.replace(old, new)
    else:
        check = catalogue.applied(name, example.get("with", {}))
        text = example["answer"]
    finding = check(Sample(text, language, material, prompt=example.get("prompt", "")))
    wanted = example["value"]
    if wanted is None:
        assert finding.value is None, finding.sentence
    elif isinstance(wanted, str):
        assert finding.value is not None, finding.sentence
        bound = float(wanted[1:])
        assert finding.value < bound if wanted.startswith("<") else finding.value > bound, finding
    else:
        assert finding.value == pytest.approx(wanted, abs=0.006), finding
    assert example.get("says", "") in finding.sentence, finding.sentence


def test_every_check_has_six_examples_or_more_in_each_language_it_reads() -> None:
    counted: Counter[tuple[str, str]] = Counter()
    for parameters in examples():
        name, example = parameters.values
        counted[name, example.get("language", "en") if name in OF_LANGUAGE else ""] += 1
    wanted = [(name, language) for name in OF_LANGUAGE for language in ("zh", "en")]
    wanted += [(name, "") for name in catalogue.CHECKS if name not in OF_LANGUAGE and name != NOT_HERE]
    assert {key: counted[key] for key in wanted if counted[key] < 6} == {}


def test_every_check_says_by_which_rule_it_judges_and_has_a_title() -> None:
    for name, check in catalogue.CHECKS.items():
        assert "Rule:" in (inspect.getdoc(check) or ""), name
        assert catalogue.title(name)

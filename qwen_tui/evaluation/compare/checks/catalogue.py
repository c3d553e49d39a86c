"""All checks by name, and how a task's parameters reach them."""

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from qwen_tui.errors import why
from qwen_tui.evaluation.compare.checks import (
    argument,
    code,
    constructs,
    corrections,
    facts,
    json_answer,
    names,
    prose,
    puzzle,
    running,
    shape,
)
from qwen_tui.evaluation.compare.sample import Finding, Sample
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed

CHECKS: Mapping[str, Callable[..., Finding]] = {
    check.__name__: check
    for check in (
        code.compiles,
        names.defined_names,
        constructs.constructs,
        running.computes,
        code.comments,
        prose.length_in_range,
        prose.repetition,
        prose.filler,
        prose.first_sentence,
        prose.sentence_length,
        prose.jargon_explained,
        prose.comparisons,
        argument.required_names,
        argument.known_places,
        argument.both_sides,
        argument.proposals,
        puzzle.equations_set_up,
        puzzle.arithmetic,
        puzzle.conditions_checked,
        puzzle.honest_solution,
        facts.planted_facts,
        facts.numbers_from_material,
        corrections.mistakes_corrected,
        corrections.nothing_else_changed,
        json_answer.json_valid,
        json_answer.json_right,
        shape.bare_json,
        shape.one_code_block,
        shape.bullets,
        shape.running_text,
    )
}


def title(name: str) -> str:
    """Return the name of a check as people read it."""
    titles = {
        "compiles": _("the code compiles"),
        "defined_names": _("all names are defined"),
        "constructs": _("all parts are there"),
        "computes": _("it runs and computes"),
        "comments": _("share of comments"),
        "length_in_range": _("length as asked"),
        "repetition": _("no repetition"),
        "filler": _("no filler"),
        "first_sentence": _("the question's words in the first sentence"),
        "sentence_length": _("short sentences"),
        "jargon_explained": _("terms explained"),
        "comparisons": _("comparisons"),
        "required_names": _("names asked for"),
        "known_places": _("known places"),
        "both_sides": _("both sides"),
        "proposals": _("proposals"),
        "equations_set_up": _("equations set up"),
        "arithmetic": _("arithmetic"),
        "conditions_checked": _("conditions checked"),
        "honest_solution": _("an honest solution"),
        "planted_facts": _("facts kept"),
        "numbers_from_material": _("no new numbers"),
        "mistakes_corrected": _("mistakes corrected"),
        "nothing_else_changed": _("nothing else changed"),
        "json_valid": _("valid JSON"),
        "json_right": _("right values"),
        "bare_json": _("JSON alone"),
        "one_code_block": _("one code block"),
        "bullets": _("a list as asked"),
        "running_text": _("running text"),
    }
    return titles[name]


class WrongCheckError(ValueError):
    """A task asks for a check that there is not, or gives it wrong parameters; the text says so, translated."""


@dataclass(frozen=True, slots=True)
class AppliedCheck:
    """A check with the parameters that a task gives it."""

    name: str
    parameters: Mapping[str, Any]

    def __call__(self, sample: Sample) -> Finding:
        """Check one answer."""
        return CHECKS[self.name](sample, **self.parameters)


def applied(name: str, parameters: Mapping[str, Any]) -> AppliedCheck:
    """Return the check `name` with `parameters`, each of the type that the check declares; raises `WrongCheckError`."""
    import msgspec

    if name not in CHECKS:
        sentence = _("there is no check “{name}”; there are: {names}")
        raise WrongCheckError(sentence.format(name=name, names=listed(sorted(CHECKS))))
    signature = inspect.signature(CHECKS[name])
    wanted = {p.name: p for p in signature.parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY}
    types = typing.get_type_hints(CHECKS[name])
    for parameter in parameters:
        if parameter not in wanted:
            sentence = _("the check “{check}” has no “{name}”; it has: {names}")
            raise WrongCheckError(sentence.format(check=name, name=parameter, names=listed(wanted) or "–"))
    missing = [p.name for p in wanted.values() if p.default is inspect.Parameter.empty and p.name not in parameters]
    if missing:
        raise WrongCheckError(_("the check “{check}” needs: {names}").format(check=name, names=listed(missing)))
    try:
        read = {key: msgspec.convert(value, types[key]) for key, value in parameters.items()}
    except msgspec.ValidationError as error:
        sentence = _("the check “{check}” got a value of the wrong kind: {reason}")
        raise WrongCheckError(sentence.format(check=name, reason=why(error))) from error
    return AppliedCheck(name, read)

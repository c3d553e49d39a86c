"""Does a calculator compute? It is started, and its keys are pressed."""

from typing import Any

from qwen_tui.evaluation.compare.checks.code import Mistake, no_program, parsed, program
from qwen_tui.evaluation.compare.sample import Finding, Sample, cannot_tell, shown
from qwen_tui.evaluation.compare.sandbox import NoSandboxError, press_keys
from qwen_tui.i18n import gettext as _


def computes(sample: Sample, *, expression: str, expected: str) -> Finding:
    """Check that the calculator comes to `expected` when the keys of `expression`, as 12*(3+4), are pressed.

    A calculator without brackets that is right step by step (3+4=, then *12=) has 0.5.

    Rule: functional correctness, whether the program does what was asked when it runs (Chen et al. 2021, "Evaluating
    Large Language Models Trained on Code"). It is run only with the person's permission, and only in a sandbox.
    """
    block = program(sample.text)
    if block is None:
        return Finding(0.0, no_program())
    if isinstance(parsed(block.code), Mistake):
        return Finding(0.0, _("The program does not compile, so it does not run."))
    if not sample.run_code:
        return cannot_tell(_("The program was not run: that needs your permission, with --run-code."))
    try:
        found = press_keys(block.code, expression, expected)
    except NoSandboxError as error:
        return cannot_tell(str(error))
    return _judged(found, expression, expected)


def _judged(found: dict[str, Any], expression: str, expected: str) -> Finding:
    way, status = found.get("way"), found["status"]
    if way in ("keys", "typed"):
        return Finding(
            1.0, _("It runs and computes {expression} = {result}.").format(expression=expression, result=expected)
        )
    if way == "steps":
        return Finding(0.5, _("It runs and computes step by step, but has no brackets."))
    if status == "shown" and found.get("missing"):
        keys = " ".join(found["missing"])
        return Finding(0.0, _("It runs, but these keys are missing: {keys}").format(keys=keys))
    if status == "shown":
        display = shown(" ".join([*found["shown"], *found["errors"]])) or "–"
        sentence = _("It runs, but for {expression} it shows “{display}”.")
        return Finding(0.0, sentence.format(expression=expression, display=display))
    return Finding(0.0, _why_not(found))


def _why_not(found: dict[str, Any]) -> str:
    if found["status"] == "time":
        return _("The program did not come to its window within the time limit.")
    if found["status"] == "memory":
        return _("The program takes too much memory.")
    if found["status"] == "processes":
        return _("The program started too many processes.")
    if found["status"] == "no mainloop":
        return _("The program ends at once, because it never calls mainloop.")
    if found["status"] == "no window":
        return _("The program opens no window.")
    return _("The program ends with: {error}").format(error=shown(found.get("output") or str(found.get("code")), 120))

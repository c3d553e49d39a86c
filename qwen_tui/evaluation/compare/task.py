"""Tasks of the experiment: Markdown files with the prompt, the language, and the checks of the answer.

    ---
    description: what the task is, in one line
    language: en
    answer_tokens: 600          # how long an answer may become; default 1024
    template: summary           # the template that suits the task, for comparisons with and without one
    material: |
      A text that the prompt is about.
    checks:
      - repetition
      - length_in_range: {least: 80, most: 120}
    ---
    The prompt.

`checks/` has one function for each check; its docstring tells the rule and the parameters. A task of the folder of the
user's own wins over a built-in one of the same name and language.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwen_tui.chat import front_matter
from qwen_tui.errors import TaskError
from qwen_tui.evaluation.compare.checks.catalogue import AppliedCheck, WrongCheckError, applied
from qwen_tui.evaluation.compare.sample import Finding, Sample
from qwen_tui.files import listing
from qwen_tui.i18n import LANGUAGES, listed
from qwen_tui.i18n import gettext as _

BUILT_IN = Path(__file__).parent.parent / "tasks"
# The four tasks of the published test. The others are run when they are asked for.
DEFAULT = ("calculator", "commentary", "ages", "http")
_KEYS = {"description", "language", "answer_tokens", "template", "material", "checks"}
_ANSWER_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class Task:
    """A task: what is asked, and how answers are checked. `material` is the text that the prompt is about, or "".

    With `values`, the template gets these for its variables, and they say all that the prompt says without a template.
    """

    name: str
    path: Path
    language: str
    description: str
    prompt: str
    material: str
    checks: tuple[AppliedCheck, ...]
    answer_tokens: int = _ANSWER_TOKENS
    template: str = ""
    values: Mapping[str, str] | None = None

    def judge(self, answer: str, *, run_code: bool = False) -> dict[str, Finding]:
        """Return what each check finds in an answer, by the check's name, in the language in use.

        `run_code` is the person's permission to run programs that are in the answer. Raises `CancelledError` there.
        """
        sample = Sample(answer, self.language, self.material, run_code, self.prompt)
        return {check.name: check(sample) for check in self.checks}


def tasks(language: str, own: Path | None = None) -> dict[str, Task]:
    """Return all tasks in a language by name, the built-in ones first.

    Raises `TaskError`, and `OSError` for a folder that the system refuses.
    """
    found: dict[str, Task] = {}
    for folder in (BUILT_IN, *([own] if own else [])):
        for name in sorted(listing(folder)):
            # Another language's task of the folder needs no reading.
            if name.endswith(".md") and not name.endswith(_others(language)):
                task = read(folder / name)
                if task.language == language:
                    found[task.name] = task
    return found


def select(names: Sequence[str], language: str, own: Path | None = None) -> list[Task]:
    """Return the tasks `names`, without any the four of the published test; raises `TaskError`, `OSError`."""
    known = tasks(language, own)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise TaskError(
            _("There is no task “{name}” in this language.").format(name=unknown[0]),
            _("There are: {names}.").format(names=listed(known)),
        )
    return [known[name] for name in names or DEFAULT]


def _others(language: str) -> tuple[str, ...]:
    return tuple(f".{other}.md" for other in LANGUAGES if other != language)


def read(path: Path) -> Task:
    """Read a task; its name is that of the file, without the language: `ages.en.md` is `ages`. Raises `TaskError`."""
    try:
        data, body = front_matter.read(path, _KEYS)
    except front_matter.MistakeError as mistake:
        raise _wrong(path, mistake.line, mistake.reason) from mistake
    language = _text(path, data, "language")
    if language not in LANGUAGES:
        raise _wrong(path, 2, _("“language” has to be one of: {names}").format(names=listed(LANGUAGES)))
    tokens = data.get("answer_tokens", _ANSWER_TOKENS)
    if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 1:
        raise _wrong(path, 2, _("“answer_tokens” has to be a whole number from 1"))
    task = Task(
        name=path.stem.removesuffix(f".{language}"),
        path=path,
        language=language,
        description=_text(path, data, "description"),
        prompt=body.strip(),
        material=_text(path, data, "material").strip(),
        checks=_checks(path, data.get("checks") or []),
        answer_tokens=tokens,
        template=_text(path, data, "template"),
    )
    try:
        # A value that a check cannot use, as an equation that is none, comes out here, and not after the first answer.
        task.judge("")
    except ValueError as error:
        raise _wrong(path, 2, str(error)) from error
    return task


def _checks(path: Path, data: object) -> tuple[AppliedCheck, ...]:
    if not isinstance(data, list) or not data:
        raise _wrong(path, 2, _("“checks” has to be a list with at least one check"))
    found: dict[str, AppliedCheck] = {}
    for one in data:
        for name, parameters in _pairs(path, one):
            if name in found:
                raise _wrong(path, 2, _("the check “{name}” comes twice").format(name=name))
            try:
                found[name] = applied(name, parameters)
            except WrongCheckError as error:
                raise _wrong(path, 2, str(error)) from error
    return tuple(found.values())


def _pairs(path: Path, one: object) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Return the check and its parameters from `repetition` or `bullets: {count: 5}`."""
    if isinstance(one, str):
        return [(one, {})]
    if isinstance(one, dict) and all(isinstance(value, dict) for value in one.values()):
        return [(str(name), value) for name, value in one.items()]
    raise _wrong(path, 2, _("a check has to be a name, or a name with its values: bullets: {count: 5}"))


def _text(path: Path, data: Mapping[str, Any], key: str) -> str:
    value = data.get(key) or ""
    if not isinstance(value, str):
        raise _wrong(path, 2, _("“{key}” has to be a text").format(key=key))
    return value


def _wrong(path: Path, line: int, reason: str) -> TaskError:
    return TaskError(
        _("{path}, line {line}: {reason}.").format(path=path, line=line, reason=reason),
        _("Correct the file. The built-in tasks are examples: {folder}").format(folder=BUILT_IN),
    )

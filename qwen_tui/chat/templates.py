"""Prompt templates: Markdown files with YAML front matter, whose body is filled in as plain text.

In the body, `{{name}}` stands for a variable, and `{{input}}` for the text that the question is about. The body is
filled in one pass: `{{x}}` inside a filled-in value stays as it is.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwen_tui.chat import front_matter
from qwen_tui.config import Fit
from qwen_tui.errors import TemplateError, UsageError
from qwen_tui.files import listing
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.quoting import quoted

INPUT = "input"
_SLOT = re.compile(r"\{\{\s*([\w-]+)\s*\}\}")
_KEYS = {"description", "system", "variables", "fit"}
# The ways that a template may advise for material that does not fit.
_FITS: tuple[Fit, ...] = ("context", "select", "map", "each")
_VARIABLE_KEYS = {"default", "choices", "description"}


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of a template; without a default it needs a value."""

    name: str
    description: str = ""
    default: str | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """A template; `variables` are all that the body names, declared or not, except `input`.

    `fit` is the way that suits its task where the material does not fit; the person chooses.
    """

    name: str
    path: Path
    description: str
    system: str
    variables: tuple[Variable, ...]
    body: str
    fit: Fit | None = None

    @property
    def names_input(self) -> bool:
        """Whether the body has a place for the text; otherwise the text goes before the body."""
        return INPUT in _SLOT.findall(self.body)

    def fill(self, values: Mapping[str, str], at: str = INPUT) -> tuple[str, ...]:
        """Return the body with `values` filled in, cut into pieces at each `at`.

        Raises `UsageError` for values that are missing, unknown, or not among the choices.
        """
        complete = self._complete(values)
        pieces = [""]
        for text, name in self.parts():
            pieces[-1] += text
            if name == at:
                pieces.append("")
            elif name:
                pieces[-1] += complete[name]
        return tuple(pieces)

    def want_text(self) -> UsageError:
        """Return the error that says that the text is missing."""
        return UsageError(
            _("The template “{name}” is about a text, and there is none.").format(name=self.name),
            _("Pipe it in or write it: qwen ask -t {name} < FILE").format(name=quoted(self.name)),
        )

    def parts(self) -> list[tuple[str, str]]:
        """Return the body as pairs of a text and the name of the variable after it, "" after the last text."""
        pieces = _SLOT.split(self.body)
        return list(zip(pieces[::2], [*pieces[1::2], ""], strict=True))

    def check(self, values: Mapping[str, str]) -> None:
        """Raise `UsageError` for values that are unknown, or not among the choices."""
        known = {variable.name: variable for variable in self.variables}
        for name, value in values.items():
            if name not in known:
                raise UsageError(
                    _("The template “{template}” has no variable “{name}”.").format(template=self.name, name=name),
                    _("It has: {names}.").format(names=listed(known) or "–"),
                )
            if known[name].choices and value not in known[name].choices:
                raise UsageError(
                    _("{name} cannot be “{value}”.").format(value=value, name=name),
                    _("Choose one of: {names}.").format(names=listed(known[name].choices)),
                )

    def _complete(self, values: Mapping[str, str]) -> dict[str, str]:
        self.check(values)
        complete = {variable.name: values.get(variable.name, variable.default) for variable in self.variables}
        missing = [name for name, value in complete.items() if value is None]
        if missing:
            raise UsageError(
                _("The template “{template}” needs: {names}.").format(template=self.name, names=listed(missing)),
                _("Give it with: {options}").format(options=" ".join(f"-p {name}=…" for name in missing)),
            )
        return {name: value for name, value in complete.items() if value is not None}

    def only_missing(self, values: Mapping[str, str]) -> str | None:
        """Return the only variable without a value, None if there are several or the body has a place for the text."""
        missing = [v.name for v in self.variables if v.default is None and v.name not in values]
        return missing[0] if len(missing) == 1 and not self.names_input else None


def names(folders: Sequence[Path]) -> list[str]:
    """Return the names of all templates in `folders`; raises `OSError` for a folder that the system refuses."""
    return sorted({Path(name).stem for folder in folders for name in listing(folder) if name.endswith(".md")})


def described(folders: Sequence[Path]) -> list[tuple[str, str]]:
    """Return the names of all templates in `folders`, each with its description or with what is wrong in it."""
    found = []
    for name in names(folders):
        try:
            found.append((name, find(name, folders).description))
        except TemplateError as error:
            found.append((name, "! " + error.message))
    return found


def find(name: str, folders: Sequence[Path]) -> Template:
    """Return the template `name` from the first of `folders` that has it.

    Raises `TemplateError`, and `OSError` for a folder that the system refuses: the person's own template may be there.
    """
    # A name such as "../x" must not lead out of the folders.
    for folder in folders:
        file = folder / f"{name}.md"
        if file.parent == folder and file.name in listing(folder):
            return read(file)
    known = names(folders)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    remedy = (
        _("Did you mean: {names}?")
        if near
        else _("See them with: qwen templates list, or in a conversation: /template")
    )
    raise TemplateError(_("There is no template “{name}”.").format(name=name), remedy.format(names=listed(near)))


def read(path: Path) -> Template:
    """Read a template file; raises `TemplateError` with the file and line of a mistake."""
    try:
        data, body = front_matter.read(path, _KEYS)
    except front_matter.MistakeError as mistake:
        raise _wrong(path, mistake.line, mistake.reason) from mistake
    declared = _variables(path, data.get("variables") or {})
    named = [name for name in dict.fromkeys(_SLOT.findall(body)) if name != INPUT]
    return Template(
        name=path.stem,
        path=path,
        description=_string(path, data, "description"),
        system=_string(path, data, "system").strip(),
        variables=tuple(declared.get(name, Variable(name)) for name in named),
        body=body,
        fit=_fit(path, _string(path, data, "fit")),
    )


def _variables(path: Path, data: object) -> dict[str, Variable]:
    if not isinstance(data, dict):
        raise _wrong(path, 2, _("“variables” has to be lines of the form name: value"))
    variables: dict[str, Variable] = {}
    for name, about in data.items():
        about = about or {}
        if not isinstance(about, dict) or not set(about) <= _VARIABLE_KEYS:
            raise _wrong(path, 2, _("the variable “{name}” may have default, choices, description").format(name=name))
        choices = about.get("choices") or []
        if not isinstance(choices, list):
            raise _wrong(path, 2, _("the choices of “{name}” have to be a list").format(name=name))
        default = about.get("default")
        variables[str(name)] = Variable(
            str(name),
            str(about.get("description") or ""),
            None if default is None else str(default),
            tuple(map(str, choices)),
        )
    return variables


def _fit(path: Path, value: str) -> Fit | None:
    for way in _FITS:
        if way == value:
            return way
    if value:
        raise _wrong(path, 2, _("“fit” has to be one of: {names}").format(names=listed(_FITS)))
    return None


def _string(path: Path, data: Mapping[str, Any], key: str) -> str:
    value = data.get(key) or ""
    if not isinstance(value, str):
        raise _wrong(path, 2, _("“{key}” has to be a text").format(key=key))
    return value


def _wrong(path: Path, line: int, reason: str) -> TemplateError:
    return TemplateError(
        _("{path}, line {line}: {reason}.").format(path=path, line=line, reason=reason),
        _("Correct it with: qwen templates edit {name}").format(name=quoted(path.stem)),
    )

"""Writes the equations of Office as LaTeX, which models and the terminal understand."""

from qwen_tui.documents.office.markup import Element, child, name_of, value

_LARGE = {"∑": r"\sum", "∏": r"\prod", "∫": r"\int", "∬": r"\iint", "∮": r"\oint", "⋃": r"\bigcup", "⋂": r"\bigcap"}
_ACCENTS = {"\u0302": "hat", "\u0303": "tilde", "\u0304": "bar", "\u0305": "overline", "\u0307": "dot"}
_ACCENTS |= {"\u0308": "ddot", "\u20d7": "vec"}
# In LaTeX these characters mean something else than in the text of an equation.
_SPECIAL = str.maketrans({char: f"\\{char}" for char in "#$%&_{}"} | {"\\": r"\backslash "})


def latex(element: Element) -> str:
    """Return an equation, or a part of one, as LaTeX without the signs around it."""
    return " ".join(_inner(element).split())


def _inner(element: Element | None) -> str:
    return "" if element is None else "".join(_piece(part) for part in element)


def _piece(part: Element) -> str:
    kind = name_of(part)
    if kind in ("m:t", "w:t"):
        return (part.text or "").translate(_SPECIAL)
    if write := _WRITERS.get(kind):
        return write(part)
    # What says how a part looks has no text; what is not known is written as its parts.
    return "" if kind.endswith("Pr") or kind == "w:del" else _inner(part)


def _group(element: Element, name: str) -> str:
    return _inner(child(element, f"m:{name}"))


def _set_in(element: Element, name: str, default: str) -> str:
    """Return a character that the properties of a part name; empty if they name none on purpose."""
    setting = child(element, name)
    return default if setting is None else value(setting, "m:val") or ""


def _fraction(part: Element) -> str:
    if _set_in(part, "m:fPr/m:type", "") == "lin":
        return f"{{{_group(part, 'num')}}}/{{{_group(part, 'den')}}}"
    return rf"\frac{{{_group(part, 'num')}}}{{{_group(part, 'den')}}}"


def _scripts(part: Element) -> str:
    base, below, above = (_group(part, name) for name in ("e", "sub", "sup"))
    written = (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else "")
    return f"{{}}{written}{base}" if name_of(part) == "m:sPre" else f"{{{base}}}{written}"


def _root(part: Element) -> str:
    degree = _group(part, "deg")
    return rf"\sqrt{f'[{degree}]' if degree else ''}{{{_group(part, 'e')}}}"


def _large(part: Element) -> str:
    sign = _set_in(part, "m:naryPr/m:chr", "∫")
    below, above = _group(part, "sub"), _group(part, "sup")
    limits = (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else "")
    return f"{_LARGE.get(sign, sign)}{limits} {_group(part, 'e')}"


def _brackets(part: Element) -> str:
    begin, end = _set_in(part, "m:dPr/m:begChr", "("), _set_in(part, "m:dPr/m:endChr", ")")
    between = _set_in(part, "m:dPr/m:sepChr", "|")
    inside = between.join(_inner(element) for element in part if name_of(element) == "m:e")
    return rf"\left{_bracket(begin)} {inside} \right{_bracket(end)}"


def _bracket(sign: str) -> str:
    return f"\\{sign}" if sign in tuple("{}") else {"‖": r"\|", "⟨": r"\langle", "⟩": r"\rangle"}.get(sign, sign) or "."


def _function(part: Element) -> str:
    name = _group(part, "fName").strip()
    known = name.isascii() and name.isalpha() and len(name) > 1
    return f"\\{name} {{{_group(part, 'e')}}}" if known else f"{name} {{{_group(part, 'e')}}}"


def _limit(part: Element) -> str:
    return f"{_group(part, 'e')}{'_' if name_of(part) == 'm:limLow' else '^'}{{{_group(part, 'lim')}}}"


def _accent(part: Element) -> str:
    sign = _set_in(part, "m:accPr/m:chr", "\u0302")
    return f"\\{_ACCENTS.get(sign, 'hat')}{{{_group(part, 'e')}}}"


def _bar(part: Element) -> str:
    above = _set_in(part, "m:barPr/m:pos", "bot") == "top"
    return f"\\{'overline' if above else 'underline'}{{{_group(part, 'e')}}}"


def _matrix(part: Element) -> str:
    rows = [
        " & ".join(_inner(cell) for cell in row if name_of(cell) == "m:e") for row in part if name_of(row) == "m:mr"
    ]
    return r"\begin{matrix}" + r" \\ ".join(rows) + r"\end{matrix}"


def _lines(part: Element) -> str:
    lines = [_inner(line) for line in part if name_of(line) == "m:e"]
    return r"\begin{aligned}" + r" \\ ".join(lines) + r"\end{aligned}"


_WRITERS = {
    "m:f": _fraction,
    "m:sSup": _scripts,
    "m:sSub": _scripts,
    "m:sSubSup": _scripts,
    "m:sPre": _scripts,
    "m:rad": _root,
    "m:nary": _large,
    "m:d": _brackets,
    "m:func": _function,
    "m:limLow": _limit,
    "m:limUpp": _limit,
    "m:acc": _accent,
    "m:bar": _bar,
    "m:m": _matrix,
    "m:eqArr": _lines,
}

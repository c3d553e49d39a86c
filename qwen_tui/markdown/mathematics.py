r"""Mathematics in Markdown: the parser finds it between its marks, and `readable` turns LaTeX into plain text.

Blocks stand between `\[ … \]` or `$$ … $$`; inside a line, `\( … \)`, `\[ … \]`, `$$ … $$` or `$ … $`. A formula that
cannot be converted stays as the model wrote it.
"""

import logging
import re
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

_BLOCK = {"$$": "$$", r"\[": r"\]"}
_INLINE = {r"\(": r"\)", r"\[": r"\]", "$$": "$$"}
# The pattern leaves amounts of money alone: $5 and $10.
_DOLLARS = re.compile(r"\$(?![\s$])((?:\\.|[^$\\\n])+?)(?<!\s)\$(?!\d)")
_RAISED = str.maketrans("0123456789+-=()nixyabcdektm", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱˣʸᵃᵇᶜᵈᵉᵏᵗᵐ")
_LOWERED = str.maketrans("0123456789+-=()aeijknmxt", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑᵢⱼₖₙₘₓₜ")
_SCRIPT = re.compile(r"([\^_])(?:\{([^{}]*)\}|(\S))")
# A numerator that is a product, and a denominator that is one number or letter, need no brackets; nor does text that is
# already in brackets.
_PRODUCT = re.compile(r"[\w.°√′%^{}]*(?:\([^()]*\))?")
_SINGLE = re.compile(r"\d+(?:\.\d+)?|\w(?:[_^]\{?\w+\}?)?|\([^()]*\)|")
_BETWEEN = re.compile(r"\s*([±∓×÷≤≥≠≈≡∈∉⊂⊆→⇒⇔←⟹⟺·])\s*")
# Placeholders for characters that would otherwise have a meaning during the conversion.
_HELD = {r"\{": "\ue000", r"\}": "\ue001", "^": "\ue002", "_": "\ue003"}


def add_mathematics(parser: MarkdownIt) -> None:
    """Teach `parser` the tokens `math_block` (its `meta` says whether it is `closed`) and `math_inline`."""
    parser.block.ruler.before("fence", "math_block", _block, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    parser.inline.ruler.before("escape", "math_inline", _inline)


@lru_cache(256)
def readable(formula: str) -> str:
    """Return LaTeX as text: fractions as a/b with the brackets they need, powers raised, command names as symbols."""
    formula = formula.strip()
    plain = re.sub(r"\\.", "", formula, flags=re.DOTALL)
    if plain.count("{") != plain.count("}"):
        return formula
    try:
        text = _converter().latex_to_text(_spelled_out(formula))
    except Exception:
        # The library can raise anything on a strange formula. The person can still read the source.
        return formula
    while (scripted := _SCRIPT.sub(_script, text)) != text:
        text = scripted
    text = _BETWEEN.sub(r" \1 ", text.replace("{", "").replace("}", ""))
    for sign, held in _HELD.items():
        text = text.replace(held, sign[-1])
    lines = (re.sub(r"[ \t]+", " ", line).strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line) or formula


def _spelled_out(formula: str) -> str:
    # pylatexenc knows no arguments of these commands, or prints them as layout.
    formula = re.sub(r"\\[dtc]frac(?![a-zA-Z])", r"\\frac", formula)
    formula = re.sub(r"\\(?:left|right|displaystyle|limits|nolimits|quad|qquad)(?![a-zA-Z])\.?", " ", formula)
    formula = formula.replace(r"\{", _HELD[r"\{"]).replace(r"\}", _HELD[r"\}"])
    # & aligns rows and means nothing in one line; \& is the character itself.
    return re.sub(r"(?<!\\)&", " ", formula)


@lru_cache(1)
def _converter() -> Any:
    from pylatexenc import latex2text

    # pylatexenc would log its warnings into the middle of the answer.
    logging.getLogger("pylatexenc").addHandler(logging.NullHandler())
    logging.getLogger("pylatexenc").propagate = False
    context = latex2text.get_default_latex_context_db()
    symbols = {"cdot": "·", "circ": "°", "prime": "′", "ldots": "…", "dots": "…", "cdots": "…"}
    context.add_context_category(
        "readable",
        prepend=True,
        macros=[
            latex2text.MacroTextSpec("frac", simplify_repl=_fraction),
            latex2text.MacroTextSpec("sqrt", simplify_repl=_root),
            latex2text.MacroTextSpec("vec", simplify_repl=_vector),
            *(latex2text.MacroTextSpec(name, simplify_repl=sign) for name, sign in symbols.items()),
        ],
    )
    return latex2text.LatexNodes2Text(latex_context=context, keep_braced_groups=True, keep_braced_groups_minlen=1)


def _arguments(node: Any, converter: Any) -> list[str]:
    texts = [converter.nodelist_to_text([part]) if part is not None else "" for part in node.nodeargd.argnlist]
    # pylatexenc returns the arguments with their braces.
    return [text[1:-1].strip() if text.startswith("{") and text.endswith("}") else text.strip() for text in texts]


def _fraction(node: Any, l2tobj: Any) -> str:
    above, below = _arguments(node, l2tobj)
    return f"{_grouped(above, _PRODUCT)}/{_grouped(below, _SINGLE)}"


def _root(node: Any, l2tobj: Any) -> str:
    degree, below = _arguments(node, l2tobj)
    return f"{degree.strip('[]').translate(_RAISED)}√{_grouped(below, _SINGLE)}"


def _vector(node: Any, l2tobj: Any) -> str:
    (name,) = _arguments(node, l2tobj)
    return f"{name}\u20d7" if len(name) == 1 else name


def _grouped(text: str, simple: re.Pattern[str]) -> str:
    return text if simple.fullmatch(text) else f"({text})"


def _script(match: re.Match[str]) -> str:
    text = (match[3] if match[2] is None else match[2]).strip()
    if text == "°":
        return text
    moved = text.translate(_RAISED if match[1] == "^" else _LOWERED)
    if all(a != b for a, b in zip(text, moved, strict=True)):
        return moved
    return f"{_HELD[match[1]]}{_grouped(text, _SINGLE)}"


def _block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    first = state.getLines(start, start + 1, state.tShift[start], False).strip()
    opening = next((mark for mark in _BLOCK if first.startswith(mark)), None)
    if opening is None or state.is_code_block(start):
        return False
    closing = _BLOCK[opening]
    rest = first[len(opening) :]
    if closing in rest and not rest.rstrip().endswith(closing):
        # It closes inside the line, and text follows: that is a line with a formula in it.
        return False
    if silent:
        return True
    lines, closed, line = [rest], rest.rstrip().endswith(closing), start + 1
    while not closed and line < end:
        if state.isEmpty(line) or state.sCount[line] < state.blkIndent:
            break
        lines.append(state.getLines(line, line + 1, state.blkIndent, False))
        closed = lines[-1].rstrip().endswith(closing)
        line += 1
    if closed:
        lines[-1] = lines[-1].rstrip().removesuffix(closing)
    state.line = line
    token = state.push("math_block", "math", 0)
    token.content, token.markup, token.map, token.meta = "\n".join(lines), opening, [start, line], {"closed": closed}
    return True


def _inline(state: StateInline, silent: bool) -> bool:
    rest = state.src[state.pos : state.posMax]
    content, length = "", 0
    for opening, closing in _INLINE.items():
        if rest.startswith(opening):
            end = rest.find(closing, len(opening))
            if end > len(opening):
                content, length = rest[len(opening) : end], end + len(closing)
            break
    if not length and (match := _DOLLARS.match(rest)):
        content, length = match[1], match.end()
    if not length or not content.strip():
        return False
    if not silent:
        token = state.push("math_inline", "math", 0)
        token.content, token.markup = content, rest[:2]
    state.pos += length
    return True

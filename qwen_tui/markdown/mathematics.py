r"""Mathematics in Markdown: found between its marks, and shown as text that can be read in a line.

Found are `\[ … \]` and `$$ … $$` as blocks, `\( … \)`, `$$ … $$` and `$ … $` inside a line. A formula that cannot be
read stays as the model wrote it.
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
# Money is no mathematics: $5 and $10.
_DOLLARS = re.compile(r"\$(?![\s$])((?:\\.|[^$\\\n])+?)(?<!\s)\$(?!\d)")
_RAISED = str.maketrans("0123456789+-=()nixyabcdektm", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱˣʸᵃᵇᶜᵈᵉᵏᵗᵐ")
_LOWERED = str.maketrans("0123456789+-=()aeijknmxt", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑᵢⱼₖₙₘₓₜ")
_SCRIPT = re.compile(r"([\^_])(?:\{([^{}]*)\}|(\S))")
# What needs no brackets: a product over a line, one number or one letter under it, and what has some already.
_PRODUCT = re.compile(r"[\w.°√′%^{}]*(?:\([^()]*\))?")
_SINGLE = re.compile(r"\d+(?:\.\d+)?|\w(?:[_^]\{?\w+\}?)?|\([^()]*\)|")
_BETWEEN = re.compile(r"\s*([±∓×÷≤≥≠≈≡∈∉⊂⊆→⇒⇔←⟹⟺·])\s*")
# Stand for characters that have a meaning while a formula is being read.
_HELD = {r"\{": "\ue000", r"\}": "\ue001", "^": "\ue002", "_": "\ue003"}


def add_mathematics(parser: MarkdownIt) -> None:
    """Teach `parser` the tokens `math_block` (its `meta` says whether it is `closed`) and `math_inline`."""
    parser.block.ruler.before("fence", "math_block", _block, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    parser.inline.ruler.before("escape", "math_inline", _inline)


@lru_cache(256)
def readable(formula: str) -> str:
    """Return LaTeX as text: ½-like fractions as a/b with the brackets they need, powers raised, names as symbols."""
    formula = formula.strip()
    plain = re.sub(r"\\.", "", formula, flags=re.DOTALL)
    if plain.count("{") != plain.count("}"):
        return formula
    try:
        text = _converter().latex_to_text(_spelled_out(formula))
    except Exception:
        # Whatever the library makes of a strange formula, its source can be read.
        return formula
    while (scripted := _SCRIPT.sub(_script, text)) != text:
        text = scripted
    text = _BETWEEN.sub(r" \1 ", text.replace("{", "").replace("}", ""))
    for sign, held in _HELD.items():
        text = text.replace(held, sign[-1])
    lines = (re.sub(r"[ \t]+", " ", line).strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line) or formula


def _spelled_out(formula: str) -> str:
    # The library takes these for macros without arguments or for layout.
    formula = re.sub(r"\\[dtc]frac(?![a-zA-Z])", r"\\frac", formula)
    formula = re.sub(r"\\(?:left|right|displaystyle|limits|nolimits|quad|qquad)(?![a-zA-Z])\.?", " ", formula)
    formula = formula.replace(r"\{", _HELD[r"\{"]).replace(r"\}", _HELD[r"\}"])
    # A sign of alignment is nothing in a line; \& is the character.
    return re.sub(r"(?<!\\)&", " ", formula)


@lru_cache(1)
def _converter() -> Any:
    from pylatexenc import latex2text

    # Its complaints would land in the middle of the answer.
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
    # The arguments come with the braces around them.
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

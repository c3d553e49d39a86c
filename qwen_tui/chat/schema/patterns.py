"""Regular expressions as JSON Schema means them (ECMA-262), for engines that read some of their words otherwise.

To Python a digit may be one of any script, and so may a letter; what is white differs in all three.
"""

import re

# What \s stands for, as the inside of a class.
_WHITE = r"\t\n\x0b\x0c\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": _WHITE}
# An escape with what it escapes, or one end of a class.
_PIECE = re.compile(r"\\.|[\[\]]", re.DOTALL)


def spelled_out(pattern: str) -> str:
    r"""Return `pattern` with its \d, \w and \s as classes of the characters they mean.

    Their opposites inside a class stay as they are: a class cannot contain one that excludes.
    """
    within = False

    def spell(found: re.Match[str]) -> str:
        nonlocal within
        piece = found[0]
        if piece in ("[", "]"):
            within = piece == "["
            return piece
        characters = _CLASSES.get(piece[1].lower())
        if characters is None or (within and piece[1].isupper()):
            return piece
        if within:
            return characters
        return f"[^{characters}]" if piece[1].isupper() else f"[{characters}]"

    return _PIECE.sub(spell, pattern)

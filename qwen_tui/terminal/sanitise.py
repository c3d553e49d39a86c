"""Removes from text everything that steers a terminal.

A model, a file or an error message can hold escape sequences that move the cursor, write to the clipboard or rename
the window, and characters that reorder or hide other text.
"""

_ALLOWED_CONTROLS = {"\n", "\t"}
_HIDDEN = {
    *range(0x202A, 0x202F),  # bidirectional embeddings and overrides
    *range(0x2066, 0x206A),  # bidirectional isolates
    *range(0xE0000, 0xE1000),  # tag characters, and the selectors of rare variants
    *range(0xFE00, 0xFE0E),  # other selectors; those of text and emoji, U+FE0E and U+FE0F, stay
    *range(0x2060, 0x2065),  # word joiner, invisible operators
    *range(0x206A, 0x2070),  # deprecated format characters
    *range(0xFFF9, 0xFFFC),  # interlinear annotations
    *range(0x1D173, 0x1D17B),  # beams and slurs
    0x00AD,
    0x034F,
    0x061C,
    0x180E,
    0x200B,  # the joiners behind it, U+200C and U+200D, make Persian and emoji what they are
    0x200E,
    0x200F,
    0xFEFF,
}
# Line and paragraph separators, which terminals do not know, and lone surrogates, which UTF-8 cannot encode.
_REPLACED = {0x2028: " ", 0x2029: " ", **dict.fromkeys(range(0xD800, 0xE000), "\ufffd")}
_DROPPED = {code: None for code in (*range(0x20), *range(0x7F, 0xA0), *_HIDDEN) if chr(code) not in _ALLOWED_CONTROLS}
_CONTROLS = {code: None for code in _DROPPED if code not in _HIDDEN}
_CLEANED = {**_DROPPED, **_REPLACED}
_MARKED = {**_REPLACED, **dict.fromkeys(_HIDDEN, "\ufffd")}
_REVEALED = {**_CLEANED, **_MARKED}


def clean(text: str) -> str:
    """Return `text` without control, bidirectional and invisible characters.

    It treats each character alone, so that cleaning the pieces of a stream gives the same as cleaning the whole.
    """
    return text.translate(_CLEANED)


def without_controls(text: str) -> str:
    """Return `text` without its control characters, for a parser; the parsed parts are cleaned afterwards."""
    return text.translate(_CONTROLS)


def reveal(text: str) -> str:
    """Return `text` as `clean` does, but with a visible mark in place of each character that reorders or hides text.

    This is for code.
    """
    return text.translate(_REVEALED)


def mark(text: str) -> str:
    """Return `text` with a visible mark in place of each character that reorders or hides text.

    Control characters stay, and the result is as long as `text`.
    """
    return text.translate(_MARKED)

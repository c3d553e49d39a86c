"""What may reach a terminal: text, and nothing that steers it.

A model, a file or an error message can hold escape sequences that move the cursor, write to the clipboard or retitle
the window, and characters that reorder or hide what is read.
"""

_ALLOWED_CONTROLS = {"\n", "\t"}
_HIDDEN = {
    *range(0x202A, 0x202F),  # bidirectional embeddings and overrides
    *range(0x2066, 0x206A),  # bidirectional isolates
    *range(0xE0000, 0xE0080),  # tag characters
    0x200B,
    0x200E,
    0x200F,
    0x061C,
    0xFEFF,
}
_DROPPED = {code: None for code in (*range(0x20), *range(0x7F, 0xA0), *_HIDDEN) if chr(code) not in _ALLOWED_CONTROLS}
_CONTROLS = {code: None for code in _DROPPED if code not in _HIDDEN}
_REVEALED = {**_CONTROLS, **dict.fromkeys(_HIDDEN, "\ufffd")}


def clean(text: str) -> str:
    """Return `text` without control, bidirectional and invisible characters.

    Character by character, so that pieces of a stream give the same as the whole.
    """
    return text.translate(_DROPPED)


def without_controls(text: str) -> str:
    """Return `text` without control characters alone: for what is going to be parsed, and cleaned then."""
    return text.translate(_CONTROLS)


def reveal(text: str) -> str:
    """Return `text` as `clean` does, with a visible mark for each character that reorders or hides: for code."""
    return text.translate(_REVEALED)

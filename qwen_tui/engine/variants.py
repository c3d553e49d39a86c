"""Remembers which variants of a portable llama.cpp die on this processor of an illegal instruction.

A processor may name instructions that its system forbids, as virtual machines do. Then the best variant by the
processor's own word dies at the first computation, and the next one works.
"""

import msgspec

from qwen_tui import learned
from qwen_tui.engine.library import library_stamp
from qwen_tui.files import folders
from qwen_tui.hardware.processor import processor_name

# The worker's environment names in this variable what it must not load.
VARIABLE = "QWEN_TUI_AVOIDED_VARIANTS"


class _Avoided(msgspec.Struct, frozen=True):
    """The variants that died, with this llama.cpp on this processor."""

    processor: str
    library: tuple[tuple[str, int, int], ...]
    names: tuple[str, ...]


_NOTHING = _Avoided("", (), ())


def avoided() -> tuple[str, ...]:
    """Return the variants not to load; none where another llama.cpp was installed, or the disk is in another PC."""
    found = learned.read(folders().variants, _Avoided, _NOTHING)
    # Only with a variant in the file, because looking at the library takes time.
    return found.names if found.names and found == _here(found.names) else ()


def avoid(variant: str) -> None:
    """Remember that `variant` has died here."""
    learned.write(folders().variants, _here((*avoided(), variant)))


def _here(names: tuple[str, ...]) -> _Avoided:
    return _Avoided(processor_name(), library_stamp(), names)

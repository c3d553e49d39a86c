"""Remembers which variants of a portable llama.cpp die on this computer of an illegal instruction.

A processor may name instructions that its system forbids, as virtual machines do. Then the best variant by the
processor's own word dies when it first computes, and the next one works.
"""

import time
from typing import Literal

import msgspec

from qwen_tui import learned
from qwen_tui.engine.library import library_stamp
from qwen_tui.files import folders
from qwen_tui.hardware.machine import Machine, this_machine

# After this time, in seconds, a variant is tried again: the system may have been mended, or the virtual machine moved.
_BELIEVED = 14 * 24 * 3600
# How many deaths are remembered, the latest last: a stick goes from one PC to the next.
_MOST = 50


class _Death(msgspec.Struct, frozen=True, kw_only=True):
    """A `variant` of the llama.cpp with the stamp `library` died on this machine; `when` is in seconds since 1970."""

    machine: Machine
    library: tuple[tuple[str, int, int], ...]
    variant: str
    when: float


class _File(msgspec.Struct, frozen=True):
    version: Literal[1]
    deaths: tuple[_Death, ...] = ()


# The deaths that this process has seen. The file may be on a disk that is full, or cannot be written.
_SEEN: list[_Death] = []


def avoided() -> tuple[str, ...]:
    """Return the variants not to load here, with the llama.cpp that is installed."""
    now = time.time()
    deaths = [death for death in (*_read(), *_SEEN) if 0 <= now - death.when < _BELIEVED]
    if not deaths:
        # Looking at the library takes time.
        return ()
    here = (this_machine(), library_stamp())
    return tuple(dict.fromkeys(death.variant for death in deaths if (death.machine, death.library) == here))


def avoid(variant: str) -> None:
    """Remember that `variant` has died here; if that cannot be written, only this process knows it."""
    new = _Death(machine=this_machine(), library=library_stamp(), variant=variant, when=time.time())
    _SEEN.append(new)
    others = [death for death in _read() if msgspec.structs.replace(death, when=new.when) != new]
    _write((*others, new))


def forget() -> bool:
    """Forget what died on this machine, so that the best variant is tried again; whether there was anything."""
    machine, deaths, seen = this_machine(), _read(), len(_SEEN)
    _SEEN.clear()
    others = tuple(death for death in deaths if death.machine != machine)
    if len(others) < len(deaths):
        _write(others)
    return bool(seen) or len(others) < len(deaths)


def _read() -> tuple[_Death, ...]:
    return learned.read(folders().variants, _File, _File(1)).deaths


def _write(deaths: tuple[_Death, ...]) -> None:
    learned.write(folders().variants, _File(1, deaths[-_MOST:]))

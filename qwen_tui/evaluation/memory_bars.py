"""What a model takes of each memory, as bars of plain characters with a legend."""

from qwen_tui.hardware.placement import Placement, Share
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import labelled

# ASCII only: terminals disagree on whether block characters are one or two columns wide.
_MARKS = {
    "other": "x",
    "weights": "#",
    "repacked": "%",
    "kv": "=",
    "compute": "+",
    "process": "o",
    "margin": "-",
    "free": ".",
}
# A bar has at most and at least so many characters.
_LONGEST, _SHORTEST = 60, 30


def bars(plan: Placement, columns: int) -> str:
    """Return a bar for each memory that the model uses."""
    drawn = []
    room = plan.room
    if plan.gpu_layers and room.gpu_free is not None:
        total = room.gpu_total or room.gpu_free
        parts = _parts(plan.gpu, total - room.gpu_free, room.gpu_free, plan.margin)
        drawn.append(_bar(_("graphics card"), parts, total, columns))
    parts = _parts(plan.ram, room.ram_total - room.ram_free, room.ram_free, 0)
    drawn.append(_bar(_("memory"), parts, room.ram_total, columns))
    return "\n\n".join(drawn)


def _parts(share: Share, used: int, free: int, margin: int) -> dict[str, int]:
    left = max(0, free - share.total)
    return {
        "other": max(0, used),
        "weights": share.weights,
        "repacked": share.repacked,
        "kv": share.kv,
        "compute": share.compute,
        "process": share.process,
        "margin": min(left, margin),
        "free": left - min(left, margin),
    }


def _bar(title: str, parts: dict[str, int], total: int, columns: int) -> str:
    """Return a bar in which each part has its own character, and a legend below it."""
    names = {
        "other": _("in use by other programs"),
        "weights": _("weights"),
        "repacked": _("weights repacked"),
        "kv": _("conversation (KV cache)"),
        "compute": _("buffers to compute in"),
        "process": _("the program itself"),
        "margin": _("kept free as a reserve"),
        "free": _("free"),
    }
    there = {name: size for name, size in parts.items() if size}
    room = max(_SHORTEST, min(_LONGEST, columns - 4))
    # Parts that do not fit into the memory make the bar stand for more than `total`.
    whole = max(total, sum(there.values()), 1)
    bar, shown = "", 0
    for name, size in there.items():
        shown += size
        # Each part gets at least one character.
        bar += _MARKS[name] * max(1, round(room * shown / whole) - len(bar))
    lines = [f"  {labelled(title, gib(total))}", f"  [{bar[:room].ljust(room, _MARKS['free'])}]"]
    lines += [f"   {_MARKS[name]} {gib(size):>9}  {names[name]}" for name, size in there.items()]
    return "\n".join(lines)


def gib(size: int | None) -> str:
    """Return a size for people, a question mark if it is unknown."""
    if size is None:
        return "?"
    return f"{size / 2**30:.2f} GiB" if size >= 10 << 20 else f"{size / 2**20:.1f} MiB"

"""Why a card lies idle for which llama.cpp is built: the remedy, and what it would bring."""

import os
import re
from typing import Literal

from qwen_tui.engine.mending import cuda_command, how_to_reinstall, missing_library, unsuitable, with_package
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import in_a_row
from qwen_tui.quoting import unsetting

# What llama.cpp's log says where the driver is older than the build, and where CUDA sees no card.
_OLD_DRIVER = re.compile(r"driver version is insufficient|unsupported toolchain", re.IGNORECASE)
_NO_CARD = re.compile(r"no CUDA-capable device", re.IGNORECASE)
# CUDA sees only the cards that this variable names.
_HIDING = "CUDA_VISIBLE_DEVICES"
# The CUDA libraries, a sound file, a library of the system, a newer driver, or that CUDA may see the card.
_Lacking = Literal["cuda", "file", "library", "driver", "sight", ""]


def remedy(reason: str) -> str:
    """Return the remedy where llama.cpp cannot use the card for this `reason`, in its words or those of the system."""
    match _lacking(reason):
        case "cuda":
            sentence = _("Install NVIDIA's CUDA libraries: {command}. Until then the CPU computes.")
            return sentence.format(command=cuda_command(reason))
        case "file":
            damaged = _("The part of llama.cpp for the card is damaged, or not for this system, so the CPU computes.")
            return in_a_row(damaged, how_to_reinstall())
        case "library":
            sentence = _("Install {library} from the packages of this system. Until then the CPU computes.")
            return sentence.format(library=with_package(missing_library(reason)))
        case "driver":
            return _("Install a newer driver from NVIDIA. Until then the CPU computes.")
        case "sight":
            return _("{variable} hides the card from llama.cpp. To have it used: {command}").format(
                variable=_HIDING, command=unsetting(_HIDING)
            )
        case "":
            return _(
                "Restart the PC; if that does not help, install a newer driver from NVIDIA. Until then the CPU "
                "computes."
            )


def gain(reason: str) -> str:
    """Return the advice beside that remedy."""
    match _lacking(reason):
        case "cuda":
            return _(
                "The CPU computes now. llama.cpp is built for the graphics card already: with NVIDIA's CUDA libraries "
                "answers come several times faster, long documents above all."
            )
        case "driver":
            return _(
                "The CPU computes now. llama.cpp is built for the graphics card already: with a newer driver answers "
                "come several times faster, long documents above all."
            )
        case _other:
            return _(
                "The CPU computes now. llama.cpp is built for the graphics card already: once it can use the card, "
                "answers come several times faster, long documents above all."
            )


def _lacking(reason: str) -> _Lacking:
    """Return what is lacking by this `reason`, "" if it does not tell."""
    if cuda_command(reason):
        return "cuda"
    if unsuitable(reason):
        return "file"
    if missing_library(reason):
        return "library"
    if _OLD_DRIVER.search(reason):
        return "driver"
    return "sight" if _NO_CARD.search(reason) and _HIDING in os.environ else ""

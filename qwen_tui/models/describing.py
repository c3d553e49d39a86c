"""Describes a model file from its header and its record, without reading its weights."""

import math
import time
from collections import Counter
from pathlib import Path

import msgspec

from qwen_tui.files import size_text
from qwen_tui.i18n import gettext as _
from qwen_tui.models import parts
from qwen_tui.models.catalogue import CatalogueEntry
from qwen_tui.models.gguf import Header
from qwen_tui.models.inventory import Held


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """A described model file. Sizes are in bytes.

    `tensors` has the bytes of each tensor type, `memory` is the need with a context of 8,192 tokens.
    """

    name: str
    file: str
    size: int
    architecture: str
    parameters: int
    tensors: dict[str, int]
    layers: int | None
    context: int | None
    vocabulary: int | None
    memory: int
    licence: str | None
    source: str | None
    sha256: str | None
    verified: str | None
    linked: bool

    def rows(self) -> list[tuple[str, str]]:
        """Return rows for people, each a name and a value."""
        weights = sum(self.tensors.values())
        mix = ", ".join(f"{kind} {size / weights:.0%}" for kind, size in self.tensors.items())
        unknown = _("not known")
        billions = f"{self.parameters / 1e9:.2f} × 10⁹"
        return [
            (_("name"), self.name),
            (_("file"), self.file + (_(" (linked)") if self.linked else "")),
            (_("size"), f"{size_text(self.size)} ({self.size:,})"),
            (_("architecture"), self.architecture),
            (
                _("parameters"),
                billions if self.parameters >= 1e8 else f"{self.parameters:,}",
            ),
            (_("quantisation"), mix),
            (_("layers"), _number(self.layers)),
            (_("trained context"), _number(self.context)),
            (_("vocabulary"), _number(self.vocabulary)),
            (_("memory at 8k"), size_text(self.memory)),
            (_("licence"), self.licence or unknown),
            (_("source"), self.source or unknown),
            ("SHA-256", self.sha256 or unknown),
            (_("verified"), self.verified or _("not verified")),
        ]


def describe(
    name: str, file: Path, header: Header, *, kv_bytes: int, working_bytes: int, held: Held | None = None
) -> Description:
    """Describe a file by its header.

    `kv_bytes` is the size of its KV cache at 8,192 tokens, `working_bytes` what it takes beside weights and KV cache.
    """
    sizes: Counter[str] = Counter()
    for tensor in header.tensors:
        sizes[tensor.type] += tensor.nbytes
    size = sum(part.stat().st_size for part in parts.files(file))
    architecture = str(header.metadata.get("general.architecture", ""))
    record = held.record if held and held.state == "verified" else None
    entry: CatalogueEntry | None = held.entry if held else None
    licence = header.metadata.get("general.license")
    return Description(
        name=name,
        file=str(file),
        size=size,
        architecture=architecture,
        parameters=sum(math.prod(tensor.shape) for tensor in header.tensors),
        tensors=dict(sizes.most_common()),
        layers=_integer(header, f"{architecture}.block_count"),
        context=_integer(header, f"{architecture}.context_length"),
        vocabulary=header.array_lengths.get("tokenizer.ggml.tokens"),
        memory=size + kv_bytes + working_bytes,
        licence=entry.licence if entry else licence if isinstance(licence, str) else None,
        source=(record.source if record else "") or (entry.repository if entry else None),
        sha256=record.sha256 if record else None,
        verified=timestamp(record.verified) if record else None,
        linked=bool(held and held.linked),
    )


def timestamp(seconds: float) -> str:
    """Return a time, given in seconds since 1970, in ISO 8601 with its zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(seconds))


def _integer(header: Header, key: str) -> int | None:
    value = header.metadata.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: int | None) -> str:
    return _("not known") if value is None else f"{value:,}"

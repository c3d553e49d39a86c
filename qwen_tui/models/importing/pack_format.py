"""What a pack is: models with their checksums and the settings, for a computer without a network.

A folder, or an archive with one folder in it:

    *.gguf          the models
    config.toml     the settings, unless they were left out
    README.txt      what to do with it, in both languages
    SHA256SUMS      for `sha256sum -c`
    qwen-pack.json  `Manifest`: what `qwen models import` goes by; it is written last
"""

import re

import msgspec

MANIFEST, SUMS, CONFIG, README = "qwen-pack.json", "SHA256SUMS", "config.toml", "README.txt"
FORMAT = 1
# More than any manifest or settings take.
SMALL = 1 << 20


class PackedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the pack by its name there, which has no folder in it."""

    file: str
    size: int
    sha256: str


class PackedModel(PackedFile, frozen=True, kw_only=True):
    """A model: what it was called where the pack was made, where it came from, whether a published hash is known."""

    name: str
    source: str = ""
    pinned: bool = False
    licence: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a pack."""

    format: int
    program: str
    models: tuple[PackedModel, ...]
    config: PackedFile | None = None


def is_plain(name: str) -> bool:
    """Whether a name from a manifest is that of a file beside it, on every system: no folder, drive or device."""
    return (
        0 < len(name) <= 200
        and name.isprintable()
        and not re.search(r'[\x00-\x1f<>:"/\\|?*]', name)
        and not name.startswith(".")
        and not name.endswith((".", " "))
    )

"""The format of a pack: models with their checksums, and the settings, for a computer without a network.

A folder, or an archive with one folder in it:

    *.gguf          the models
    config.toml     the settings, unless they were left out
    llama_cpp_python-*.whl   a portable llama.cpp for pip, with --with-engine; nothing imports it
    README.txt      what to do with the pack, in both languages
    SHA256SUMS      for `sha256sum -c`
    qwen-pack.json  the `Manifest`, which `qwen models import` reads; `qwen pack` writes it last
"""

import re

import msgspec

MANIFEST, SUMS, CONFIG, README = "qwen-pack.json", "SHA256SUMS", "config.toml", "README.txt"
FORMAT = 1
# In bytes: more than any manifest or settings take.
SMALL = 1 << 20


class PackedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the pack; `file` is its name there, without a folder."""

    file: str
    size: int
    sha256: str


class PackedModel(PackedFile, frozen=True, kw_only=True):
    """A model in the pack; `name` is its name on the packing computer, `pinned` says that its hash is published."""

    name: str
    source: str = ""
    pinned: bool = False
    licence: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of a pack."""

    format: int
    program: str
    models: tuple[PackedModel, ...]
    config: PackedFile | None = None
    engine: PackedFile | None = None


def is_plain(name: str) -> bool:
    """Whether a name in a manifest is a plain file name on every system, without a folder, drive or device."""
    return (
        0 < len(name) <= 200
        and name.isprintable()
        and not re.search(r'[\x00-\x1f<>:"/\\|?*]', name)
        and not name.startswith(".")
        and not name.endswith((".", " "))
    )

"""The models that the program knows by name: their publishers, sizes and SHA-256 hashes.

Sizes and hashes are those of the publishers' own manifests. Where the hash is None, the program takes it from the hub
at the first fetch and keeps it.
"""

import msgspec

DEFAULT_MODEL = "qwen3-4b-instruct"
DEFAULT_QUANT = "Q4_K_M"

# Bytes of the KV cache for each token: 36 layers × 8 KV heads × (128 + 128) numbers of two bytes.
_KV_BYTES = 147_456
_CONTEXT = 8192
# Bytes that a context takes beside its KV cache, together with the program itself.
WORKING_BYTES = 400 << 20


class CatalogueEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One published file; `size` in bytes, `sha256` in hexadecimal, None if the publisher names none."""

    name: str
    quant: str
    repository: str
    file: str
    size: int
    sha256: str | None = None
    licence: str = "Apache-2.0"

    @property
    def full_name(self) -> str:
        """The name of this quantisation, `NAME:QUANT`; all publishers' files share it."""
        return f"{self.name}:{self.quant}"

    @property
    def publisher(self) -> str:
        """The publisher: the owner of the repository."""
        return self.repository.partition("/")[0]

    @property
    def memory(self) -> int:
        """The bytes of memory that the model takes with a context of 8,192 tokens."""
        return self.size + _KV_BYTES * _CONTEXT + WORKING_BYTES


def _unsloth(quant: str, size: int, sha256: str | None = None) -> CatalogueEntry:
    return CatalogueEntry(
        name=DEFAULT_MODEL,
        quant=quant,
        repository="unsloth/Qwen3-4B-Instruct-2507-GGUF",
        file=f"Qwen3-4B-Instruct-2507-{quant}.gguf",
        size=size,
        sha256=sha256,
    )


# `qwen pull` fetches the first entry of a quantisation; the program recognises all of them.
CATALOGUE = (
    _unsloth("Q4_K_M", 2_497_281_120, "3605803b982cb64aead44f6c1b2ae36e3acdb41d8e46c8a94c6533bc4c67e597"),
    CatalogueEntry(
        name=DEFAULT_MODEL,
        quant="Q4_K_M",
        repository="bartowski/Qwen_Qwen3-4B-Instruct-2507-GGUF",
        file="Qwen_Qwen3-4B-Instruct-2507-Q4_K_M.gguf",
        size=2_497_280_736,
        sha256="2fde00ce69dd4899c70d020845e2638353015bba0fdf161b3eb965f2bca4464e",
    ),
    CatalogueEntry(
        name=DEFAULT_MODEL,
        quant="Q4_K_M",
        repository="lmstudio-community/Qwen3-4B-Instruct-2507-GGUF",
        file="Qwen3-4B-Instruct-2507-Q4_K_M.gguf",
        size=2_497_280_448,
        sha256="8cdb57cbb880d313736a9bc4e3d3d2485f145b5e19cf33783746e753e82641fc",
    ),
    _unsloth("IQ4_XS", 2_270_751_840, "cfd15a69e4801abfa16f0263b77ffbf97cbb8af67782a70cc95cf627b3dfa27d"),
    _unsloth("Q4_0", 2_375_773_280, "e0ba675d86ab277c61701c6793659b2ae801d95e3be791464c321e6fbf613be2"),
    _unsloth("Q5_K_M", 2_889_514_080),
    _unsloth("Q8_0", 4_280_405_600),
)


def find(name: str, catalogue: tuple[CatalogueEntry, ...] = CATALOGUE) -> tuple[CatalogueEntry, ...]:
    """Return the entries of `NAME` or `NAME:QUANT`, the one to fetch first; none for an unknown name."""
    model, _colon, quant = name.partition(":")
    wanted = (model.lower(), quant.upper() or DEFAULT_QUANT)
    return tuple(entry for entry in catalogue if (entry.name, entry.quant.upper()) == wanted)


def of_hash(sha256: str, catalogue: tuple[CatalogueEntry, ...] = CATALOGUE) -> CatalogueEntry | None:
    """Return the entry whose file has this SHA-256, if there is one."""
    return next((entry for entry in catalogue if entry.sha256 == sha256), None)


def of_file(repository: str, file: str, catalogue: tuple[CatalogueEntry, ...] = CATALOGUE) -> CatalogueEntry | None:
    """Return the entry of this file in this repository, if there is one."""
    return next((entry for entry in catalogue if (entry.repository, entry.file) == (repository, file)), None)

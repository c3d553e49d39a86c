"""Recognises by their headers GGUF files that cannot answer: adapters, projectors, tables, embedding models."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from qwen_tui.errors import InvalidModelError
from qwen_tui.i18n import gettext as _
from qwen_tui.models.gguf import Header
from qwen_tui.models.parts import is_split

# Values of llama.cpp's enum llama_pooling_type: from the first on, a model returns numbers for a whole text. The last
# one belongs to models that score how well a text answers a question.
_POOLING_MEAN, _POOLING_RANK = 1, 4
_ENCODERS = re.compile(r"(?:.+-)?bert(?:-.+)?|eurobert|t5encoder|gemma-embedding|llama-embed")
_EMBEDDING = re.compile(r"(?i)\bembed(?:ding)?s?\b")
_RERANKER = re.compile(r"(?i)\bre-?rank(?:er|ing)?\b")


class Unfit(NamedTuple):
    """Why a file cannot answer: a sentence with the field `{path}`, and a remedy."""

    sentence: str
    remedy: str


def unfit(header: Header) -> Unfit | None:
    """Return why the file with this header cannot answer; None if the header looks like that of a model."""
    return next((why() for is_one, why in _KINDS if is_one(header)), None)


def require_model(header: Header, path: Path, called: str = "") -> None:
    """Raise `InvalidModelError` if the file at `path` cannot answer; the error names it `called`."""
    if found := unfit(header):
        raise InvalidModelError(found.sentence.format(path=called or path), found.remedy)


def _text(header: Header, key: str) -> str:
    value = header.metadata.get(key, "")
    return value if isinstance(value, str) else ""


def _kind(header: Header) -> str:
    return _text(header, "general.type").lower()


def _architecture(header: Header) -> str:
    return _text(header, "general.architecture").lower()


def _pooling(header: Header) -> int:
    value = header.metadata.get(f"{_text(header, 'general.architecture')}.pooling_type", 0)
    return value if isinstance(value, int) else 0


def _is_adapter(header: Header) -> bool:
    return _kind(header) == "adapter" or "adapter.type" in header.metadata or _architecture(header) == "controlvector"


def _adapter() -> Unfit:
    return Unfit(
        _("{path} is an adapter (LoRA), an addition to a model, and cannot answer by itself."),
        _("This program uses no adapters: choose the model itself, or a file into which the adapter was merged."),
    )


def _is_projector(header: Header) -> bool:
    return _kind(header) == "mmproj" or _architecture(header) == "clip"


def _projector() -> Unfit:
    return Unfit(
        _("{path} is the part of a model that looks at pictures (a projector), and cannot answer."),
        _("Choose the file of the model itself: it lies where this one was published, without “mmproj” in its name."),
    )


def _is_table(header: Header) -> bool:
    return _kind(header) == "imatrix" or "imatrix.chunk_count" in header.metadata


def _table() -> Unfit:
    return Unfit(
        _("{path} is an importance matrix, from which quantised models are made, and no model."),
        _("Choose a file that names its quantisation, such as Q4_K_M."),
    )


def _is_of_another_kind(header: Header) -> bool:
    return _kind(header) not in ("", "model")


def _another_kind() -> Unfit:
    return Unfit(_("{path} says of itself that it is no model."), _("Choose another file."))


def _named(header: Header) -> str:
    return f"{_text(header, 'general.name')} {_text(header, 'general.basename')}".replace("_", " ")


def _is_reranker(header: Header) -> bool:
    return (
        _pooling(header) == _POOLING_RANK
        or any(tensor.name.startswith("cls.") for tensor in header.tensors)
        or bool(_RERANKER.search(_named(header)))
    )


def _reranker() -> Unfit:
    return Unfit(
        _("{path} is a reranker: it scores how well a text fits a question, and cannot answer."),
        _("Choose a model for conversations; such files are often called Instruct or Chat."),
    )


def _is_embedder(header: Header) -> bool:
    return (
        _pooling(header) >= _POOLING_MEAN
        or bool(_ENCODERS.fullmatch(_architecture(header)))
        or bool(_EMBEDDING.search(_named(header)))
    )


def _embedder() -> Unfit:
    return Unfit(
        _("{path} is an embedding model: it turns a text into numbers for searching, and cannot answer."),
        _("Choose a model for conversations; such files are often called Instruct or Chat."),
    )


def _is_vocabulary(header: Header) -> bool:
    # The first part of a split model may contain no tensors.
    return not header.tensors and not is_split(header)


def _vocabulary() -> Unfit:
    return Unfit(_("{path} is a vocabulary without a model."), _("Choose another file."))


# The first test that is true says what the file is.
_KINDS: tuple[tuple[Callable[[Header], bool], Callable[[], Unfit]], ...] = (
    (_is_adapter, _adapter),
    (_is_projector, _projector),
    (_is_table, _table),
    (_is_of_another_kind, _another_kind),
    (_is_reranker, _reranker),
    (_is_embedder, _embedder),
    (_is_vocabulary, _vocabulary),
)

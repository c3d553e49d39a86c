"""The byte-level BPE of the demonstration model, the same as llama.cpp's `qwen2` tokenisation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")

_QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_DROPOUT = 0.15


def _word_splitter() -> pre_tokenizers.Sequence:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_QWEN2_WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def train_tokenizer(texts: Iterable[str], han: Iterable[str], size: int, path: Path) -> None:
    """Learns `size` tokens less the special ones from the texts and writes them as a `tokenizers` file.

    A Chinese character becomes one token and never part of a longer one: the answers would otherwise turn into phrases,
    and a prompt with the same words in another order would look entirely different.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"\p{Han}|[　-〿＀-￯‐-⁯]"), "isolated"), _word_splitter()]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        max_token_length=16,
    )
    # Often enough that each character is certain to get its token.
    repeated = (character for character in han for _ in range(200))
    tokenizer.train_from_iterator((text for group in (texts, repeated) for text in group), trainer)
    tokenizer.pre_tokenizer = _word_splitter()
    tokenizer.save(str(path))


def save_tokenizer(tokens: Sequence[str], merges: Sequence[Sequence[str]], path: Path) -> None:
    """Writes the tokenizer with these tokens and merges as a `tokenizers` file."""
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [(first, second) for first, second in merges]))
    tokenizer.pre_tokenizer = _word_splitter()
    tokenizer.save(str(path))


class ChatTokenizer:
    """Turns conversations into token numbers; what a user writes can never become a special token."""

    def __init__(self, path: Path) -> None:
        self._plain = Tokenizer.from_file(str(path))
        self._uneven = Tokenizer.from_file(str(path))
        self._uneven.model.dropout = _DROPOUT
        base = self._plain.get_vocab_size()
        self.end_of_text, self.start, self.end = base, base + 1, base + 2
        self.size = base + len(SPECIALS)

    def encode(self, text: str, uneven: bool = False) -> list[int]:
        """Returns the tokens of a text; `uneven` leaves out some merges at random, as rare spellings would."""
        tokens: list[int] = (self._uneven if uneven else self._plain).encode(text).ids
        return tokens

    def message(self, role: str, content: list[int]) -> list[int]:
        """Returns a whole message."""
        return [*self.opening(role), *content, self.end, *self.encode("\n")]

    def opening(self, role: str) -> list[int]:
        """Returns the beginning of a message, up to where its text starts."""
        return [self.start, *self.encode(f"{role}\n")]

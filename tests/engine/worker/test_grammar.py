"""Grammars over vocabularies of several kinds: which tokens may follow, and that no other token is ever sampled."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import pytest

from qwen_tui.engine.schema_grammar import GrammarError
from qwen_tui.engine.worker.binding import load_library
from qwen_tui.engine.worker.grammar import Grammar, Grammars
from qwen_tui.engine.worker.model import Vocabulary
from tests.tiny_model import END_OF_TEXT, TURN_END, TURN_START


def words_and_bytes(path: Path, *, fallback: bool = True) -> Path:
    """Write a vocabulary like SentencePiece's: blanks are ▁, and characters without a piece are bytes."""
    pieces = ["▁", "{", "}", '"', ":", ",", "▁true", "▁hello", "hello", "l", "o", "n", "1", "2"]
    # A vocabulary without byte tokens must have the token that llama.cpp needs for line breaks.
    single = [f"<0x{byte:02X}>" for byte in range(256)] if fallback else ["<0x0A>"]
    tokens = ["<unk>", "<s>", "</s>", *single, *pieces]
    kinds = gguf.TokenType
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(index) for index in range(len(tokens))])
    writer.add_token_types(
        [kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL] + [kinds.BYTE] * len(single) + [kinds.NORMAL] * len(pieces)
    )
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def vocabularies(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Vocabulary]]:
    folder = tmp_path_factory.mktemp("vocabularies")
    llama: Any = load_library()
    parameters = llama.llama_model_default_params()
    parameters.vocab_only = True
    paths = {
        "byte pairs": tiny,
        "demo": Path("qwen_tui/assets/demo.gguf").resolve(),
        "words and bytes": words_and_bytes(folder / "bytes.gguf"),
        "words alone": words_and_bytes(folder / "words.gguf", fallback=False),
    }
    models = {name: llama.llama_model_load_from_file(str(path).encode(), parameters) for name, path in paths.items()}
    yield {name: Vocabulary(llama, llama.llama_model_get_vocab(model)) for name, model in models.items()}
    for model in models.values():
        llama.llama_model_free(model)


def allowed(grammar: Grammar) -> set[int]:
    return {token for token, bias in struct.iter_unpack("=if", grammar.biases()) if bias == 0}


def end_of(vocabulary: Vocabulary) -> int:
    return min(vocabulary.named_ends)


def byte_tokens(vocabulary: Vocabulary, text: str) -> list[int]:
    """Return the text in single-byte tokens: a model may write it so, whatever the tokenizer would choose."""
    single = {piece: token for token, piece in reversed(list(enumerate(vocabulary.pieces()))) if len(piece) == 1}
    return [single[bytes([byte])] for byte in text.encode()]


@pytest.mark.parametrize("kind", ["byte pairs", "demo", "words and bytes"])
@pytest.mark.parametrize("text", ['"😀"', '"C:\\\\temp"', '"两\\n行"'])
def test_a_text_is_followed_byte_by_byte_and_then_ends(
    vocabularies: dict[str, Vocabulary], kind: str, text: str
) -> None:
    vocabulary = vocabularies[kind]
    grammar = Grammars(vocabulary).grammar('{"const":' + text + "}")
    end = end_of(vocabulary)
    for token in byte_tokens(vocabulary, text):
        assert not grammar.take(end), "not before it is complete"
        assert end not in allowed(grammar)
        assert token in allowed(grammar)
        assert grammar.take(token)
    assert allowed(grammar) == {token for token in range(vocabulary.size) if vocabulary.is_end(token)}
    assert grammar.take(end)


@pytest.mark.parametrize("kind", ["byte pairs", "demo", "words and bytes"])
def test_a_refused_token_changes_nothing(vocabularies: dict[str, Vocabulary], kind: str) -> None:
    vocabulary = vocabularies[kind]
    grammar = Grammars(vocabulary).grammar('{"type":"integer"}')
    (wrong, one, two) = byte_tokens(vocabulary, "x12")
    assert grammar.take(one)
    assert not grammar.take(wrong)
    assert grammar.take(two)
    assert grammar.take(end_of(vocabulary))


@pytest.mark.parametrize("kind", ["byte pairs", "demo", "words and bytes"])
def test_free_text_contains_no_special_token(vocabularies: dict[str, Vocabulary], kind: str) -> None:
    vocabulary = vocabularies[kind]
    grammar = Grammars(vocabulary).grammar('{"type":"string"}')
    assert grammar.take(byte_tokens(vocabulary, '"')[0])
    silent = {token for token, piece in enumerate(vocabulary.pieces()) if not piece}
    assert silent
    assert not allowed(grammar) & silent
    assert not any(grammar.take(token) for token in silent)


def test_names_of_special_tokens_are_ordinary_text(vocabularies: dict[str, Vocabulary]) -> None:
    vocabulary = vocabularies["byte pairs"]
    text = f'"{END_OF_TEXT}{TURN_START}{TURN_END}"'
    grammar = Grammars(vocabulary).grammar('{"type":"string"}')
    assert all(grammar.take(token) for token in vocabulary.tokenize(text))
    assert grammar.take(end_of(vocabulary))


def test_a_blank_of_a_word_is_a_blank_of_the_answer(vocabularies: dict[str, Vocabulary]) -> None:
    vocabulary = vocabularies["words and bytes"]
    tokens = {piece: token for token, piece in enumerate(vocabulary.pieces())}
    grammar = Grammars(vocabulary).grammar('{"properties":{"a":{"type":"boolean"}},"required":["a"],"type":"object"}')
    for piece in byte_tokens(vocabulary, '{"a":'):
        assert grammar.take(piece)
    assert grammar.take(tokens[b" true"])
    assert grammar.take(tokens[b"}"])


def test_an_answer_that_was_begun_is_continued(vocabularies: dict[str, Vocabulary]) -> None:
    vocabulary = vocabularies["byte pairs"]
    grammars = Grammars(vocabulary)
    first, second = grammars.grammar('{"const":"hello"}'), grammars.grammar('{"const":"hello"}')
    begun = vocabulary.tokenize('"hel')
    assert all(map(first.take, begun))
    second.follow(begun)
    assert first.biases() == second.biases()
    with pytest.raises(GrammarError):
        second.follow(vocabulary.tokenize("x"))


def test_a_vocabulary_that_cannot_write_the_answer_is_an_error(vocabularies: dict[str, Vocabulary]) -> None:
    vocabulary = vocabularies["words alone"]
    grammar = Grammars(vocabulary).grammar('{"const":"no"}')
    (quote, n, o) = ({piece: token for token, piece in enumerate(vocabulary.pieces())}[p] for p in (b'"', b"n", b"o"))
    assert grammar.take(quote)
    assert grammar.take(n)
    assert grammar.take(o)
    grammar = Grammars(vocabulary).grammar('{"const":"zebra"}')
    assert grammar.take(quote)
    with pytest.raises(GrammarError):
        grammar.biases()


def test_an_invalid_schema_is_an_error(vocabularies: dict[str, Vocabulary]) -> None:
    with pytest.raises(GrammarError, match="nonsense"):
        Grammars(vocabularies["byte pairs"]).grammar('{"type":"nonsense"}')

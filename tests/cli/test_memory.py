"""`qwen ask` with too little memory."""

import sys
from pathlib import Path

import pytest

from tests.conftest import Run

if sys.platform == "win32":
    pytest.skip("needs RLIMIT_AS", allow_module_level=True)

import resource


@pytest.mark.parametrize("megabytes", [48, 64, 80, 4000])
def test_too_little_memory_ends_in_an_answer_or_in_one_message(qwen: Run, tiny: Path, megabytes: int) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))

    done = qwen("ask", "-m", tiny, "-o", "max_tokens=5", "hello", preexec_fn=limit)
    errors = done.stderr.decode()
    assert "Traceback" not in errors
    if done.returncode:
        assert done.returncode == 1
        assert errors.count("qwen: ") == 1
        assert len(errors.splitlines()) <= 6
    else:
        assert done.stdout
    assert megabytes < 1000 or done.returncode == 0

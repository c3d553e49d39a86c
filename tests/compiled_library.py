"""Native libraries that a test compiles: modules of a portable llama.cpp that compute nothing."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

needs_compiler = pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")
# A module that ends the process that opens it, as a broken driver does.
ENDS_THE_PROCESS = "#include <stdlib.h>\n__attribute__((constructor)) static void opened(void) { abort(); }"


def make(
    folder: Path, name: str, score: int | None = None, flags: Sequence[str] = (), source: str = "int other;"
) -> None:
    """Compile a library of this `source`; with a `score`, one that says how well it suits this processor."""
    source = source if score is None else f"int ggml_backend_score(void) {{ return {score}; }}"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", folder / name, *flags],
        input=source.encode(),
        check=True,
        timeout=60,
    )

"""The process that computes for an engine, for tests that stop or kill it."""

import psutil

from qwen_tui.engine.local import LocalEngine


def worker_of(engine: LocalEngine) -> psutil.Process:
    """Return the worker of this engine: workers of earlier tests may still be leaving."""
    process = engine._worker._process
    assert process is not None, "it is started with the first question"
    return psutil.Process(process.number)

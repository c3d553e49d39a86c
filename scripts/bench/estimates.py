"""Compare how long the first word was foretold to take with how long it took.

    python scripts/bench/estimates.py MODEL [--tokens 500 2000 4000] [--threads N] [--fresh]

Each prompt is asked in a new engine, as `qwen ask` opens it, with whatever is known about this PC: what `qwen tune` has
measured and the speeds of earlier answers. With `--fresh` nothing is known: each prompt has a new home folder, and the
engine foretells after it has read the beginning of the prompt. What stands in the table under "foretold" counts that
reading, too, because the person waits for it. The load of the machine stands beside each figure: what else runs on it
changes the time.
"""

import contextlib
import os
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from qwen_tui.cli.environment import Environment
from qwen_tui.cli.wiring import TerminalWatcher
from qwen_tui.columns import markdown_table
from qwen_tui.config import Config
from qwen_tui.engine.protocol import Engine, Request
from qwen_tui.evaluation.measuring import words
from qwen_tui.messages import Message, Text
from qwen_tui.planning.planner import planner_of
from scripts.command_line import command_line, report_progress


def main() -> None:
    """Ask a prompt of each length, and print the table."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--tokens", type=int, nargs="+", default=[500, 2000, 4000], help="the lengths of the prompts")
    parser.add_argument("--threads", type=int, help="default: as planned")
    parser.add_argument("--fresh", action="store_true", help="know nothing of this PC before each prompt")
    arguments = parser.parse_args()
    rows = []
    for number, tokens in enumerate(arguments.tokens):
        report_progress(f"{tokens} tokens")
        with _home(fresh=arguments.fresh):
            settings = Config(model=str(arguments.model.resolve()), threads=arguments.threads, cache=False)
            watcher = TerminalWatcher(Environment.of_process(), settings, quiet=True)
            rows.append(_measured(planner_of(settings, watcher).engine("ask"), tokens, number))
        report_progress(" · ".join(map(str, rows[-1])))
    print(markdown_table(("prompt tokens", "known before", "foretold s", "actual s", "off by", "load"), rows))


@contextlib.contextmanager
def _home(*, fresh: bool) -> Iterator[None]:
    """Let the program know nothing of this PC in the block, if it is to be `fresh`."""
    if not fresh:
        yield
        return
    before = os.environ.get("QWEN_TUI_HOME")
    with tempfile.TemporaryDirectory(prefix="qwen-bench-") as folder:
        os.environ["QWEN_TUI_HOME"] = folder
        try:
            yield
        finally:
            os.environ.pop("QWEN_TUI_HOME")
            if before is not None:
                os.environ["QWEN_TUI_HOME"] = before


def _measured(engine: Engine, tokens: int, number: int) -> tuple[object, ...]:
    """Return a row of the table for a prompt of about so many tokens."""
    prompt = (Message("user", words(tokens, random.Random(number))),)
    with contextlib.closing(engine):
        for _progress in engine.load():
            pass
        count, known = engine.count(prompt), engine.estimate(1) is not None
        begun = time.perf_counter()
        for _event in engine.try_out(prompt):
            pass
        tried = time.perf_counter() - begun
        foretold = tried + (engine.estimate(count, engine.cached(prompt)) or 0.0)
        begun = time.perf_counter()
        for event in engine.stream(Request(messages=prompt, max_tokens=1)):
            if isinstance(event, Text):
                break
        actual = tried + time.perf_counter() - begun
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return (
        f"{count:,}",
        "yes" if known else "no",
        f"{foretold:.1f}",
        f"{actual:.1f}",
        f"{100 * (foretold / actual - 1):+.0f}%",
        f"{load:.1f}",
    )


if __name__ == "__main__":
    main()

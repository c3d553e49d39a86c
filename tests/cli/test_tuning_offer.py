"""`qwen tune` is offered once, in one line, for the model that answered."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qwen_tui.cli import wiring
from qwen_tui.cli.main import main
from qwen_tui.evaluation import gain
from tests.program import environment
from tests.streams import TerminalStream


@pytest.fixture(autouse=True)
def _memory_of_13_gigabytes_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gain, "memory_bandwidth", lambda _threads, _free: 13e9)


def offers(*words: str | Path) -> list[str]:
    """Ask five times with stderr on a terminal, and return the lines that name the command."""
    said = TerminalStream()
    for _answer in range(5):
        asked = ["ask", *map(str, words), "-n", "-o", "max_tokens=2", "Hello"]
        assert main(asked, environment(stderr=said)) == 0, said.getvalue()
    return [line for line in said.getvalue().splitlines() if "qwen tune" in line]


def test_the_model_is_named_where_it_is_not_the_usual_one(tiny: Path) -> None:
    (line,) = offers("-m", tiny)
    assert line.endswith(f": qwen tune -m {tiny}")


def test_the_usual_model_needs_no_name(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_TUI_MODEL", str(tiny))
    (line,) = offers()
    assert line.endswith(": qwen tune")
    assert len(line) < 80


def test_nothing_is_planned_for_an_offer_but_once(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[str] = []
    planner: Callable[..., Any] = wiring.planner

    def counted(environment: Any, settings: Any, **options: Any) -> Any:
        planned.append(settings.model)
        return planner(environment, settings, **options)

    monkeypatch.setattr(wiring, "planner", counted)
    offers("-m", tiny)
    assert planned == [str(tiny)]

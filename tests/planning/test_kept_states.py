"""How much of the disk the computed states may take."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from qwen_tui.config import Config
from qwen_tui.planning import kept_states


def test_a_state_does_not_lower_the_limit_for_those_before_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = 40 << 30
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=free))
    before = kept_states.limit(Config())
    states = home / "cache/states"
    states.mkdir(parents=True)
    with (states / "bcdf.state").open("wb") as file:
        # It takes no room on the disk, because nothing is written into it.
        file.truncate(1 << 30)
    free -= 1 << 30
    assert kept_states.limit(Config()) == before

"""A scripted NVIDIA management library: what the driver reports of its card; a test can change it between questions."""

import json
import os
from pathlib import Path

import pytest

_LIBRARY = """
import json, os
from types import SimpleNamespace

NVML_CLOCK_MEM = 2


def _said():
    with open(os.environ["SCRIPTED_NVML"]) as file:
        return json.load(file)


nvmlInit = nvmlShutdown = lambda: None
nvmlDeviceGetCount = lambda: len(_said()["cards"])
nvmlSystemGetDriverVersion = lambda: "550.54"
nvmlSystemGetCudaDriverVersion = lambda: 12040
nvmlDeviceGetHandleByIndex = lambda index: _said()["cards"][index]
nvmlDeviceGetName = lambda card: card["name"]
nvmlDeviceGetMemoryInfo = lambda card: SimpleNamespace(total=card["total"], free=card["free"])
nvmlDeviceGetDisplayMode = lambda card: 1
nvmlDeviceGetDisplayActive = lambda card: card["display"]
nvmlDeviceGetCudaComputeCapability = lambda card: (7, 5)
nvmlDeviceGetMaxClockInfo = lambda card, clock: 4001
nvmlDeviceGetMemoryBusWidth = lambda card: 128
nvmlDeviceGetPciInfo = lambda card: SimpleNamespace(busIdLegacy="")
"""


class Driver:
    """A driver with one card, for the programs that start from now on."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, free: int, total: int = 4 << 30) -> None:
        package = folder / "nvml"
        package.mkdir()
        (package / "pynvml.py").write_text(_LIBRARY)
        self._file = folder / "nvml.json"
        self._total = total
        self.has(free)
        monkeypatch.setenv("SCRIPTED_NVML", str(self._file))
        path = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))

    def has(self, free: int) -> None:
        """Let the card have so many free bytes."""
        card = {"name": "Card", "total": self._total, "free": free, "display": 0}
        self._file.write_text(json.dumps({"cards": [card]}))

"""Which device of a computer gets the layers, with several cards and integrated graphics."""

import pytest

from qwen_tui.hardware.device import Device, Kind, for_layers
from qwen_tui.hardware.gpu import Card, Graphics


def device(name: str, total: int, kind: Kind = "gpu", place: str = "") -> Device:
    return Device(name=name, description=name, kind=kind, free=0, total=total, id=place)


CPU = device("CPU", 16, "cpu")
SMALL, LARGE, TWIN = device("CUDA0", 2), device("CUDA1", 4), device("CUDA2", 4)
INSIDE = device("Vulkan0", 8, "igpu")
SERVER = device("RPC0", 1)


@pytest.mark.parametrize(
    ("devices", "chosen"),
    [
        pytest.param([CPU], None, id="none"),
        pytest.param([SMALL, LARGE, CPU], LARGE, id="the one with most memory"),
        pytest.param([LARGE, TWIN, CPU], LARGE, id="the first of two alike"),
        pytest.param([INSIDE, SMALL, CPU], SMALL, id="a card before the processor's own graphics"),
        pytest.param([CPU, INSIDE], INSIDE, id="the processor's own graphics where there is nothing else"),
        pytest.param([LARGE, CPU, SERVER], SERVER, id="a server that somebody has named"),
    ],
)
def test_one_device_gets_the_layers(devices: list[Device], chosen: Device | None) -> None:
    assert for_layers(devices) == chosen


def test_a_card_that_two_backends_show_is_the_first_one_s() -> None:
    cuda = device("CUDA0", 3 << 30, place="0000:01:00.0")
    vulkan = device("Vulkan0", 4 << 30, place="0000:01:00.0")
    assert for_layers([cuda, vulkan, CPU]) == cuda


def test_the_driver_s_card_is_found_by_its_place_else_by_its_name() -> None:
    one = Card(name="GTX 1650", free=3, id="0000:01:00.0")
    two = Card(name="GTX 1650", free=2, id="0000:02:00.0")
    seen = Graphics(cards=(one, two))
    described = {"description": "NVIDIA GTX 1650", "name": "CUDA0", "kind": "gpu", "free": 0, "total": 4}
    assert seen.of(Device(id="0000:01:00.0", **described)) == one  # type: ignore[arg-type]
    assert seen.of(Device(**described)) == two, "of two alike the one with less"  # type: ignore[arg-type]
    assert seen.of(Device(id="0000:03:00.0", **described)) is None, "a third"  # type: ignore[arg-type]
    assert seen.of(device("RX 6400", 4)) is None

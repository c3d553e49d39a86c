"""What `--gpu-layers auto` chooses, with every kind of card, driver and build."""

from collections.abc import Sequence

import msgspec
import pytest

from qwen_tui.engine.installed import Inspection
from qwen_tui.hardware.device import Buffers, Build, Device, DryRun
from qwen_tui.hardware.gpu import Card, Graphics, Trouble
from qwen_tui.hardware.memory import Memory
from qwen_tui.hardware.placement import steps_down
from qwen_tui.hardware.plan import Plan
from qwen_tui.planning import automatic as module
from qwen_tui.planning.automatic import Automatic, automatic
from tests.hardware.real_shape import real_header

GIB = 1 << 30
CARD = Card(name="GTX 1650", total=4 * GIB, free=int(3.6 * GIB), display=True)
HEADER = real_header()


def build(*, gpu_offload: bool = True, gpu: bool = True, notes: tuple[str, ...] = ()) -> Build:
    cpu = Device(name="CPU", description="six cores", kind="cpu", free=12 * GIB, total=16 * GIB)
    card = Device(name="CUDA0", description="GTX 1650", kind="gpu", free=int(3.4 * GIB), total=4 * GIB)
    return Build(
        version="1",
        library="1",
        features={},
        gpu_offload=gpu_offload,
        devices=(card, cpu) if gpu else (cpu,),
        notes=notes,
    )


def found(
    backends: Sequence[str] | None,
    seen: Graphics,
    answer: Inspection | None = None,
    asked: list[str] | None = None,
    layers: int | None = None,
) -> Automatic:
    def ask(_plans: Sequence[Plan], circumstances: str, _seen: Graphics) -> Inspection:
        assert asked is not None, "the engine must not be asked"
        asked.append(circumstances)
        assert answer is not None
        return answer

    return automatic(HEADER, 8192, backends, lambda: seen, ask, layers)


def test_a_cpu_build_asks_no_driver() -> None:
    def fail() -> Graphics:
        raise AssertionError("the driver must not be asked")

    result = automatic(HEADER, 8192, (), fail, lambda *_: Inspection())
    assert result.placement.gpu_layers == 0
    assert not result.trouble


def test_a_card_of_four_gigabytes_gets_the_whole_network() -> None:
    seen = Graphics(driver="550.54", cards=(CARD,))
    asked: list[str] = []
    result = found(("cuda",), seen, Inspection(build=build()), asked)
    assert result.placement.whole
    assert result.placement.plan.kv_type == "q8_0"
    assert not result.trouble
    # The memory that a start takes of the card is not free.
    assert result.placement.room.gpu_free == int(3.6 * GIB) - (150 << 20)
    assert "550.54" in asked[0]
    costless = Inspection(build=build(), gpu_taken=0)
    assert found(("cuda",), seen, costless, asked).placement.room.gpu_free == int(3.6 * GIB)


def test_without_the_driver_s_word_ggml_s_counts() -> None:
    result = found(("vulkan",), Graphics(trouble="no_driver"), Inspection(build=build()), [])
    assert result.placement.room.gpu_free == int(3.4 * GIB)
    assert result.placement.gpu_layers


def test_dry_runs_replace_the_estimate() -> None:
    placed = found(("cuda",), Graphics(cards=(CARD,)), Inspection(build=build()), []).placement
    run = DryRun(plan=placed.plan, compute={"CUDA0": 90 << 20, "CUDA_Host": 21 << 20})
    assert run.buffers == Buffers(gpu=90 << 20, ram=21 << 20)


@pytest.mark.parametrize(
    ("seen", "answer", "words"),
    [
        pytest.param(Graphics(trouble="no_driver"), None, "No NVIDIA card", id="no driver"),
        pytest.param(Graphics(trouble="no_library"), None, "No NVIDIA card", id="no nvidia-ml-py"),
        pytest.param(Graphics(trouble="broken", detail="version mismatch"), None, "version mismatch", id="broken"),
        pytest.param(
            Graphics(cards=(CARD,)),
            Inspection(build=build(gpu=False, notes=("CUDA driver version is insufficient",))),
            "insufficient",
            id="too old",
        ),
        pytest.param(
            Graphics(cards=(CARD,)), Inspection(trouble="it dies"), "could not be looked at (it dies)", id="it dies"
        ),
    ],
)
def test_the_reason_why_the_card_is_not_used_is_said_and_the_cpu_computes(
    monkeypatch: pytest.MonkeyPatch, seen: Graphics, answer: Inspection | None, words: str
) -> None:
    monkeypatch.setattr(module, "may_have_card", lambda: False)
    result = found(("cuda",), seen, answer, None if answer is None else [])
    assert result.placement.gpu_layers == 0
    assert words in result.trouble
    assert "\n" not in result.trouble


def test_that_the_pc_has_no_card_is_said_only_to_whoever_wants_layers_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "may_have_card", lambda: False)
    nothing = Graphics(trouble="no_card")
    assert not found(("cuda",), nothing).trouble
    insisting = found(("cuda",), nothing, Inspection(build=build(gpu=False)), [], layers=-1)
    assert "No NVIDIA card" in insisting.trouble
    assert insisting.placement.gpu_layers == 0


@pytest.mark.parametrize("trouble", ["no_library", "no_driver"])
def test_a_card_that_only_ggml_can_see_is_asked_for(monkeypatch: pytest.MonkeyPatch, trouble: Trouble) -> None:
    monkeypatch.setattr(module, "may_have_card", lambda: True)
    assert found(("cuda",), Graphics(trouble=trouble), Inspection(build=build()), []).placement.gpu_layers
    unseen = found(("cuda",), Graphics(trouble=trouble), Inspection(build=build(gpu=False)), [])
    assert "No NVIDIA card" in unseen.trouble


def test_the_layers_that_a_person_names_are_placed_like_those_that_the_program_chooses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The free RAM would change between the two plans.
    monkeypatch.setattr(module, "memory", lambda: Memory(total=16 * GIB, free=12 * GIB))
    seen = Graphics(cards=(CARD,))
    chosen = found(("cuda",), seen, Inspection(build=build()), []).placement
    assert found(("cuda",), seen, Inspection(build=build()), [], layers=-1).placement == chosen
    part = found(("cuda",), seen, Inspection(build=build()), [], layers=20).placement
    assert (part.gpu_layers, part.room.gpu_free, part.fits) == (20, chosen.room.gpu_free, True)
    # If all else is equal, the larger cache is chosen.
    assert part.plan.kv_type == "f16"
    one = found(("cuda",), seen, Inspection(build=build()), [], layers=1).placement
    assert one.gpu_layers == 1


def test_layers_that_do_not_fit_are_tried_all_the_same_in_the_way_that_takes_least() -> None:
    full = msgspec.structs.replace(CARD, free=GIB)
    placed = found(("cuda",), Graphics(cards=(full,)), Inspection(build=build()), [], layers=30).placement
    assert (placed.gpu_layers, placed.fits) == (30, False)
    assert (placed.plan.kv_type, placed.plan.batch_size) == ("q8_0", 128)
    steps = steps_down(placed, HEADER, cpu=Plan(threads=6, batch_threads=6))
    assert [step.gpu_layers for step in steps][:3] == [22, 16, 12]


def test_layers_are_asked_for_even_of_a_driver_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "may_have_card", lambda: False)
    hung = Graphics(trouble="broken", detail="the driver does not answer")
    placed = found(("cuda",), hung, Inspection(build=build()), [], layers=20).placement
    assert (placed.gpu_layers, placed.room.gpu_free) == (20, int(3.4 * GIB))
    broken = found(("cuda",), hung, Inspection(trouble="it dies"), [], layers=20)
    assert (broken.placement.gpu_layers, "it dies" in broken.trouble) == (0, True)


def test_of_two_cards_the_one_with_the_layers_counts() -> None:
    names = ("0000:01:00.0", "0000:02:00.0")
    first, second = (
        Device(name=f"CUDA{at}", description="GTX 1650", kind="gpu", free=GIB, total=4 * GIB, id=name)
        for at, name in enumerate(names)
    )
    # The driver numbers the cards in another order than CUDA, and a screen is attached to CUDA's first card.
    with_screen = msgspec.structs.replace(CARD, free=2 * GIB, id=names[0])
    seen = Graphics(cards=(msgspec.structs.replace(CARD, id=names[1]), with_screen))
    answer = Inspection(build=msgspec.structs.replace(build(), devices=(first, second)), gpu_taken=0)
    room = found(("cuda",), seen, answer, []).placement.room
    assert (room.device, room.gpu_free) == ("CUDA0: GTX 1650", 2 * GIB)


def test_integrated_graphics_get_layers_only_if_the_person_insists() -> None:
    inside = Device(name="Vulkan0", description="UHD 630", kind="igpu", free=6 * GIB, total=8 * GIB)
    answer = Inspection(build=msgspec.structs.replace(build(), devices=(inside,)))
    nothing = Graphics(trouble="no_driver")
    assert found(("vulkan",), nothing, answer, []).placement.gpu_layers == 0
    insisted = found(("vulkan",), nothing, answer, [], layers=20).placement
    assert (insisted.gpu_layers, insisted.room.device) == (20, "Vulkan0: UHD 630")


def test_the_free_memory_of_another_card_does_not_count() -> None:
    other = Card(name="GT 710", total=2 * GIB, free=GIB)
    result = found(("vulkan",), Graphics(cards=(other,)), Inspection(build=build()), [])
    assert result.placement.room.gpu_free == int(3.4 * GIB)

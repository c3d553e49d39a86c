"""A context becomes larger only if the memory that is free now allows it, and the model was trained for it."""

from qwen_tui.hardware.placement import Room
from qwen_tui.hardware.plan import ALL_LAYERS, Plan
from qwen_tui.planning.larger import larger_context
from tests.hardware.real_shape import real_header

HEADER, GIB = real_header(), 1 << 30
ROOM = Room(ram_free=12 * GIB, ram_total=16 * GIB)
CARD = Room(ram_free=12 * GIB, ram_total=16 * GIB, gpu_free=int(3.6 * GIB), gpu_total=4 * GIB)


def test_twice_the_context_takes_the_keys_and_values_of_as_many_tokens() -> None:
    found = larger_context(HEADER, Plan(), 16_384, before=ROOM, ram_free=8 * GIB)
    assert found.obstacle == ""
    # 147,456 bytes for a token, and a larger compute buffer.
    assert 8192 * 147_456 <= found.nbytes <= 8192 * 147_456 * 1.4


def test_without_the_memory_it_says_how_much_is_missing() -> None:
    found = larger_context(HEADER, Plan(), 65_536, before=ROOM, ram_free=8 * GIB)
    assert "GB of free memory, and there are 8.6" in found.obstacle


def test_no_model_sees_more_than_it_was_trained_for() -> None:
    found = larger_context(HEADER, Plan(), 300_000, before=ROOM, ram_free=900 * GIB)
    assert "262,144" in found.obstacle


def test_a_card_without_room_is_named() -> None:
    plan = Plan(gpu_layers=ALL_LAYERS, flash_attention=True, kv_type="q8_0", batch_size=512)
    assert "--ctx-size 16384" in larger_context(HEADER, plan, 16_384, before=CARD, ram_free=8 * GIB).obstacle

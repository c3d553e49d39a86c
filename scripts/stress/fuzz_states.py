"""Damage stored prompt states in thousands of ways, and ask with each: no crash, and never a wrong answer.

    python scripts/stress/fuzz_states.py [--count 2000] [--seed 0] [--only SEED]

The script stores a state of the demonstration model once. Every case then replaces it by a damaged or foreign file, and
asks again: with flipped bits, a cut end, exchanged, zeroed and repeated stretches, a file of another kind, a header
with a right checksum and wrong contents, or the state of another prompt, model or KV type under a right header. The
greedy answer must be the one without a store, the worker must survive, and the next question must work. `--only SEED`
repeats one case.

The program cannot recognise a file with right checksums and a right key around other numbers. Such a file is forged,
not damaged, and the folder belongs to the user alone.
"""

import os
import random
import struct
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec

from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import LoadOptions, Request, SamplingOptions, StoreOptions
from qwen_tui.engine.state_file import CHUNK, StateHeader, packed, unpacked
from qwen_tui.errors import QwenError
from qwen_tui.files import ASSETS
from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import Finished, Message, Text
from scripts.command_line import command_line, report_progress

NICENESS = 10
MATERIAL = "\n".join(f"Item {i}: the shelf number {i * 7} holds {i * 13} boxes." for i in range(5))
QUESTION = f"{MATERIAL}\n\nHow many boxes are there?"
OTHER = "Tell me a story about a lighthouse, a fox and a train, and make it long and warm. " * 4
PREFIX = struct.Struct("<8sII")
Mutation = Callable[[random.Random, bytes, bytes], bytes]


def main() -> int:
    """Run every case and return the number of failures, 1 at most."""
    parser = command_line(__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int)
    options = parser.parse_args()
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    with tempfile.TemporaryDirectory() as folder:
        return run(Path(folder), options.seed, options.count, options.only)


def run(folder: Path, seed: int, count: int, only: int | None) -> int:
    """Run the cases `seed`, `seed` + 1, …, and report how they ended."""
    expected = Asker(None).once(QUESTION)
    whole = kept(folder / "made", QUESTION)
    other = kept(folder / "other", OTHER)
    store = folder / "fuzzed"
    store.mkdir()
    (store / "models.json").write_bytes((folder / "made/models.json").read_bytes())
    asker = Asker(store)
    outcomes: Counter[tuple[str, str]] = Counter()
    begun = time.monotonic()
    for case in [only] if only is not None else range(seed, seed + count):
        rng = random.Random(case)
        mutation = rng.choice(MUTATIONS)
        content = mutation(rng, whole, other)
        (store / "fuzz.state").write_bytes(content)
        outcome = asker.outcome(expected, same=content == whole)
        outcomes[mutation.__name__, outcome] += 1
        if outcome not in ("computed again", "restored"):
            report_progress(f"case {case} ({mutation.__name__}): {outcome}")
    asker.close()
    for (name, outcome), number in sorted(outcomes.items()):
        print(f"{name:24} {outcome:24} {number:6}")
    bad = sum(number for (_name, outcome), number in outcomes.items() if outcome not in ("computed again", "restored"))
    print(f"{sum(outcomes.values())} cases in {time.monotonic() - begun:.0f} s, {bad} of them wrong")
    return min(bad, 1)


class Asker:
    """The real worker with the demonstration model. It stores nothing, because no conversation is named."""

    def __init__(self, store: Path | None) -> None:
        folder = StoreOptions(folder=os.fsencode(store), limit=1 << 30, worth_s=0) if store else None
        self._engine = LocalEngine(
            # A greedy answer uses only the full batches of a state, so the batches are small here.
            LoadOptions(
                path=os.fsencode(ASSETS / "demo.gguf"),
                plan=Plan(ctx_size=2048, threads=2, batch_threads=2, batch_size=16),
                store=folder,
            )
        )

    def once(self, question: str) -> str:
        """Return the answer and end the worker."""
        text, _usage = self.answer(question)
        self.close()
        return text

    def answer(self, question: str, conversation: str | None = None) -> tuple[str, int]:
        """Return the greedy answer, and how many tokens of the prompt were not computed."""
        request = Request(
            messages=(Message("user", question),),
            sampler=SamplingOptions(temperature=0),
            max_tokens=16,
            conversation=conversation,
        )
        text, cached = "", -1
        for event in self._engine.stream(request):
            if isinstance(event, Text):
                text += event.piece
            elif isinstance(event, Finished):
                cached = event.usage.cached_tokens
        return text, cached

    def outcome(self, expected: str, *, same: bool) -> str:
        """Ask, and return how it ended; first ask something else, so that the KV cache has nothing of the prompt."""
        try:
            self.answer("Hi", None)
            text, cached = self.answer(QUESTION)
            if text != expected:
                return "WRONG ANSWER"
        except QwenError as error:
            return f"FAILED: {error.message.splitlines()[0]}"
        restored = cached > 20
        return "restored" if restored else "NOT RESTORED" if same else "computed again"

    def close(self) -> None:
        """End the worker."""
        self._engine.close()


def kept(folder: Path, question: str) -> bytes:
    """Store the state of `question`, and return its file."""
    asker = Asker(folder)
    asker.answer(question, "fuzz")
    asker.close()
    file = folder / "fuzz.state"
    deadline = time.monotonic() + 30
    while not file.exists():
        if time.monotonic() > deadline:
            raise SystemExit("nothing was kept")
        time.sleep(0.05)
    return file.read_bytes()


def parts(whole: bytes) -> tuple[StateHeader, bytes]:
    """Split an undamaged file into its header and its state."""
    _magic, length, _checksum = PREFIX.unpack_from(whole)
    start = PREFIX.size + length
    return msgspec.msgpack.decode(whole[PREFIX.size : start], type=StateHeader), whole[start:]


def built(header: object, state: bytes) -> bytes:
    """Return a file with this header and a right checksum of the header."""
    body = msgspec.msgpack.encode(header)
    return PREFIX.pack(b"QWENKV\x00\x01", len(body), zlib.crc32(body)) + body + state


def sums(state: bytes) -> bytes:
    """Return the checksums of a state."""
    return packed([zlib.crc32(state[at : at + CHUNK]) for at in range(0, len(state), CHUNK)])


def flipped(rng: random.Random, whole: bytes, _other: bytes) -> bytes:
    """Flip bits."""
    data = bytearray(whole)
    # Flip half of the bits in the header, which is a small part of the file.
    end = len(whole) if rng.random() < 0.5 else len(whole) - parts(whole)[0].size
    for _flip in range(rng.choice((1, 1, 1, 2, 8, 64))):
        data[rng.randrange(end)] ^= 1 << rng.randrange(8)
    return bytes(data)


def cut(rng: random.Random, whole: bytes, _other: bytes) -> bytes:
    """Cut off the end."""
    return whole[: rng.choice((0, 1, 15, 16, len(whole) - 1, rng.randrange(len(whole)), rng.randrange(2000)))]


def grown(rng: random.Random, whole: bytes, _other: bytes) -> bytes:
    """Append bytes."""
    return whole + rng.randbytes(rng.choice((1, 4, 4096)))


def stretch_replaced(rng: random.Random, whole: bytes, _other: bytes) -> bytes:
    """Replace a stretch by zeros, ones, noise or the beginning."""
    length = rng.choice((1, 4, 64, 4096, 65536))
    at = rng.randrange(max(1, len(whole) - length))
    new = rng.choice((bytes(length), b"\xff" * length, rng.randbytes(length), whole[:length]))
    return whole[:at] + new + whole[at + length :]


def stretch_moved(rng: random.Random, whole: bytes, _other: bytes) -> bytes:
    """Exchange two neighbouring stretches."""
    first, second, third = sorted(rng.randrange(len(whole)) for _i in range(3))
    return whole[:first] + whole[second:third] + whole[first:second] + whole[third:]


def foreign(rng: random.Random, whole: bytes, _other: bytes) -> bytes:
    """Return a file of another kind."""
    kinds = (
        b"",
        b"GGUF" + rng.randbytes(5000),
        b"SQLite format 3\0" + bytes(4096),
        b"<!DOCTYPE html><html></html>",
        rng.randbytes(rng.randrange(1, 100_000)),
        PREFIX.pack(b"QWENKV\x00\x01", rng.choice((0, 1, 2**31, 2**32 - 1)), 0) + rng.randbytes(100),
        b"QWENKV\x00\x02" + whole[8:],
    )
    return rng.choice(kinds)


def wrong_fields(rng: random.Random, whole: bytes, _other: bytes) -> bytes:
    """Change a field of the header, under a right checksum."""
    header, state = parts(whole)
    fields = msgspec.structs.asdict(header)
    name = rng.choice(list(fields))
    fields[name] = rng.choice((None, -1, 0, 2**63, "", "x" * 1000, b"", b"abc", [], {}, 1.5, True, float("nan")))
    # NaN or infinity as a speed do no harm: the program may use the state.
    return built(fields, state)


def wrong_counts(rng: random.Random, whole: bytes, _other: bytes) -> bytes:
    """Name other tokens in the header than the state has."""
    header, state = parts(whole)
    tokens = unpacked(header.tokens)
    tokens = rng.choice((tokens[:-1], [*tokens, 5], tokens[: len(tokens) // 2], tokens * 9, tokens[:1]))
    return built(msgspec.structs.replace(header, tokens=packed(tokens)), state)


def wrong_key(rng: random.Random, whole: bytes, other: bytes) -> bytes:
    """Name another model or KV type in the header."""
    header, state = parts(rng.choice((whole, other)))
    key = rng.choice(("", "x", header.key[:-1], header.key.replace("f16", "q8_0"), header.key.replace("false", "true")))
    return built(msgspec.structs.replace(header, key=key), state)


def state_of_another_size(rng: random.Random, whole: bytes, other: bytes) -> bytes:
    """Return a right header, with right checksums, and a state that is cut, extended or of another prompt."""
    header, state = parts(whole)
    state = rng.choice(
        (state[: rng.randrange(1, len(state))], state + bytes(64), parts(other)[1], bytes(len(state) - 8))
    )
    return built(msgspec.structs.replace(header, size=len(state), sums=sums(state)), state)


def sound(_rng: random.Random, whole: bytes, _other: bytes) -> bytes:
    """Change nothing."""
    return whole


def sound_but_for_another(_rng: random.Random, _whole: bytes, other: bytes) -> bytes:
    """Return the undamaged state of another prompt."""
    return other


MUTATIONS: tuple[Mutation, ...] = (
    *(flipped,) * 4,
    *(cut,) * 2,
    grown,
    *(stretch_replaced,) * 3,
    stretch_moved,
    *(foreign,) * 2,
    *(wrong_fields,) * 2,
    wrong_counts,
    wrong_key,
    *(state_of_another_size,) * 2,
    sound,
    sound_but_for_another,
)


if __name__ == "__main__":
    sys.exit(main())

"""Damage a tiny model in thousands of ways, and load each file as the program does: it must not hang or crash.

    python scripts/stress/fuzz_models.py [--count 2000] [--seed 0] [--processes 2] [--only SEED]

Every mutation has its own seed: `--only SEED` repeats one, prints what it was and how it ended, and keeps the file.
Mutations flip, cut, double and insert bytes of the header, set counts and lengths to extremes, change values of known
keys, shapes, types and offsets of tensors, add and exchange keys, and repeat tokens.

A process in the place of the program reads each file with `read_header`, then loads it with a `LocalEngine` and answers
three tokens. If the process ends, or is silent for longer than the time limit, this counts as a failure.
"""

import argparse
import json
import os
import queue
import random
import resource
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from qwen_tui.columns import markdown_table
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import LoadOptions, Request, SamplingOptions
from qwen_tui.errors import InvalidModelError, QwenError, WorkerDiedError
from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import Finished, Message
from qwen_tui.models.gguf import read_header
from qwen_tui.models.tensor_types import TENSOR_TYPES
from scripts.command_line import command_line, report_progress

TIME_LIMIT_S = 20.0
# A header may ask for absurd buffers. With this limit, in bytes, they fail before they fill the memory of the PC.
MEMORY_LIMIT = 6 << 30
NICENESS = 10
CTX_SIZE = 2048
ANSWER_TOKENS = 3

READER, LLAMA, DIED, FORESEEN, ANSWERED, OTHER = (
    "refused by our reader",
    "refused by llama.cpp (InvalidModelError)",
    "the worker died (WorkerDiedError)",
    "another foreseen error (QwenError)",
    "answered",
    "other: must be 0",
)
OUTCOMES = (READER, LLAMA, DIED, FORESEEN, ANSWERED, OTHER)

ALIGNMENT = 32
STRING, ARRAY = 8, 9
# The letters of the module `struct` for GGUF's value types, by their ids.
LETTERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}
TYPE_IDS = {letter: type_id for type_id, letter in LETTERS.items() if type_id != 7}
UINT32, INT32, FLOAT32, BOOL = 4, 5, 6, 7

INTEGERS = (0, 1, 2, 3, 7, 31, 33, 63, 65, 255, 256, 4096, 2**15, 2**16, 2**20, 2**31 - 1, 2**31, 2**32 - 1)
COUNTS = (*INTEGERS, 2**32, 2**40, 2**61, 2**62, 2**63 - 1, 2**63, 2**64 - 32, 2**64 - 1)
FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-30, 1e30, 1e-45, float("inf"), float("-inf"), float("nan"))
ARCHITECTURES = (
    "qwen2",
    "llama",
    "gemma",
    "mamba",
    "rwkv6",
    "bert",
    "t5",
    "clip",
    "qwen3moe",
    "gpt2",
    "",
    "qwen4",
    "%s%n",
)
TOKENIZERS = ("llama", "bert", "t5", "rwkv", "plamo2", "none", "no_vocab", "", "gpt3")
PRETOKENIZERS = ("default", "llama-bpe", "deepseek-llm", "gpt-4o", "tekken", "qwen35", "", "unknown")

# Keys that llama.cpp reads and the tiny model lacks, with the types of their values.
ABSENT = {
    "qwen3.vocab_size": UINT32,
    "qwen3.rope.dimension_count": UINT32,
    "qwen3.rope.scaling.type": STRING,
    "qwen3.rope.scaling.factor": FLOAT32,
    "qwen3.rope.scaling.original_context_length": UINT32,
    "qwen3.rope.scaling.yarn_log_multiplier": FLOAT32,
    "qwen3.rope.freq_base": FLOAT32,
    "qwen3.attention.sliding_window": UINT32,
    "qwen3.attention.causal": BOOL,
    "qwen3.attention.clamp_kqv": FLOAT32,
    "qwen3.attention.max_alibi_bias": FLOAT32,
    "qwen3.attention.scale": FLOAT32,
    "qwen3.attention.layer_norm_epsilon": FLOAT32,
    "qwen3.logit_scale": FLOAT32,
    "qwen3.residual_scale": FLOAT32,
    "qwen3.expert_count": UINT32,
    "qwen3.expert_used_count": UINT32,
    "qwen3.expert_group_count": UINT32,
    "qwen3.pooling_type": UINT32,
    "qwen3.tensor_data_layout": STRING,
    "qwen3.use_parallel_residual": BOOL,
    "qwen3.leading_dense_block_count": UINT32,
    "qwen3.nextn_predict_layers": UINT32,
    "qwen3.token_shift_count": UINT32,
    "qwen3.n_deepstack_layers": UINT32,
    "qwen3.classifier.output_labels": STRING,
    "general.alignment": UINT32,
    "general.quantization_version": UINT32,
    "general.type": STRING,
    "split.count": INT32,
    "split.no": INT32,
    "split.tensors.count": INT32,
    "tokenizer.chat_template": STRING,
    "tokenizer.ggml.add_eos_token": BOOL,
    "tokenizer.ggml.add_space_prefix": BOOL,
    "tokenizer.ggml.remove_extra_whitespaces": BOOL,
    "tokenizer.ggml.precompiled_charsmap": STRING,
    "tokenizer.ggml.token_type_count": UINT32,
    "tokenizer.ggml.unknown_token_id": UINT32,
    "tokenizer.ggml.seperator_token_id": UINT32,
    "tokenizer.ggml.mask_token_id": UINT32,
    "tokenizer.ggml.eot_token_id": UINT32,
    "tokenizer.ggml.eom_token_id": UINT32,
    "tokenizer.ggml.fim_pre_token_id": UINT32,
    "tokenizer.ggml.scores": FLOAT32,
    "adapter.type": STRING,
}


class Spot(NamedTuple):
    """A number or a text in the header: its name, its place, and its letter for `struct` ("s" for a text)."""

    name: str
    start: int
    size: int
    letter: str


class Header:
    """An undamaged GGUF file in parts: the bytes of its header, the places of the items in it, and the tensor data."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0
        # The places of lengths, counts, values of keys, types of values, elements of arrays, parts of tensors, names.
        self.counts: list[Spot] = []
        self.values: list[Spot] = []
        self.value_types: list[Spot] = []
        self.elements: list[Spot] = []
        self.tensors: list[Spot] = []
        self.names: list[Spot] = []
        # The places of whole key-value pairs and whole tensor descriptions.
        self.pairs: list[Spot] = []
        self.descriptions: list[Spot] = []
        self._read()
        self.bytes = content[: self._at]
        self.data = content[-(-self._at // ALIGNMENT) * ALIGNMENT :]

    def _read(self) -> None:
        self._take("magic", "4s")
        self.counts += [self._take("version", "I"), tensors := self._take("tensor count", "Q")]
        self.counts.append(pairs := self._take("key count", "Q"))
        for _index in range(self._number(pairs)):
            start = self._at
            key = self._text("key", self.names)
            type_id = self._type(f"type of {key}")
            if type_id == ARRAY:
                self._array(key)
            else:
                self.values.append(self._value(key, type_id))
            self.pairs.append(Spot(key, start, self._at - start, "s"))
        for _index in range(self._number(tensors)):
            start = self._at
            name = self._text("tensor name", self.names)
            self.tensors.append(rank := self._take(f"rank of {name}", "I"))
            for dimension in range(self._number(rank)):
                self.tensors.append(self._take(f"dimension {dimension} of {name}", "Q"))
            self.tensors.append(self._take(f"type of {name}", "I"))
            self.tensors.append(self._take(f"offset of {name}", "Q"))
            self.descriptions.append(Spot(name, start, self._at - start, "s"))

    def _array(self, key: str) -> None:
        type_id = self._type(f"type of the elements of {key}")
        self.counts.append(length := self._take(f"length of {key}", "Q"))
        self.elements += [self._value(f"{key}[{index}]", type_id) for index in range(self._number(length))]

    def _value(self, name: str, type_id: int) -> Spot:
        if type_id != STRING:
            return self._take(name, LETTERS[type_id])
        spots: list[Spot] = []
        self._text(name, spots)
        return spots[0]

    def _type(self, name: str) -> int:
        self.value_types.append(spot := self._take(name, "I"))
        return self._number(spot)

    def _text(self, name: str, spots: list[Spot]) -> str:
        self.counts.append(length := self._take(f"length of {name}", "Q"))
        spots.append(spot := self._take(name, f"{self._number(length)}s"))
        return self._content[spot.start : spot.start + spot.size].decode()

    def _take(self, name: str, layout: str) -> Spot:
        size = struct.calcsize(f"<{layout}")
        spot = Spot(name, self._at, size, layout[-1])
        self._at += size
        return spot

    def _number(self, spot: Spot) -> int:
        return int.from_bytes(self._content[spot.start : spot.start + spot.size], "little")


class Mutator:
    """Makes a damaged copy of an undamaged file; the same seed makes the same copy."""

    def __init__(self, content: bytes) -> None:
        self._header = Header(content)

    def mutate(self, seed: int) -> tuple[str, bytes]:
        """Return a description of the damage, and the damaged file."""
        rng = random.Random(seed)
        kind = rng.choice(MUTATIONS)
        head = bytearray(self._header.bytes)
        what = kind(self._header, head, rng)
        if kind is not cut_file and rng.random() < 0.1:
            # With a second mutation, the file may pass the check that rejects the first one.
            second = rng.choice(IN_PLACE)
            what += "; " + second(self._header, head, rng)
        if kind is cut_file:
            whole = self._padded(head)
            end = rng.randrange(len(whole))
            return f"{what} at {end:,} of {len(whole):,}", whole[:end]
        if kind is insert and rng.random() < 0.3:
            return f"{what}, not padded again", bytes(head) + self._content_after_header()
        return what, self._padded(head)

    def _padded(self, head: bytearray) -> bytes:
        return bytes(head) + bytes(-len(head) % ALIGNMENT) + self._header.data

    def _content_after_header(self) -> bytes:
        return bytes(-len(self._header.bytes) % ALIGNMENT) + self._header.data


Mutation = Callable[[Header, bytearray, random.Random], str]


def flip(header: Header, head: bytearray, rng: random.Random) -> str:
    """Change a few bytes: anywhere, in the counts, or at the start of a pair or a description."""
    entry = rng.choice(rng.choice([header.pairs, header.descriptions]))
    area = rng.choice([Spot("the header", 0, len(header.bytes), "s"), Spot("the counts", 0, 24, "s"), entry])
    reach = area.size if area.start == 0 else min(area.size, 400)
    count = rng.choice((1, 1, 2, 4, 16))
    places = [(area.start + rng.randrange(reach)) % len(head) for _index in range(count)]
    for place in places:
        head[place] ^= rng.choice((1 << rng.randrange(8), 0xFF, rng.randrange(1, 256)))
    return f"bytes {places} in {area.name}"


def cut_file(_header: Header, _head: bytearray, _rng: random.Random) -> str:
    """Cut the file off somewhere."""
    return "cut"


def insert(header: Header, head: bytearray, rng: random.Random) -> str:
    """Insert random bytes, or a copy of bytes nearby."""
    place = rng.choice([rng.randrange(len(head)), rng.choice([*header.pairs, *header.descriptions]).start])
    size = rng.choice((1, 2, 4, 8, 13, 32, 64))
    head[place:place] = rng.choice([rng.randbytes(size), bytes(size), bytes(head[place : place + size])])
    return f"{size} bytes inserted at {place}"


def remove(header: Header, head: bytearray, rng: random.Random) -> str:
    """Remove bytes."""
    place = rng.choice([rng.randrange(len(head)), rng.choice([*header.pairs, *header.descriptions]).start])
    size = rng.choice((1, 2, 4, 8, 13, 32, 64))
    del head[place : place + size]
    return f"{size} bytes removed at {place}"


def change_count(header: Header, head: bytearray, rng: random.Random) -> str:
    """Set a count or a length to an extreme."""
    return set_number(head, rng.choice([*header.counts[:3], *rng.choices(header.counts, k=20)]), rng, COUNTS)


def change_value(header: Header, head: bytearray, rng: random.Random) -> str:
    """Change the value of a key."""
    spot = rng.choice(header.values)
    if spot.letter != "s":
        return set_number(head, spot, rng, INTEGERS)
    choices = {
        "general.architecture": ARCHITECTURES,
        "tokenizer.ggml.model": TOKENIZERS,
        "tokenizer.ggml.pre": PRETOKENIZERS,
    }
    text = rng.choice([*choices.get(spot.name, ("",)), "\0", "𠮷" * 10, "x" * 70_000]).encode()
    return set_text(head, spot, text)


def change_value_type(header: Header, head: bytearray, rng: random.Random) -> str:
    """Change the type of a value, but not its bytes."""
    spot = rng.choice(header.value_types)
    return set_exact(head, spot, rng.choice((*range(14), 2**31, 2**32 - 1)))


def retype_value(header: Header, head: bytearray, rng: random.Random) -> str:
    """Replace the value of a key by a valid one of another type."""
    spot = rng.choice([spot for spot in header.values if spot.letter in "If"])
    letter = rng.choice([letter for letter in TYPE_IDS if letter != spot.letter])
    value = rng.choice(FLOATS) if letter in "fd" else rng.choice(INTEGERS) % 2 ** (8 * struct.calcsize(letter) - 1)
    head[spot.start - 4 : spot.start + spot.size] = struct.pack(f"<I{letter}", TYPE_IDS[letter], value)
    return f"{spot.name} = {value} as {letter}"


def change_tensor(header: Header, head: bytearray, rng: random.Random) -> str:
    """Change the rank, a dimension, the type or the offset of a tensor."""
    spot = rng.choice(header.tensors)
    if spot.name.startswith("type"):
        return set_exact(head, spot, rng.choice((*TENSOR_TYPES, 4, 5, 31, 43, 100, 2**31, 2**32 - 1)))
    if spot.name.startswith("rank"):
        return set_exact(head, spot, rng.choice((0, 1, 2, 3, 4, 5, 2**32 - 1)))
    return set_number(head, spot, rng, COUNTS)


def reshape_all(header: Header, head: bytearray, rng: random.Random) -> str:
    """Change one dimension in all tensors that have it, as if the model had been made with another size."""
    old, new = rng.choice((32, 64, 128, 992)), rng.choice((1, 2, 31, 32, 48, 63, 64, 96, 128, 256, 991, 993))
    for spot in header.tensors:
        if spot.name.startswith("dimension") and struct.unpack_from("<Q", head, spot.start)[0] == old:
            struct.pack_into("<Q", head, spot.start, new)
    return f"every dimension {old} is {new}"


def exchange_names(header: Header, head: bytearray, rng: random.Random) -> str:
    """Give a key or a tensor the name of another, or an unknown name."""
    one, other = rng.sample(header.names, 2)
    text = rng.choice([bytes(head[other.start : other.start + other.size]), rng.randbytes(one.size), b"x" * 64])
    return set_text(head, one, text)


def remove_entry(header: Header, head: bytearray, rng: random.Random) -> str:
    """Remove a key or a tensor, and correct the count."""
    spots, count = rng.choice([(header.pairs, header.counts[2]), (header.descriptions, header.counts[1])])
    spot = rng.choice(spots)
    add_to(head, count, -1)
    del head[spot.start : spot.start + spot.size]
    return f"without {spot.name}"


def repeat_entry(header: Header, head: bytearray, rng: random.Random) -> str:
    """Write a key or a tensor twice, perhaps with another name the second time, and correct the count."""
    spots, count = rng.choice([(header.pairs, header.counts[2]), (header.descriptions, header.counts[1])])
    spot = rng.choice(spots)
    copy = bytearray(head[spot.start : spot.start + spot.size])
    if renamed := rng.random() < 0.5:
        copy[8] ^= 1
    add_to(head, count, 1)
    head[spot.start : spot.start] = copy
    return f"{spot.name} twice{', once renamed' if renamed else ''}"


def add_key(header: Header, head: bytearray, rng: random.Random) -> str:
    """Add a key that llama.cpp knows, with a strange value."""
    name, type_id = rng.choice(list(ABSENT.items()))
    if type_id == STRING:
        text = rng.choice([b"", b"none", b"yarn", b"longrope", b"adapter", b"{{ 1/0 }}", b"{% for x in", b"\xff" * 9])
        value = struct.pack("<Q", len(text)) + text
    elif type_id == FLOAT32:
        value = struct.pack("<f", rng.choice(FLOATS))
    elif type_id == BOOL:
        value = struct.pack("<B", rng.choice((0, 1, 2, 255)))
    else:
        value = struct.pack("<I", rng.choice(INTEGERS))
    add_to(head, header.counts[2], 1)
    head[24:24] = struct.pack("<Q", len(name)) + name.encode() + struct.pack("<I", type_id) + value
    return f"added {name} of type {type_id} = {value!r}"


def change_elements(header: Header, head: bytearray, rng: random.Random) -> str:
    """Change tokens, their types or merges: repeat one, empty one, set one to an extreme."""
    array = rng.choice(("tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "tokenizer.ggml.merges"))
    spots = [spot for spot in header.elements if spot.name.startswith(array + "[")]
    one, other = rng.choice([rng.sample(spots, 2), rng.sample(spots[-16:], 2), rng.sample(spots[:8], 2)])
    if one.letter != "s":
        if rng.random() < 0.2:
            value = rng.choice((0, 1, 2, 3, 4, 5, 6))
            for spot in spots:
                set_exact(head, spot, value)
            return f"every {array} = {value}"
        return set_number(head, one, rng, INTEGERS)
    texts = [bytes(head[other.start : other.start + other.size])] * 3
    return set_text(head, one, rng.choice([*texts, b"", b" ", b"\xff\xfe", b"a" * 70_000, rng.randbytes(one.size)]))


# Texts of the same length: every other part of the header keeps its place.
IN_PLACE: tuple[Mutation, ...] = (flip, change_value_type, change_tensor)
MUTATIONS: tuple[Mutation, ...] = (
    *IN_PLACE,
    *(flip, cut_file, insert, remove, change_count, change_value, change_value, change_value, retype_value),
    *(change_tensor, reshape_all, exchange_names, remove_entry, repeat_entry, add_key, add_key, change_elements),
)


def set_number(head: bytearray, spot: Spot, rng: random.Random, extremes: Sequence[int]) -> str:
    """Set a number to an extreme, or to a neighbour of its value."""
    if spot.letter in "fd":
        value = rng.choice(FLOATS)
        struct.pack_into(f"<{spot.letter}", head, spot.start, value)
        return f"{spot.name} = {value}"
    old = int.from_bytes(head[spot.start : spot.start + spot.size], "little")
    near = (old - 1, old + 1, old * 2, old // 2, old * 3, old - 32, old + 32)
    return set_exact(head, spot, rng.choice([*near, *rng.choices(extremes, k=len(near))]))


def set_exact(head: bytearray, spot: Spot, value: int) -> str:
    """Set an integer, cut to the bytes that it has."""
    value %= 256**spot.size
    head[spot.start : spot.start + spot.size] = value.to_bytes(spot.size, "little")
    return f"{spot.name} = {value}"


def set_text(head: bytearray, spot: Spot, text: bytes) -> str:
    """Replace a text and the length before it."""
    head[spot.start - 8 : spot.start + spot.size] = struct.pack("<Q", len(text)) + text
    return f"{spot.name} = {text[:40]!r} ({len(text)} bytes)"


def add_to(head: bytearray, count: Spot, number: int) -> None:
    """Add a number to a count."""
    struct.pack_into("<Q", head, count.start, struct.unpack_from("<Q", head, count.start)[0] + number)


def try_model(path: Path) -> tuple[str, str]:
    """Load the file and answer as the program does; return the outcome and its details."""
    try:
        if not read_header(path).tensors:
            return READER, "a vocabulary without a model"
    except InvalidModelError as error:
        return READER, error.message
    engine = LocalEngine(LoadOptions(path=os.fsencode(path), plan=Plan(ctx_size=CTX_SIZE)))
    try:
        request = Request(
            messages=(Message("user", "你好 hello"),),
            sampler=SamplingOptions(temperature=0),
            max_tokens=ANSWER_TOKENS,
        )
        for event in engine.stream(request):
            if isinstance(event, Finished):
                return ANSWERED, f"{event.usage.completion_tokens} tokens, {event.reason}"
        return OTHER, "the stream ended without Finished"
    except InvalidModelError as error:
        return LLAMA, error.message
    except WorkerDiedError as error:
        return DIED, error.message
    except QwenError as error:
        return FORESEEN, f"{type(error).__name__}: {error.message}"
    finally:
        engine.close()


def serve(folder: Path) -> None:
    """Run in the place of the program: try one mutation for each seed on stdin, and print the outcomes."""
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    mutator = Mutator((folder / "sound.gguf").read_bytes())
    path = folder / f"{os.getpid()}.gguf"
    for line in sys.stdin:
        what, content = mutator.mutate(int(line))
        path.write_bytes(content)
        # Any other exception is the kind of failure that this script looks for.
        try:
            outcome, detail = try_model(path)
            if children := psutil.Process().children():
                outcome, detail = OTHER, f"{detail}; left running: {children}"
        except Exception:
            outcome, detail = OTHER, traceback.format_exc()
        print(json.dumps([what, outcome, detail]), flush=True)
    path.unlink(missing_ok=True)


class Trial(NamedTuple):
    """One mutation and how it ended."""

    seed: int
    what: str
    outcome: str
    detail: str
    seconds: float


class StandIn:
    """The process in the place of the program; it is started again after its end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def attempt(self, seed: int) -> Trial:
        """Let the process try a mutation."""
        begun = time.perf_counter()
        answer = self._ask(seed)
        seconds = time.perf_counter() - begun
        if answer:
            what, outcome, detail = json.loads(answer)
            return Trial(seed, what, outcome, detail, seconds)
        code = self.close()
        lost = f"silent for {seconds:.0f} s" if answer is None else f"the program's process ended with code {code}"
        return Trial(seed, "", OTHER, lost, seconds)

    def close(self) -> int | None:
        """End the process and its children; return its exit code, None if it was still running."""
        if self._process is None:
            return None
        code = self._process.poll()
        if code is None:
            for child in psutil.Process(self._process.pid).children(recursive=True):
                child.kill()
            self._process.kill()
        self._process.wait()
        self._process = None
        return code

    def _ask(self, seed: int) -> str | None:
        """Return the next line of the process, an empty one if it has ended, None if it is silent."""
        if self._process is None:
            command = [sys.executable, __file__, "--serve", str(self._folder)]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(seed, file=self._process.stdin, flush=True)
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=lambda out: lines.put(out.readline()), args=[self._process.stdout], daemon=True).start()
        try:
            return lines.get(timeout=TIME_LIMIT_S)
        except queue.Empty:
            return None


def main() -> None:
    """Try all mutations and print the counts, or be one of the processes that try them."""
    parser = command_line(__doc__)
    parser.add_argument("--count", type=int, default=2000, help="mutations (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first; each has the next (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="at the same time (default: %(default)s)")
    parser.add_argument("--only", type=int, metavar="SEED", help="try one mutation and keep its file")
    parser.add_argument("--json", action="store_true", help="print every mutation and outcome as JSON")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return

    # Only this process needs the gguf package and numpy, so the others do not import them.
    from tests.tiny_model import make_tiny_model

    with tempfile.TemporaryDirectory(prefix="fuzz-models-") as name:
        sound = make_tiny_model(Path(name) / "sound.gguf")
        if arguments.only is not None:
            print(json.dumps(keep_one(sound, arguments.only), indent=2, ensure_ascii=False))
            return
        begun = time.perf_counter()
        trials = run(Path(name), range(arguments.seed, arguments.seed + arguments.count), arguments.processes)
        seconds = time.perf_counter() - begun
    if arguments.json:
        print(json.dumps([trial._asdict() for trial in trials], indent=2, ensure_ascii=False))
    else:
        report(trials)
        print(f"\nSeeds {arguments.seed} to {arguments.seed + arguments.count - 1}, {seconds:.0f} s")


def keep_one(sound: Path, seed: int) -> dict[str, Any]:
    """Write one mutation to the current folder, and return its description and its outcome."""
    trial = run(sound.parent, [seed], 1)[0]
    _what, content = Mutator(sound.read_bytes()).mutate(seed)
    kept = Path(f"fuzz-{seed}.gguf")
    kept.write_bytes(content)
    return trial._asdict() | {"file": str(kept)}


def run(folder: Path, seeds: Iterable[int], processes: int) -> list[Trial]:
    """Try the mutations with these seeds, and return their outcomes in the same order."""
    waiting: queue.Queue[int] = queue.Queue()
    for seed in seeds:
        waiting.put(seed)
    trials: list[Trial] = []

    def work() -> None:
        stand_in = StandIn(folder)
        try:
            while True:
                try:
                    seed = waiting.get_nowait()
                except queue.Empty:
                    return
                trial = stand_in.attempt(seed)
                trials.append(trial)
                if trial.outcome == OTHER:
                    report_progress(f"{trial}")
                if len(trials) % 100 == 0:
                    report_progress(f"{len(trials)} done")
        finally:
            stand_in.close()

    threads = [threading.Thread(target=work) for _index in range(processes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(trials)


def report(trials: Sequence[Trial]) -> None:
    """Print the counts, the slowest mutations, and each failure."""
    counts = Counter(trial.outcome for trial in trials)
    print(markdown_table(["outcome", "mutations"], [(outcome, counts[outcome]) for outcome in OUTCOMES]))
    slowest = max(trials, key=lambda trial: trial.seconds)
    print(f"\nSlowest: {slowest.seconds:.1f} s (seed {slowest.seed}: {slowest.what or slowest.detail})")
    for trial in trials:
        if trial.outcome == OTHER:
            print(f"\nSeed {trial.seed}: {trial.what}\n{trial.detail}")


if __name__ == "__main__":
    main()

"""Test partial offload, its bytes and its failures on a real second ggml device, without a graphics card.

    python scripts/stress/rpc_device.py MODEL --build FOLDER [--source LLAMA_CPP] [--ctx-size 4096] [--kv-type q8_0]

llama.cpp's RPC server on this computer is a device with buffers of its own. FOLDER contains a llama.cpp with it
(GGML_RPC=ON, for the CPU). If it does not, the script builds it there first, which takes some minutes: from LLAMA_CPP,
or else from the source distribution of llama-cpp-python, which pip fetches. There are three parts, each with the
program's own engine:

- `offload`: the device gets none, one, half and all of the layers. The bytes of weights and KV cache that llama.cpp
  reports are compared with those that `qwen_tui.hardware` computes. A difference of over a hundredth is a failure.
- `shortage`: the server has memory for only half of the model (RLIMIT_AS). Loading must step down until it fits. This
  needs a model of a gigabyte or more: `scripts/models/make_bench_model.py`.
- `death`: the server is killed in the middle of an answer. The answer must go on, on the CPU, and be complete.

POSIX only. Do not use the server for anything else: anyone who can connect to its port can take it over.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil

from qwen_tui.columns import markdown_table
from qwen_tui.engine.library import RPC_VARIABLE
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import LoadOptions, ReplayOptions, Request
from qwen_tui.engine.worker.buffers import logged_buffers
from qwen_tui.hardware.plan import Plan
from qwen_tui.hardware.processor import physical_cores
from qwen_tui.hardware.tensors import all_layers, first_on_gpu, kv_bytes, weights
from qwen_tui.messages import Event, Message, Note, Text
from qwen_tui.models.gguf import Header, read_header
from scripts.command_line import command_line, limit_address_space, report_progress
from scripts.engine_source import NAME, fetching, unpack, unpacked

MIB = 1 << 20
# Planned and actual bytes may differ by at most this share; llama.cpp reports hundredths of a MiB.
ALLOWED = 0.01
ROUNDING = 0.01 * MIB
# The address space of the server beside the buffers, for libraries and threads, in bytes.
SERVER_BYTES = 400 * MIB
ANSWER = "The answer has to be whole, whichever device has computed which half of it. " * 3
SERVER = "ggml-rpc-server"
PARTS = ("offload", "shortage", "death")


class NoServer(SystemExit):
    """The server does not start."""


def main() -> int:
    """Run the chosen parts; return 1 if one failed."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--build", type=Path, required=True, help="where the llama.cpp with RPC is, or is to be built")
    parser.add_argument("--source", type=Path, help="the source of llama.cpp, of the binding's version")
    parser.add_argument("--ctx-size", type=int, default=4096, help="in tokens (default: %(default)s)")
    parser.add_argument("--kv-type", choices=("f16", "q8_0"), default="q8_0", help="default: %(default)s")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    arguments = parser.parse_args()

    libraries = arguments.build / "bin"
    if not (libraries / SERVER).exists():
        build(arguments.source or fetch(arguments.build), arguments.build)
    options = LoadOptions(
        path=os.fsencode(arguments.model),
        plan=Plan(
            ctx_size=arguments.ctx_size,
            threads=physical_cores(),
            batch_threads=physical_cores(),
            batch_size=512,
            kv_type=arguments.kv_type,
            flash_attention=True,
        ),
    )
    header = read_header(arguments.model)
    run = {"offload": offload, "shortage": shortage, "death": death}
    wrong = [part for part in arguments.parts if not run[part](options, header, libraries)]
    print("\nAll as it should be." if not wrong else f"\nFailed: {', '.join(wrong)}")
    return int(bool(wrong))


def fetch(folder: Path) -> Path:
    """Return the source of llama.cpp from the source distribution of the installed llama-cpp-python."""
    import importlib.metadata

    version = importlib.metadata.version(NAME)
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(fetching(version, folder), check=True)
    unpack(version, folder)
    return unpacked(version, folder) / "vendor" / "llama.cpp"


def build(source: Path, folder: Path) -> None:
    """Build the library and the server."""
    for tool in ("cmake", "ninja"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is needed: pip install {tool}")
    switches = [
        *("CMAKE_BUILD_TYPE=Release", "BUILD_SHARED_LIBS=ON", "GGML_RPC=ON", "LLAMA_BUILD_TESTS=OFF"),
        *("LLAMA_BUILD_EXAMPLES=OFF", "LLAMA_OPENSSL=OFF", "LLAMA_BUILD_UI=OFF"),
    ]
    configure = ["cmake", "-S", str(source), "-B", str(folder), "-G", "Ninja", *(f"-D{each}" for each in switches)]
    subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", str(folder), "--target", "llama", SERVER, "-j2"], check=True)


def offload(options: LoadOptions, header: Header, libraries: Path) -> bool:
    """Compare planned and reported bytes with none, one, half and all layers on the device."""
    most, plan = all_layers(header), options.plan
    rows, worst = [], 0.0
    with device(libraries):
        for layers in sorted({0, 1, most // 2, most}):
            log: list[str] = []
            with closing(LocalEngine(options.planned(gpu_layers=layers), log=log.append)) as engine:
                begun = time.monotonic()
                on_device = engine.info().gpu_layers
                load_s = time.monotonic() - begun
                answer, _notes = ask(engine)
            reported = device_bytes(log)
            kv_layers = most - 1 - first_on_gpu(most - 1, layers)
            planned = {
                "model": weights(header, layers).gpu,
                "KV": kv_bytes(header, options.plan.kv_type, options.plan.ctx_size, kv_layers),
            }
            for kind, expected in planned.items():
                off = max(0.0, abs(reported.get(kind, 0) - expected) - ROUNDING)
                worst = max(worst, off / expected if expected else off)
            cells = [f"{planned[kind] / MIB:.2f} / {reported.get(kind, 0) / MIB:.2f}" for kind in planned]
            compute = f"{reported.get('compute', 0) / MIB:.2f}"
            right = "whole" if answer == ANSWER and on_device == layers else "WRONG"
            rows.append((layers, *cells, compute, f"{load_s:.1f}", right))
            worst = worst if right == "whole" else 1.0
            report_progress(f"{layers} of {most} layers: {answer == ANSWER}")
    print(f"\n## Offload\n\nPlanned / reported MiB on the device, context {plan.ctx_size}, KV {plan.kv_type}\n")
    print(markdown_table(("layers", "weights", "KV cache", "compute", "load s", "answer"), rows))
    print(f"\nLargest difference beyond rounding: {worst:.3%}")
    return worst <= ALLOWED


def shortage(options: LoadOptions, header: Header, libraries: Path) -> bool:
    """Load on a device that has memory for half of the model."""
    most = all_layers(header)
    room = weights(header, most // 2).gpu + kv_bytes(header, options.plan.kv_type, options.plan.ctx_size, most // 2)
    steps = ladder(options, most, most * 3 // 4, most // 2, most // 4)
    with device(libraries, SERVER_BYTES + room), closing(LocalEngine(steps)) as engine:
        answer, notes = ask(engine)
        layers = engine.info().gpu_layers
    print(f"\n## Shortage\n\nRoom for {room / MIB:.0f} MiB; steps: {[step.plan.gpu_layers for step in steps]}")
    print(f"Ended with {layers} layers on the device; said: {notes}")
    # There is also a note about a device that takes long.
    told = [note for note in notes if f"{layers} of {most}" in note]
    return answer == ANSWER and 0 < layers < most and len(told) == 1


def death(options: LoadOptions, header: Header, libraries: Path) -> bool:
    """Kill the server in the middle of an answer."""
    most = all_layers(header)
    events: list[Event] = []
    with device(libraries) as process, closing(LocalEngine(ladder(options, most, most // 2))) as engine:
        for event in engine.stream(request()):
            events.append(event)
            if process.poll() is None and sum(isinstance(each, Text) for each in events) == 10:
                process.kill()
                process.wait()
        where = engine.info().device
    answer, notes = text_of(events), notes_of(events)
    before = next((at for at, event in enumerate(events) if isinstance(event, Note)), 0)
    print(f"\n## Death\n\nKilled after {text_of(events[:before])!r}; went on on the {where}; said: {notes}")
    print(f"The answer is {'whole' if answer == ANSWER else 'NOT whole: ' + repr(answer)}")
    return answer == ANSWER and where == "CPU" and len(notes) >= 1


def ladder(options: LoadOptions, *layers: int) -> list[LoadOptions]:
    """Return the ways to load: with these numbers of layers, and at last on the CPU."""
    return [options.planned(gpu_layers=count) for count in (*layers, 0)]


def request() -> Request:
    """Return a question whose answer is known."""
    return Request(messages=(Message("user", "Say it."),), sampler=ReplayOptions(text=ANSWER), lookup=False)


def ask(engine: LocalEngine) -> tuple[str, list[str]]:
    """Return the answer and its notes."""
    events = list(engine.stream(request()))
    return text_of(events), notes_of(events)


def text_of(events: list[Event]) -> str:
    """Return the text of an answer."""
    return "".join(event.piece for event in events if isinstance(event, Text))


def notes_of(events: list[Event]) -> list[str]:
    """Return the notes of an answer."""
    return [event.sentence for event in events if isinstance(event, Note)]


def device_bytes(log: list[str]) -> dict[str, int]:
    """Return the buffers on the device by llama.cpp's log, in bytes by kind; of a repeated kind the last one."""
    return {each.kind: each.nbytes for each in logged_buffers("\n".join(log)) if each.device.startswith("RPC")}


@contextlib.contextmanager
def device(libraries: Path, limit: int | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the server during the block, as the device of all workers that start in it.

    The server has at most `limit` bytes of address space. Server and llama.cpp come from the folder `libraries`; this
    process keeps that llama.cpp, because it can load only one.
    """
    os.environ["LLAMA_CPP_LIB_PATH"] = str(libraries.resolve())
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [libraries.resolve() / SERVER, "-H", "127.0.0.1", "-p", str(port), "-t", str(physical_cores())],
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=limit_address_space(limit) if limit else None,
        )
        try:
            until_listening(process)
            os.environ[RPC_VARIABLE] = f"127.0.0.1:{port}"
            yield process
        finally:
            os.environ.pop(RPC_VARIABLE, None)
            process.kill()
            process.wait()


def until_listening(process: "subprocess.Popen[bytes]") -> None:
    """Wait until the server accepts connections."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        if any(each.status == psutil.CONN_LISTEN for each in psutil.Process(process.pid).net_connections("tcp")):
            return
        time.sleep(0.05)
    raise NoServer("The server does not start.")


if __name__ == "__main__":
    sys.exit(main())

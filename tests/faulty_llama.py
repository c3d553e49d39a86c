"""A llama.cpp that fails where a test wants it, with graphics cards of any size: a thin layer over the real one.

The worker imports `llama_cpp` from the folder that `install` puts before the real one on its path. The program itself
does not know about it.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest

from qwen_tui.engine.library import library_files

_FRONT = '''
import ctypes, importlib.util, json, os, signal, sys, time
from pathlib import Path

here = Path(__file__).parent
folder = next(path for path in (Path(entry) / "llama_cpp" for entry in sys.path) if path != here and path.is_dir())
sys.modules["llama_cpp"].__path__.append(str(folder))
spec = importlib.util.spec_from_file_location("llama_cpp.real", folder / "llama_cpp.py")
real = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = real
spec.loader.exec_module(real)
globals().update({name: value for name, value in vars(real).items() if not name.startswith("__")})

plan = json.loads(os.environ["FAULTY_LLAMA"])
loaded = {"layers": 0, "on": [], "repack": 0, "flash": 0, "variant": ""}
calls = {}
owed = []
# Where llama.cpp logs: to this function, without one to stderr.
log = []


class Cards:
    """The libraries below, with graphics cards whose handles are 1, 2, …, and variants for processors."""

    def __getattr__(self, name):
        return getattr(real._lib, name)


def free_now():
    """Return what the driver says to be free of the card, if the test has written a driver."""
    return json.loads(Path(os.environ["SCRIPTED_NVML"]).read_text())["cards"][0]["free"]


def properties(device, found):
    card = plan["cards"][device.value - 1]
    if plan["start"]:
        if free_now() < plan["start"]:
            os.write(2, b"CUDA error: out of memory\\n  current device: 0, in function look at /build/cuda.cu:42\\n")
            os.write(2, b"  cudaMemGetInfo(free, total)\\n/build/ggml/src/ggml-cuda/ggml-cuda.cu:103: CUDA error\\n")
            os.abort()
        card["free"] = free_now() - plan["start"]
    taken = plan["layer"] * min(loaded["layers"], 3) / len(loaded["on"]) if device.value in loaded["on"] else 0
    found._obj.name = found._obj.description = card["name"].encode()
    found._obj.memory_free, found._obj.memory_total = int(card["free"] - taken), int(card["total"])
    found._obj.type, found._obj.device_id = card["kind"], None


def given_to(handles):
    """Return the cards that llama.cpp gives layers to: those in the list, without one all that are not integrated."""
    if not handles:
        return [at for at, card in enumerate(plan["cards"], 1) if card["kind"] == 1]
    named = ctypes.cast(handles, ctypes.POINTER(ctypes.c_void_p))
    return [named[at] for at in range(next(end for end in range(9) if not named[end]))]


def llama_log_set(callback, data):
    log[:] = [callback] if callback else []
    return real.llama_log_set(callback, data)


def registered():
    """Say what a driver says when it is first looked for, and return whether a variant is loaded, if there are any."""
    calls["registered"] = calls.get("registered", 0) + 1
    if plan["says"] and calls["registered"] == 1:
        said = f"{plan['says']}\\n".encode()
        log[0](4, said, None) if log else os.write(2, said)
    return len(loaded["variant"]) if plan["variants"] else 1


def load_module(path):
    """Load a module, for a processor in name only: what is linked in computes in the place of all variants."""
    handle = ctypes.CDLL(os.fsdecode(path))
    if "-cpu-" in (name := Path(handle._name).name):
        loaded["variant"] = name.split("-cpu-")[1].split(".")[0]
        fails("variant")
    return 1


_lib = Cards()
_lib.ggml_backend_reg_count = registered
if plan["variants"]:
    _base_path = Path(plan["variants"])
    _lib.ggml_backend_load = load_module
if plan["cards"]:
    _lib.ggml_backend_dev_count = lambda: len(plan["cards"])
    _lib.ggml_backend_dev_get = lambda index: index.value + 1
    _lib.ggml_backend_dev_get_props = properties
    llama_supports_gpu_offload = lambda: True


def fails(name, **about):
    calls[name] = calls.get(name, 0) + 1
    for fault in plan["faults"]:
        fits = fault["call"] == name and calls[name] >= fault["nth"] and fault["variant"] in ("", loaded["variant"])
        fits = fits and all(about.get(key, 0) > least for key, least in fault["above"].items())
        if fault["once"] and fits:
            fits = not (here / "once").exists()
            (here / "once").touch()
        if fits:
            os.write(2, fault["says"].encode())
            match fault["does"]:
                case "null":
                    os.write(2, b"ggml: failed to allocate Card buffer of size 123456789\\n")
                    return True
                case "silent":
                    return True
                case "memory":
                    raise MemoryError
                case "slow":
                    time.sleep(0.005)
                case "long":
                    time.sleep(1)
                case "late":
                    owed.append(0.5)
                case "hang":
                    time.sleep(60)
                case number:
                    os.kill(os.getpid(), getattr(signal, number))
                    time.sleep(5)
    return False


def llama_model_load_from_file(path, parameters):
    loaded["layers"], loaded["repack"] = parameters.n_gpu_layers, int(parameters.use_extra_bufts)
    if plan["cards"]:
        loaded["on"] = given_to(parameters.devices)
        for at in loaded["on"]:
            os.write(2, f"using device {plan['cards'][at - 1]['name']}\\n".encode())
        parameters.devices = None
    if fails("load", layers=loaded["layers"], repack=loaded["repack"]):
        return None
    return real.llama_model_load_from_file(path, parameters)


def llama_init_from_model(model, parameters):
    loaded["flash"] = parameters.flash_attn_type
    if fails("context", layers=loaded["layers"], ctx=parameters.n_ctx, batch=parameters.n_batch):
        return None
    return real.llama_init_from_model(model, parameters)


def waits(name):
    """Return the function `name` as of a GPU: it waits for what the GPU was told to compute."""
    def wait(*arguments):
        while owed:
            time.sleep(owed.pop())
        return getattr(real, name)(*arguments)
    return wait


llama_synchronize = waits("llama_synchronize")
llama_sampler_sample = waits("llama_sampler_sample")
llama_state_seq_get_data = waits("llama_state_seq_get_data")


def llama_decode(context, batch):
    # A GPU does one thing after another.
    while owed:
        time.sleep(owed.pop())
    how = {name: loaded[name] for name in ("layers", "repack", "flash")}
    if fails("decode", **how, tokens=batch.n_tokens):
        return -2
    return real.llama_decode(context, batch)
'''

Call = Literal["variant", "load", "context", "decode"]


def card(name: str, free: float, *, total: float | None = None, integrated: bool = False) -> dict[str, object]:
    """Return a graphics card with so many bytes of memory."""
    return {"name": name, "free": free, "total": free if total is None else total, "kind": 2 if integrated else 1}


def fault(
    call: Call,
    does: str = "null",
    *,
    nth: int = 1,
    once: bool = False,
    says: str = "",
    variant: str = "",
    **above: int,
) -> dict[str, object]:
    """Return a fault: from its `nth` call on, the function `call` of llama.cpp fails in the way `does`.

    - `null` returns null and logs why, `silent` returns null, `memory` reports a lack of memory; the name of a signal
      raises that signal.
    - `slow` takes 5 ms, `long` a second, `hang` a minute. `late` behaves like a GPU: the call returns at once, and the
      wait for its result takes half a second.
    - `once`: only the first of all workers has the fault. `says` is a line for the log. `variant`: only what computes
      with this variant has it. The call `variant` is the loading of one.
    - `above` are numbers that must be exceeded: `layers` on the GPU, `ctx`, `batch`, `tokens`, and `repack` and `flash`
      (attention), which are 0 or 1.
    """
    line = says and f"{says}\n"
    return {"call": call, "does": does, "nth": nth, "once": once, "says": line, "variant": variant, "above": above}


def install(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *faults: dict[str, object],
    cards: Sequence[dict[str, object]] = (card("Card", 1e9),),
    layer: float = 0,
    start: int = 0,
    says: str = "",
    variants: Path | None = None,
) -> None:
    """Give the workers that start from now on these faults and `cards`; a layer takes `layer` bytes of a card.

    The start of llama.cpp takes `start` bytes of a card. If the test's driver reports less free memory, the start ends
    the worker. When a driver is first looked for, it `says` this. The folder `variants` has the modules of a portable
    llama.cpp.
    """
    package = folder / "faulty" / "llama_cpp"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text('__version__ = "0.3.36"\n')
    (package / "llama_cpp.py").write_text(_FRONT)
    plan = {"faults": faults, "cards": cards, "layer": layer, "start": start, "says": says}
    plan["variants"] = variants and str(variants)
    monkeypatch.setenv("FAULTY_LLAMA", json.dumps(plan))
    path = [str(package.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(dict.fromkeys(path)))


def build_for(backend: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the names of llama.cpp's files look as if it had been built for these cards ("vulkan", "cuda")."""
    built = folder / "built"
    built.mkdir(exist_ok=True)
    for file in {file.parent for file in library_files()}.pop().iterdir():
        if not (built / file.name).exists():
            (built / file.name).symlink_to(file)
    (built / f"libggml-{backend}.so").touch()
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(built))

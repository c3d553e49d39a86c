"""Chooses the build of llama.cpp for a PC: takes what `build_engine.py` found, returns the switches for CMake."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

Kind = Literal["auto", "cuda", "vulkan", "avx2", "native", "portable", "portable-cuda", "portable-vulkan"]
Version = tuple[int, int]

AVX2 = ("-DGGML_NATIVE=OFF", "-DGGML_AVX2=ON", "-DGGML_FMA=ON", "-DGGML_F16C=ON", "-DGGML_BMI2=ON")
NATIVE = ("-DGGML_NATIVE=ON",)
# Every backend is a module, and the processor has one for each generation of instruction sets.
PORTABLE = (
    "-DGGML_BACKEND_DL=ON",
    "-DGGML_CPU_ALL_VARIANTS=ON",
    "-DGGML_NATIVE=OFF",
    "-DLLAVA_BUILD=OFF",
    # It is on by default on macOS, where Metal computes what BLAS would.
    "-DGGML_BLAS=OFF",
    # The linker would leave room for the path of the build folder in each library, as much as the path is long.
    "-DCMAKE_BUILD_RPATH_USE_ORIGIN=ON",
)
ARCHITECTURES = "-DCMAKE_CUDA_ARCHITECTURES="
# Turing without tensor cores (TU116, TU117), by NVIDIA's names.
NO_TENSOR_CORES = re.compile(r"GTX 16\d\d|\bMX[45]50\b|\bT(?:400|500|550|600|1000|1200|2000)\b")
# By the major version of a toolkit, the least compute capability that it builds for.
OLDEST: Mapping[int, Version] = {11: (3, 5), 12: (5, 0), 13: (7, 5)}
# The versions of toolkits that added newer cards, each with the greatest compute capability that it knows.
NEWEST: Sequence[tuple[Version, Version]] = (((11, 0), (8, 0)), ((11, 8), (9, 0)), ((12, 8), (12, 1)))


class Facts(NamedTuple):
    """What the choice depends on; None stands for what is missing or unknown.

    - `nvcc` is the version of the CUDA toolkit, `cuda` the newest one that the driver supports, `cudacxx` the path of
      nvcc if CMake would not find it.
    - `card` is the name of the NVIDIA card, `capability` its compute capability, `driver_trouble` the error of a driver
      that does not work.
    - `toolkit` is the folder of the CUDA toolkit. `cublas` says whether NVIDIA's matrix library is there, `driver_stub`
      whether a library is to which code for the driver can be linked: many systems have both in packages of their own.
    - `other_card` says whether there is a card that Vulkan may know, `shaders` whether Vulkan's compiler is there.
    """

    nvcc: Version | None = None
    cuda: Version | None = None
    card: str | None = None
    capability: Version | None = None
    driver_trouble: str = ""
    other_card: bool = False
    shaders: bool = False
    toolkit: str = ""
    cublas: bool = True
    driver_stub: bool = True
    cudacxx: str = ""
    pip: bool = True
    compiler: bool = True
    avx2: bool | None = True


class Choice(NamedTuple):
    """A build: its kind, the switches for CMake, and what the person should know about it.

    If there is a `problem`, it says why the build is impossible, and the other fields do not count.
    """

    kind: Kind
    switches: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    problem: str = ""


def choose(facts: Facts, wanted: Kind = "auto", architectures: str = "") -> Choice:
    """Return the build of the wanted kind for a PC, or for the cards of these CUDA architectures, by CMake's names."""
    if not facts.pip:
        return Choice(wanted, problem="There is no pip in this environment, which builds. Add it: python -m ensurepip")
    if not facts.compiler:
        return Choice(wanted, problem="There is no C++ compiler. Debian: build-essential; Windows: Build Tools")
    if wanted == "cuda" or (wanted == "auto" and architectures):
        return cuda(facts, architectures)
    if wanted == "auto":
        return automatic(facts)
    if wanted.startswith("portable"):
        return portable(facts, wanted, architectures)
    if wanted == "vulkan":
        return vulkan(facts)
    if wanted == "avx2":
        if facts.avx2 is False:
            return Choice("avx2", problem="This processor has no AVX2: what is built could not run here.")
        return Choice("avx2", AVX2, ("It runs on any PC with AVX2, FMA, F16C and BMI2: most since 2013.",))
    return native()


def automatic(facts: Facts) -> Choice:
    """Return the best build that is possible."""
    if facts.card:
        tried = [cuda(facts), vulkan(facts)]
        good = [choice for choice in tried if not choice.problem]
        missed = tuple(f"Not {choice.kind}: {choice.problem}" for choice in tried if choice.problem)
        chosen = good[0] if good else native()
        return chosen._replace(remarks=chosen.remarks + (missed if chosen.kind != "cuda" else ()))
    chosen = vulkan(facts) if facts.other_card and facts.shaders else native()
    if facts.driver_trouble:
        broken = f"The NVIDIA driver does not work ({facts.driver_trouble}): with it mended, CUDA can be built for."
        return chosen._replace(remarks=(*chosen.remarks, broken))
    return chosen


def cuda(facts: Facts, architectures: str = "") -> Choice:
    """Return the CUDA build for the card, or for others."""
    if facts.nvcc is None:
        return Choice("cuda", problem="There is no nvcc: install NVIDIA's CUDA toolkit 12, or set CUDACXX")
    toolkit = ".".join(map(str, facts.nvcc))
    if not facts.cublas:
        return Choice("cuda", problem=f"CUDA {toolkit} is there without cuBLAS: install libcublas-dev of that version")
    if not facts.driver_stub:
        return Choice(
            "cuda", problem=f"CUDA {toolkit} is there without stubs/libcuda.so: install cuda-driver-dev of it"
        )
    if architectures:
        # The build is for other PCs: the card and the driver of this one say nothing about them.
        return for_cards(facts.nvcc, architectures)
    if facts.cuda and facts.nvcc[0] > facts.cuda[0]:
        newest = ".".join(map(str, facts.cuda))
        return Choice("cuda", problem=f"The driver is for CUDA {newest}, the toolkit is {toolkit}: renew the driver")
    remarks = [] if facts.card else ["No card was found: the build is for a GTX 16xx."]
    capability = facts.capability or (7, 5)
    if wrong := out_of_reach(facts.nvcc, capability):
        return Choice("cuda", problem=wrong)
    switches = ["-DGGML_CUDA=ON", *NATIVE]
    if not facts.card or NO_TENSOR_CORES.search(facts.card):
        switches.append("-DGGML_CUDA_FORCE_MMQ=ON")
        if facts.nvcc < (13, 0):
            # Build the code for Pascal: llama.cpp's code for Turing needs tensor cores.
            switches.append(f"{ARCHITECTURES}61-virtual;80-virtual")
            remarks.append("The first start compiles for the card, which takes minutes; the driver keeps the result.")
        else:
            switches.append(f"{ARCHITECTURES}75")
            remarks.append("CUDA 13 cannot build the code that suits a GTX 16xx best: with CUDA 12 it may be faster.")
    else:
        switches.append(f"{ARCHITECTURES}{capability[0]}{capability[1]}")
    return Choice("cuda", tuple(switches), tuple(remarks))


def for_cards(nvcc: Version, architectures: str) -> Choice:
    """Return the CUDA build for the cards of these architectures, whatever is in this PC."""
    for digits in re.findall(r"\d+", architectures):
        if wrong := out_of_reach(nvcc, (int(digits[:-1]), int(digits[-1]))):
            return Choice("cuda", problem=wrong)
    return Choice("cuda", ("-DGGML_CUDA=ON", *NATIVE, f"{ARCHITECTURES}{architectures}"))


def out_of_reach(nvcc: Version, capability: Version) -> str:
    """Return why a toolkit cannot build for a card, "" if it can."""
    needed, has = ".".join(map(str, capability)), ".".join(map(str, nvcc))
    if capability < OLDEST.get(nvcc[0], OLDEST[max(OLDEST)] if nvcc[0] > max(OLDEST) else (0, 0)):
        return f"CUDA {has} does not build for cards as old as those of compute capability {needed}: install CUDA 12"
    newest = max((known for since, known in NEWEST if nvcc >= since), default=(7, 5))
    if nvcc[0] <= max(OLDEST) and capability > newest:
        return f"CUDA {has} does not know cards as new as those of compute capability {needed}: install a newer toolkit"
    return ""


def vulkan(facts: Facts) -> Choice:
    """Return the Vulkan build."""
    if not facts.shaders:
        return Choice("vulkan", problem="There is no glslc: install the Vulkan SDK, 1.3.261 or newer")
    return Choice(
        "vulkan",
        ("-DGGML_VULKAN=ON", *NATIVE),
        ("Vulkan's headers must be newer than those of Debian 12 (1.3.239), which are too old for this llama.cpp.",),
    )


def portable(facts: Facts, wanted: Kind, architectures: str = "") -> Choice:
    """Return the build for all processors of this kind, with a module for cards if `wanted` names one."""
    remarks = ("It runs on every processor of this kind, and each gets the code that suits it.",)
    if wanted == "portable":
        return Choice(wanted, PORTABLE, remarks)
    card = cuda(facts, architectures) if wanted == "portable-cuda" else vulkan(facts)
    if card.problem:
        return Choice(wanted, problem=card.problem)
    own = tuple(switch for switch in card.switches if switch not in NATIVE)
    return Choice(
        wanted, PORTABLE + own, (*remarks, "Without the driver of a card, the processor computes.", *card.remarks)
    )


def native() -> Choice:
    """Return the build for the processor of this PC."""
    return Choice("native", NATIVE, ("It is for this processor: elsewhere it may meet an illegal instruction.",))

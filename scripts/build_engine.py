"""Build llama.cpp for this PC, its graphics card included, into the current environment; and undo that.

    python scripts/build_engine.py [--dry-run] [--yes] [--kind auto|cuda|vulkan|avx2|native] [--jobs N]
    python scripts/build_engine.py --undo

`auto` looks at the card, its driver and the toolkits, and takes CUDA, else Vulkan, else a build for this processor.
`avx2` is a build for any PC with AVX2, to be carried elsewhere. What will be done is shown first, to the letter, and
nothing happens without a yes. What was installed before is kept as a wheel in the environment, and --undo brings it
back. pip compiles the source distribution of the version in constraints.txt: 10 minutes for a CPU on two cores, half an
hour and more for a card.
"""

import argparse
import base64
import hashlib
import importlib.metadata
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from qwen_tui.hardware.gpu import graphics
from qwen_tui.hardware.processor import processor

NAME = "llama-cpp-python"
CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"
KEPT = Path(sys.prefix) / "share" / "qwen-tui" / "engine-before"
Kind = Literal["auto", "cuda", "vulkan", "avx2", "native"]
Version = tuple[int, int]

PIPS_OWN = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
AVX2 = ("-DGGML_NATIVE=OFF", "-DGGML_AVX2=ON", "-DGGML_FMA=ON", "-DGGML_F16C=ON", "-DGGML_BMI2=ON")
NATIVE = ("-DGGML_NATIVE=ON",)
# Turing without tensor cores, by NVIDIA's names.
NO_TENSOR_CORES = re.compile(r"GTX 16\d\d|\bMX4?50\b|\bMX550\b|\bT(?:400|500|550|600|1000|1200)\b")
# The least compute capability that a toolkit still builds for, by its major version, and what it takes to know a newer.
OLDEST: Mapping[int, Version] = {11: (3, 5), 12: (5, 0), 13: (7, 5)}
NEWEST: Sequence[tuple[Version, Version]] = (((11, 0), (8, 0)), ((11, 8), (9, 0)), ((12, 8), (12, 1)))


class Facts(NamedTuple):
    """What the choice depends on; None is what is not there or cannot be known.

    `nvcc` is the version of the CUDA toolkit, `cuda` the newest that the driver supports, `card` the NVIDIA card's name
    and `capability` its compute capability. `other_card`: some card that Vulkan may know. `shaders`: Vulkan's compiler.
    `cublas`: NVIDIA's library for matrices, a package of its own in many systems.
    """

    nvcc: Version | None = None
    cuda: Version | None = None
    card: str | None = None
    capability: Version | None = None
    other_card: bool = False
    shaders: bool = False
    cublas: bool = True
    compiler: bool = True
    avx2: bool | None = True


class Choice(NamedTuple):
    """What is built: its kind, the switches for CMake, and what the person should know about it.

    `problem` says why it cannot be built; then nothing else counts.
    """

    kind: Kind
    switches: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    problem: str = ""


def choose(facts: Facts, wanted: Kind = "auto") -> Choice:
    """Return the build for a PC, of the kind that is wanted."""
    if not facts.compiler:
        return Choice(wanted, problem="There is no C++ compiler. Debian: build-essential; Windows: Build Tools")
    if wanted == "auto":
        return automatic(facts)
    if wanted == "cuda":
        return cuda(facts)
    if wanted == "vulkan":
        return vulkan(facts)
    if wanted == "avx2":
        if facts.avx2 is False:
            return Choice("avx2", problem="This processor has no AVX2: what is built could not run here.")
        return Choice("avx2", AVX2, ("It runs on any PC with AVX2, FMA, F16C and BMI2: most since 2013.",))
    return native()


def automatic(facts: Facts) -> Choice:
    """Return the best build that can be made."""
    if facts.card:
        tried = [cuda(facts), vulkan(facts)]
        good = [choice for choice in tried if not choice.problem]
        missed = tuple(f"Not {choice.kind}: {choice.problem}" for choice in tried if choice.problem)
        chosen = good[0] if good else native()
        return chosen._replace(remarks=chosen.remarks + (missed if chosen.kind != "cuda" else ()))
    if facts.other_card and facts.shaders:
        return vulkan(facts)
    return native()


def cuda(facts: Facts) -> Choice:
    """Return the CUDA build for the card."""
    if facts.nvcc is None:
        return Choice("cuda", problem="there is no nvcc; install NVIDIA's CUDA toolkit 12, or set CUDACXX")
    toolkit = ".".join(map(str, facts.nvcc))
    if not facts.cublas:
        return Choice("cuda", problem=f"CUDA {toolkit} is there without cuBLAS: install libcublas-dev of that version")
    if facts.cuda and facts.nvcc[0] > facts.cuda[0]:
        newest = ".".join(map(str, facts.cuda))
        return Choice("cuda", problem=f"the driver is for CUDA {newest}, the toolkit is {toolkit}: renew the driver")
    remarks = [] if facts.card else ["No card was found: the build is for a GTX 16xx."]
    capability = facts.capability or (7, 5)
    if wrong := out_of_reach(facts.nvcc, capability):
        return Choice("cuda", problem=wrong)
    switches = ["-DGGML_CUDA=ON", *NATIVE]
    if not facts.card or NO_TENSOR_CORES.search(facts.card):
        switches.append("-DGGML_CUDA_FORCE_MMQ=ON")
        if facts.nvcc < (13, 0):
            # The code for Pascal: that for Turing takes tensor cores for granted.
            switches.append("-DCMAKE_CUDA_ARCHITECTURES=61-virtual;80-virtual")
            remarks.append("The first start compiles for the card, which takes minutes; the driver keeps the result.")
        else:
            switches.append("-DCMAKE_CUDA_ARCHITECTURES=75")
            remarks.append("CUDA 13 cannot build the code that suits a GTX 16xx best: with CUDA 12 it may be faster.")
    else:
        switches.append(f"-DCMAKE_CUDA_ARCHITECTURES={capability[0]}{capability[1]}")
    return Choice("cuda", tuple(switches), tuple(remarks))


def out_of_reach(nvcc: Version, capability: Version) -> str:
    """Say why a toolkit cannot build for a card, if it cannot."""
    needed, has = ".".join(map(str, capability)), ".".join(map(str, nvcc))
    if capability < OLDEST.get(nvcc[0], OLDEST[max(OLDEST)] if nvcc[0] > max(OLDEST) else (0, 0)):
        return f"CUDA {has} does not build for cards as old as this one ({needed}): install CUDA 12"
    newest = max((known for since, known in NEWEST if nvcc >= since), default=(7, 5))
    if nvcc[0] <= max(OLDEST) and capability > newest:
        return f"CUDA {has} does not know cards as new as this one ({needed}): install a newer toolkit"
    return ""


def vulkan(facts: Facts) -> Choice:
    """Return the Vulkan build."""
    if not facts.shaders:
        return Choice("vulkan", problem="there is no glslc; install the Vulkan SDK, 1.3.261 or newer")
    return Choice(
        "vulkan",
        ("-DGGML_VULKAN=ON", *NATIVE),
        ("Vulkan's headers must be newer than those of Debian 12 (1.3.239), which are too old for this llama.cpp.",),
    )


def native() -> Choice:
    """Return the build for this very processor."""
    return Choice("native", NATIVE, ("It is for this processor: elsewhere it may meet an illegal instruction.",))


def look() -> Facts:
    """Find out about this PC."""
    found = graphics()
    card = found.card
    return Facts(
        nvcc=nvcc_version(),
        cublas=has_cublas(),
        cuda=version_in(found.cuda or ""),
        card=card.name if card else None,
        capability=card.capability if card else None,
        other_card=any(Path("/dev/dri").glob("renderD*")) or os.name == "nt",
        shaders=shutil.which("glslc") is not None,
        # Windows' compiler is on no path; CMake finds it.
        compiler=os.name == "nt" or any(map(shutil.which, (os.environ.get("CXX") or "c++", "g++", "clang++"))),
        avx2=processor().has("AVX2"),
    )


def nvcc_version() -> Version | None:
    """Return the version of the CUDA toolkit that CMake would find."""
    return version_in(ask_nvcc("--version").partition("release")[2])


def has_cublas() -> bool:
    """Whether cuBLAS can be compiled against: its header lies in the toolkit, or among those of the system."""
    # nvcc may be a link or a script; where its toolkit is, it says where it explains what it would run.
    top = re.search(r"TOP=(\S+)", ask_nvcc("--dryrun", "-E", "-x", "cu", os.devnull))
    roots = [top[1] if top else None, os.environ.get("CUDA_PATH"), "/usr"]
    folders = ("include", "targets/x86_64-linux/include", "targets/sbsa-linux/include")
    return any((Path(root) / folder / "cublas_v2.h").exists() for root in roots if root for folder in folders)


def ask_nvcc(*arguments: str) -> str:
    """Return what nvcc prints, nothing where there is none."""
    command = os.environ.get("CUDACXX") or shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    try:
        done = subprocess.run([command, *arguments], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout + done.stderr


def version_in(text: str) -> Version | None:
    """Return the first version in a text."""
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def pinned(constraints: str) -> str:
    """Return the version of the binding that a constraints file pins."""
    found = re.search(r"^llama[-_]cpp[-_]python==(\S+)", constraints, re.MULTILINE)
    if not found:
        sys.exit(f"{CONSTRAINTS} pins no {NAME}.")
    return found[1]


def commands(choice: Choice, version: str, jobs: int | None) -> tuple[dict[str, str], list[str]]:
    """Return the variables that are set for pip, and its command line."""
    # No switch has a space in it; not every reader of the variable knows quotes.
    variables = {"CMAKE_ARGS": " ".join(choice.switches)}
    if jobs:
        variables["CMAKE_BUILD_PARALLEL_LEVEL"] = str(jobs)
    pip = [sys.executable, "-m", "pip", "install", "--force-reinstall", "--no-deps", "--no-cache-dir", "--verbose"]
    return variables, [*pip, "--no-binary", NAME, f"{NAME}=={version}"]


def keep_installed(folder: Path) -> Path | None:
    """Pack what is installed into a wheel in `folder`, and return it; None where nothing is installed."""
    try:
        installed = importlib.metadata.distribution(NAME)
    except importlib.metadata.PackageNotFoundError:
        return None
    tag = re.search(r"^Tag: (\S+)", installed.read_text("WHEEL") or "", re.MULTILINE)
    wheel = folder / f"{NAME.replace('-', '_')}-{installed.version}-{tag[1] if tag else 'py3-none-any'}.whl"
    folder.mkdir(parents=True, exist_ok=True)
    records, about = [], ""
    part = wheel.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in installed.files or ():
            path = Path(str(file.locate()))
            # What pip wrote about its own doing, and scripts, which it makes anew.
            in_about = file.parts[0].endswith(".dist-info")
            about = file.parts[0] if in_about else about
            if (
                (in_about and file.name in PIPS_OWN)
                or ".." in file.parts
                or file.suffix == ".pyc"
                or not path.is_file()
            ):
                continue
            content = path.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            archive.writestr(file.as_posix(), content)
            records.append(f"{file.as_posix()},sha256={digest},{len(content)}\n")
        archive.writestr(f"{about}/RECORD", "".join(records) + f"{about}/RECORD,,\n")
    for older in folder.glob("*.whl"):
        older.unlink()
    return part.rename(wheel)


def undo() -> int:
    """Install again what was installed before the last build."""
    kept = sorted(KEPT.glob("*.whl"))
    if not kept:
        print(f"There is nothing to undo: {KEPT} holds no wheel.")
        return 1
    return pip_install(kept[0])


def pip_install(wheel: Path) -> int:
    """Install a wheel that is here, and nothing else."""
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--force-reinstall", str(wheel)]
    print(shlex.join(command))
    return subprocess.run(command, check=False).returncode


def report() -> int:
    """Say what the installed llama.cpp is for."""
    from qwen_tui.engine.installed import describe
    from qwen_tui.errors import EngineError

    try:
        found = describe()
    except EngineError as error:
        print(f"{error.message}\nBring back what was there: python {Path(__file__).name} --undo")
        return 1
    names = ", ".join(f"{gpu.name} ({gpu.description})" for gpu in found.gpus)
    print(f"llama-cpp-python {found.version}; graphics cards it can use: {names or 'none'}")
    return 0


def show(facts: Facts, choice: Choice, variables: Mapping[str, str], command: Sequence[str]) -> None:
    """Print what was found and what would be done."""
    toolkit = ".".join(map(str, facts.nvcc)) if facts.nvcc else "none"
    print(f"Card: {facts.card or 'no NVIDIA card with a driver'}; CUDA toolkit: {toolkit}")
    print(f"Build: {choice.kind}")
    for remark in choice.remarks:
        print(f"  {remark}")
    print("\nTo be done:")
    print(f"  keep what is installed now as a wheel in {KEPT}")
    print("  unset SOURCE_DATE_EPOCH")
    for name, value in variables.items():
        print(f"  {name}={shlex.quote(value)}")
    print(f"  {shlex.join(command)}")


def main() -> int:
    """Show, ask, build, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kind", choices=get_args(Kind), default="auto", help="default: %(default)s")
    parser.add_argument("--jobs", type=int, help="compile so many files at a time (default: as CMake likes)")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be done")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--undo", action="store_true", help="bring back what was installed before the last build")
    arguments = parser.parse_args()
    if arguments.undo:
        return undo() or report()
    facts = look()
    choice = choose(facts, arguments.kind)
    if choice.problem:
        print(choice.problem)
        return 1
    variables, command = commands(choice, pinned(CONSTRAINTS.read_text(encoding="utf-8")), arguments.jobs)
    show(facts, choice, variables, command)
    if arguments.dry_run:
        return 0
    if not arguments.yes and input("\nGo on? [y/N] ").strip().lower() not in ("y", "yes"):
        return 1
    before = keep_installed(KEPT)
    # With it, llama.cpp would not be built for this processor.
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"} | variables
    if subprocess.run(command, env=environment, check=False).returncode:
        print("The build failed.")
        # pip leaves the old one where it cannot build the new; but what was begun may be broken.
        return pip_install(before) or 1 if before else 1
    return report()


if __name__ == "__main__":
    sys.exit(main())

"""Finds what a PC has to build llama.cpp with, and to build it for: compilers, toolkits, the card and its driver."""

import importlib.util
import os
import re
import subprocess
from ctypes.util import find_library
from pathlib import Path

from engine_choice import Facts, Version

from qwen_tui import programs
from qwen_tui.hardware.gpu import graphics
from qwen_tui.hardware.processor import processor


def look() -> Facts:
    """Return what this PC has."""
    found = graphics()
    card = found.card
    nvcc = find_nvcc()
    toolkit = toolkit_of(nvcc)
    return Facts(
        nvcc=version_in(ask(nvcc, "--version").partition("release")[2]),
        toolkit=str(toolkit or ""),
        cublas=has("include/cublas_v2.h", toolkit),
        driver_stub=os.name == "nt" or bool(find_library("cuda")) or has_stub(toolkit),
        # CMake looks for the compiler in this variable, then on the PATH.
        cudacxx="" if os.environ.get("CUDACXX") or programs.find("nvcc") else nvcc,
        cuda=version_in(found.cuda or ""),
        card=card.name if card else None,
        capability=card.capability if card else None,
        driver_trouble=found.detail if found.trouble == "broken" else "",
        other_card=any(Path("/dev/dri").glob("renderD*")) or os.name == "nt",
        shaders=programs.find("glslc") is not None,
        pip=importlib.util.find_spec("pip") is not None,
        # On Windows the compiler is not on the PATH, but CMake finds it.
        compiler=os.name == "nt" or any(map(programs.find, (os.environ.get("CXX") or "c++", "g++", "clang++"))),
        avx2=processor().has("AVX2"),
    )


def find_nvcc() -> str:
    """Return the path of the CUDA compiler, "" if there is none."""
    if named := os.environ.get("CUDACXX") or programs.find("nvcc"):
        return named
    # The installers of the toolkit do not change the PATH.
    folders = [Path(root) / "bin" for root in (os.environ.get("CUDA_PATH"), "/usr/local/cuda") if root]
    return next((found for folder in folders if (found := programs.find("nvcc", str(folder)))), "")


def toolkit_of(nvcc: str) -> Path | None:
    """Return the folder of the toolkit of a CUDA compiler."""
    # nvcc may be a link or a script. With --dryrun it prints where its toolkit is.
    top = re.search(r"TOP=(.*\S)", ask(nvcc, "--dryrun", "-E", "-x", "cu", os.devnull))
    return Path(top[1]).resolve() if top else None


def has(pattern: str, toolkit: Path | None) -> bool:
    """Whether a file is there, in the toolkit or in the system."""
    roots = [toolkit, os.environ.get("CUDA_PATH"), "/usr"]
    targets = ("", "targets/x86_64-linux", "targets/sbsa-linux")
    return any(any((Path(root) / target).glob(pattern)) for root in roots if root for target in targets)


def has_stub(toolkit: Path | None) -> bool:
    """Whether a library is there to which code for the driver can be linked."""
    # NVIDIA has it in lib64, Debian in the folder of the architecture.
    return any(has(f"{folder}/stubs/libcuda.so", toolkit) for folder in ("lib*", "lib/*"))


def ask(command: str, *arguments: str) -> str:
    """Return what a tool prints, "" if the tool is missing."""
    try:
        done = subprocess.run(
            [command, *arguments], capture_output=True, text=True, errors="replace", timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout + done.stderr


def version_in(text: str) -> Version | None:
    """Return the first version number in a text."""
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None

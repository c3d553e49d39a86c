"""Try what a portable llama.cpp must bear. Run it in an environment in which one is installed.

    python scripts/stress/portable.py [variants] [hostile] [illegal] [emulated] [--processors Nehalem Haswell …]

- variants: every variant for this processor answers alone, the others taken away; one for a newer processor gives one
  line.
- hostile: libraries with the names of all backends and of the library's own parts lie in the current folder, in that of
  the interpreter, and where GGML_BACKEND_PATH and LD_LIBRARY_PATH point. None may be opened.
- illegal: the best variant dies of an illegal instruction at its first computation. The next one must answer, and be
  taken at once the next time.
- emulated: qemu-user plays older processors for the worker, which has to choose what they know.

The demonstration model answers greedily. All answers must be equal to the letter: its answers are learned by heart. It
needs a C compiler and binutils, and qemu-user for the last. Linux only.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

from qwen_tui import child
from qwen_tui.columns import markdown_table
from qwen_tui.engine.library import library_files
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import LoadOptions, Request, SamplingOptions
from qwen_tui.errors import QwenError
from qwen_tui.files import ASSETS
from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import Message, Text
from scripts.command_line import QWEN, command_line

QUESTION = "What is HTTP?"
KINDS = "blas zendnn cann cuda hip metal rpc sycl vulkan virtgpu opencl hexagon musa openvino cpu"
BACKENDS = (*KINDS.split(), "cpu-haswell", "cpu-x64")
# The last three are what the library itself consists of, and needs.
NAMES = (*(f"libggml-{backend}.so" for backend in BACKENDS), "libggml.so.0", "libggml-base.so.0", "libgomp.so.1")
# It tells by a file that it was opened.
HOSTILE = """
#include <stdio.h>
__attribute__((constructor)) static void opened(void) { fclose(fopen("%s", "w")); }
int ggml_backend_score(void) { return 100000; }
"""
UD2 = b"\x0f\x0b"


def main() -> int:
    """Run the trials, and return 1 if one has gone wrong."""
    parser = command_line(__doc__)
    parser.add_argument("trials", nargs="*", choices=[*TRIALS, []], help="default: all")
    parser.add_argument("--processors", nargs="+", default=["Nehalem", "SandyBridge", "Haswell"], help="names of qemu")
    options = parser.parse_args()
    if not variants():
        print("There is no portable llama.cpp here: python scripts/build_engine.py --kind portable")
        return 1
    right = True
    for name in options.trials or TRIALS:
        for row in TRIALS[name](options.processors):
            right &= row[-1] != "WRONG"
            print(markdown_table(("trial", "what", "result"), [(name, *row)]).splitlines()[-1], flush=True)
    return 0 if right else 1


def variants() -> list[Path]:
    """Return the modules for processors."""
    return [file for file in library_files() if re.match(r"(?:lib)?ggml-cpu-", file.name)]


def answer(folder: Path, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Ask with the libraries in `folder`."""
    own = {"LLAMA_CPP_LIB_PATH": str(folder), "QWEN_TUI_HOME": str(home), "QWEN_TUI_LANG": "en"}
    command = [*QWEN, "ask", "-m", "demo", "-o", "temperature=0", "-q", QUESTION]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=home,
        env={**os.environ, **own, **environment},
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def linked(folder: Path, *without: Path) -> Path:
    """Return `folder` with links to the installed libraries, `without` some of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in variants()[0].parent.iterdir():
        if file not in without:
            (folder / file.name).symlink_to(file)
    return folder


def one_by_one(_processors: list[str]) -> Iterator[tuple[str, str]]:
    """Let each variant answer alone."""
    expected = ""
    for variant in variants():
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
            home = Path(temporary)
            others = [other for other in variants() if other != variant]
            done = answer(linked(home / "lib", *others), home)
        expected = expected or done.stdout
        if done.returncode == 0:
            yield variant.name, "answers" if done.stdout == expected else "WRONG"
        else:
            lines = done.stderr.strip().splitlines()
            yield variant.name, lines[0] if len(lines) <= 2 and "Traceback" not in done.stderr else "WRONG"


def hostile(_processors: list[str]) -> Iterator[tuple[str, str]]:
    """Put libraries of a stranger wherever llama.cpp would look for backends."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        home = Path(temporary)
        opened = home / "opened"
        builder = venv.EnvBuilder(symlinks=False, with_pip=False)
        builder.create(home / "environment")
        interpreter = home / "environment" / "bin" / Path(sys.executable).name
        source = (HOSTILE % opened).encode()
        stranger = home / "stranger.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", stranger], input=source, check=True)
        for folder in (home / "here", interpreter.parent):
            folder.mkdir(exist_ok=True)
            for name in NAMES:
                shutil.copy(stranger, folder / name)
        paths = os.pathsep.join(path for path in sys.path if path)
        for what, command, more in (
            ("in the current folder", sys.executable, {}),
            ("beside the interpreter", str(interpreter), {"PYTHONPATH": paths}),
            ("GGML_BACKEND_PATH", sys.executable, {"GGML_BACKEND_PATH": str(stranger)}),
            ("an empty entry in LD_LIBRARY_PATH", sys.executable, {"LD_LIBRARY_PATH": "/nowhere:"}),
        ):
            done = subprocess.run(
                [command, *QWEN[1:], "ask", "-m", "demo", "-o", "temperature=0", "-q", QUESTION],
                capture_output=True,
                text=True,
                cwd=home / "here",
                env={**os.environ, "QWEN_TUI_HOME": str(home / "home"), **more},
                timeout=300,
                check=False,
                stdin=subprocess.DEVNULL,
            )
            right = done.returncode == 0 and done.stdout and not opened.exists()
            yield f"{len(NAMES)} names {what}", "never opened, and answers" if right else "WRONG"
        alone = f"import ctypes; ctypes.CDLL({str(variants()[0].parent / 'libllama.so')!r}).llama_backend_init()"
        subprocess.run([sys.executable, "-c", alone], cwd=home / "here", capture_output=True, check=False)
        yield "llama.cpp left alone, to compare", "opens them" if opened.exists() else "WRONG"


def illegal(_processors: list[str]) -> Iterator[tuple[str, str]]:
    """Break the best variant, so that it dies at its first computation."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        home = Path(temporary)
        best = chosen(answer_of_doctor(variants()[0].parent, home))
        whole = answer(variants()[0].parent, home)
        (broken,) = (file for file in variants() if f"-{best}." in file.name)
        folder = linked(home / "lib", broken)
        (folder / broken.name).write_bytes(dying(broken))
        first = answer(folder, home)
        then = chosen(answer_of_doctor(folder, home))
        right = first.returncode == 0 and first.stdout == whole.stdout and then and then != best
        yield f"{best} dies of SIGILL", f"{then} answers, and is remembered" if right else "WRONG"


def answer_of_doctor(folder: Path, home: Path) -> str:
    """Return what `qwen doctor` says with the libraries in `folder`."""
    own = {"LLAMA_CPP_LIB_PATH": str(folder), "QWEN_TUI_HOME": str(home), "QWEN_TUI_LANG": "en", "COLUMNS": "200"}
    command = [*QWEN, "doctor", "--json"]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **own}, check=False).stdout


def chosen(report: str) -> str:
    """Return the variant that a report of `qwen doctor` names."""
    found = re.search(r'"variant":"([^"]+)"', report)
    return found[1] if found else ""


def dying(library: Path) -> bytes:
    """Return the content of a library whose function that computes is an illegal instruction."""
    names = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    (address,) = (int(line.split()[0], 16) for line in names.splitlines() if line.split()[-1] == "ggml_graph_compute")
    headers = subprocess.run(["readelf", "-lW", library], capture_output=True, text=True, check=True).stdout
    content = bytearray(library.read_bytes())
    for offset, start, size in re.findall(r"LOAD\s+0x(\w+)\s+0x(\w+)\s+0x\w+\s+0x(\w+)", headers):
        at = address - int(start, 16)
        if 0 <= at < int(size, 16):
            place = int(offset, 16) + at
            content[place : place + 2] = UD2
    return bytes(content)


def emulated(processors: list[str]) -> Iterator[tuple[str, str]]:
    """Let qemu-user play older processors for the worker."""
    expected, own = "", child.command
    for processor in ("", *processors):
        child.command = lambda module, name=processor: (  # type: ignore[assignment,misc]
            *(("qemu-x86_64", "-cpu", name) if name else ()),
            *own(module),
        )
        engine = LocalEngine(LoadOptions(path=os.fsencode(ASSETS / "demo.gguf"), plan=Plan()))
        request = Request(messages=(Message("user", QUESTION),), sampler=SamplingOptions(temperature=0), max_tokens=24)
        try:
            said = "".join(event.piece for event in engine.stream(request) if isinstance(event, Text))
        except QwenError as error:
            yield processor, error.message.splitlines()[0]
            continue
        finally:
            engine.close()
            child.command = own
        expected = expected or said
        if processor:
            yield processor, "answers" if said == expected else "WRONG"


TRIALS = {"variants": one_by_one, "hostile": hostile, "illegal": illegal, "emulated": emulated}


if __name__ == "__main__":
    sys.exit(main())

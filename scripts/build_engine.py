"""Build llama.cpp for this PC, its graphics card included, into the current environment; and undo that.

    python scripts/build_engine.py [--dry-run] [--yes] [--kind KIND] [--jobs N] [--architectures LIST] [--no-install]
    python scripts/build_engine.py --undo

`auto` looks at the card, its driver and the toolkits, and takes CUDA, else Vulkan, else a build for this processor.
`avx2` is a build for any PC with AVX2, to be carried elsewhere. `portable` runs on every processor of this kind and
chooses its code there; `portable-cuda` and `portable-vulkan` add a module for cards, and run without a driver, too. On
Linux, the same source gives the same portable wheel, file by file; nvcc puts a hash of each path into the module for
NVIDIA cards, so that one is the same only from an environment of the same path. What will be done is shown first, to
the letter, and nothing happens without a yes.

pip compiles the source distribution of the version in constraints.txt into a wheel: 10 minutes for a CPU on two cores,
half an hour and more for a card. It takes CMake from the system, or else from the network, as it does the source. Only
a finished wheel is installed, so a build that fails or is stopped changes nothing. Of a build, only the wheel stays in
the environment. What was installed before the first build is kept there as a wheel, however many builds follow, and
--undo brings it back.
"""

import argparse
import base64
import hashlib
import importlib.metadata
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from command_line import command_line
from engine_choice import Choice, Facts, Kind, choose
from engine_facts import look
from engine_source import NAME, fetching, unpack, unpacked
from engine_wheel import slim, writing

CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"
KEPT = Path(sys.prefix) / "share" / "qwen-tui" / "engine-before"
BUILT = KEPT.with_name("engine-built")
# CMake's names: 86-real is code for these cards alone, 86-virtual is what a driver compiles for later ones, 86 is both.
ARCHITECTURE = re.compile(r"\d{2,3}[af]?(?:-real|-virtual)?|native|all|all-major")
# Files that pip writes about an installation: they do not belong into a wheel.
PIPS_OWN = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
UNTOUCHED = "What was installed is as it was."
UNDO = "Bring back what was there: python scripts/build_engine.py --undo"


class BuildError(Exception):
    """Why there is no wheel, in a sentence."""


def pinned(constraints: str) -> str:
    """Return the version of llama-cpp-python that a constraints file pins."""
    found = re.search(r"^llama[-_]cpp[-_]python==(\S+)", constraints, re.MULTILINE)
    if not found:
        sys.exit(f"{CONSTRAINTS} pins no {NAME}.")
    return found[1]


def building(choice: Choice, facts: Facts, version: str, jobs: int | None) -> tuple[dict[str, str], list[str]]:
    """Return the environment variables for pip, and its command line that builds a wheel."""
    # Joined by spaces: no switch contains one, and not every reader of the variable knows quotes.
    variables = {"CMAKE_ARGS": " ".join(choice.switches)}
    if "-DGGML_CUDA=ON" in choice.switches:
        variables |= {"CUDACXX": facts.cudacxx} if facts.cudacxx else {}
        # Or else CMake would take the libraries of the first toolkit on the PATH, whatever the compiler is.
        variables |= {"CUDAToolkit_ROOT": facts.toolkit} if facts.toolkit else {}
    if jobs:
        variables["CMAKE_BUILD_PARALLEL_LEVEL"] = str(jobs)
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-cache-dir", "--verbose"]
    return variables, [*pip, "--wheel-dir", str(unfinished()), "--no-binary", NAME, f"{NAME}=={version}"]


def source() -> Path:
    """Return the folder for what is needed only until the wheel is there: the source, what is compiled, pip's wheel."""
    return BUILT.with_name("engine-source")


def unbuildable(choice: Choice) -> str:
    """Return why a build is not possible in this environment, "" if it is."""
    if choice.kind == "portable-cuda" and "," in str(source()):
        # It takes what stands behind the comma for another folder of headers.
        return (
            f"nvcc does not compile in a folder with a comma in its name: {source()}. Make the environment elsewhere."
        )
    return ""


def building_portable(choice: Choice, facts: Facts, version: str, jobs: int | None) -> tuple[dict[str, str], list[str]]:
    """Return what `building` returns, for a build from the unpacked source that does not depend on where it lies."""
    variables, command = building(choice, facts, version, jobs)
    code = unpacked(version, source())
    # MSVC has no such option, and needs none: it writes no paths into a release.
    if os.name != "nt":
        flag = f"-ffile-prefix-map={code}=."
        # CMake gives them to a shell as they are.
        flags = shlex.quote(flag)
        if "-DGGML_CUDA=ON" in choice.switches:
            # nvcc gives the value to a shell once more.
            variables["CUDAFLAGS"] = shlex.quote(f'-Xcompiler="{flag}"')
        if platform.machine() in ("x86_64", "AMD64"):
            # Tuned for no processor, GCC keeps too little of the kernel that reads prompts in registers.
            flags += " -mtune=haswell"
        variables |= dict.fromkeys(("CFLAGS", "CXXFLAGS"), flags)
    at = command.index("--no-binary")
    # The build backend reads names between braces as variables.
    folder = str(source() / "build").replace("{", "{{").replace("}", "}}")
    return variables, [*command[:at], "--config-settings", f"build-dir={folder}", str(code)]


def installing(wheel: str) -> list[str]:
    """Return the command line that installs a local wheel, and nothing else."""
    return [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--force-reinstall", wheel]


def make(version: str, variables: Mapping[str, str], command: Sequence[str], *, portable: bool) -> Path:
    """Fetch, compile, and return the wheel, which replaces an earlier one; nothing else stays of the build.

    Raises `BuildError`, and what reading and writing files raises. An earlier wheel is then as it was.
    """
    shutil.rmtree(source(), ignore_errors=True)
    try:
        unfinished().mkdir(parents=True)
        if portable:
            if subprocess.run(fetching(version, source()), check=False).returncode:
                raise BuildError("The source could not be fetched, for what is said above.")
            unpack(version, source())
        return build(variables, command, portable=portable)
    finally:
        shutil.rmtree(source(), ignore_errors=True)


def build(variables: Mapping[str, str], command: Sequence[str], *, portable: bool) -> Path:
    """Compile, and return the wheel, which replaces an earlier one; raises `BuildError`."""
    # With it, llama.cpp would not be built for this processor.
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"} | dict(variables)
    failed = subprocess.run(command, env=environment, check=False).returncode
    finished = next(unfinished().glob("*.whl"), None)
    if failed or finished is None:
        raise BuildError("The build failed, for what is said above.")
    BUILT.mkdir(parents=True, exist_ok=True)
    wheel = slim(finished, BUILT) if portable else finished.replace(BUILT / finished.name)
    for older in BUILT.glob("*.whl"):
        if older != wheel:
            older.unlink()
    return wheel


def unfinished() -> Path:
    """Return the folder into which pip writes the wheel."""
    return source() / "wheel"


def install(wheel: Path) -> int:
    """Install a wheel, and return pip's exit code."""
    command = installing(str(wheel))
    print(shlex.join(command), flush=True)
    return subprocess.run(command, check=False).returncode


def keep_installed(folder: Path) -> Path | None:
    """Pack the installed llama-cpp-python into a wheel in `folder`, and return that; None if it is not installed.

    If the folder has a wheel already, nothing is packed: that wheel is from before the first build, and --undo must
    bring it back.
    """
    if earlier := kept(folder):
        return earlier
    try:
        installed = importlib.metadata.distribution(NAME)
    except importlib.metadata.PackageNotFoundError:
        return None
    tag = re.search(r"^Tag: (\S+)", installed.read_text("WHEEL") or "", re.MULTILINE)
    wheel = folder / f"{NAME.replace('-', '_')}-{installed.version}-{tag[1] if tag else 'py3-none-any'}.whl"
    records, about = [], ""
    with writing(wheel, compresslevel=1) as archive:
        for file in installed.files or ():
            path = Path(str(file.locate()))
            # Scripts lie outside the package folder, and pip creates them again.
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
    return wheel


def kept(folder: Path) -> Path | None:
    """Return the wheel that --undo installs."""
    return next(iter(sorted(folder.glob("*.whl"))), None)


def undo() -> int:
    """Install again what was installed before the first build."""
    wheel = kept(KEPT)
    if wheel is None:
        print(f"There is nothing to undo: {KEPT} holds no wheel.")
        return 1
    try:
        if failed := install(wheel):
            return failed
        # The next build will be a first one again.
        wheel.unlink()
    except KeyboardInterrupt:
        print(f"\nStopped while it was installed. {UNDO}")
        return 130
    except OSError as error:
        print(f"What was kept is installed, and could not be removed: {reason(error)}")
        return 1
    return report()


def report() -> int:
    """Say for which hardware the installed llama.cpp was built."""
    from qwen_tui.engine.installed import describe
    from qwen_tui.errors import EngineError

    try:
        found = describe()
    except EngineError as error:
        print(f"{error.message}\n{UNDO}")
        return 1
    names = ", ".join(f"{gpu.name} ({gpu.description})" for gpu in found.gpus)
    print(f"llama-cpp-python {found.version}; graphics cards it can use: {names or 'none'}")
    return 0


def show(
    facts: Facts, choice: Choice, variables: Mapping[str, str], commands: Sequence[Sequence[str]], *, installs: bool
) -> None:
    """Print what the PC has, and what the script would do."""
    toolkit = ".".join(map(str, facts.nvcc)) if facts.nvcc else "none"
    print(f"Card: {facts.card or 'no NVIDIA card with a driver'}; CUDA toolkit: {toolkit}")
    print(f"Build: {choice.kind}")
    for remark in choice.remarks:
        print(f"  {remark}")
    print("\nTo be done:")
    if "SOURCE_DATE_EPOCH" in os.environ:
        print("  unset SOURCE_DATE_EPOCH")
    for name, value in variables.items():
        print(f"  {name}={shlex.quote(value)}")
    for command in commands:
        print(f"  {shlex.join(command)}")
    print(f"  remove what only the build needed: {source()}", flush=True)
    if not installs:
        return
    if earlier := kept(KEPT):
        print(f"  leave what an earlier build kept for --undo: {earlier}")
    else:
        print(f"  keep what is installed now, for --undo, as a wheel in {KEPT}")
    # Not quoted for the shell, because the name of the wheel is not known yet.
    print(f"  {shlex.join(installing('')[:-1])} {BUILT}{os.sep}*.whl", flush=True)


def agreed() -> bool:
    """Ask the person, and return whether they agree."""
    try:
        return input("\nGo on? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print("\nNobody is here to answer. To build without being asked, add --yes.")
        return False


def arguments_given() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = command_line(__doc__)
    parser.add_argument("--kind", choices=get_args(Kind), default="auto", help="default: %(default)s")
    parser.add_argument("--jobs", type=int, help="compile so many files at a time (default: as CMake likes)")
    parser.add_argument(
        "--architectures",
        type=architectures,
        help="of CUDA, for other cards than the one here, such as 61-virtual;75;86",
    )
    parser.add_argument("--no-install", action="store_true", help="only make the wheel")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be done")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--undo", action="store_true", help="bring back what was installed before the first build")
    given = parser.parse_args()
    if given.architectures and given.kind not in ("auto", "cuda", "portable-cuda"):
        parser.error("--architectures is for CUDA: name --kind cuda or --kind portable-cuda")
    return given


def architectures(text: str) -> str:
    """Return names of CUDA architectures as CMake wants them, whatever separates them."""
    names = re.split(r"[;,\s]+", text.strip("; ,"))
    if not all(map(ARCHITECTURE.fullmatch, names)):
        raise argparse.ArgumentTypeError(f"not the names of architectures, such as 61-virtual;75;86: {text!r}")
    return ";".join(names)


def reason(error: Exception) -> str:
    """Return what is wrong, with the file that an error names."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def install_built(wheel: Path) -> int:
    """Keep what is installed, install the wheel that was built, and print the result."""
    try:
        keep_installed(KEPT)
    except (KeyboardInterrupt, OSError) as error:
        stopped = isinstance(error, KeyboardInterrupt)
        print(f"\n{'Stopped.' if stopped else f'{reason(error)}.'} {UNTOUCHED} What was built: {wheel}")
        return 130 if stopped else 1
    try:
        failed = install(wheel)
    except KeyboardInterrupt:
        print(f"\nStopped while it was installed. {UNDO}")
        return 130
    if failed:
        print(f"The wheel could not be installed: {wheel}\n{UNDO}")
        return failed
    print(f"What was built can be installed elsewhere, too: {wheel}")
    return report()


def main() -> int:
    """Show the plan, ask, build, and print the result."""
    arguments = arguments_given()
    if arguments.undo:
        return undo()
    facts = look()
    choice = choose(facts, arguments.kind, arguments.architectures or "")
    if problem := choice.problem or unbuildable(choice):
        print(problem)
        return 1
    version, portable = pinned(CONSTRAINTS.read_text(encoding="utf-8")), choice.kind.startswith("portable")
    plan = building_portable if portable else building
    variables, command = plan(choice, facts, version, arguments.jobs)
    before = [fetching(version, source())] if portable else []
    show(facts, choice, variables, [*before, command], installs=not arguments.no_install)
    if arguments.dry_run:
        return 0
    try:
        if not (arguments.yes or agreed()):
            return 1
        wheel = make(version, variables, command, portable=portable)
    except KeyboardInterrupt:
        print(f"\nStopped. {UNTOUCHED}")
        return 130
    except BuildError as failure:
        print(f"{failure} {UNTOUCHED}")
        return 1
    except (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile) as error:
        print(f"{reason(error)}. {UNTOUCHED}")
        return 1
    if arguments.no_install:
        print(f"What was built: {wheel}")
        return 0
    return install_built(wheel)


if __name__ == "__main__":
    sys.exit(main())

"""Builds the wheel and checks that it holds the whole program and nothing else.

    python scripts/check_wheel.py

If the wheel lacks a file, the program fails only on other people's computers. No other check here would notice.
"""

import configparser
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from command_line import command_line

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "qwen_tui"
DEMO = f"{PACKAGE}/assets/demo.gguf"
DEMO_MOST_BYTES = 8_000_000
ENTRY_POINTS = {"qwen": "qwen_tui.cli.main:main", "qwen-tui": "qwen_tui.cli.main:main"}
DIST_INFO = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


def main() -> int:
    """Build and check the wheel, print what is wrong, and return the exit code."""
    command_line(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        built = subprocess.run(
            [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, str(ROOT)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if built.returncode:
            print(built.stdout, "the wheel could not be built", sep="\n", file=sys.stderr)
            return 1
        (path,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(path) as wheel:
            found = problems(wheel, wanted(ROOT))
            print(f"{path.name}: {len(wheel.namelist())} files, {path.stat().st_size:,} bytes", flush=True)
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


def wanted(root: Path) -> set[str]:
    """Return the names that the wheel of the checkout at `root` must hold, its metadata aside."""
    package = root / PACKAGE
    modules = {path.relative_to(root).as_posix() for path in package.rglob("*.py")}
    catalogues = {
        path.relative_to(root).as_posix()
        for suffix in ("po", "mo")
        for path in package.glob(f"assets/locale/*/LC_MESSAGES/{PACKAGE}.{suffix}")
    }
    templates = {
        f"{PACKAGE}/{path.relative_to(root).as_posix()}" for path in (root / "templates").rglob("*") if path.is_file()
    }
    # These are named here, not looked for: they must be in the wheel even if the checkout lacks them.
    required = {DEMO, f"{PACKAGE}/assets/locale/zh/LC_MESSAGES/{PACKAGE}.mo", f"{PACKAGE}/evaluation/samples.yaml"}
    of_compare = ("checks/words.yaml", "report.css", "template_inputs.yaml")
    required.update(f"{PACKAGE}/evaluation/compare/{name}" for name in of_compare)
    tasks = ("ages", "calculator", "commentary", "http", "json", "proofread", "summary")
    required.update(f"{PACKAGE}/evaluation/tasks/{task}.{language}.md" for task in tasks for language in ("zh", "en"))
    required.update(f"{PACKAGE}/assets/{name}" for name in ("letters.json", "pack_readme.txt"))
    required.update(f"{PACKAGE}/assets/completion/qwen.{shell}" for shell in ("bash", "fish", "ps1", "zsh"))
    return modules | catalogues | templates | required


def problems(wheel: zipfile.ZipFile, names: set[str]) -> list[str]:
    """Return in one line each how `wheel` differs from one with `names`, the metadata and the entry points."""
    sizes = {info.filename: info.file_size for info in wheel.infolist() if not info.is_dir()}
    (dist_info,) = {name.split("/")[0] for name in sizes if name.split("/")[0].endswith(".dist-info")}
    names = names | {f"{dist_info}/{name}" for name in DIST_INFO}
    found = [f"missing from the wheel: {name}" for name in sorted(names - sizes.keys())]
    found += [f"does not belong into the wheel: {name}" for name in sorted(sizes.keys() - names)]
    if sizes.get(DEMO, 0) > DEMO_MOST_BYTES:
        found.append(f"{DEMO} has {sizes[DEMO]:,} bytes, more than {DEMO_MOST_BYTES:,}")
    scripts = f"{dist_info}/entry_points.txt"
    given = entry_points(wheel.read(scripts).decode()) if scripts in sizes else {}
    if given != ENTRY_POINTS:
        found.append(f"the commands of the wheel are {given}, not {ENTRY_POINTS}")
    return found


def entry_points(text: str) -> dict[str, str]:
    """Return the commands that an entry_points.txt names, each with its function."""
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.read_string(text)
    return dict(parser["console_scripts"]) if parser.has_section("console_scripts") else {}


if __name__ == "__main__":
    sys.exit(main())

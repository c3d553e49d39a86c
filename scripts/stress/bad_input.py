"""Give `qwen ask` what is no sensible material, and show what it says, how it ends, how long it takes, and its memory.

    python scripts/stress/bad_input.py [--megabytes 100] [--files 10000] [--unpacked 10] [--only WORD] [--model demo]

It makes its own files, in a folder that it removes. Each case runs in a process of its own; a case that waits gets
Ctrl-C after some seconds. The memory is the most that the program, its worker or a reader of documents has held.
It returns 1 if a case ends with an exit code that it should not have. POSIX only.
"""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

from qwen_tui.columns import markdown_table
from qwen_tui.documents.folder import MOST_FILES
from scripts.command_line import QWEN, command_line, report_progress
from tests.documents.pdf_files import pdf

# A case that is interrupted gets Ctrl-C after so many seconds; any other is killed after so many.
INTERRUPTED_S, GIVEN_UP_S = 8.0, 300.0


class Case(NamedTuple):
    """Arguments for `qwen ask`, and the exit codes that are right.

    `stdin` is a shell command that writes to its stdin. `meanwhile` runs beside it. `waits` says that it gets Ctrl-C.
    """

    name: str
    arguments: tuple[str | Path, ...]
    codes: tuple[int, ...] = (1,)
    stdin: str = ""
    meanwhile: AbstractContextManager[object] = nullcontext()
    waits: bool = False


def main() -> int:
    """Run the cases and print the table."""
    parser = command_line(__doc__)
    parser.add_argument("--megabytes", type=int, default=100, help="of a text (default: %(default)s)")
    parser.add_argument("--files", type=int, default=10_000, help="in a folder (default: %(default)s)")
    parser.add_argument("--unpacked", type=int, default=10, help="GB of a DOCX (default: %(default)s)")
    parser.add_argument("--only", default="", help="only cases whose name holds this")
    parser.add_argument("--model", default="demo", help="the model that is asked (default: %(default)s)")
    options = parser.parse_args()
    rows, wrong = [], 0
    with tempfile.TemporaryDirectory(prefix="bad-input-") as root, contextlib.chdir(root):
        made = Made(options.megabytes, options.files, options.unpacked)
        for case in made.cases():
            if options.only in case.name:
                row, is_right = run(case, options.model)
                rows.append(row)
                wrong += not is_right
                report_progress(f"{row[0]}: exit {row[1]}, {row[2]} s")
    print(markdown_table(("case", "exit", "s", "MB", "error, or first line on stderr"), rows))
    return 1 if wrong else 0


def run(case: Case, model: str) -> tuple[tuple[str, ...], bool]:
    """Run a case; return its row of the table, and whether its exit code is right."""
    environment = {**os.environ, "QWEN_TUI_HOME": str(Path("home").resolve()), "QWEN_TUI_LANG": "en"}
    words = [*QWEN, "ask", "-n", "-m", model, "-o", "max_tokens=8", *map(str, case.arguments), "Hello"]
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        errors = stack.enter_context(tempfile.TemporaryFile())
        stdin: int = subprocess.DEVNULL
        if case.stdin:
            writer = subprocess.Popen(["sh", "-c", case.stdin], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            stack.enter_context(writer)
            stack.callback(writer.kill)
            assert writer.stdout
            stdin = writer.stdout.fileno()
        stack.enter_context(case.meanwhile)
        process = subprocess.Popen(words, stdin=stdin, stdout=subprocess.DEVNULL, stderr=errors, env=environment)
        end = threading.Timer(
            INTERRUPTED_S if case.waits else GIVEN_UP_S,
            process.send_signal,
            [signal.SIGINT if case.waits else signal.SIGKILL],
        )
        end.start()
        _pid, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begun
        end.cancel()
        process.returncode = code = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        lines = [line for line in errors.read().decode("utf-8", "replace").splitlines() if line.strip()]
    said = next((line for line in lines if line.startswith("qwen: ")), (*lines, "")[0])
    is_right = code in case.codes
    peak = usage.ru_maxrss / 1024 if os.uname().sysname == "Linux" else usage.ru_maxrss / 2**20
    shown = said.replace("|", "\\|")[:120]
    return (case.name, f"{code}{'' if is_right else ' (!)'}", f"{seconds:.1f}", f"{peak:.0f}", shown), is_right


class Made:
    """Makes the files of each case, just before it is run."""

    def __init__(self, megabytes: int, files: int, unpacked: int) -> None:
        self._megabytes, self._files, self._unpacked = megabytes, files, unpacked

    def cases(self) -> Iterator[Case]:
        """Yield all cases."""
        yield Case("a plain question", (), (0,))
        yield from self._large()
        yield from self._folders()
        yield from self._devices()
        yield from self._pipes()
        yield from self._documents()
        yield from self._changing()
        yield from self._names()

    def _large(self) -> Iterator[Case]:
        with Path("large.txt").open("wb") as file:
            for _ in range(self._megabytes):
                file.write(b"A line of fifty bytes, and all of them are letters.\n" * 20_000)
        yield Case(f"{self._megabytes} MB of text", ("-f", "large.txt"))
        yield Case(f"{self._megabytes} MB of text on stdin", (), stdin="cat large.txt")
        Path("large.txt").unlink()
        with Path("sparse.txt").open("wb") as file:
            file.truncate(100 * 2**30)
        yield Case("a sparse file of 100 GB", ("-f", "sparse.txt"))
        Path("sparse.txt").unlink()

    def _folders(self) -> Iterator[Case]:
        for name, content in (("many", b"some text\n"), ("pictures", b"\x89PNG\r\n\x1a\n\0\0")):
            Path(name).mkdir()
            for number in range(self._files):
                Path(name, f"{number}.x").write_bytes(content)
        Path("pictures", "notes.txt").write_text("Hello")
        # So many are read, but what they hold may be more than fits into the context.
        codes = (1,) if self._files > MOST_FILES else (0, 1)
        yield Case(f"a folder of {self._files:,} texts", ("-f", "many"), codes)
        yield Case(f"a pattern of {self._files:,} texts", ("-f", "many/*.x"), codes)
        yield Case(f"a folder of {self._files:,} pictures and a text", ("-f", "pictures"), (0,))
        deep = Path("deep", *["f"] * 900)
        deep.mkdir(parents=True)
        (deep / "notes.txt").write_text("Hello")
        (deep / "up").symlink_to(Path("deep").resolve())
        yield Case("a folder of 900 levels, with a link in a circle", ("-f", "deep"), (0,))
        yield Case("the same as a pattern", ("-f", "deep/**/*.txt"), (0,))
        yield Case("the root of the disk", ("-f", "/"))
        Path("nothing").mkdir()
        yield Case("an empty folder", ("-f", "nothing"))

    def _devices(self) -> Iterator[Case]:
        for device in ("/dev/zero", "/dev/urandom", "/dev/tty"):
            yield Case(device, ("-f", device))
        for block in sorted(path for path in Path("/dev").iterdir() if path.is_block_device())[:1]:
            yield Case("a block device", ("-f", block))
        yield Case("/dev/null", ("-f", "/dev/null"), (0,))
        yield Case("/dev/stdin", ("-f", "/dev/stdin"), (0,), stdin="echo Hello")
        yield Case("/proc/cpuinfo, a file of the size 0", ("-f", "/proc/cpuinfo"), (0, 1))
        with socket.socket(socket.AF_UNIX) as door:
            door.bind("door")
            yield Case("a socket", ("-f", "door"))

    def _pipes(self) -> Iterator[Case]:
        os.mkfifo("pipe")
        yield Case("a named pipe that nobody writes, Ctrl-C", ("-f", "pipe"), (130,), waits=True)
        yield Case("yes on stdin", (), stdin="exec yes")
        yield Case("/dev/urandom on stdin", (), stdin="exec cat /dev/urandom")
        yield Case("stdin that does not end, Ctrl-C", (), (130,), stdin="echo Hello; exec sleep 60", waits=True)
        yield Case("a named pipe that does not end", ("-f", "pipe"), meanwhile=_beside("exec yes >pipe"))

    def _documents(self) -> Iterator[Case]:
        with zipfile.ZipFile("bomb.docx", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("[Content_Types].xml", "<Types/>")
            with archive.open("word/document.xml", "w", force_zip64=True) as file:
                for _ in range(self._unpacked * 1024):
                    file.write(bytes(2**20))
        yield Case(f"a DOCX that unpacks to {self._unpacked} GB", ("-f", "bomb.docx"))
        Path("circle.pdf").write_bytes(pdf(["0 0 m 9 9 l S"], kids="2 0 R 2 0 R", count=9))
        yield Case("a PDF with a circle in its tree of pages", ("-f", "circle.pdf"))
        Path("cut.pdf").write_bytes(pdf(["0 0 m 9 9 l S"])[:200])
        yield Case("a PDF that is cut", ("-f", "cut.pdf"))
        Path("noise").write_bytes(bytes(range(256)) * 64)
        yield Case("bytes that are no text", ("-f", "noise"))

    def _changing(self) -> Iterator[Case]:
        Path("changing.txt").write_text("Hello")
        yield Case("a file that is replaced again and again", ("-f", "changing.txt"), (0,), meanwhile=_again(_replace))
        yield Case("a file that grows and is emptied", ("-f", "changing.txt"), (0, 1), meanwhile=_again(_grow))

    def _names(self) -> Iterator[Case]:
        Path("broken").symlink_to("none")
        Path("circle").symlink_to("circle")
        for name, path in (
            ("no such file", "none.txt"),
            ("a broken link", "broken"),
            ("a link to itself", "circle"),
            ("a name of 300 letters", "x" * 300),
            ("a pattern that matches nothing", "**/*.none"),
        ):
            yield Case(name, ("-f", path))
        if os.geteuid():
            Path("closed.txt").touch(0)
            yield Case("a file without permission", ("-f", "closed.txt"))


@contextlib.contextmanager
def _beside(command: str) -> Iterator[None]:
    with subprocess.Popen(["sh", "-c", command], stderr=subprocess.DEVNULL) as process:
        yield
        process.kill()


@contextlib.contextmanager
def _again(act: Callable[[int], object]) -> Iterator[None]:
    """Do this all the time until the block ends."""
    ended = threading.Event()

    def work() -> None:
        for number in itertools.count():
            act(number)
            if ended.wait(0.0005):
                return

    worker = threading.Thread(target=work)
    worker.start()
    yield
    ended.set()
    worker.join()


def _replace(number: int) -> None:
    Path("new.txt").write_text(f"Hello {number}")
    Path("new.txt").replace("changing.txt")


def _grow(number: int) -> None:
    with Path("changing.txt").open("a" if number % 50 else "w") as file:
        file.write("Hello ")


if __name__ == "__main__":
    raise SystemExit(main())

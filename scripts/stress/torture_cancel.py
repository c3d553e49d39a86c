"""Press Ctrl-C at a random moment of every long operation; report how soon each ends, and what it left changed.

    python scripts/stress/torture_cancel.py [--count 200] [--only WORD] [--seed 0]

The operations are in `cancel_scenes.py`. Each runs in its own process group. The signal goes to the group, as from a
terminal, at a random moment after the program has installed its handlers. Of seven signals five are Ctrl-C, one is
SIGTERM, one SIGHUP; a second signal follows every third. The operation has ended well if the exit code is 130, 143 or
129, it has printed nothing unexpected, and the files under final names in the home folder are as before. In the REPL,
the prompt must come back with the same model as before. POSIX only; this needs about 12 GB of disk space.
"""

import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from qwen_tui.columns import markdown_table
from scripts.command_line import QWEN, command_line, report_progress
from scripts.stress.cancel_scenes import Scene, Stage, command_scenes, repl_scenes
from tests.terminal_screen import CTRL_C, ENTER, Terminal

# The target: no operation takes longer to end, in seconds.
WORST_S = 1.0
# A program that has not ended after so many seconds is killed.
GIVEN_UP_S = 20.0
SIGNALS = (signal.SIGINT, signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGINT, signal.SIGHUP)
# Files that may be new in the home folder: locks, caches, and unfinished files.
UNFINISHED = (".lock", ".part", ".json", ".draft", ".state", ".db-wal", ".db-shm", ".db", ".idx")


class Hit(NamedTuple):
    """The result of one signal: the seconds until the end, and what was wrong."""

    seconds: float
    wrong: str = ""


def main() -> int:
    """Interrupt all operations, print the table, and return 1 if anything was wrong."""
    parser = command_line(__doc__)
    parser.add_argument("--count", type=int, default=200, help="signals in all (default: %(default)s)")
    parser.add_argument("--only", default="", help="only operations whose name holds this")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments (default: %(default)s)")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    rows, wrong, everything = [], list[str](), list[float]()
    with tempfile.TemporaryDirectory(prefix="torture-cancel-") as folder, Stage(Path(folder)) as stage:
        scenes = [one for one in (*command_scenes(stage), *repl_scenes(stage)) if arguments.only in one.name]
        for index, scene in enumerate(scenes):
            share = arguments.count // len(scenes) + (index < arguments.count % len(scenes))
            hits = [interrupt(scene, stage, number, rng) for number in range(share)]
            seconds = [hit.seconds for hit in hits if hit.seconds >= 0]
            everything += seconds
            wrong += [f"{scene.name}: {hit.wrong}" for hit in hits if hit.wrong]
            rows.append(row(scene.name, len(hits), seconds, sum(bool(hit.wrong) for hit in hits)))
            report_progress(f"{scene.name}: {len(hits)}, {[round(one, 2) for one in seconds]}")
    rows.append(row("all", len(everything), everything, len(wrong)))
    print(markdown_table(["operation", "signals", "median s", f"worst s (target {WORST_S})", "not as before"], rows))
    print(f"\nload average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors, seed {arguments.seed}")
    print("\n".join(wrong))
    return 1 if wrong else 0


def interrupt(scene: Scene, stage: Stage, number: int, rng: random.Random) -> Hit:
    """Run an operation once and interrupt it, in a terminal if it belongs to the REPL or to a prompt."""
    scene.prepare()
    if scene.line:
        return in_repl(scene, stage, rng)
    sent = SIGNALS[number % len(SIGNALS)]
    before = held(stage.home)
    stdout = full_pipe() if scene.full else os.open(os.devnull, os.O_WRONLY)
    errors = stage.folder / "errors"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            [*QWEN, *scene.arguments],
            env=stage.environment | scene.environment,
            stdin=subprocess.PIPE if scene.stdin else subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    try:
        ready(process)
        time.sleep(rng.uniform(*scene.moments))
        if process.poll() is not None:
            return Hit(-1, f"it ended by itself with {process.returncode}: {said(errors)[-300:]}")
        begun = time.perf_counter()
        os.killpg(process.pid, sent)
        if number % 3 == 2:
            time.sleep(0.05)
            with_luck(process.pid, sent)
        process.wait(GIVEN_UP_S)
        seconds = time.perf_counter() - begun
    except subprocess.TimeoutExpired:
        return Hit(GIVEN_UP_S, f"it did not end: {said(errors)[-300:]}")
    finally:
        with_luck(process.pid, signal.SIGKILL)
        process.wait()
        os.close(stdout)
        if process.stdin:
            process.stdin.close()
    faults = []
    if process.returncode != 128 + sent:
        faults.append(f"exit code {process.returncode} for {sent.name}")
    if "Traceback" in (text := said(errors)) or "Error" in text:
        faults.append(text[-600:])
    if not scene.changes and (after := held(stage.home)) != before:
        faults.append(f"the home folder: {sorted(after ^ before)}")
    return Hit(seconds, "; ".join(faults))


def in_repl(scene: Scene, stage: Stage, rng: random.Random) -> Hit:
    """Type a line into a conversation, press Ctrl-C, and see the prompt come back."""
    terminal = Terminal(*QWEN, *scene.arguments, **(stage.environment | scene.environment))
    try:
        terminal.wait_for(scene.sign)
        if scene.line != ENTER:
            terminal.type(scene.line + ENTER)
        time.sleep(rng.uniform(*scene.moments))
        _ = terminal.text
        begun = time.perf_counter()
        terminal.type(CTRL_C)
        if scene.line == ENTER:
            while terminal.process.isalive() and time.perf_counter() - begun < GIVEN_UP_S:
                time.sleep(0.01)
            seconds = time.perf_counter() - begun
            return Hit(seconds, "" if terminal.ended() == 130 else f"exit code {terminal.process.exitstatus}")
        terminal.wait_for(scene.stopped)
        seconds = time.perf_counter() - begun
        terminal.type("/show" + ENTER)
        # The toolbar names the model in use.
        terminal.wait_for(f"{Path(scene.model).name} ·", "temperature")
        return Hit(seconds, "" if terminal.leave() == 0 else "it did not leave well")
    except AssertionError as error:
        return Hit(GIVEN_UP_S, f"the prompt did not come back: {str(error)[-400:]}")
    finally:
        terminal.process.close(force=True)


def full_pipe() -> int:
    """Return the writing end of a full pipe; its reading end stays open."""
    _reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while os.write(writing, bytes(4096)):
            pass
    except BlockingIOError:
        os.set_blocking(writing, True)
    return writing


def ready(process: "subprocess.Popen[bytes]") -> None:
    """Wait until the program has installed its signal handlers."""
    status = Path(f"/proc/{process.pid}/status")
    until = time.monotonic() + GIVEN_UP_S
    while time.monotonic() < until and process.poll() is None:
        if not status.exists():
            time.sleep(1.0)
            return
        caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
        if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.01)


def with_luck(group: int, number: int) -> None:
    """Send a signal to a process group, which may be gone."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def held(home: Path) -> set[tuple[str, int]]:
    """Return the files under final names, with their sizes."""
    files = (path for path in home.rglob("*") if path.is_file() and "cache" not in path.parts)
    return {(str(path), path.stat().st_size) for path in files if path.suffix not in UNFINISHED}


def said(errors: Path) -> str:
    """Return the text on stderr."""
    return errors.read_text(encoding="utf-8", errors="replace")


def row(name: str, count: int, seconds: Sequence[float], wrong: int) -> list[object]:
    """Return one line of the table."""
    figures = (f"{statistics.median(seconds):.2f}", f"{max(seconds):.2f}") if seconds else ("–", "–")
    return [name, count, *figures, wrong]


if __name__ == "__main__":
    sys.exit(main())

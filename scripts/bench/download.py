"""Compares how fast `qwen pull` fetches and hashes a file with `curl -o`, in turn, from the same hub on loopback.

    python scripts/bench/download.py --rounds 5

The hub is a process of its own and sends with sendfile, so that it does not limit the speed. For `qwen pull` there are
three figures: the stream (from the first byte to the last, hashed and written), the stream with the final fsync, and
the whole command.
"""

import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from qwen_tui.models.fetching.download import Download
from qwen_tui.models.fetching.events import Fetching
from qwen_tui.models.fetching.source import sources, wanted
from scripts.command_line import QWEN, command_line
from tests.models.hub_server import NAME, FaultyHub


def main() -> int:
    """Run both programs in turn, and print a table."""
    parser = command_line(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        content = folder / "published.gguf"
        block = b"GGUF" + os.urandom(1_000_000 - 4)
        with content.open("wb") as file:
            for _megabyte in range(options.megabytes):
                file.write(block)
        near, far = multiprocessing.Pipe()
        server = multiprocessing.get_context("spawn").Process(target=serve, args=(content, far), daemon=True)
        server.start()
        url, direct = near.recv()
        compare(folder, url, direct, options.rounds, content.stat().st_size)
        near.send("enough")
        server.join()
    return 0


def serve(content: Path, talk: Connection) -> None:
    """Serve as the hub until told to stop."""
    with FaultyHub(content) as hub:
        _ = hub.sha256
        talk.send((hub.url, hub.direct))
        talk.recv()


def compare(folder: Path, url: str, direct: str, rounds: int, size: int) -> None:
    """Print a line for each round, and the median of the ratios."""
    environment = {**os.environ, "HF_ENDPOINT": url, "NO_PROXY": "*"}
    os.environ.update(environment)
    ratios = []
    print("| round | curl -o, MB/s | stream with SHA-256, MB/s | with fsync, MB/s | qwen pull, s | stream / curl |")
    print("|---:|---:|---:|---:|---:|---:|")
    for number in range(rounds):
        curl = speed_of_curl(folder, direct, size)
        stream, synced = speed_of_stream(folder, size)
        command = time_of_command(folder, environment)
        ratios.append(stream / curl)
        print(
            f"| {number + 1} | {curl:,.0f} | {stream:,.0f} | {synced:,.0f} | {command:.2f} | {ratios[-1]:.2f} |",
            flush=True,
        )
    print(f"\nmedian of the ratios: {statistics.median(ratios):.2f}")


def speed_of_curl(folder: Path, direct: str, size: int) -> float:
    """Return megabytes a second."""
    target = folder / "curl.gguf"
    begun = time.monotonic()
    subprocess.run(["curl", "-sS", "--noproxy", "*", "-o", target, direct], check=True)
    seconds = time.monotonic() - begun
    target.unlink()
    return size / 1e6 / seconds


def speed_of_stream(folder: Path, size: int) -> tuple[float, float]:
    """Return megabytes a second, measured until the last byte and until the file has its name."""
    asked = wanted(NAME)
    target = folder / "stream" / "model.gguf"
    download = Download(asked, sources(asked), target)
    for _event in download.learn():
        pass
    begun = last = time.monotonic()
    for event in download.run():
        if isinstance(event, Fetching):
            last = time.monotonic()
    ended = time.monotonic()
    target.unlink()
    return size / 1e6 / (last - begun), size / 1e6 / (ended - begun)


def time_of_command(folder: Path, environment: dict[str, str]) -> float:
    """Return the seconds that the whole command takes."""
    home = folder / "home"
    command = [*QWEN, "pull", NAME]
    begun = time.monotonic()
    subprocess.run(command, env={**environment, "QWEN_TUI_HOME": str(home)}, check=True, capture_output=True)
    seconds = time.monotonic() - begun
    for path in (home / "models").iterdir():
        path.unlink()
    return seconds


if __name__ == "__main__":
    sys.exit(main())

"""Kills `qwen pull` at random moments, again and again, until a file is whole.

    python scripts/stress/torture_download.py --kills 100

Shows that the file that is there at the end is the right one, that a kill -9 costs at most one megabyte that has to be
fetched again, and that there is never more than one partial file. The hub is on loopback and sends at a limited rate.

What a kill costs is counted at the hub: the bytes that were sent up to the kill, less where the next attempt goes on.
That includes what lay in the buffers of the two sockets.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scripts.command_line import QWEN, command_line
from tests.models.hub_server import FILE, NAME, Answering, FaultyHub

LIMIT = 1 << 20


def main() -> int:
    """Publish a file, torture its download, and return 1 if something was lost."""
    parser = command_line(__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--rate", type=float, default=20.0, help="megabytes a second (20)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        content = Path(folder) / "published.gguf"
        content.write_bytes(b"GGUF" + dice.randbytes(options.megabytes * 1_000_000 - 4))
        with FaultyHub(content) as hub:
            return torture(hub, Path(folder) / "home", options.kills, options.rate * 1e6, dice)


def torture(hub: FaultyHub, home: Path, kills: int, rate: float, dice: random.Random) -> int:
    """Kill until it has been done often enough, then finish, and print what it cost."""
    hub.always = Answering(rate=rate)
    environment = {**os.environ, "QWEN_TUI_HOME": str(home), "HF_ENDPOINT": hub.url, "NO_PROXY": "*"}
    command = [*QWEN, "pull", NAME]
    # So that about as many kills as are wanted find a place in one transfer.
    longest = 2 * hub.size / rate / kills
    again: list[int] = []
    most_parts = done = whole = 0
    while done < kills:
        sent_before, gets = hub.sent, len(hub.gets)
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if dice.random() < 0.9:
            # Most of the kills in the transfer, the rest anywhere in the start.
            while len(hub.gets) == gets and process.poll() is None:
                time.sleep(0.002)
        try:
            process.wait(dice.uniform(0, longest))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            done += 1
        parts = list((home / "models").glob("*.part"))
        most_parts = max(most_parts, len(parts))
        # The hub notices at its next write that nobody is there.
        time.sleep(0.1)
        if len(hub.gets) > gets:
            start = hub.gets[-1].offset
            kept = parts[0].stat().st_size if parts else hub.size
            again.append(start + hub.sent - sent_before - kept)
        if process.returncode == 0:
            whole += 1
            if done < kills:
                (home / "models" / FILE).unlink()
                (home / "models" / "models.json").unlink()
    hub.always = None
    last = subprocess.run(command, env=environment, capture_output=True, check=False)
    right = last.returncode == 0 and (home / "models" / FILE).read_bytes() == hub.content.read_bytes()
    leftover = [path.name for path in (home / "models").iterdir() if ".part" in path.name]
    print(f"{done} kills, {len(again)} attempts that asked for bytes, {whole} files finished on the way")
    print(f"fetched again per kill: at most {max(again):,} bytes, {sum(again) / len(again):,.0f} on average")
    print(f"partial files at once: {most_parts}; left at the end: {leftover or 'none'}")
    print(f"the file at the end is {'the right one' if right else 'WRONG'}")
    return 0 if right and max(again) <= LIMIT and most_parts == 1 and not leftover else 1


if __name__ == "__main__":
    sys.exit(main())

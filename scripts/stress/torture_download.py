"""Kills `qwen pull` at random moments, again and again, until the file is complete.

    python scripts/stress/torture_download.py --kills 100

It checks that the file at the end is the right one, that after a kill -9 at most one megabyte has to be fetched again,
and that there is never more than one partial file. The hub is on loopback and sends at a limited rate.

The cost of a kill is counted at the hub: the bytes sent until the kill, minus the offset at which the next attempt
continues. This includes the bytes in the buffers of the two sockets.
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
    """Publish a file, run the test, and return 1 if something was lost."""
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
    """Kill the download so many times, then let it finish, and print the costs."""
    hub.always = Answering(rate=rate)
    environment = {**os.environ, "QWEN_TUI_HOME": str(home), "HF_ENDPOINT": hub.url, "NO_PROXY": "*"}
    command = [*QWEN, "pull", NAME]
    # The rate is chosen so that about the wanted number of kills fits into one transfer.
    longest = 2 * hub.size / rate / kills
    again: list[int] = []
    most_parts = done = whole = 0
    while done < kills:
        sent_before, gets = hub.sent, len(hub.gets)
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if dice.random() < 0.9:
            # Most kills hit the transfer, the others the start of the program.
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
        # The hub notices at its next write that the connection is gone.
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

"""Compare the picture of the floors in CONTRIBUTING.md with the contract that import-linter enforces.

    python scripts/check_floors.py

Each line of the picture is a floor: its rooms, then their purpose. The rooms and their order must be those of the
contract in pyproject.toml. If they differ, this prints the difference and exits with 1.
"""

import re
import sys
import tomllib
from pathlib import Path

from command_line import command_line

ROOT = Path(__file__).resolve().parent.parent
# The picture is the text block below this heading.
PICTURE = re.compile(r"^## The floors of the house$.*?^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def drawn(text: str) -> list[str]:
    """Return the floors that the picture in `text` shows, from the top: "chat | planning"."""
    found = PICTURE.search(text)
    if found is None:
        raise SystemExit("CONTRIBUTING.md has no picture of the floors")
    # Two or more blanks separate the rooms from their purpose. A line that begins with blanks continues the purpose.
    return [re.split(r" {2,}", line)[0] for line in found[1].splitlines() if line[:1].strip()]


def held(text: str) -> list[str]:
    """Return the floors of the contract in `text`, the content of pyproject.toml."""
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    return list(next(contract["layers"] for contract in contracts if contract["type"] == "layers"))


def main() -> int:
    """Compare the two, and return the exit code."""
    command_line(__doc__).parse_args()
    picture = drawn((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    contract = held((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if picture == contract:
        return 0
    print("The floors in CONTRIBUTING.md are not those of pyproject.toml, from the top:", file=sys.stderr)
    for floor in range(max(len(picture), len(contract))):
        shown, meant = ([*floors, *[""] * len(picture + contract)][floor] for floors in (picture, contract))
        print(f"{' ' if shown == meant else '!'} {shown:40} {meant}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

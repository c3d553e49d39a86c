"""Small files of what the program has learned: each may be damaged, of another version, or impossible to write."""

from pathlib import Path
from typing import Literal

import msgspec
import pytest

from qwen_tui import learned


class Speeds(msgspec.Struct):
    """The content of such a file."""

    version: Literal[2]
    of: dict[str, float]


NOTHING = Speeds(2, {})


def test_a_written_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "speeds.json"
    learned.write(file, Speeds(2, {"模型": 4.5}))
    assert learned.read(file, Speeds, NOTHING).of == {"模型": 4.5}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"\0" * 100,
        b'{"version":1,"of":{}}',
        b'{"of":{"a":1}}',
        b'{"version":2,"of":"a"}',
    ],
)
def test_a_file_of_another_version_or_damaged_holds_nothing(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "speeds.json"
    file.write_bytes(content)
    assert learned.read(file, Speeds, NOTHING) is NOTHING


def test_a_failed_write_is_not_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    learned.write(tmp_path / "file" / "speeds.json", NOTHING)
    assert learned.read(tmp_path / "file" / "speeds.json", Speeds, NOTHING) is NOTHING


def test_the_latest_entries_are_kept() -> None:
    assert list(learned.latest({"a": 1, "b": 2, "c": 3}, "d", 4, most=3)) == ["b", "c", "d"]
    assert list(learned.latest({"a": 1, "b": 2, "c": 3}, "a", 4, most=3).items()) == [("b", 2), ("c", 3), ("a", 4)]

"""Paths as people type them, paste them, and drop them onto a terminal."""

from pathlib import Path

import pytest

from qwen_tui import typed_paths


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("a.txt", ["a.txt"]),
        ("my talk.md", ["my", "talk.md"]),
        ("'my docs/a.txt'", ["my docs/a.txt"]),
        ('"my docs/a.txt"', ["my docs/a.txt"]),
        ("my\\ docs/a\\(1\\).txt", ["my docs/a(1).txt"]),
        ("~/'my docs'/a.txt", ["~/my docs/a.txt"]),
        ("'it'\\''s mine.txt'", ["it's mine.txt"]),
        ("'/a b.txt' '/c d.txt'", ["/a b.txt", "/c d.txt"]),
        ("'/a b.txt'\n/c.txt\n", ["/a b.txt", "/c.txt"]),
        ("'会议 记录.txt'", ["会议 记录.txt"]),
        # The quotation marks of a Chinese input method.
        ("“会议 记录.txt” ‘b c.txt’", ["会议 记录.txt", "b c.txt"]),
        # Neither an apostrophe nor an unclosed quotation mark quotes anything.
        ("don't.md", ["don't.md"]),
        ("Anna's and Bob's.txt", ["Anna's", "and", "Bob's.txt"]),
        ("'my docs/a", ["my docs/a"]),
        ("& 'C:/my docs/a.txt'", ["C:/my docs/a.txt"]),
        ("docs\\a.txt", ["docs\\a.txt"]),
        ("", []),
    ],
)
def test_the_words_of_a_line(typed: str, words: list[str]) -> None:
    assert typed_paths.words(typed, escapes=True) == words


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (r"C:\docs\a.txt", [r"C:\docs\a.txt"]),
        (r'"C:\my docs\a.txt"', [r"C:\my docs\a.txt"]),
        (r'"C:\my docs\a.txt" C:\b.txt', [r"C:\my docs\a.txt", r"C:\b.txt"]),
        (r"& 'C:\my docs\(1).txt'", [r"C:\my docs\(1).txt"]),
        (r"\\server\share\(1).txt", [r"\\server\share\(1).txt"]),
    ],
)
def test_on_windows_a_backslash_is_no_escape(typed: str, words: list[str]) -> None:
    assert typed_paths.words(typed, escapes=False) == words


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ("file:///home/me/my%20docs/a.txt", "/home/me/my docs/a.txt"),
        ("file://localhost/a.txt", "/a.txt"),
        ("file:/a%23b.txt", "/a#b.txt"),
        ("'file:///%E4%BD%A0%E5%A5%BD.txt'", "/你好.txt"),
        ("FILE:///C:/my%20docs/a.txt", "C:/my docs/a.txt"),
        ("profile://a", "profile://a"),
        ("my talk.md", "my talk.md"),
    ],
)
def test_one_path(typed: str, path: str) -> None:
    assert typed_paths.unquoted(typed) == path


def test_a_path_counts_as_it_is_where_something_is_there(tmp_path: Path) -> None:
    for name in ("'a'", "a", "b c", "b", "c"):
        (tmp_path / name).touch()
    for name in ("'a'", "b c"):
        assert typed_paths.all_meant(f"{tmp_path}/{name}") == [f"{tmp_path}/{name}"]
    assert typed_paths.meant(f"'{tmp_path}/a'") == f"{tmp_path}/a"


def test_several_files_are_meant_where_one_of_them_is_there(tmp_path: Path) -> None:
    for name in ("a 1.txt", "b.txt", "c.md", "d.md"):
        (tmp_path / name).touch()
    assert typed_paths.all_meant(f"'{tmp_path}/a 1.txt' {tmp_path}/b.txt") == [
        f"{tmp_path}/a 1.txt",
        f"{tmp_path}/b.txt",
    ]
    assert typed_paths.all_meant(f"{tmp_path}/*.md {tmp_path}/b.txt") == [
        f"{tmp_path}/{name}" for name in ("c.md", "d.md", "b.txt")
    ]
    assert typed_paths.all_meant(f"{tmp_path}/b.txt {tmp_path}/none.txt")[1] == f"{tmp_path}/none.txt"
    assert typed_paths.all_meant("no file here") == ["no file here"]


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "/" + "x/" * 3000, "~nobody-of-that-name/a"])
def test_no_path_raises(name: str) -> None:
    assert typed_paths.all_meant(name)
    assert typed_paths.meant(name) == name

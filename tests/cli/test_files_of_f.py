"""The files after `-f`, as a shell expands them: the program reads all, and never takes the question for a file."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Run

SHORT = ("-o", "max_tokens=3", "-o", "temperature=0")
Asked = Callable[..., tuple[str, str]]


@pytest.fixture
def asked(qwen: Run, tiny: Path, tmp_path: Path) -> Asked:
    """Ask in a folder with a.md, b.md, c.md and the folder d; return the message for the model, and stderr."""
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.md").write_text(f"<{name}>")
    (tmp_path / "d").mkdir()

    def ask(*arguments: str, stdin: bytes | None = None) -> tuple[str, str]:
        done = qwen("ask", "-m", tiny, *SHORT, "--json", *arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        kept = qwen("logs", "export", json.loads(done.stdout)["conversation_id"], "--format", "json").stdout
        # The last line only says that the short answer was cut off.
        notes = [line for line in done.stderr.decode().splitlines(keepends=True) if "max_tokens" not in line]
        return str(json.loads(kept)["messages"][0]["content"]), "".join(notes)

    return ask


ALL = "--- a.md ---\n<a>\n\n--- b.md ---\n<b>\n\n--- c.md ---\n<c>\n\n"
TAKEN = "Read as files too, since they follow -f: b.md, c.md\n"


@pytest.mark.parametrize(
    "typed",
    [
        ["-f", "a.md", "b.md", "c.md", "Compare"],
        ["Compare", "-f", "a.md", "b.md", "c.md"],
        ["--file=a.md", "b.md", "c.md", "Compare"],
        ["-fa.md", "b.md", "c.md", "--raw", "Compare"],
        ["-rf", "a.md", "b.md", "c.md", "--", "Compare"],
    ],
)
def test_the_names_into_which_the_shell_expands_a_pattern_are_files(typed: list[str], asked: Asked) -> None:
    assert asked(*typed) == (f"{ALL}Compare", TAKEN)


def test_a_pattern_that_no_shell_has_expanded_is_expanded(asked: Asked) -> None:
    said = "Read as files too, since they follow -f: a.md, b.md, c.md\n"
    assert asked("-f", "*.md", "Compare") == (f"{ALL}Compare", said)


def test_the_question_is_never_taken_for_a_file(asked: Asked) -> None:
    note = "“b.md” is the question, not a file, since there is no other. To have it read: -f b.md\n"
    assert asked("-f", "a.md", "b.md") == ("<a>\n\nb.md", note)
    message, said = asked("-f", "a.md", "b.md", stdin=b"piped")
    assert message.endswith("piped\n\nb.md")
    assert said == note
    # With a template there is already a question.
    message, said = asked("-t", "summary", "-f", "a.md", "b.md", "c.md")
    assert message.startswith(ALL)
    assert said == TAKEN


def test_a_folder_may_be_the_question_too(asked: Asked) -> None:
    assert asked("-f", "a.md", "b.md", "d")[1] == (
        "Read as files too, since they follow -f: b.md\n"
        "“d” is the question, not a folder, since there is no other. To have it read: -f d\n"
    )


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        (["-f", "a.md", "b.md", "-5 of what?"], "qwen ask -f a.md -f b.md -- '-5 of what?'"),
        (["--why", "-f", "a.md", "b.md", "c.md", "x"], "qwen ask -f a.md -f b.md -f c.md -- '--why x'"),
    ],
)
def test_the_hint_leaves_out_the_files(qwen: Run, asked: Asked, typed: list[str], hint: str) -> None:
    done = qwen("ask", *typed)
    assert done.returncode == 2
    assert hint in done.stderr.decode()


def test_words_that_happen_to_be_files_stay_words(asked: Asked) -> None:
    assert asked("-f", "a.md", "Is", "b.md", "better?") == ("<a>\n\nIs b.md better?", "")
    assert asked("-f", "a.md", "--raw", "b.md", "or", "not?") == ("<a>\n\nb.md or not?", "")
    assert asked("-f", "a.md", "--", "b.md", "or", "not?") == ("<a>\n\nb.md or not?", "")
    assert asked("-f", "a.md", "d", "or", "not?") == ("<a>\n\nd or not?", "")
    assert asked("a.md", "or", "b.md?") == ("a.md or b.md?", "")


def test_a_folder_among_the_files_is_left_out_with_a_word(asked: Asked) -> None:
    left_out = "Left out, since they are folders: d. To have one read: -f d\n"
    message, said = asked("-f", "a.md", "b.md", "c.md", "d", "Compare")
    assert (message, said) == (f"{ALL}Compare", TAKEN + left_out)
    message, said = asked("-q", "-f", "a.md", "b.md", "c.md", "d", "Compare")
    assert (message, said) == (f"{ALL}Compare", left_out)


def test_the_names_of_folders_alone_are_folders(asked: Asked, tmp_path: Path) -> None:
    (tmp_path / "d" / "x.md").write_text("<x>")
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "y.md").write_text("<y>")
    message, said = asked("-f", "d", "e", "Compare")
    assert message == "--- d/x.md ---\n<x>\n\n--- e/y.md ---\n<y>\n\nCompare"
    assert said.startswith("Read as files too, since they follow -f: e\n")


def test_a_conversation_takes_them_all(qwen: Run, tmp_path: Path) -> None:
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text(name)
    # Here no word can be the question.
    done = qwen("chat", "-m", "demo", "-f", "a.md", "b.md")
    assert b"since they follow -f: b.md" in done.stderr
    assert b"needs a terminal" in done.stderr


def test_an_empty_file_is_named(qwen: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    done = qwen("ask", "-m", "demo", "-f", str(tmp_path / "empty.txt"), "Hello")
    assert b"empty.txt: the model answers without it." in done.stderr

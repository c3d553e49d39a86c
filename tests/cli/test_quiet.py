"""`ask -q`: no progress and no notes, but what was lost is told, as it is without it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.documents.pdf_files import lines, pdf

Ask = Callable[..., list[str]]
TEXT = "\n\n".join(f"Day {n}: the ship came in with {n} tons of salt and left at dusk." for n in range(60))
TEXT += "\n\nThe captain of the brig is named Ottilie."


@pytest.fixture
def ask(qwen: Run, tiny: Path) -> Ask:
    """Ask with `-q`; return what stderr says."""

    def run(*arguments: str | Path, ctx_size: int = 2048) -> list[str]:
        sampling = ("-o", "max_tokens=8", "-o", "temperature=0", "--ctx-size", str(ctx_size))
        done = qwen("ask", "-q", "--json", "-m", tiny, *sampling, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stderr.decode().splitlines()

    return run


def test_mere_notes_are_not_told(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("今天开会。".encode("gb18030"))
    (tmp_path / "page.html").write_text("<!doctype html><title>T</title><p>Hello there.")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "b.txt").write_text("bee")
    assert ask("-f", "a.txt", "page.html", "-f", "d", "-f", "d/b.txt", "What?") == []


def test_the_files_that_are_left_out_of_a_folder(ask: Ask, tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "a.txt").write_text("ay")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4\nnothing")
    (said,) = ask("-f", "d", "What?")
    assert said.startswith("1 file of d was read. Left out: 1 not text (picture.png). d/broken.pdf is damaged")


def test_of_many_files_with_notes_the_losses_come_first(ask: Ask, tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    for n in range(7):
        (folder / f"{n}.txt").write_bytes("今天开会，讨论预算。".encode("gb18030"))
    (folder / "9.pdf").write_bytes(pdf([lines("Some words."), "0 0 100 100 re f"]))
    assert ask("-f", "d", "What?") == ["d/9.pdf: page 2 has no text; perhaps it is scanned."]


def test_pages_without_text(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "half.pdf").write_bytes(pdf([lines("Some words."), "0 0 100 100 re f"]))
    assert ask("-f", "half.pdf", "What?") == ["half.pdf: page 2 has no text; perhaps it is scanned."]


def test_a_file_without_a_text(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    assert ask("-f", "empty.txt", "What?") == ["There is nothing in empty.txt: the model answers without it."]


def test_letters_that_are_broken(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("今天开会".encode())
    (said,) = ask("-f", "a.txt", "--encoding", "ascii", "What?")
    assert said.startswith("a.txt does not seem to be")


def test_which_passages_were_read(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(TEXT)
    (said,) = ask("--fit", "select", "-f", "log.txt", "Which captain?", ctx_size=1024)
    assert said.startswith("read: 2 of ")
    (tmp_path / "other.txt").write_text(TEXT.replace("captain", "helmsman"))
    told = ask("--fit", "select", "-f", "log.txt", "-f", "other.txt", "Which captain?", ctx_size=1024)
    assert told[0] == "Nothing in other.txt has the words of the question."


def test_notes_on_parts_that_were_cut(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(TEXT)
    # The tiny model never ends by itself.
    (said,) = ask("--fit", "map", "-f", "log.txt", "Which captain?", ctx_size=1024)
    assert said.startswith("What the model wrote on some parts ")

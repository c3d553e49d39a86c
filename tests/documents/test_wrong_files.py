"""Files that are not what their names say, are empty or end too early: one clear message each, with what to do next."""

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from qwen_tui.chat.gathering import Gathering
from qwen_tui.chat.material import Reading
from qwen_tui.errors import InputError
from qwen_tui.messages import Loss
from scripts.documents.corpus import CORPUS
from tests.conftest import Run

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
NOISE = bytes((i * 7919 + 13) % 256 for i in range(5000))
# A document of each format, by the endings of its name.
SOUND = {
    "pdf": "one-column-en.pdf",
    "docx": "minutes-en.docx",
    "pptx": "talk-en.pptx",
    "xlsx": "budget-en.xlsx",
    "odt": "report-en.odt",
    "epub": "book-en.epub",
    "rtf": "letter-en.rtf",
}
TEXTS = ("txt", "md", "csv", "html")


def read(name: str, content: bytes, tmp_path: Path) -> tuple[str, list[str]]:
    """Return the text of a file of that name, and the notes on it."""
    (tmp_path / name).write_bytes(content)
    notes: list[str] = []
    gathering = Gathering(Reading(notes.append))
    gathering.add(str(tmp_path / name))
    return gathering.materials[0].text, [type(note)(note.replace(f"{tmp_path}/", "")) for note in notes]


def refused(name: str, content: bytes, tmp_path: Path) -> str:
    """Return what is said of a file that is refused: what is wrong, and what to do next."""
    with pytest.raises(InputError) as error:
        read(name, content, tmp_path)
    assert error.value.remedy and error.value.exit_code == 1
    return error.value.message.replace(f"{tmp_path}/", "")


def zipped() -> bytes:
    with zipfile.ZipFile(packed := io.BytesIO(), "w") as file:
        file.writestr("a/readme.txt", "hello")
    return packed.getvalue()


@pytest.mark.parametrize("ending", [*SOUND, *TEXTS])
def test_something_else_under_that_name_is_called_what_it_is(ending: str, tmp_path: Path) -> None:
    name = f"it.{ending}"
    assert refused(name, PNG, tmp_path) == f"{name} is not text: it is a picture."
    assert refused(name, b"ID3\x04\0" + NOISE, tmp_path) == f"{name} is not text: it is a recording."
    assert refused(name, b"GGUF\3\0" + NOISE, tmp_path) == f"{name} is not text: it is a model."
    assert refused(name, zipped(), tmp_path) == f"{name} is an archive, not a document."
    assert refused(name, gzip.compress(NOISE), tmp_path) == f"{name} is not text: it is an archive."
    said = refused(name, NOISE, tmp_path)
    assert said.startswith(f"{name} is not text") and said.endswith(": perhaps it is damaged.") == (ending in SOUND)


@pytest.mark.parametrize("ending", [*SOUND, *TEXTS])
def test_a_sound_document_is_read_whatever_its_name(ending: str, tmp_path: Path) -> None:
    for kind, file in SOUND.items():
        text, _notes = read(f"{kind}.{ending}", (CORPUS / file).read_bytes(), tmp_path)
        assert len(text) > 200


@pytest.mark.parametrize("ending", SOUND)
def test_a_document_without_a_byte_is_refused_and_a_text_in_its_place_is_told(ending: str, tmp_path: Path) -> None:
    assert refused(f"it.{ending}", b"", tmp_path).startswith(f"it.{ending} is empty: there is no ")
    text, (note,) = read(f"it.{ending}", b"Access denied.", tmp_path)
    assert text == "Access denied." and note.endswith(" file; it was read as text.")


@pytest.mark.parametrize("ending", SOUND)
def test_a_document_that_ends_in_the_middle_is_called_damaged(ending: str, tmp_path: Path) -> None:
    whole = (CORPUS / SOUND[ending]).read_bytes()
    for share in (0.1, 0.5):
        assert " is damaged" in refused(f"it.{ending}", whole[: int(share * len(whole))], tmp_path)


def test_the_end_of_a_page_and_of_a_text_that_is_missing_is_told_as_a_loss(tmp_path: Path) -> None:
    page = (CORPUS / "page-en.html").read_bytes()
    _text, notes = read("page.html", page[: len(page) // 2], tmp_path)
    assert [note for note in notes if isinstance(note, Loss)] == [
        "page.html ends in the middle, without </html>; what is there was read."
    ]
    assert not any(isinstance(note, Loss) for note in read("page.html", page, tmp_path)[1])
    _text, notes = read("a.txt", ("今天开会。" * 20).encode()[:-1], tmp_path)
    assert [note for note in notes if isinstance(note, Loss)] == notes and "1 broken character" in notes[0]


def test_the_command_ends_with_one_and_two_lines(qwen: Run, tmp_path: Path) -> None:
    (tmp_path / "photo.docx").write_bytes(PNG)
    done = qwen("ask", "-m", "demo", "-f", "photo.docx", "What?")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().splitlines() == [
        "qwen: photo.docx is not text: it is a picture.",
        "A program for text recognition makes text of it, for example: tesseract picture.png text",
    ]

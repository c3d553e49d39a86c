"""Folders and patterns as material: what is read of them, what is left out and said, and how much is too much."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qwen_tui import cancellation
from qwen_tui.chat.gathering import Gathering
from qwen_tui.chat.material import Reading
from qwen_tui.documents import folder
from qwen_tui.documents.folder import LeftOut
from qwen_tui.errors import CancelledError
from qwen_tui.messages import Draft
from tests.chat.test_repl import Person, Talk
from tests.conftest import Run
from tests.documents.pdf_files import lines, pdf
from tests.scripted_engine import ScriptedEngine

CORPUS = Path(__file__).parents[1] / "documents" / "corpus"

Asked = Callable[..., tuple[str, list[str]]]


@pytest.fixture
def asked(qwen: Run, tiny: Path) -> Asked:
    """Ask; return the message for the model, and the lines on stderr."""

    def ask(*arguments: str) -> tuple[str, list[str]]:
        done = qwen("ask", "-m", tiny, "-o", "max_tokens=1", "--ctx-size", "4096", "--json", *arguments, "What?")
        assert done.returncode == 0, done.stderr
        kept = qwen("logs", "export", json.loads(done.stdout)["conversation_id"], "--format", "json").stdout
        return str(json.loads(kept)["messages"][0]["content"]), done.stderr.decode().splitlines()

    return ask


def fill(root: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def test_the_password_of_a_document_in_a_folder_is_asked_for_on_a_row_of_its_own(tmp_path: Path) -> None:
    shutil.copy(CORPUS / "locked-en.pdf", tmp_path)
    seen: list[str] = []

    def password(name: str, wrong: int) -> str:
        seen.append(f"asked {wrong}")
        return "garden" if wrong else "wrong"

    gathering = Gathering(
        Reading(seen.append, password=password, show=lambda event: seen.append("row" if event.total else "no row"))
    )
    gathering.add(os.fspath(tmp_path))
    assert "row" in seen
    for at in (seen.index("asked 0"), seen.index("asked 1")):
        assert seen[at - 1] == "no row", "the row of the progress is empty when the question comes"
    assert "garden" in gathering.materials[0].text


def names(message: str) -> list[str]:
    return [line.removeprefix("--- ").removesuffix(" ---") for line in message.splitlines() if line.startswith("--- ")]


def test_every_file_of_a_folder_is_a_part_of_its_own_in_the_order_in_which_people_count(
    asked: Asked, tmp_path: Path
) -> None:
    fill(
        tmp_path / "notes",
        {"page10.txt": "ten", "page2.txt": "two", "a/x.md": "x", "plan.pdf": pdf([lines("A gate.")])},
    )
    message, said = asked("-f", "notes")
    assert names(message) == ["notes/page2.txt", "notes/page10.txt", "notes/plan.pdf", "notes/a/x.md"]
    assert "--- notes/plan.pdf ---\n[p. 1]\nA gate.\n" in message
    assert said[0] == "4 files of notes were read."


@pytest.mark.parametrize(
    ("typed", "first"),
    [("notes/", "notes/a.txt"), ("./notes", "./notes/a.txt"), (".", "notes/a.txt"), ("../notes", "../notes/a.txt")],
)
def test_a_file_is_named_below_the_name_of_the_folder_as_it_was_typed(
    asked: Asked, tmp_path: Path, typed: str, first: str
) -> None:
    fill(tmp_path, {"notes/a.txt": "a", "notes/b.txt": "b"})
    typed = typed.replace("..", f"../{tmp_path.name}")
    assert names(asked("-f", typed)[0])[0] == first.replace("..", f"../{tmp_path.name}")


def test_what_is_left_out_is_named_with_its_reason(asked: Asked, tmp_path: Path) -> None:
    fill(
        tmp_path / "src",
        {
            ".gitignore": "build/\n*.log\n",
            "build/a.o": "o",
            "a.log": "log",
            ".env": "SECRET=1",
            "node_modules/x/index.js": "js",
            "venv/pyvenv.cfg": "home = /usr",
            "venv/lib.py": "lib",
            "photo": b"\x89PNG\r\n\x1a\n",
            "data.bin": bytes(range(256)) * 9,
            "empty.py": "",
            "blank.txt": " \n",
            "broken.pdf": "%PDF-1.7 no more",
            "table.csv": b"1,2,3\n" * (2**20 * 8 // 6 + 1),
            "main.py": "print(1)",
            "说明.txt": "你好，世界。".encode("gb18030"),
        },
    )  # fmt: skip
    message, said = asked("-f", "src")
    assert names(message) == ["src/main.py", "src/说明.txt"]
    assert "你好，世界。" in message
    assert said[:2] == [
        "2 files of src were read. Left out: 2 by .gitignore (a.log, build/); 2 hidden (.env, .gitignore); "
        "2 made by tools (node_modules/, venv/); 2 not text (data.bin, photo); 2 empty (blank.txt, empty.py); "
        "1 too large (table.csv (8.4 MB)). src/broken.pdf is damaged and cannot be read as PDF.",
        "src/说明.txt was read as GB18030.",
    ]


def test_of_many_left_out_files_the_first_are_named(asked: Asked, tmp_path: Path) -> None:
    fill(tmp_path / "pictures", {"a.txt": "a", **{f"{n}.png": b"\x89PNG\0" for n in range(40)}})
    assert "40 not text (0.png, 1.png, 2.png, 3.png, 4.png, …)." in asked("-f", "pictures")[1][0]


@pytest.mark.skipif(sys.platform == "win32", reason="only administrators may make links on Windows")
def test_links_are_followed_within_the_folder_and_never_in_circles(asked: Asked, tmp_path: Path) -> None:
    fill(tmp_path, {"outside.txt": "secret", "src/a.txt": "a", "src/deep/b.txt": "b", "src/.kept/c.txt": "c"})
    src = tmp_path / "src"
    (src / "again.txt").symlink_to("a.txt")
    (src / "current.txt").symlink_to(".kept/c.txt")
    (src / "out.txt").symlink_to(tmp_path / "outside.txt")
    (src / "nowhere").symlink_to("none")
    (src / "deep" / "up").symlink_to("..")
    (src / "itself").symlink_to("itself")
    os.mkfifo(src / "pipe")
    message, said = asked("-f", "src")
    assert names(message) == ["src/a.txt", "src/current.txt", "src/deep/b.txt"]
    assert "4 linked from elsewhere (deep/up, itself, nowhere, out.txt); 1 neither file nor folder (pipe)" in said[0]
    # A link that the person names is followed.
    (tmp_path / "link").symlink_to("src/deep")
    assert asked("-f", "link")[0] == "b\n\nWhat?"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_what_the_system_refuses_is_named(asked: Asked, tmp_path: Path) -> None:
    fill(tmp_path / "src", {"a.txt": "a", "b.txt": "b", "c/d.txt": "d"})
    (tmp_path / "src" / "b.txt").chmod(0)
    (tmp_path / "src" / "c").chmod(0)
    said = asked("-f", "src")[1]
    (tmp_path / "src" / "c").chmod(0o700)
    assert "2 not readable (b.txt: Permission denied, c/: Permission denied)" in said[0]


GIT = shutil.which("git")
FILES = [
    "a.log", "keep.log", "b.txt", "docs/a.log", "docs/b.txt", "docs/deep/c.txt", "docs/deep/keep.log", "build/x.txt",
    "src/build/x.txt", "src/build.txt", "src/#x", "src/a b.txt", "src/!odd", "src/中文.txt", "target/x/y.txt",
]  # fmt: skip
RULES = [
    {".gitignore": "*.log\n!keep.log\n"},
    {".gitignore": "/build\n"},
    {".gitignore": "build/\n"},
    {".gitignore": "docs/**\n!docs/deep/\n!docs/deep/**\n"},
    {".gitignore": "**/deep/*.txt\n/*.txt\n"},
    {".gitignore": "*.txt\n", "docs/.gitignore": "!b.txt\n"},
    {".gitignore": "docs/deep\n", "docs/.gitignore": "!deep\n"},
    {".gitignore": "\\#x\n\\!odd\na\\ b.txt\n中文.*\r\n"},
    {".gitignore": "!\n[\nb.tx?\n[a-b].log   \n"},
    {".git/info/exclude": "*.txt\n", ".gitignore": "!b.txt\n"},
    {".gitignore": "*\n!*/\n!*.txt\n"},
    {".gitignore": b"\xef\xbb\xbfb.txt\n"},
    {"src/.gitignore": "/build\n/x.txt\n"},
    {".gitignore": "target/*\n!target/x\n"},
    {".gitignore": "docs\n!docs/\n"},
    {".gitignore": "docs/**/\n*\\\n"},
    {".gitignore": "a b.txt   \nkeep.log\\ \n**\n!src\n!src/a*\n"},
    {".gitignore": "**/\n"},
]  # fmt: skip


@pytest.mark.skipif(GIT is None, reason="git tells what is expected")
@pytest.mark.parametrize("within", ["", "src", "docs/deep"])
@pytest.mark.parametrize("rules", RULES, ids=repr)
def test_ignored_is_what_git_ignores(rules: dict[str, str | bytes], within: str, tmp_path: Path) -> None:
    assert GIT
    subprocess.run([GIT, "init", "-q", tmp_path], check=True)
    fill(tmp_path, {**dict.fromkeys(FILES, "text"), **rules})
    command = [GIT, "-c", "core.excludesFile=", "ls-files", "-z", "--others", "--exclude-standard", "."]
    listed = subprocess.run(command, cwd=tmp_path / within, check=True, capture_output=True).stdout.decode().split("\0")
    expected = {name for name in listed if name and ".gitignore" not in name}
    if within and subprocess.run([GIT, "check-ignore", "-q", within], cwd=tmp_path).returncode == 0:
        # The person has named it all the same.
        expected = {name.removeprefix(f"{within}/") for name in FILES if name.startswith(f"{within}/")}
    left_out = LeftOut()
    found = folder.find(tmp_path / within, "x", left_out, lambda _done, _total: None)
    assert {file.name for file in found} == expected


def test_a_folder_that_git_ignores_is_read_if_the_person_names_it(asked: Asked, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    fill(tmp_path, {".gitignore": "build/\n", "build/report.txt": "done", "build/x/log.txt": "log"})
    assert names(asked("-f", "build")[0]) == ["build/report.txt", "build/x/log.txt"]
    assert asked("-f", "build/x")[0] == "log\n\nWhat?"


def test_a_repository_may_have_its_git_folder_elsewhere(asked: Asked, tmp_path: Path) -> None:
    fill(
        tmp_path,
        {
            "main/.git/info/exclude": "*.log\n",
            "main/.git/worktrees/w/commondir": "../..\n",
            "w/.git": "gitdir: ../main/.git/worktrees/w\n",
            "w/src/a.log": "log",
            "w/src/a.txt": "text",
        },
    )
    assert asked("-f", "w/src")[0] == "text\n\nWhat?"


@pytest.mark.parametrize("typed", ["src", "src/*.txt"])
def test_more_files_than_are_read_are_refused_at_once(
    qwen: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.setattr(folder, "MOST_FILES", 3)
    fill(tmp_path / "src", {f"{n}.txt": "text" for n in range(4)})
    done = qwen("ask", "-m", "demo", "-f", typed, "x")
    assert done.returncode == 1
    said = {"src": "There are more than 3 files to read in src.", "src/*.txt": "4 files are named; 3 are read at most."}
    assert said[typed] in done.stderr.decode()
    assert qwen("ask", "-m", "demo", "-f", "src/1.txt", "x").returncode == 0


def test_more_text_than_is_read_is_refused_with_the_largest_files(qwen: Run, tmp_path: Path) -> None:
    fill(tmp_path / "src", {f"{n}.txt": b"x" * (3_000_000 + n) for n in range(3)})
    done = qwen("ask", "-m", "demo", "-f", "src", "x").stderr.decode()
    assert "The files in src have more than 8 MB together" in done
    assert "The largest: 2.txt (3.0 MB), 1.txt (3.0 MB), 0.txt (3.0 MB)." in done
    done = qwen("ask", "-m", "demo", "-f", "src/0.txt", "-f", "src/1.txt", "-f", "src/2.txt", "x").stderr.decode()
    assert "The materials have more than 8 MB of text together" in done


def test_a_disk_is_not_looked_through_without_end(qwen: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_MOST_ENTRIES", 5)
    fill(tmp_path / "src", {f"{n}/x": "" for n in range(9)})
    done = qwen("ask", "-m", "demo", "-f", "src", "x")
    assert (done.returncode, b"src holds more than 5 files and folders" in done.stderr) == (1, True)


@pytest.mark.parametrize("files", [{}, {"a.png": b"\x89PNG"}, {".env": "x"}])
def test_a_folder_without_anything_to_read_is_an_error(
    qwen: Run, tmp_path: Path, files: dict[str, str | bytes]
) -> None:
    (tmp_path / "src").mkdir()
    fill(tmp_path / "src", files)
    done = qwen("ask", "-m", "demo", "-f", "src", "x")
    first, remedy = done.stderr.decode().splitlines()
    assert (done.returncode, first) == (1, "qwen: There is nothing to read in the folder src.")
    assert remedy.startswith("Left out: 1 " if files else "Put files into it")


def test_a_file_that_is_named_twice_is_read_once(asked: Asked, tmp_path: Path) -> None:
    fill(tmp_path, {"src/a.txt": "a", "src/b.txt": "b"})
    message, said = asked("-f", "src/a.txt", "-f", "./src/../src/a.txt")
    assert (message, said[0]) == ("a\n\nWhat?", "./src/../src/a.txt is named more than once; it is read once.")
    assert names(asked("-f", "src/b.txt", "-f", "src")[0]) == ["src/b.txt", "src/a.txt"]
    message, said = asked("-f", "src", "-f", "src/b.txt", "-f", "src/")
    assert names(message) == ["src/a.txt", "src/b.txt"]
    assert "0 files of src/ were read." in said


def test_two_stars_in_a_pattern_mean_all_folders(asked: Asked, tmp_path: Path) -> None:
    fill(tmp_path, {"src/a2.py": "2", "src/a10.py": "10", "src/in/b.py": "b", "src/.git/c.py": "c", "src/a.txt": "t"})
    if sys.platform != "win32":
        (tmp_path / "src" / "loop").symlink_to(".")
        (tmp_path / "src" / "in" / "loop").symlink_to("..")
    assert names(asked("-f", "src/**/*.py")[0]) == ["src/a2.py", "src/a10.py", "src/in/b.py"]
    assert names(asked("-f", "**/*.py")[0]) == ["src/a2.py", "src/a10.py", "src/in/b.py"]
    assert asked("-f", f"{tmp_path}/**/in/**/*")[0] == "b\n\nWhat?"
    assert asked("-f", "src/**/.git/*.py")[0] == "c\n\nWhat?"


def test_a_name_with_the_characters_of_a_pattern_is_that_file(asked: Asked, tmp_path: Path) -> None:
    fill(tmp_path, {"notes[1].txt": "one", "notes1.txt": "no", "d[1]/a.txt": "a"})
    assert asked("-f", "notes[1].txt")[0] == "one\n\nWhat?"
    assert asked("-f", "d[1]")[0] == "a\n\nWhat?"


def test_a_pattern_that_matches_nothing_is_an_error(qwen: Run, tmp_path: Path) -> None:
    done = qwen("ask", "-m", "demo", "-f", "src/**/*.py", "x")
    assert done.returncode == 1
    assert done.stderr.startswith(b"qwen: No file matches the pattern src/**/*.py.\n")


def test_an_empty_name_is_not_the_current_folder(qwen: Run, tmp_path: Path) -> None:
    fill(tmp_path, {"a.txt": "a"})
    done = qwen("ask", "-m", "demo", "-f", "", "x")
    assert (done.returncode, b"The name of the file is empty." in done.stderr) == (1, True)
    assert "empty" in Talk(ScriptedEngine(), Person("/file ''")).errors[0].message


def test_in_a_conversation_a_folder_is_attached_and_dropped_as_one(tmp_path: Path) -> None:
    fill(tmp_path / "src", {f"{n}.txt": "text" for n in range(12)})
    fill(tmp_path, {"a.txt": "a"})
    src = tmp_path / "src"
    talk = Talk(ScriptedEngine("ok"), Person(f"/file {tmp_path / 'a.txt'}", f"/file {src}", f"/drop {src}", "x"))
    assert talk.shown[1] == f"12 files of {src} were read."
    assert talk.shown[2].startswith(f"12 files go with the next message (48 characters): {src}/0.txt, ")
    assert talk.shown[2].endswith(", 4 more")
    assert talk.contents[0] == "a\n\nx"


def test_a_file_that_is_attached_again_takes_the_place_of_the_older_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    class Editor(Person):
        def read(self, draft: str | Draft = "") -> str:
            if self.drafts:
                path.write_text("new")
            return super().read(draft)

    talk = Talk(ScriptedEngine("ok"), Editor(f"/file {path}", f"/file {path}", "x"))
    assert talk.contents[0] == "new\n\nx"


def test_ctrl_c_ends_the_look_through_a_folder(tmp_path: Path) -> None:
    fill(tmp_path, {f"{n}/x.txt": "x" for n in range(9)})
    with cancellation.operation() as operation:
        looked: list[int] = []

        def stop(done: int, _total: int) -> None:
            looked.append(done)
            operation.cancel()

        with pytest.raises(CancelledError):
            folder.find(tmp_path, "x", LeftOut(), stop)
    assert looked == [0]

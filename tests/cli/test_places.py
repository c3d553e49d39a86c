"""The program without a home folder, with invalid settings, and with any editor, locale or terminal."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from qwen_tui.cli import editor
from tests.conftest import COMMAND, Run
from tests.program import environment

LOOKING = [
    ["config", "show"],
    ["config", "path"],
    ["config", "set", "temperature", "0.5"],
    ["config", "edit"],
    ["logs", "list"],
    ["logs", "path"],
    ["cache", "show"],
    ["models", "list"],
    ["models", "show", "demo"],
    ["templates", "list"],
    ["doctor", "-m", "demo"],
    ["--version"],
    ["--help"],
    ["ask", "--help"],
]


def without_a_home(**changes: str) -> dict[str, str]:
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("XDG_", "QWEN_TUI_HOME")) and n != "HOME"}
    # Without its settings, the program speaks the language of the locale.
    return {**kept, "LC_ALL": "C.UTF-8", **changes}


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Python find no home of the user: only root could really become such a user."""

    def getpwuid(uid: int) -> object:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", getpwuid)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX has a HOME and a list of users")
@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("home", [{}, {"HOME": ""}, {"HOME": "somewhere"}], ids=["none", "empty", "relative"])
def test_without_a_home_every_command_says_how_to_name_a_folder(
    qwen: Run, tmp_path: Path, home: dict[str, str]
) -> None:
    environment = without_a_home(**home)
    for arguments in (["ask", "-m", "demo", "hi"], ["config", "show"], ["config", "set", "top_k", "5"], ["doctor"]):
        done = qwen(*arguments, env=environment)
        assert done.returncode == 1
        first, second = done.stderr.decode().splitlines()
        assert first.startswith("qwen: This user has no home folder")
        assert "QWEN_TUI_HOME=" in second
        assert qwen(arguments[0], "--help", env=environment).returncode == 0
    assert qwen("--version", env=environment).returncode == 0
    assert not list(tmp_path.iterdir()), "nothing is written here in place of a home"
    named = qwen("config", "path", env={**environment, "QWEN_TUI_HOME": str(tmp_path / "named")})
    assert named.stdout.decode().strip() == str(tmp_path / "named" / "config.toml")


@pytest.mark.parametrize("home", ["~nobody-of-that-name/qwen", "~nobody-of-that-name"])
def test_an_unknown_users_home_is_not_created_here(qwen: Run, tmp_path: Path, home: str) -> None:
    done = qwen("config", "set", "top_k", "5", env={**os.environ, "QWEN_TUI_HOME": home})
    assert done.returncode == 1
    assert home in done.stderr.decode()
    assert not list(tmp_path.iterdir())


def test_a_home_that_is_a_file_is_reported_as_a_file(qwen: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = qwen("config", "set", "top_k", "5", env={**os.environ, "QWEN_TUI_HOME": str(tmp_path / "file")})
    # The exit code 74 stands for a failed write.
    assert done.returncode == 74
    assert "Not a directory" in done.stderr.decode()


@pytest.mark.parametrize(
    ("command", "folder"),
    [
        ("templates list", "templates"),
        ("templates new mine", "templates"),
        ("cache show", "states"),
        ("models list", "models"),
        ("doctor -m demo", "cache"),
    ],
)
def test_a_folder_that_the_system_refuses_is_named(qwen: Run, tmp_path: Path, command: str, folder: str) -> None:
    # Root may open every folder, but nobody can open one with such a name.
    done = qwen(*command.split(), env={**os.environ, "QWEN_TUI_HOME": str(tmp_path / ("x" * 300)), "EDITOR": "true"})
    shown = (done.stdout + done.stderr).decode()
    # The exit code 74 stands for a failed write.
    assert done.returncode == (74 if "new" in command else 1)
    assert "output could not" not in shown
    assert re.search(rf"/{folder}\S*\s+(cannot be used|could not be written): File name too long", shown)
    assert "QWEN_TUI_HOME" in shown


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("gpu_layers = true", "it has to be auto, all, or a number"),
        ("gpu_layers = 1.5", "it has to be auto, all, or a number"),
        ("cache_limit = 'lots'", "it has to be auto or a number"),
        ("threads = 'many'", "it has to be a whole number"),
    ],
)
def test_a_setting_of_the_wrong_type_is_refused_with_the_right_type(
    qwen: Run, home: Path, line: str, reason: str
) -> None:
    home.mkdir()
    (home / "config.toml").write_text(line)
    said = qwen("ask", "-m", "demo", "hi").stderr.decode()
    assert f"{line.split()[0]} cannot be “" in said
    assert f"”: {reason}\n" in said


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("colour = 1\ntop_k = 5\n", ["line 1", "colour"]),
        ("top_k = 5\ntemperature = 'hot'\n", ["line 2", "temperature"]),
        ("temperature = [\n", ["not valid TOML"]),
    ],
)
def test_an_invalid_setting_does_not_stop_commands_that_only_look(
    qwen: Run, home: Path, content: str, words: list[str]
) -> None:
    home.mkdir()
    file = home / "config.toml"
    environment = {**os.environ, "EDITOR": "true", "VISUAL": ""}
    for arguments in LOOKING:
        file.write_text(content)
        done = qwen(*arguments, env=environment)
        shown = done.stdout.decode() + done.stderr.decode()
        refused = arguments[:2] == ["config", "set"] and "[" in content
        complaining = arguments[0] == "doctor" or arguments[:2] == ["config", "edit"]
        assert done.returncode == (refused or complaining), (arguments, shown)
        assert "Traceback" not in shown
        if complaining or arguments in (["config", "show"], ["cache", "show"]):
            assert all(word in shown for word in words), (arguments, shown)
    file.write_text(content)
    done = qwen("ask", "-m", "demo", "hi", env=environment)
    assert done.returncode == 1
    assert not done.stdout
    assert all(word in done.stderr.decode() for word in words)


def test_valid_settings_count_beside_an_invalid_one(qwen: Run, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("colour = 1\ntop_k = 5\nlanguage = 'zh'\n")
    environment = {name: value for name, value in os.environ.items() if name != "QWEN_TUI_LANG"}
    done = qwen("config", "show", env=environment)
    assert "top_k = 5" in done.stdout.decode()
    assert "qwen config set colour" in done.stderr.decode()
    assert "colour" in done.stderr.decode()
    assert "没有" in done.stderr.decode(), "in the language of the file"


@pytest.mark.parametrize(
    ("named", "code", "word"),
    [
        ("it's", 1, "it's"),
        ("no-such-editor", 1, "no-such-editor"),
        ("false", 1, "false"),
        ("'true' -x --wait", 0, ""),
        ("  ", 1, "no terminal for an editor"),
        ("'  '", 1, "could not be used"),
    ],
)
@pytest.mark.parametrize("command", [["config", "edit"], ["templates", "edit", "summary"]], ids=" ".join)
@pytest.mark.skipif(sys.platform == "win32", reason="the quotes of a POSIX shell")
def test_whatever_editor_is_named_there_is_no_traceback(
    qwen: Run, tmp_path: Path, named: str, code: int, word: str, command: list[str]
) -> None:
    # The PATH has only these programs, so no editor of this machine starts.
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("true", "false"):
        (tools / name).symlink_to(shutil.which(name) or "")
    done = qwen(*command, env={**os.environ, "EDITOR": named, "VISUAL": " ", "PATH": str(tools)})
    said = done.stderr.decode()
    assert done.returncode == code, said
    assert word in said
    assert "Traceback" not in said
    assert len(said.splitlines()) == (2 if code else 0)


@pytest.mark.skipif(sys.platform == "win32", reason="there an editor has a window")
@pytest.mark.parametrize("command", ["config edit", "templates new mine"])
def test_without_a_terminal_no_editor_of_the_system_is_opened(qwen: Run, command: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("EDITOR", "VISUAL")}
    done = qwen(*command.split(), env=environment)
    assert done.returncode == 1
    assert "There is no terminal for an editor.\nEdit the file itself: " in done.stderr.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="an executable script")
def test_an_editor_in_a_folder_with_blanks_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "My Editor" / "edit it's"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho edited > "$1"\n')
    program.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(program))
    assert editor.edited(environment(), lambda error: pytest.fail(error.message), "before") == "edited"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pty")
@pytest.mark.parametrize("command", [["models", "import", "{folder}"], ["models", "rm", "two"]], ids=["choose", "yes"])
def test_bytes_that_are_not_text_are_not_an_answer(tmp_path: Path, tiny: Path, command: list[str]) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    for name in ("one", "two"):
        (stick / f"{name}.gguf").write_bytes(tiny.read_bytes() + name.encode())
    subprocess.run([*COMMAND, "models", "import", str(stick / "two.gguf")], capture_output=True, check=True)
    words = [word.format(folder=stick) for word in command]
    asked: pexpect.spawn[bytes] = pexpect.spawn(COMMAND[0], [*COMMAND[1:], *words], timeout=60, dimensions=(24, 100))
    asked.expect("[?:]|N\\]")
    asked.send(b"\xff\xe4\n")
    asked.send(b"\x04")
    asked.send(b"\x04")
    shown = asked.read().decode("utf-8", "replace")
    asked.close()
    assert "Traceback" not in shown
    assert "fault" not in shown
    assert asked.exitstatus in (0, 1, 130), shown


NOT_TEXT = os.fsdecode(b"\xff\xe4")


@pytest.mark.skipif(sys.platform == "win32", reason="arguments are text there")
@pytest.mark.parametrize(
    "arguments",
    [
        ["ask", "-m", NOT_TEXT, "x"],
        ["ask", "-m", "demo", "-f", NOT_TEXT, "x"],
        ["ask", "-m", "demo", "-t", NOT_TEXT, "x"],
        ["ask", "-m", "demo", "-o", NOT_TEXT, "x"],
        ["ask", "-m", "demo", "-p", NOT_TEXT, "x"],
        ["ask", "-m", "demo", "--schema", NOT_TEXT, "x"],
        ["ask", "-m", "demo", "--cid", NOT_TEXT, "x"],
        ["ask", "-m", "demo", "--lang", NOT_TEXT, "x"],
        ["config", "set", "model", NOT_TEXT],
        ["config", "set", NOT_TEXT, "1"],
        ["config", "set", NOT_TEXT],
        ["templates", "show", NOT_TEXT],
        ["templates", "new", NOT_TEXT],
        ["logs", "search", NOT_TEXT],
        ["logs", "show", NOT_TEXT],
        ["logs", "rm", NOT_TEXT],
        ["logs", "export", NOT_TEXT, NOT_TEXT],
        ["models", "show", NOT_TEXT],
        ["models", "rm", NOT_TEXT],
        ["models", "import", NOT_TEXT],
        ["models", "path", NOT_TEXT],
        ["pull", NOT_TEXT],
        ["pull", NOT_TEXT + ".gguf"],
        ["pull", "-y", "--offline", "owner/repository:" + NOT_TEXT + ".gguf"],
        ["pack", NOT_TEXT, "-m", NOT_TEXT],
        [NOT_TEXT],
    ],
    ids=lambda arguments: " ".join(arguments).replace(NOT_TEXT, "?"),
)
def test_arguments_that_are_not_text_are_refused_like_any_other(qwen: Run, arguments: list[str]) -> None:
    done = qwen(*arguments, env={**os.environ, "EDITOR": "true", "VISUAL": ""})
    said = done.stderr.decode()
    assert done.returncode in (0, 1, 2, 74), said
    assert "Traceback" not in said
    assert "fault" not in said


@pytest.fixture
def one_core() -> Iterator[Path]:
    """A control group that may use one core; only root can create one, and not on every system."""
    for mount, file, quota in (
        ("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "100000"),
        ("/sys/fs/cgroup", "cpu.max", "100000 100000"),
    ):
        group = Path(mount, f"qwen-tui-test-{os.getpid()}")
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / file).write_text(quota)
            yield group
        except OSError:
            continue
        finally:
            group.rmdir()
        return
    pytest.skip("needs a control group of its own")


@pytest.mark.skipif(len(getattr(os, "sched_getaffinity", lambda _pid: ())(0)) < 2, reason="needs two cores")
def test_within_a_quota_fewer_threads_compute_and_doctor_says_why(qwen: Run, one_core: Path) -> None:
    def join() -> None:
        (one_core / "cgroup.procs").write_text(str(os.getpid()))

    said = qwen("doctor", "-m", "demo", preexec_fn=join).stdout.decode()
    assert "1 of " in said
    assert "a quota of the container or service" in said
    assert "1 thread · " in said
    bound = qwen("doctor", "-m", "demo", "--threads", "2", preexec_fn=join).stdout.decode()
    assert "2 threads are set, more than the cores this program may use (1)" in bound

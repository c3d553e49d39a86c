"""Configuration, files, and what importing the package must not need."""

import errno
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from qwen_tui import config, files, i18n
from qwen_tui.errors import ConfigError, WriteError
from qwen_tui.explanations import explanation
from tests.conftest import Run


def test_flags_aside_environment_wins_over_file_over_defaults(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('temperature = 0.3\nmodel = "from-file"\n')
    loaded = config.load(file, {"QWEN_TUI_MODEL": "from-environment", "QWEN_TUI_LANG": "zh"})
    assert (loaded.config.temperature, loaded.config.model, loaded.config.language) == (0.3, "from-environment", "zh")
    assert loaded.config.top_p == 0.8
    assert loaded.sources == {"temperature": "file", "model": "environment", "language": "environment"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("temperature = 'hot'", "temperature"),
        ("colour = 1", "no setting “colour”"),
        ("top_p = 1.5", "between 0 and 1"),
        ("= 3", "not valid TOML"),
        ("language = 'fr'", "zh, en"),
        ("seed = 'x'", "a whole number"),
        ("min_p = 'x'", "a number"),
        ("history = 'perhaps'", "true or false"),
        ("model = 4", "a text"),
        ("gpu_layers = -1", "auto, all, or a number"),
        ("gpu_layers = true", "auto, all, or a number"),
        ("seed = " + "9" * 5000, "not valid TOML"),
        ("seed = " + "[" * 5000, "not valid TOML"),
    ],
)
def test_an_unusable_settings_file_is_named(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=words) as raised:
        config.load(file, {})
    assert str(file) in raised.value.message


def test_setting_a_value_keeps_the_rest_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("# mine\ntop_k = 5  # few\n")
    config.set_value(file, "temperature", "0.5")
    assert file.read_text() == "# mine\ntop_k = 5  # few\ntemperature = 0.5\n"
    config.set_value(file, "top_k", None)
    assert "top_k" not in file.read_text()
    assert "# mine" in file.read_text()


@pytest.mark.parametrize("written", ["20", '"20"'])
def test_layers_are_written_as_a_number_or_as_a_text(tmp_path: Path, written: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"gpu_layers = {written}")
    assert config.load(file, {}).config.gpu_layers == "20"


def test_each_invalid_setting_is_reported_with_its_line_and_the_others_count(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    text = 'system = """\ntop_k = 3\n"""\ntop_p = 7\n\n[colour]\nred = 1\n'
    file.write_bytes(text.replace("\n", "\r\n").encode())
    settings = config.read(file, {"QWEN_TUI_TEMPERATURE": "hot", "QWEN_TUI_TOP_K": "5"})
    assert (settings.config.system, settings.config.top_k, settings.config.top_p) == ("top_k = 3\n", 5, 0.8)
    top_p, colour, temperature = settings.problems
    assert f"{file}, line 4: " in top_p.message
    assert f"{file}, line 6: " in colour.message
    assert "qwen config set colour" in colour.remedy
    assert "QWEN_TUI_TEMPERATURE" in temperature.message
    assert "QWEN_TUI_TEMPERATURE" in temperature.remedy, "not the file"


def test_a_file_that_is_not_utf_8_is_reported_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes('# mine\nsystem = "简短"\n'.encode("gbk"))
    with pytest.raises(ConfigError, match="line 2: it is not UTF-8"):
        config.load(file, {})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# mine\r\ntop_k = 5  # few\r\n", "# mine\r\ntop_k = 5  # few\r\nmin_p = 0.5\r\n"),
        ("\ufefftop_k = 5\n", "\ufefftop_k = 5\nmin_p = 0.5\n"),
        ("top_k = 5", "top_k = 5\nmin_p = 0.5\n"),
        ("top_k = 5\r\n# end", "top_k = 5\r\n# end\r\nmin_p = 0.5\r\n"),
        ("min_p = 0  # none", "min_p = 0.5  # none"),
        ("[table]\nx = 1\n", "min_p = 0.5\n\n[table]\nx = 1\n"),
    ],
)
def test_other_content_of_the_file_stays(tmp_path: Path, before: str, after: str) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(before.encode())
    config.set_value(file, "min_p", "0.5")
    assert file.read_bytes().decode() == after


def test_an_unknown_setting_can_be_removed_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("colour = 1\ntop_k = 5\n")
    config.set_value(file, "colour", None)
    assert file.read_text() == "top_k = 5\n"
    with pytest.raises(ConfigError, match="no setting"):
        config.set_value(file, "colour", None)


@pytest.mark.parametrize("content", [b"top_k = [", b"top_k = 5 # \xff\n"])
def test_an_unreadable_file_is_not_overwritten(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        config.set_value(file, "min_p", "0.5")
    assert "qwen config edit" in raised.value.remedy
    assert file.read_bytes() == content


def test_config_commands(qwen: Run, home: Path) -> None:
    file = home / "config.toml"
    assert qwen("config", "path").stdout.decode().strip() == str(file)
    assert qwen("config", "set", "temperature", "0.25").stdout.decode() == f"Set in {file}: temperature = 0.25\n"
    shown = qwen("config", "show", env={**os.environ, "QWEN_TUI_TOP_K": "9"}).stdout.decode()
    assert f"temperature = 0.25  # from {file}" in shown
    assert "top_k = 9  # from QWEN_TUI_TOP_K" in shown
    assert f"# {explanation('top_p')}\ntop_p = 0.8  # default\n" in shown
    assert "seed = (random)  # default" in shown
    one = qwen("config", "show", "seed").stdout.decode().splitlines()
    assert one == [f"# {explanation('seed')}", "seed = (random)  # default"]
    back = qwen("config", "set", "temperature").stdout.decode()
    assert back == f"Removed from {file}: temperature is 0.7 again, its default.\n"
    environment = {**os.environ, "EDITOR": f"{sys.executable} -c 'raise SystemExit(0)'", "VISUAL": ""}
    assert qwen("config", "edit", env={**environment, "EDITOR": "true"}).returncode == 0
    assert b"EDITOR" in qwen("config", "edit", env={**environment, "EDITOR": "no-such-editor"}).stderr


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_a_new_file_begins_with_every_setting_explained_and_none_in_force(qwen: Run, home: Path, language: str) -> None:
    environment = {**os.environ, "EDITOR": "true", "VISUAL": "", "QWEN_TUI_LANG": language}
    assert qwen("config", "edit", env=environment).returncode == 0
    file = home / "config.toml"
    text = file.read_text(encoding="utf-8")
    assert config.load(file, {}).sources == {}
    # What a person does next: every setting without its #.
    file.write_text(re.sub(r"(?m)^# (?=[a-z_]+ = )", "", text), encoding="utf-8")
    assert set(config.load(file, {}).sources) == set(config.FIELDS)
    for name in config.FIELDS:
        assert f"# {explanation(name)}\n" in text or language != "en"


def test_of_an_unknown_setting_those_like_it_are_named(qwen: Run) -> None:
    for words in (["set", "temprature", "1"], ["set", "Top-P", "1"], ["show", "temperatur"]):
        refused = qwen("config", *words)
        assert refused.returncode in (1, 2)
        near = "top_p" if "Top-P" in words else "temperature"
        assert f"Did you mean: {near}" in refused.stderr.decode()
    assert "-o temprature=1: there is no setting" in qwen("ask", "-o", "temprature=1", "x").stderr.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_written_files_are_private_under_any_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files.write_private(tmp_path / "above" / "new" / "file", b"secret")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "above").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "above" / "new").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "above" / "new" / "file").stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_a_link_stays_a_link_and_its_target_keeps_its_permissions(tmp_path: Path) -> None:
    kept, link = tmp_path / "dotfiles" / "file", tmp_path / "home" / "file"
    files.write_private(kept, b"old")
    kept.chmod(0o640)
    link.parent.mkdir()
    link.symlink_to(Path("..", "dotfiles", "file"))
    files.write_private(link, b"new")
    assert link.is_symlink()
    assert kept.read_bytes() == b"new"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o640
    assert list(kept.parent.iterdir()) == [kept]


@pytest.mark.skipif(sys.platform == "win32", reason="links")
def test_a_link_may_lead_to_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("file")
    files.save_new(link, "text")
    assert link.is_symlink()
    assert (tmp_path / "file").read_text() == "text"
    lost = tmp_path / "lost"
    lost.symlink_to(tmp_path / "unplugged" / "file")
    with pytest.raises(WriteError, match="No such file"):
        files.save_new(lost, "text")
    assert not (tmp_path / "unplugged").exists(), "nothing is made where a disk is missing"


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EACCES])
def test_a_file_that_cannot_be_replaced_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_names: object) -> None:
        raise OSError(number, os.strerror(number))

    file = tmp_path / "mounted"
    file.write_bytes(b"a long old text")
    monkeypatch.setattr(Path, "replace", refuse)
    files.write_private(file, b"new")
    assert file.read_bytes() == b"new"
    with pytest.raises(OSError):
        files.write_private(tmp_path / "another", b"new")
    assert list(tmp_path.iterdir()) == [file]


def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.mkdir()
    with pytest.raises(OSError):
        files.write_private(file, b"new")
    assert list(tmp_path.iterdir()) == [file]


def test_packaged_folders_are_found_inside_the_package_or_beside_it(tmp_path: Path) -> None:
    package = tmp_path / "qwen_tui"
    (tmp_path / "templates").mkdir()
    package.mkdir()
    assert files.packaged("templates", package) == tmp_path / "templates"
    (package / "templates").mkdir()
    assert files.packaged("templates", package) == package / "templates"


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from qwen_tui.cli.main import main; main(['--help']);"
        "heavy = {'llama_cpp', 'prompt_toolkit', 'huggingface_hub', 'rich', 'numpy', 'markdown_it', 'psutil'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout.decode()
    assert "ask" in printed
    assert printed.splitlines()[-1] == "[]"


def test_a_question_imports_nothing_that_it_does_not_need() -> None:
    program = (
        "import sys; from qwen_tui.cli.main import main; main(['ask', '-m', 'demo', '-o', 'max_tokens=1', 'Hello']);"
        "rooms = 'pydantic', 'qwen_tui.documents.pdf', 'qwen_tui.engine.remote', 'qwen_tui.network';"
        "rooms += ('qwen_tui.chat.checking.checking',);"
        "print(sorted(name for name in sys.modules if name.startswith((*rooms, 'qwen_tui.cli.chat'))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, stdin=subprocess.DEVNULL)
    assert done.stdout.decode().splitlines()[-1] == "[]"


def test_every_module_imports_where_posix_modules_are_missing() -> None:
    program = """
import importlib, pkgutil, sys
# The libraries choose their Windows halves by sys.platform; it is our own modules that are asked here.
import prompt_toolkit.shortcuts, psutil, subprocess
for missing in ("termios", "fcntl", "resource", "pwd", "grp", "tty", "pty"):
    sys.modules[missing] = None
import qwen_tui
names = [module.name for module in pkgutil.walk_packages(qwen_tui.__path__, "qwen_tui.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert int(done.stdout) > 30

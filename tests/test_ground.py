"""Configuration, files, and what importing the package may not need."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from qwen_tui import config, files
from qwen_tui.errors import ConfigError
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
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: str, words: str) -> None:
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


def test_config_commands(qwen: Run, home: Path) -> None:
    assert qwen("config", "path").stdout.decode().strip() == str(home / "config.toml")
    assert qwen("config", "set", "temperature", "0.25").returncode == 0
    shown = qwen("config", "show", env={**os.environ, "QWEN_TUI_TOP_K": "9"}).stdout.decode()
    assert f"temperature = 0.25  # {home / 'config.toml'}" in shown
    assert "top_k = 9  # QWEN_TUI_TOP_K" in shown
    assert "top_p = 0.8  # default" in shown
    environment = {**os.environ, "EDITOR": f"{sys.executable} -c 'raise SystemExit(0)'", "VISUAL": ""}
    assert qwen("config", "edit", env={**environment, "EDITOR": "true"}).returncode == 0
    assert b"EDITOR" in qwen("config", "edit", env={**environment, "EDITOR": "no-such-editor"}).stderr


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_what_is_written_is_private_under_any_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files.write_private(tmp_path / "above" / "new" / "file", b"secret")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "above").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "above" / "new").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "above" / "new" / "file").stat().st_mode) == 0o600


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

"""Every connection that the program opens: none where it stays offline, local, or without consent."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from tests.engine.remote.fake_server import FakeServer, serving

FOREIGN = "gpu.example.org"
# Python's own log of what a program does: no library in this process opens a connection past it.
_seen: list[str] = []
_watching = False
_hooked: list[bool] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching or event not in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        return
    target = arguments[1] if event != "socket.getaddrinfo" else arguments[:2]
    host = target[0] if isinstance(target, tuple) else target
    _seen.append(f"{event} {host.decode() if isinstance(host, bytes) else host}")


@pytest.fixture
def connections() -> Iterator[list[str]]:
    """What is connected to, and looked up, in the process of the test."""
    global _watching
    if not _hooked:
        # There is no way to take it out again.
        sys.addaudithook(_hook)
        _hooked.append(True)
    _seen.clear()
    _watching = True
    yield _seen
    _watching = False


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with serving() as running:
        yield running


def settings(home: Path, url: str) -> None:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(f'[servers.lab]\nurl = "{url}"\n')


def test_a_local_model_opens_no_connection(qwen: Run, connections: list[str]) -> None:
    assert qwen("ask", "-m", "demo", "-n", "Hi").returncode == 0
    assert connections == []


def test_offline_opens_none_whatever_the_model_is(
    qwen: Run, server: FakeServer, home: Path, connections: list[str]
) -> None:
    settings(home, server.url)
    assert qwen("ask", "--offline", "-m", "lab", "-n", "Hi").returncode == 1
    assert qwen("ask", "--offline", "-m", "demo", "-n", "Hi").returncode == 0
    assert connections == []


def test_a_server_on_this_computer_is_the_only_one_that_is_asked(
    qwen: Run, server: FakeServer, home: Path, connections: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    settings(home, server.url)
    assert qwen("ask", "-m", "lab", "-n", "Hi").returncode == 0
    assert set(connections) == {"socket.connect 127.0.0.1", "socket.getaddrinfo 127.0.0.1"}


@pytest.mark.parametrize(
    "command",
    [
        ("ask", "-m", "lab", "-n", "Hi"),
        ("ask", "-m", "lab", "--dry-run", "Hi"),
        ("bench", "-m", "lab"),
        ("doctor", "-m", "lab"),
        ("servers", "test", "lab"),
        ("servers", "list"),
        ("servers", "add", "other", f"https://{FOREIGN}/v1"),
        ("models", "use", "lab"),
        ("config", "show"),
    ],
)
def test_without_consent_not_even_the_name_of_a_foreign_host_is_looked_up(
    qwen: Run, home: Path, connections: list[str], command: tuple[str, ...]
) -> None:
    settings(home, f"https://{FOREIGN}/v1")
    qwen(*command)
    assert connections == []

"""Servers as engines, as a person uses them: set up, chosen with -m, named on the screen, and never asked unasked."""

import json
import os
import re
import socket
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qwen_tui.chat.conversation import Conversation
from qwen_tui.cli import completion_values, wiring
from qwen_tui.cli.toolbar import toolbar
from qwen_tui.config import Config
from qwen_tui.history.store import History
from qwen_tui.messages import Waiting
from qwen_tui.network import key_store
from qwen_tui.servers import Server, address
from qwen_tui.terminal.progress import StatusLine
from tests.conftest import Run
from tests.engine.remote.fake_server import FakeServer, Reply, events, said, serving
from tests.program import call, environment
from tests.streams import TerminalStream

FOREIGN = "gpu.example.org"
KEY = "sk-very-secret-0123456789"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with serving() as running:
        yield running


@pytest.fixture
def foreign(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of the server under a name that is not this computer."""
    look_up = socket.getaddrinfo

    def to_loopback(host: Any, *others: Any, **more: Any) -> Any:
        return look_up("127.0.0.1" if host in (FOREIGN, FOREIGN.encode()) else host, *others, **more)

    monkeypatch.setattr(socket, "getaddrinfo", to_loopback)
    return f"http://{FOREIGN}:{server.port}"


def settings(home: Path) -> str:
    return (home / "config.toml").read_text(encoding="utf-8")


def test_a_server_is_set_up_listed_tested_asked_and_forgotten(server: FakeServer, home: Path) -> None:
    added = call("servers", "add", "lab", f"127.0.0.1:{server.port}/v1/chat/completions", "--parallel", "2")
    assert added.code == 0
    assert f"Set up: lab is {server.url}/v1" in added.out
    assert "qwen chat -m lab" in added.err
    assert settings(home) == f'[servers.lab]\nurl = "{server.url}/v1"\nparallel = 2\n'
    assert server.questions == []

    listed = call("servers", "list")
    assert listed.out.split() == ["lab", f"{server.url}/v1", "this", "computer", "no", "key"]
    assert json.loads(call("servers", "list", "--json").out)["servers"][0]["parallel"] == 2

    tested = call("servers", "test", "lab")
    assert tested.code == 0
    assert re.search(r"answers +after \d", tested.out)
    assert json.loads(call("servers", "test", "lab", "--json").out)["model"] == "tiny"

    asked = call("ask", "-m", "lab", "Hi")
    assert (asked.code, asked.out) == (0, "Hello there\n")
    # This computer is not named: nothing leaves it.
    assert asked.err == ""

    assert call("servers", "rm", "lab").out == "lab is forgotten.\n"
    assert settings(home) == ""
    gone = call("servers", "rm", "lab")
    assert (gone.code, "no server “lab”" in gone.err) == (2, True)


def test_the_models_of_a_server_are_named_and_completed(home: Path) -> None:
    with serving(models=[{"id": "org/big"}, {"id": "small"}]) as server:
        call("servers", "add", "lab", server.url)
        several = call("ask", "-m", "lab", "Hi")
        assert several.code == 1
        assert "several models: org/big, small" in several.err
        assert "-m lab/org/big" in several.err
        assert call("ask", "-m", "lab/org/big", "Hi").out == "Hello there\n"
        assert server.questions[-1].body["model"] == "org/big"
        assert completion_values.of(["ask"], "model", "lab/", []) == [("lab/org/big", ""), ("lab/small", "")]
        assert ("lab", f"127.0.0.1:{server.port}") in (completion_values.of(["ask"], "model", "", []) or [])
        assert completion_values.of(["servers", "rm"], "name", "", []) == [("lab", f"127.0.0.1:{server.port}")]
        call("servers", "add", "lab", server.url, "--model", "small")
        call("ask", "-m", "lab", "Hi")
        assert server.questions[-1].body["model"] == "small"


def test_what_a_name_means_goes_in_the_order_of_the_manual(
    server: FakeServer, tiny: Path, qwen: Run, tmp_path: Path
) -> None:
    """Before a path, a server; but a path that begins with a dot is none."""
    call("servers", "add", "lab", server.url)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "tiny.gguf").write_bytes(tiny.read_bytes())
    assert qwen("ask", "-m", "lab/tiny.gguf", "Hi").stdout == b"Hello there\n"
    assert server.questions[-1].body["model"] == "tiny.gguf"
    sent = len(server.sent)
    assert qwen("ask", "-m", "./lab/tiny.gguf", "-o", "max_tokens=2", "Hi").returncode == 0
    assert len(server.sent) == sent


@pytest.mark.parametrize("name", ["demo", "a b", "x/y", "file.gguf", "qwen3-4b-instruct", "-x", ""])
def test_a_name_that_means_something_else_is_refused(name: str, server: FakeServer, home: Path) -> None:
    refused = call("servers", "add", "--", name, server.url)
    assert refused.code == 2
    assert not (home / "config.toml").exists()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("ftp://x", "http:// or https://"),
        (f"http://user:{KEY}@host/v1", "a name or a password"),
        (f"https://host/v1?key={KEY}", "a question mark"),
        ("http://", "not an address"),
        ("http://host:0", "not an address"),
        ("http://evil.example\\@127.0.0.1/", "a name or a password"),
    ],
)
def test_an_address_that_cannot_be_or_holds_a_secret_is_refused(typed: str, words: str, home: Path) -> None:
    refused = call("servers", "add", "lab", typed, "--yes", "--allow-http")
    assert refused.code == 1
    assert words in refused.err
    assert KEY not in refused.err
    assert not (home / "config.toml").exists()


def test_a_key_in_place_of_a_variable_is_refused_and_not_shown(server: FakeServer, home: Path) -> None:
    refused = call("servers", "add", "lab", server.url, "--key-env", KEY)
    assert refused.code == 1
    assert "not the key itself" in refused.err
    assert KEY not in refused.err
    (home).mkdir(exist_ok=True)
    (home / "config.toml").write_text(f'[servers.lab]\nurl = "{server.url}"\nkey_env = "{KEY}"\n')
    assert KEY not in "".join(call("ask", "-m", "lab", "Hi")[1:])


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("servers = 5", "servers are tables"),
        ('[servers.lab]\nmodel = "x"', "no url"),
        ('[servers.lab]\nurl = "http://127.0.0.1:1"\nparalel = 2', "no setting “paralel”"),
        ('[servers.lab]\nurl = "http://127.0.0.1:1"\nparallel = "two"', "another kind"),
        ('[servers.lab]\nurl = "http://127.0.0.1:1"\nparallel = 0', "between 1 and 256"),
        ('[servers.demo]\nurl = "http://127.0.0.1:1"', "cannot be the name"),
    ],
)
def test_a_mistake_in_the_settings_is_named_with_its_place(written: str, words: str, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text(written)
    told = call("ask", "-m", "demo", "Hi")
    assert told.code == 1
    assert words in told.err
    assert str(home / "config.toml") in told.err


def test_nothing_goes_to_another_computer_without_consent(server: FakeServer, foreign: str, home: Path) -> None:
    # Nobody can be asked: nothing is set up, and the way to agree is named.
    refused = call("servers", "add", "lab", foreign, "--allow-http")
    assert refused.code == 2
    assert f"{FOREIGN}:{server.port} is not this computer" in refused.err
    assert "--yes" in refused.err
    # A person says no.
    assert call("servers", "add", "lab", foreign, "--allow-http", typed="n\n").code == 1
    assert not (home / "config.toml").exists()
    # Settings that came from elsewhere are no consent.
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(f'model = "lab"\n[servers.lab]\nurl = "{foreign}"\nallow_http = true\n')
    for command in (
        ["ask", "Hi"],
        ["ask", "-m", "lab/tiny", "Hi"],
        ["servers", "test", "lab"],
        ["bench", "-m", "lab"],
        ["doctor", "--network"],
        ["servers", "list"],
    ):
        told = call(*command)
        assert "agreed" in told.err + told.out, command
    assert completion_values.of(["ask"], "model", "lab/", []) == []
    assert server.sent == []


def test_a_foreign_host_is_named_whenever_it_is_asked(server: FakeServer, foreign: str) -> None:
    host = f"{FOREIGN}:{server.port}"
    assert call("servers", "add", "lab", foreign, "--allow-http", typed="y\n").code == 0
    for flags in ([], ["-q"], ["--json"], ["-u"]):
        asked = call("ask", "-m", "lab", *flags, "Hi")
        assert asked.code == 0
        assert f"The question goes to {host}." in asked.err
        assert host not in asked.out
    assert f"The question goes to {host}." in call("servers", "test", "lab").err
    # Another host under the same name has to be agreed to again.
    assert call("servers", "add", "lab", "https://other.example").code == 2
    # With the last server of a host, the consent goes.
    call("servers", "rm", "lab")
    assert call("servers", "add", "lab", foreign, "--allow-http").code == 2


def test_unattended_consent_is_given_in_so_many_words(server: FakeServer, foreign: str) -> None:
    assert call("servers", "add", "lab", foreign, "--allow-http", "--yes").code == 0
    assert call("ask", "-m", "lab", "Hi").out == "Hello there\n"


def test_a_foreign_server_without_tls_is_refused_unless_said(server: FakeServer, foreign: str, home: Path) -> None:
    refused = call("servers", "add", "lab", foreign, "--yes")
    assert refused.code == 2
    assert "without TLS" in refused.err
    assert "--allow-http" in refused.err
    call("servers", "add", "lab", foreign, "--yes", "--allow-http")
    text = settings(home).replace("allow_http = true\n", "")
    (home / "config.toml").write_text(text)
    sent = len(server.sent)
    assert "without TLS" in call("ask", "-m", "lab", "Hi").err
    assert len(server.sent) == sent


def test_offline_asks_no_server_not_even_here(server: FakeServer, home: Path) -> None:
    call("servers", "add", "lab", server.url)
    sent = len(server.sent)
    told = call("ask", "-m", "lab", "--offline", "Hi")
    assert told.code == 1
    assert "--offline" in told.err
    opener = wiring.opener(environment(), Config(servers={"lab": Server(url=server.url)}), None, offline=True)  # type: ignore[arg-type]
    with pytest.raises(Exception, match="--offline"):
        opener("lab")
    assert len(server.sent) == sent


def test_no_proxy_is_used_for_this_computer(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    call("servers", "add", "lab", server.url)
    assert call("ask", "-m", "lab", "Hi").out == "Hello there\n"


def test_a_key_comes_from_its_variable_and_is_shown_nowhere(
    server: FakeServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = "".join(call("servers", "add", "lab", server.url, "--key-env", "LAB_KEY")[1:])
    unset = call("ask", "-m", "lab", "Hi")
    assert unset.code == 1
    assert "the variable LAB_KEY with its key is not set" in unset.err
    assert "LAB_KEY, which is not set" in call("servers", "list").out
    assert server.sent == []
    monkeypatch.setenv("LAB_KEY", KEY)
    monkeypatch.setenv("QWEN_TUI_DEBUG", "1")
    assert call("ask", "-m", "lab", "Hi").code == 0
    assert server.questions[-1].headers["authorization"] == f"Bearer {KEY}"
    server.replies = [Reply([f'{{"error":{{"message":"bad key {KEY}"}}}}'.encode()], 401, kind="application/json")]
    for command in (
        ["ask", "-m", "lab", "Hi"],
        ["servers", "list"],
        ["servers", "list", "--json"],
        ["servers", "test", "lab"],
        ["config", "show"],
        ["doctor", "-m", "lab", "--network", "--json"],
        ["logs", "export", "--all"],
    ):
        shown += "".join(call(*command)[1:])
    assert "does not accept the key" in shown
    assert KEY not in shown
    for file in home.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file


@pytest.mark.parametrize("key", ["sk\nline", "schlüssel", "\x1b[31m"])
def test_what_cannot_be_a_key_is_refused(key: str, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    call("servers", "add", "lab", server.url, "--key-env", "LAB_KEY")
    monkeypatch.setenv("LAB_KEY", key)
    told = call("ask", "-m", "lab", "Hi")
    assert told.code == 1
    assert "cannot be a key" in told.err
    assert server.sent == []


def test_a_key_in_the_keyring_is_typed_unseen_and_removed_with_its_server(
    server: FakeServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: dict[tuple[str, str], str] = {}
    keyring = types.SimpleNamespace(
        get_password=lambda service, name: kept.get((service, name)),
        set_password=lambda service, name, key: kept.__setitem__((service, name), key),
        delete_password=lambda service, name: kept.pop((service, name)),
    )
    monkeypatch.setattr(key_store, "_library", lambda: keyring)
    monkeypatch.setattr("qwen_tui.cli.servers.getpass", lambda _prompt, _stream: KEY)
    added = call("servers", "add", "lab", server.url, "--keyring", typed="")
    assert added.code == 0
    assert kept == {("qwen-tui", "lab"): KEY}
    assert KEY not in settings(home) + added.out + added.err
    assert call("ask", "-m", "lab", "Hi").code == 0
    assert server.questions[-1].headers["authorization"] == f"Bearer {KEY}"
    call("servers", "rm", "lab")
    assert kept == {}
    # Without a terminal, nobody can type a key.
    assert call("servers", "add", "lab", server.url, "--keyring").code == 2


def test_a_missing_keyring_library_is_named(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)
    monkeypatch.setattr("qwen_tui.cli.servers.getpass", lambda _prompt, _stream: KEY)
    told = call("servers", "add", "lab", server.url, "--keyring", typed="")
    assert told.code == 1
    assert "qwen-tui[keyring]" in told.err
    assert KEY not in told.err


def test_a_conversation_with_a_server_is_kept_and_goes_on(server: FakeServer, home: Path) -> None:
    call("servers", "add", "lab", server.url)
    call("ask", "-m", "lab/tiny", "First")
    assert call("ask", "-c", "Second").out == "Hello there\n"
    assert [message["content"] for message in server.questions[-1].body["messages"]] == [
        "First",
        "Hello there",
        "Second",
    ]
    assert History(home / "history.db").recent(1)[0].model == "lab/tiny"
    call("servers", "rm", "lab")
    gone = call("ask", "-c", "Third")
    assert gone.code == 1
    assert "lab/tiny" in gone.err
    assert "-m MODEL" in gone.err


def test_a_file_is_asked_about_and_json_says_which_model_answered(server: FakeServer, tmp_path: Path) -> None:
    call("servers", "add", "lab", server.url)
    (tmp_path / "note.txt").write_text("The meeting is on Friday.")
    printed = json.loads(call("ask", "-m", "lab", "--json", "-f", tmp_path / "note.txt", "When?").out)
    assert printed["answer"] == "Hello there"
    assert printed["model"] == "lab"
    assert "Friday" in server.questions[-1].body["messages"][-1]["content"]


def test_an_answer_by_a_schema_is_checked_here_whatever_the_server_did(server: FakeServer) -> None:
    schema = '{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}'
    call("servers", "add", "lab", server.url)
    server.replies = [Reply(said('{"a":', " 5}"))]
    assert call("ask", "-m", "lab", "--schema", schema, "Hi").out == '{"a": 5}\n'
    assert server.questions[-1].body["response_format"]["type"] == "json_schema"
    server.replies = [Reply(said('{"a": "five"}'))]
    wrong = call("ask", "-m", "lab", "--schema", schema, "Hi")
    assert wrong.code == 1
    assert "does not follow the schema" in wrong.err


def test_reasoning_is_no_part_of_the_answer(server: FakeServer, home: Path) -> None:
    thought = {"choices": [{"index": 0, "delta": {"reasoning_content": "Let me see."}}]}
    server.replies = [Reply([*events(thought, done=False), *said("\n\nFriday.")])]
    call("servers", "add", "lab", server.url)
    assert call("ask", "-m", "lab", "When?").out.strip() == "Friday."
    server.replies = [Reply(said("<think>Let me", " see.</think>", "Friday."))]
    assert call("ask", "-m", "lab", "When?").out == "Friday.\n"
    assert "Let me see" not in call("logs", "export", History(home / "history.db").recent(1)[0].id).out


def test_what_came_before_a_failure_is_kept(server: FakeServer, home: Path) -> None:
    call("servers", "add", "lab", server.url)
    server.replies = [Reply(said("Half an answer", reason=None, done=False))]
    broken = call("ask", "-m", "lab", "Hi")
    assert (broken.code, broken.out) == (1, "Half an answer\n")
    assert "the connection broke" in broken.err
    assert "Half an answer" in call("logs", "show", History(home / "history.db").recent(1)[0].id).out


def test_a_server_can_be_the_default_and_is_left_out_of_what_is_about_files(
    server: FakeServer, tiny: Path, tmp_path: Path
) -> None:
    call("servers", "add", "lab", server.url)
    assert call("models", "use", "lab").out == "lab answers from now on where no other model is named.\n"
    assert call("ask", "Hi").out == "Hello there\n"
    assert "it is on a server" in call("models", "list").err
    for command in (["models", "show"], ["models", "show", "lab"], ["models", "path", "lab/tiny"]):
        assert "is on a server" in call(*command).err
    assert "a pack leaves servers out" in call("pack", tmp_path / "p").err
    assert "nothing to fetch" in call("pull", "lab").out
    assert "is tuned where it runs" in call("tune").err
    (tmp_path / "note.txt").write_text("Friday.")
    assert "takes a model on this computer" in call("read", tmp_path / "note.txt").err
    assert f'[servers.lab]\nurl = "{server.url}"' in call("config", "show").out
    # A pack of another model brings no server, which nobody there has agreed to.
    packed = call("pack", tmp_path / "packed", "-m", tiny)
    assert packed.code == 0
    assert "servers" not in (tmp_path / "packed" / "config.toml").read_text()


def test_bench_and_doctor_say_what_they_can_of_a_server(server: FakeServer) -> None:
    call("servers", "add", "lab", server.url, "--parallel", "2")
    usage = {"choices": [], "usage": {"prompt_tokens": 500, "completion_tokens": 2}}
    server.replies = [Reply([*said("1", " 2", done=False), *events(usage)])]
    measured = json.loads(call("bench", "-m", "lab", "--quick", "--json").out)
    assert [one["at_once"] for one in measured["together"]] == [1, 2]
    assert measured["prompt_tokens"] == 500
    table = call("bench", "-m", "lab", "--quick").out
    assert "writing, 2 questions at once, together" in table
    sent = len(server.sent)
    assert "not asked; with --network it is" in call("doctor", "-m", "lab").out
    assert len(server.sent) == sent
    told = call("doctor", "-m", "lab", "--network").out
    assert f"127.0.0.1:{server.port}, this computer" in told
    assert "a server does not tell" in " ".join(told.split())


def test_the_toolbar_names_the_other_computer_before_anything_is_asked() -> None:
    servers = {"lab": Server(url=f"https://{FOREIGN}"), "here": Server(url="http://127.0.0.1:9")}
    set_up = Config(servers=servers)
    session = types.SimpleNamespace(
        keeper=types.SimpleNamespace(model="lab/org/big"),
        engine=types.SimpleNamespace(host=FOREIGN, loading=lambda: None, reading_ahead=lambda: None),
        info=None,
        last=None,
        conversation=Conversation(),
    )
    parts = toolbar(session, set_up)  # type: ignore[arg-type]
    # Rank 0 is never left out, however narrow the terminal.
    assert parts == [(0, "lab/big"), (0, FOREIGN)]


def test_a_server_that_is_waited_for_is_named_and_after_a_while_called_busy() -> None:
    stream, now = TerminalStream(), iter(range(100))
    line = StatusLine(stream, clock=lambda: float(next(now)))
    for seconds in (0.1, 1.0, 40.0):
        line.show(Waiting("gpu.example.org", seconds))
    assert "Waiting for gpu.example.org …" in stream.getvalue()
    assert "gpu.example.org is busy, or still reading: 40 s …" in stream.getvalue()


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("localhost:8080", "http://localhost:8080"),
        ("127.0.0.1:8080/v1/", "http://127.0.0.1:8080/v1"),
        ("gpu.example.org", "https://gpu.example.org"),
        ("http://gpu.example.org/v1/models", "http://gpu.example.org/v1"),
    ],
)
def test_an_address_is_completed_as_people_type_it(typed: str, url: str) -> None:
    assert address(typed) == url


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://localhost", True),
        ("http://127.8.9.1:1", True),
        ("http://[::1]:1", True),
        ("http://[::ffff:127.0.0.1]", True),
        ("http://0.0.0.0:1", True),
        ("http://localhost.example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("http://192.168.1.5", False),
        ("http://127.1", False),
    ],
)
def test_only_what_is_surely_this_computer_counts_as_such(url: str, here: bool) -> None:
    assert Server(url=url).is_here is here


def test_the_environment_has_no_servers(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_TUI_SERVERS", "x")
    call("servers", "add", "lab", server.url)
    assert "lab" in call("servers", "list").out
    assert os.environ["QWEN_TUI_SERVERS"] == "x"

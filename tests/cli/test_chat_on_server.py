"""A conversation with a server in a terminal: its models by Tab, where the words go, and Ctrl-C."""

import sys

import pytest

from tests.conftest import COMMAND
from tests.engine.remote.fake_server import Reply, said, serving
from tests.program import call

if sys.platform == "win32":
    pytest.skip("needs a POSIX terminal", allow_module_level=True)

from tests.terminal_screen import CTRL_C, ENTER, Terminal


def test_a_conversation_with_a_server() -> None:
    with serving(models=[{"id": "small"}, {"id": "vast"}]) as server:
        call("servers", "add", "lab", server.url, "--model", "small")
        terminal = Terminal(*COMMAND, "chat", "-m", "lab")
        try:
            terminal.wait_for("\n>", "Ctrl-D leaves")
            terminal.enter("Hi")
            assert "Hello there" in terminal.wait_for(f"lab · 127.0.0.1:{server.port} · context")
            terminal.type("/model lab/v\t")
            terminal.wait_for("/model lab/vast")
            terminal.type(ENTER)
            terminal.wait_for("From here on lab/vast answers.")
            server.replies = [Reply([*said("Once", reason=None, done=False), 60.0])]
            terminal.enter("Tell")
            terminal.wait_for("Once")
            terminal.type(CTRL_C)
            terminal.wait_for("The answer was stopped.")
            assert server.hung_up.wait(5)
            assert server.questions[-1].body["model"] == "vast"
            assert terminal.leave() == 0
        finally:
            terminal.close()

"""Where a server is asked: its addresses, the key, and the time-outs."""

from dataclasses import dataclass

import msgspec

from qwen_tui.network.call import Call
from qwen_tui.network.request import Timeouts
from qwen_tui.servers import Server

# Until there is a connection, in seconds.
CONNECT = 10.0
# The body of a request goes to the network in pieces of so many bytes.
_PIECE = 64 << 10


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The server `name`, and the key for it, None if it needs none; nobody prints the key."""

    name: str
    server: Server
    key: str | None = None

    def __repr__(self) -> str:
        return f"Endpoint({self})"

    def __str__(self) -> str:
        """The server as messages name it."""
        return f"{self.name} ({self.server.host})"

    def call(self, url: str, body: object = None, *, accept: str = "application/json") -> Call:
        """Begin a call of `url`, with the `body` as JSON where there is one."""
        encoded = None if body is None else memoryview(msgspec.json.encode(body))
        pieces = (
            None if encoded is None else [bytes(encoded[at : at + _PIECE]) for at in range(0, len(encoded), _PIECE)]
        )
        timeouts = Timeouts(response=CONNECT, stall=self.server.silence, answer=self.server.patience + CONNECT)
        return Call(url, timeouts, body=pieces, token=self.key, accept=accept, direct=self.server.is_here)

"""A server on loopback that answers as a test has written it down, and remembers what it was sent."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tests.quiet_server import QuietHandler, QuietServer

CHAT = "/v1/chat/completions"
MODELS = "/v1/models"


class Sent(NamedTuple):
    """A request as it arrived; the names of the headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


class Reply(NamedTuple):
    """A response: its pieces are sent one after the other.

    A number among them is a pause in seconds, and a function is called: it returns when the response may go on. With
    `cut` the connection ends in the middle of the response.
    """

    pieces: Sequence[bytes | float | Callable[[], object]]
    status: int = 200
    headers: Mapping[str, str] = {}
    kind: str = "text/event-stream"
    cut: bool = False


class FakeServer:
    """Gives the next of `replies` to each question, and the last one to all that follow.

    `others` are the replies to other paths. More than `limit` questions at a time are refused.
    """

    def __init__(self, *replies: Reply, models: Sequence[Mapping[str, Any]] = ({"id": "tiny"},)) -> None:
        self.replies = list(replies)
        self.others: dict[str, Reply | Any] = {MODELS: {"object": "list", "data": list(models)}}
        self.sent: list[Sent] = []
        # How many questions are being answered now, and the most that were at the same time.
        self.at_once = self.most_at_once = 0
        self.limit: int | None = None
        self.refused = 0
        self.hung_up = threading.Event()
        self.lock = threading.Lock()
        self._server = _Server(self)
        self.port: int = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def questions(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.path == CHAT]

    def __enter__(self) -> "FakeServer":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


_NOTHING = Reply([b'{"error":"no such path"}'], 404, kind="application/json")


class _Server(QuietServer):
    def __init__(self, fake: FakeServer) -> None:
        super().__init__(_Handler)
        self.fake = fake


class _Handler(QuietHandler):
    server: _Server

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body: Any) -> None:
        fake, path = self.server.fake, self.path.partition("?")[0]
        headers = {name.lower(): value for name, value in self.headers.items()}
        fake.sent.append(Sent(self.command, path, headers, body))
        if path != CHAT:
            self._reply(as_reply(fake.others.get(path, _NOTHING)))
            return
        with fake.lock:
            is_refused = fake.limit is not None and fake.at_once >= fake.limit
            fake.refused += is_refused
            fake.at_once += not is_refused
            fake.most_at_once = max(fake.most_at_once, fake.at_once)
            reply = fake.replies.pop(0) if len(fake.replies) > 1 and not is_refused else fake.replies[0]
        if is_refused:
            self._reply(as_reply({"error": {"message": "Too many requests"}})._replace(status=429))
            return
        with contextlib.ExitStack() as answering:
            answering.callback(self._answered)
            try:
                self._reply(reply, answering)
            except OSError:
                fake.hung_up.set()

    def _answered(self) -> None:
        with self.server.fake.lock:
            self.server.fake.at_once -= 1

    def _reply(self, reply: Reply, answering: contextlib.ExitStack | None = None) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Connection", "close")
        if reply.cut:
            self.send_header("Content-Length", "1000000")
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        for number, piece in enumerate(reply.pieces, 1):
            if answering and number == len(reply.pieces) and isinstance(piece, bytes):
                # Whoever has read the last piece may ask the next question at once.
                answering.close()
            if isinstance(piece, bytes):
                self.wfile.write(piece)
            elif isinstance(piece, float):
                self._pause(piece)
            else:
                piece()
        self.close_connection = True

    def _pause(self, seconds: float) -> None:
        """Wait, and notice at once when the other side hangs up."""
        until = time.monotonic() + seconds
        self.connection.settimeout(0.02)
        while time.monotonic() < until:
            with contextlib.suppress(TimeoutError):
                if not self.connection.recv(1, socket.MSG_PEEK):
                    raise ConnectionResetError
        self.connection.settimeout(None)


def as_reply(told: Reply | Any) -> Reply:
    return told if isinstance(told, Reply) else Reply([json.dumps(told).encode()], kind="application/json")


def events(*chunks: Mapping[str, Any], done: bool = True) -> list[bytes]:
    """Return chunks as server-sent events."""
    lines = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks]
    return [*lines, b"data: [DONE]\n\n"] if done else lines


def said(*words: str, reason: str | None = "stop", done: bool = True) -> list[bytes]:
    """Return the events of a plain answer, a word a chunk."""
    chunks: list[Mapping[str, Any]] = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in words]
    if reason:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    return events(*chunks, done=done)


@contextlib.contextmanager
def serving(*replies: Reply, models: Sequence[Mapping[str, Any]] = ({"id": "tiny"},)) -> Iterator[FakeServer]:
    with FakeServer(*(replies or (Reply(said("Hello", " there")),)), models=models) as server:
        yield server

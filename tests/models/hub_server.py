"""A hub on loopback that can have every fault of networks and servers.

It has two ports, so that the redirection from the hub to the bytes leads to another origin. A test scripts the next
responses: for each port there is a list of behaviours, and each request takes the first. With an empty list, the
response has no fault.
"""

import contextlib
import functools
import hashlib
import json
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.quiet_server import QuietHandler, QuietServer

REPOSITORY, FILE = "acme/tiny-GGUF", "tiny-Q4_K_M.gguf"
NAME = f"{REPOSITORY}:{FILE}"
_STEP = 64 << 10
SIGNATURE = "Signature=secret-of-the-address"


@dataclass(frozen=True)
class Request:
    """A request to one of the ports (`hub` or `bytes`); the names in `headers` are in lower case."""

    port: str
    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def offset(self) -> int:
        return int(self.headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))


@dataclass
class Answering:
    """The response to one GET of the file: the bytes of `body` from `start` up to `until`, at `rate` bytes a second."""

    body: bytes | None = None
    ranges: bool = True
    shift: int = 0
    until: int | None = None
    length: int | None = None
    rate: float | None = None
    stall: bool = False
    chunked: bool = False
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    silent: bool = False


Behaviour = Answering | Callable[["Handler"], None]


class FaultyHub:
    """The servers, their requests, and how many bytes of files they have sent."""

    def __init__(self, content: Path, certificate: tuple[Path, Path] | None = None) -> None:
        """Serve `content` as `FILE` of `REPOSITORY`; with a `certificate` and its key, over TLS."""
        self.content = content
        # The repository has these files, all with the same content.
        self.files = [FILE]
        self.requests: list[Request] = []
        self.sent = 0
        self.at_hub: list[Behaviour] = []
        self.at_bytes: list[Behaviour] = []
        self.always: Answering | None = None
        self.etag: str | None = '"version-1"'
        self.linked_etag: str | None = f'"{self.sha256}"'
        self.closing = threading.Event()
        self._servers = {port: _Server(self, port) for port in ("hub", "bytes")}
        scheme = "http"
        if certificate:
            scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            for server in self._servers.values():
                server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{scheme}://127.0.0.1:{self._servers['hub'].server_port}"
        self.bytes_url = f"{scheme}://127.0.0.1:{self._servers['bytes'].server_port}"
        # The address of the bytes without the redirection of the hub.
        self.direct = f"{self.bytes_url}/files/{FILE}"

    @functools.cached_property
    def sha256(self) -> str:
        with self.content.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @property
    def size(self) -> int:
        return self.content.stat().st_size

    @property
    def gets(self) -> list[Request]:
        """The GET requests for the bytes."""
        return [request for request in self.requests if (request.port, request.method) == ("bytes", "GET")]

    def __enter__(self) -> "FaultyHub":
        for server in self._servers.values():
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.closing.set()
        for server in self._servers.values():
            server.shutdown()
            server.server_close()


class _Server(QuietServer):
    def __init__(self, hub: FaultyHub, port: str) -> None:
        super().__init__(Handler)
        self.hub = hub
        self.port = port


class Handler(QuietHandler):
    server: _Server

    @property
    def hub(self) -> FaultyHub:
        return self.server.hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        # A proxy gets the complete address.
        path = urlsplit(self.path).path
        self.hub.requests.append(Request(self.server.port, self.command, path, headers))
        script = self.hub.at_hub if self.server.port == "hub" else self.hub.at_bytes
        behaviour = script.pop(0) if script else None
        if callable(behaviour):
            behaviour(self)
        elif behaviour is None and self.server.port == "hub":
            self._resolve(path)
        else:
            self.give(behaviour or self.hub.always or Answering())

    def _resolve(self, path: str) -> None:
        """Do what the hub itself does: send the metadata, and redirect to the bytes."""
        if path.startswith("/api/models/"):
            siblings = [{"rfilename": name, "size": self.hub.size} for name in (*self.hub.files, "README.md")]
            body = json.dumps({"id": REPOSITORY, "siblings": siblings}).encode()
            self.reply(200, body=body, headers={"Content-Type": "application/json"})
        elif not path.startswith(f"/{REPOSITORY}/resolve/"):
            self.reply(401, {"X-Error-Code": "RepoNotFound"})
        elif unquote(path).rpartition("/")[2] not in self.hub.files:
            self.reply(404, {"X-Error-Code": "EntryNotFound"})
        else:
            etag = self.hub.linked_etag
            known = {"X-Linked-Etag": etag, "X-Linked-Size": str(self.hub.size)} if etag else {}
            self.reply(302, {"Location": f"{self.hub.direct}?{SIGNATURE}", "X-Repo-Commit": "0" * 40, **known})

    def reply(self, status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def give(self, how: Answering) -> None:
        """Send the file in the way that `how` says."""
        if how.silent:
            self.hub.closing.wait(60)
            return
        if how.status:
            self.reply(how.status, how.headers, how.body or b"")
            return
        size = self.hub.size if how.body is None else len(how.body)
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and how.ranges else 0
        if self.headers.get("If-Range") not in (None, self.hub.etag):
            start = 0
        if start >= size:
            self.reply(416, {"Content-Range": f"bytes */{size}"})
            return
        begin = max(0, start + how.shift)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {begin}-{size - 1}/{size}")
        if self.hub.etag:
            self.send_header("ETag", self.hub.etag)
        for name, value in how.headers.items():
            self.send_header(name, value)
        if how.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(how.length if how.length is not None else size - begin))
        self.end_headers()
        if self.command == "HEAD":
            return
        end = size if how.until is None else min(how.until, size)
        self._send(how, begin, end)
        if how.chunked and end == size:
            self.wfile.write(b"0\r\n\r\n")
        if how.stall:
            self.hub.closing.wait(60)
        if end < size or how.length is not None:
            self.close_connection = True

    def _send(self, how: Answering, begin: int, end: int) -> None:
        if how.body is None and not (how.rate or how.chunked) and not isinstance(self.connection, ssl.SSLSocket):
            with self.hub.content.open("rb") as file:
                # Send as fast as the machine can.
                while begin < end and (
                    sent := os.sendfile(self.connection.fileno(), file.fileno(), begin, end - begin)
                ):
                    self.hub.sent += sent
                    begin += sent
            return
        for piece in self._pieces(how, begin, end):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if how.chunked else piece)
            self.hub.sent += len(piece)

    def _pieces(self, how: Answering, begin: int, end: int) -> Iterator[bytes]:
        due = time.monotonic()
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(self.hub.content.open("rb")) if how.body is None else None
            while begin < end:
                step = min(_STEP, end - begin)
                if file:
                    file.seek(begin)
                    yield file.read(step)
                elif how.body:
                    yield how.body[begin : begin + step]
                begin += step
                if how.rate:
                    # After a pause, a real connection does not send faster to catch up.
                    due = max(due, time.monotonic()) + step / how.rate
                    time.sleep(max(0.0, due - time.monotonic()))

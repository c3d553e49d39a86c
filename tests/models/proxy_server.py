"""Proxies on loopback, for HTTP and for SOCKS 5; they connect to this computer, whatever host is asked for."""

import base64
import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from socketserver import StreamRequestHandler, ThreadingTCPServer

_USERNAME_PASSWORD = 2
_NOBODY = 0xFF


class ProxyServer(ThreadingTCPServer):
    """A proxy; `asked` are the requested hosts and ports, `login` is the name and password that it demands."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, kind: str, login: tuple[str, str] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), {"http": _Http, "socks5": _Socks5}[kind])
        self.kind = kind
        self.login = login
        self.asked: list[str] = []
        self.address = f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that disconnect."""

    def connect(self, host: str, port: int) -> socket.socket:
        self.asked.append(f"{host}:{port}")
        return socket.create_connection(("127.0.0.1", port), timeout=10)


@contextlib.contextmanager
def running(kind: str, login: tuple[str, str] | None = None) -> Iterator[ProxyServer]:
    """Run a proxy of the `kind` http or socks5 until the end of the block."""
    with ProxyServer(kind, login) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


class _Http(StreamRequestHandler):
    server: ProxyServer

    def handle(self) -> None:
        head = self.rfile.read(1)
        if not head.isalpha():
            # The client speaks SOCKS or TLS.
            self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return
            head += line
        method, target, _version = head.split(b"\r\n")[0].decode().split(" ")
        if self.server.login:
            wanted = base64.b64encode(":".join(self.server.login).encode())
            if b"Basic " + wanted not in head:
                self.wfile.write(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
        match = re.match(r"(?:http://)?([^:/]+):(\d+)", target)
        assert match, target
        with self.server.connect(match[1], int(match[2])) as upstream:
            if method == "CONNECT":
                self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                # This connection has no other request, so the end of this one need not be found.
                upstream.sendall(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            _carry(self.connection, upstream)


class _Socks5(StreamRequestHandler):
    server: ProxyServer

    def handle(self) -> None:
        _version, count = self.rfile.read(2)
        methods = self.rfile.read(count)
        wanted = _USERNAME_PASSWORD if self.server.login else 0
        self.wfile.write(bytes([5, wanted if wanted in methods else _NOBODY]))
        if wanted not in methods:
            return
        if self.server.login:
            self.rfile.read(1)
            given = tuple(self.rfile.read(self.rfile.read(1)[0]).decode() for _part in range(2))
            self.wfile.write(bytes([1, given != self.server.login]))
            if given != self.server.login:
                return
        _version, _command, _reserved, kind = self.rfile.read(4)
        host = self.rfile.read(self.rfile.read(1)[0]).decode() if kind == 3 else socket.inet_ntoa(self.rfile.read(4))
        port = int.from_bytes(self.rfile.read(2), "big")
        try:
            upstream = self.server.connect(host, port)
        except OSError:
            # The reply code 5 is "connection refused".
            self.wfile.write(bytes([5, 5, 0, 1, 0, 0, 0, 0, 0, 0]))
            return
        with upstream:
            self.wfile.write(bytes([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
            _carry(self.connection, upstream)


def _carry(one: socket.socket, other: socket.socket) -> None:
    """Copy bytes in both directions until one side has no more."""

    def copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(64 << 10):
                target.sendall(piece)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    back = threading.Thread(target=copy, args=(other, one), daemon=True)
    back.start()
    copy(one, other)
    back.join(10)

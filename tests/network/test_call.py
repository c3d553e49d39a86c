"""A call of a server's interface: what is sent and what never twice, and that it ends at once when closed."""

import contextlib
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwen_tui.network.call import Call
from qwen_tui.network.request import RequestError, Timeouts
from tests.models import proxy_server
from tests.models.faulty_cases import certificate

PATIENT = Timeouts(response=30, stall=30, answer=30)


class Listener:
    """A server of one connection: it stores what it gets, sends `response`, and waits for the other side to hang up."""

    def __init__(self, response: bytes, context: ssl.SSLContext | None = None) -> None:
        self.got = b""
        self.arrived = threading.Event()
        self.hung_up = threading.Event()
        self.connections = 0
        self._response = response
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                connection, _address = self._socket.accept()
                self.connections += 1
                if self._context:
                    connection = self._context.wrap_socket(connection, server_side=True)
                self._talk(connection)
                continue
            return

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            while not is_whole(self.got):
                piece = connection.recv(1 << 16)
                if not piece:
                    return
                self.got += piece
            self.arrived.set()
            connection.sendall(self._response)
            # The end of the other side: an empty read, or a reset.
            with contextlib.suppress(OSError):
                while connection.recv(1 << 16):
                    pass
            self.hung_up.set()

    def close(self) -> None:
        self._socket.close()


def is_whole(request: bytes) -> bool:
    """Whether the head has come, and as much of a body as it announces."""
    head, blank, body = request.partition(b"\r\n\r\n")
    lengths = [int(line.split()[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    return bool(blank) and len(body) >= sum(lengths)


@contextlib.contextmanager
def listening(response: bytes, context: ssl.SSLContext | None = None) -> Iterator[Listener]:
    listener = Listener(response, context)
    with contextlib.closing(listener):
        yield listener


def test_a_post_sends_its_body_piece_by_piece_and_reads_the_answer_as_it_comes() -> None:
    with listening(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") as server:
        call = Call(f"http://127.0.0.1:{server.port}/v1", PATIENT, body=[b'{"a":', b"1}"], token="secret", direct=True)
        head = call.head(30)
        assert head is not None
        assert head.status == 200
        said = b""
        while piece := call.take(30):
            said += piece
        assert said == b"hello"
        call.close()
    sent = server.got.decode()
    assert sent.startswith("POST /v1 HTTP/1.1\r\n")
    assert sent.endswith('\r\n\r\n{"a":1}')
    assert "authorization: bearer secret" in sent.lower()
    assert "content-length: 7" in sent.lower()


@pytest.mark.parametrize("response", [b"", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"])
def test_closing_hangs_up_at_once_before_the_head_and_in_the_middle(response: bytes) -> None:
    with listening(response) as server:
        call = Call(f"http://127.0.0.1:{server.port}/", PATIENT, body=[b"{}"], direct=True)
        if response:
            assert call.head(30) is not None
            assert call.take(30) == b"hi"
            assert call.take(0.05) is None
        else:
            assert server.arrived.wait(30)
            assert call.head(0.1) is None
        call.close()
        assert server.hung_up.wait(30)


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs a certificate")
def test_closing_hangs_up_a_connection_with_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem, key = certificate(tmp_path)
    context.load_cert_chain(pem, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with listening(b"", context) as server:
        call = Call(f"https://127.0.0.1:{server.port}/", PATIENT, body=[b"{}"], direct=True)
        assert server.arrived.wait(30)
        assert call.head(0.1) is None
        call.close()
        assert server.hung_up.wait(30)


def test_nothing_follows_a_redirection_and_nothing_is_sent_again_after_a_broken_connection() -> None:
    with listening(b"HTTP/1.1 307 See\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n") as server:
        call = Call(f"http://127.0.0.1:{server.port}/", PATIENT, body=[b"{}"], direct=True)
        head = call.head(30)
        assert head is not None
        assert (head.status, head.headers["location"]) == (307, "http://127.0.0.1:1/")
        call.close()
    with listening(b"nonsense\r\n\r\n") as server:
        call = Call(f"http://127.0.0.1:{server.port}/", PATIENT, body=[b"{}"], direct=True)
        with pytest.raises(RequestError):
            call.head(30)
        assert server.hung_up.wait(30)
        assert server.connections == 1


def test_a_direct_call_uses_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy_server.running("http") as proxy, listening(b"HTTP/1.1 204 No\r\n\r\n") as server:
        monkeypatch.setenv("http_proxy", f"http://{proxy.address}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        for direct, asked in ((True, 0), (False, 1)):
            server.got = b""
            call = Call(f"http://127.0.0.1:{server.port}/", PATIENT, direct=direct)
            assert call.head(30) is not None
            call.close()
            assert len(proxy.asked) == asked

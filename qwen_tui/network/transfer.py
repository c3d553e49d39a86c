"""One request and its response, in a thread of its own: whoever waits for it can stop at any moment."""

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from qwen_tui.network.channel import Channel
from qwen_tui.network.client import client, response_head
from qwen_tui.network.request import Timeouts

if TYPE_CHECKING:
    import httpx2

# Sends the request with a client, and with the extensions that every request of the transfer must have.
Send = Callable[["httpx2.Client", Mapping[str, Any]], "httpx2.Response"]
# What httpcore2 reports when it has a socket: one to the server or the proxy, then the same one with TLS around it.
_CONNECTED = ("connect_tcp.complete", "start_tls.complete")


class Transfer:
    """Sends a request in a thread; the `channel` passes on the head of the response, its bytes, and its end."""

    def __init__(self, send: Send, timeouts: Timeouts, *, direct: bool = False) -> None:
        """`direct` leaves the proxies of the environment out."""
        self.channel = Channel()
        self._send = send
        self._timeouts = timeouts
        self._direct = direct
        self._connection = _Connection()
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def is_connected(self) -> bool:
        """Whether there is or was a connection."""
        return self._connection.is_made

    def close(self) -> None:
        """Cut the connection at once, so that the server stops, too; after the last byte this does nothing."""
        self.channel.close()
        self._connection.cut()

    def _run(self) -> None:
        watched = {"trace": self._connection.watch}
        try:
            with (
                client(self._timeouts, direct=self._direct) as session,
                contextlib.closing(self._send(session, watched)) as response,
            ):
                self.channel.begin(response_head(response))
                for piece in response.iter_raw():
                    if not self.channel.put(piece):
                        break
            self.channel.end(None)
        except Exception as error:
            self.channel.end(error)


class _Connection:
    """The socket of a request, which another thread can shut down while the request waits in it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_cut = False

    @property
    def is_made(self) -> bool:
        return self._socket is not None

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """Take what httpcore2 reports about the request: with each redirection, the socket is another one."""
        if event.endswith(_CONNECTED):
            with self._lock:
                self._socket = info["return_value"].get_extra_info("socket")
                if self._is_cut:
                    self._shut_down()

    def cut(self) -> None:
        with self._lock:
            self._is_cut = True
            self._shut_down()

    def _shut_down(self) -> None:
        if self._socket is not None:
            # Without the farewell of TLS: its state belongs to the thread that reads.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

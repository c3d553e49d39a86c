"""Server-sent events: finds the data of each event in bytes that arrive in any pieces.

The format is that of the HTML standard, section "Server-sent events". Of its fields only `data` matters here.
"""

from collections.abc import Iterator

# The most bytes of one event. A token takes some hundred bytes; a whole answer in one event is far below this, too.
_MOST = 8 << 20


class TooLargeError(Exception):
    """An event without an end."""


class EventStream:
    """Takes bytes, and yields the data of the events that are complete."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0
        self._is_first = True

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield the data of each event that `piece` completes; raises `TooLargeError`."""
        if self._is_first and piece:
            piece, self._is_first = piece.removeprefix(b"\xef\xbb\xbf"), False
        lines = (self._rest + piece).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > _MOST:
            raise TooLargeError
        for line in lines:
            yield from self._line(line.removesuffix(b"\r"))

    def end(self) -> Iterator[bytes]:
        """Yield the data of an event that no empty line ends, because the connection has ended."""
        rest, self._rest = self._rest, b""
        yield from self._line(rest.removesuffix(b"\r"))
        yield from self._line(b"")

    def _line(self, line: bytes) -> Iterator[bytes]:
        if not line:
            if self._data:
                data, self._data, self._size = b"\n".join(self._data), [], 0
                yield data
            return
        name, _colon, value = line.partition(b":")
        if name.strip() == b"data":
            self._data.append(value.removeprefix(b" "))
            self._size += len(value)
            if self._size > _MOST:
                raise TooLargeError

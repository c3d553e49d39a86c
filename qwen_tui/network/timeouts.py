"""How long a request waits for a server."""

import msgspec


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Waiting times of one request, in seconds."""

    # Until the response begins: name look-up, connection, redirections and all.
    answer: float = 6.0
    # Without a byte, in the middle of the response.
    stall: float = 20.0

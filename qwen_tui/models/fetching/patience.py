"""How long to wait for a source, and how often to try it again."""

import msgspec


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Waiting times in seconds. Two silent sources are given up within 15 s."""

    # Until the answer begins: name lookup, connection, redirections and all.
    answer: float = 6.0
    # Without a byte, in the middle of the file.
    stall: float = 20.0
    # Tries of one source that bring nothing, and the wait after the first of them, which doubles.
    tries: int = 6
    first_wait: float = 1.0
    longest_wait: float = 60.0


PATIENCE = Patience()

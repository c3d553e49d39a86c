"""How long to wait for a source, and how often to try it again."""

from qwen_tui.network.timeouts import Timeouts


class Patience(Timeouts, frozen=True, kw_only=True):
    """Waiting times in seconds. Two silent sources are given up within 15 s."""

    # Tries of one source that bring nothing, and the wait after the first of them, which doubles.
    tries: int = 6
    first_wait: float = 1.0
    longest_wait: float = 60.0


PATIENCE = Patience()

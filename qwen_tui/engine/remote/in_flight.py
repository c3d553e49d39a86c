"""How many questions are at a server at the same time; fewer once it refuses some of them as too many."""

import threading


class InFlight:
    """Counts the questions that are at a server. `most` is how many it takes, None while it has refused none."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._n = 0
        self.most: int | None = None

    def enter(self, patience: float) -> bool:
        """Count one more question as soon as it may be sent; return False if that is not within so many seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.most is None or self._n < self.most, patience):
                return False
            self._n += 1
            return True

    def leave(self) -> int:
        """Take note that a question is answered, refused or given up; return how many others are at the server."""
        with self._changed:
            self._n -= 1
            self._changed.notify()
            return self._n

    def limit(self, others: int) -> bool:
        """Take note that the server refused a question because of so many `others`; return whether that is new."""
        with self._changed:
            is_new = self.most is None
            self.most = min(others, self.most or others)
            return is_new

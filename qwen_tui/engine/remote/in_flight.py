"""How many questions are at a server at the same time; fewer once it refuses some of them as too many."""

import threading


class Stay:
    """One question at a server, and whether another one was ever there beside it."""

    was_alone = True


class InFlight:
    """Knows the questions that are at a server. `most` is how many it takes, None while it has refused none."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._there: set[Stay] = set()
        self.most: int | None = None

    def enter(self, patience: float) -> Stay | None:
        """Count one more question as soon as it may be sent; return None if that is not within so many seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.most is None or len(self._there) < self.most, patience):
                return None
            self._there.add(stay := Stay())
            if len(self._there) > 1:
                for each in self._there:
                    each.was_alone = False
            return stay

    def leave(self, stay: Stay) -> int:
        """Take note that a question is answered, refused or given up; return how many others are at the server.

        If the others have ended since this one came, they count as one: the server refused this one beside them.
        """
        with self._changed:
            self._there.remove(stay)
            self._changed.notify()
            return len(self._there) or int(not stay.was_alone)

    def limit(self, others: int) -> bool:
        """Take note that the server refused a question because of so many `others`; return whether that is new."""
        with self._changed:
            is_new = self.most is None
            self.most = min(others, self.most or others)
            return is_new

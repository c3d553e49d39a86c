"""Why a server did not give what was asked of it, in words for a person."""


class RequestError(Exception):
    """A server did not give what was asked of it: `reason` is a clause that follows the name of the server.

    `again` says that trying it once more may help, after `wait` seconds if it said so itself. `answered` is false for
    one that gave no sign of life, `absent` true for one that does not have the file. `remedy` is what a person can do.
    """

    def __init__(
        self,
        reason: str,
        remedy: str = "",
        *,
        again: bool = False,
        wait: float | None = None,
        answered: bool = True,
        absent: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.again = again
        self.wait = wait
        self.answered = answered
        self.absent = absent

"""The rotation of the sources: which one is asked next, how long to wait for it, and when it is given up."""

import time
from collections.abc import Callable, Sequence

from qwen_tui import cancellation
from qwen_tui.errors import DownloadError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import in_a_row, listed
from qwen_tui.models.fetching.events import Remark, Steps
from qwen_tui.models.fetching.responses import NoRangesError
from qwen_tui.models.fetching.source import Source
from qwen_tui.network.request import RequestError, Timeouts
from qwen_tui.quoting import quoted

# How many tries a source gets that has responded once, but now is silent, and has not sent a byte yet.
_TRIES_WITHOUT_BYTES = 2


class Patience(Timeouts, frozen=True, kw_only=True):
    """How long to wait for a source, and how often to try it again. Two silent sources are given up within 15 s."""

    # So many tries of one source may bring no bytes.
    tries: int = 6
    # The wait after the first failed try, in seconds. It doubles with each further one, up to the longest.
    first_wait: float = 1.0
    longest_wait: float = 60.0


PATIENCE = Patience()


class Candidate:
    """One source, and what happened with it so far.

    `asked`: it has told its metadata. `responded`: it has sent at least one response. `delivered`: it has sent bytes.
    `from_start`: it sends a file only from the start. `not_before` is the time of the next try, by `time.monotonic`.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.asked = self.responded = self.delivered = self.from_start = False
        self.failures = 0
        self.not_before = 0.0


class Rotation:
    """The sources, in order of preference: `live` are those that are not given up, `failed` says why others are."""

    def __init__(self, sources: Sequence[Source], patience: Patience) -> None:
        self.all = [Candidate(source) for source in sources]
        self.live = list(self.all)
        self.failed: dict[Source, RequestError] = {}
        # The pairs of host and reason that the person has read: none is shown twice.
        self._told: set[tuple[str, str]] = set()
        self._patience = patience

    def next(self, suitable: Callable[[Candidate], bool] = lambda _candidate: True) -> Steps[Candidate | None]:
        """Wait until a `suitable` source may be tried, and return it; None if there is none left."""
        choice = [candidate for candidate in self.live if suitable(candidate)]
        if not choice:
            return None
        now = time.monotonic()
        candidate = min(choice, key=lambda c: (c.not_before > now, c.from_start, c.not_before if c.failures else 0))
        if candidate.not_before > now:
            wait = max(1, round(candidate.not_before - now))
            yield Remark(_("Trying {host} again in {n} s …").format(host=candidate.source.host, n=wait))
            cancellation.current().sleep(candidate.not_before - now)
        return candidate

    def after(self, candidate: Candidate, error: RequestError) -> Steps[None]:
        """Note that a try of `candidate` failed: it is tried again later, or given up."""
        host = candidate.source.host
        candidate.responded |= error.responded
        candidate.failures += 1
        begins_again = isinstance(error, NoRangesError) and not candidate.from_start
        if not begins_again and (not error.again or candidate.failures >= self._tries(candidate, error)):
            self.live.remove(candidate)
            self.failed[candidate.source] = error
        if self.live and (host, error.reason) not in self._told:
            # The failure of the last source is not shown here: the final error names it.
            self._told.add((host, error.reason))
            yield Remark(_("{host}: {reason}").format(host=host, reason=error.reason))
        if begins_again:
            candidate.from_start, candidate.failures = True, 0
            return
        doubled = self._patience.first_wait * 2 ** (candidate.failures - 1)
        wait = min(doubled, self._patience.longest_wait) if error.wait is None else error.wait
        candidate.not_before = time.monotonic() + wait

    def others(self, candidate: Candidate) -> bool:
        """Whether another source can send the file from the middle on."""
        return any(not other.from_start for other in self.live if other is not candidate)

    def afresh(self, blamed: Candidate | None) -> None:
        """Start over after a wrong file; the source `blamed` for it goes to the end."""
        if blamed in self.live:
            self.live.remove(blamed)
            self.live.append(blamed)
        for candidate in self.live:
            candidate.failures, candidate.not_before, candidate.from_start = 0, 0.0, False

    def failure(self, name: str, kept: int, near: Sequence[str], from_elsewhere: str) -> DownloadError:
        """Return the error for when no source is left; `kept` bytes are on the disk, `near` are similar file names.

        `from_elsewhere` is the command that fetches from a source that the person names.
        """
        message = _("{name} could not be fetched.").format(name=name)
        untold = dict.fromkeys((at.host, error.reason) for at, error in self.failed.items())
        reasons = [
            _("{host}: {reason}").format(host=at, reason=why) for at, why in untold if (at, why) not in self._told
        ]
        if reasons:
            message = _("{name} could not be fetched. {reasons}").format(name=name, reasons=_("; ").join(reasons))
        remedies = [error.remedy for error in self.failed.values() if error.remedy]
        if near:
            remedies.append(_("Did you mean: {names}?").format(names=listed(map(quoted, near))))
        if kept:
            remedies.append(
                _("{n:.1f} MB are kept: repeat the command to go on, or name another source: {command}").format(
                    n=kept / 1e6, command=from_elsewhere
                )
            )
        return DownloadError(message, in_a_row(*dict.fromkeys(remedies)) or self._what_may_help(from_elsewhere))

    def _what_may_help(self, from_elsewhere: str) -> str:
        """Say what to do if no failure has a remedy of its own."""
        if not all(error.responded for error in self.failed.values()):
            return _("Check the connection, or name another source: {command}").format(command=from_elsewhere)
        if any(error.absent for error in self.failed.values()):
            return _("Check the name, or name another source: {command}").format(command=from_elsewhere)
        return _("Try again later, or name another source: {command}").format(command=from_elsewhere)

    def _tries(self, candidate: Candidate, error: RequestError) -> int:
        """Return how many tries a source gets: all if it responds or has sent bytes, one if it was always silent."""
        if error.responded or candidate.delivered:
            return self._patience.tries
        return _TRIES_WITHOUT_BYTES if candidate.responded else 1

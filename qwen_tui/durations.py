"""Times to wait, as people say them."""

from qwen_tui.i18n import gettext as _

# From so many seconds on, a duration is told in minutes, and from so many on in hours.
_MINUTES, _HOURS = 90, 5400


def duration(seconds: float) -> str:
    """Return a duration in two units at most: "40 s", "1 min 50 s", "12 min", "2 h 5 min".

    What is foretold is not exact, so from 90 seconds on it is rounded to ten, and from ten minutes on to a minute.
    """
    if seconds < _MINUTES:
        return _("{seconds} s").format(seconds=max(1, round(seconds)))
    if seconds < _HOURS:
        minutes, rest = divmod(round(seconds / 10) * 10, 60)
        if seconds >= 600 or not rest:
            return _("{minutes} min").format(minutes=round(seconds / 60))
        return _("{minutes} min {seconds} s").format(minutes=minutes, seconds=rest)
    hours, minutes = divmod(round(seconds / 60), 60)
    if not minutes:
        return _("{hours} h").format(hours=hours)
    return _("{hours} h {minutes} min").format(hours=hours, minutes=minutes)

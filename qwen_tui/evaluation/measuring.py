"""What all measurements share: sample questions, prompts of an exact length, the times and the memory of an answer."""

import contextlib
import os
import random
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from qwen_tui import cancellation, child
from qwen_tui.engine.protocol import Engine, ReplayOptions, Request, SamplingOptions
from qwen_tui.errors import EngineError
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Event, Finished, Message, Prefill, Text, Usage

# Each word is one token, both in Qwen's vocabulary and in that of the tests' tiny model.
WORDS = """
    the of and to in is that for it as with was on be at by this from or an are not have you which one all we can there
    has more if will would what when who their about up out so into other than some then them time only could these two
"""

_SAMPLES = Path(__file__).with_name("samples.yaml")


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A question with a good answer; `name` says what it is about, and ends in the language.

    How much an answer repeats of its question decides how much prompt lookup can gain: so the samples are real texts.
    """

    name: str
    prompt: str
    answer: str


class Timed(NamedTuple):
    """The times of one answer: seconds and computed tokens of its prompt and of its text.

    `first_s` are the seconds to the first piece of text. `usage` counts the cached tokens, too.
    """

    prompt_s: float
    answer_s: float
    prompt_tokens: int
    answer_tokens: int
    usage: Usage
    first_s: float


def ask(
    engine: Engine,
    messages: Message | Sequence[Message],
    sampler: SamplingOptions | ReplayOptions,
    max_tokens: int | None,
    *,
    lookup: bool = False,
    conversation: str | None = None,
    on_event: Callable[[Event], None] = lambda _event: None,
) -> Timed:
    """Ask one question and take the times at which its events arrive; `on_event` is called with each."""
    request = Request(
        messages=(messages,) if isinstance(messages, Message) else tuple(messages),
        sampler=sampler,
        max_tokens=max_tokens,
        lookup=lookup,
        conversation=conversation,
    )
    begun = time.perf_counter()
    prefilled = first = 0.0
    finished: Finished | None = None
    for event in engine.stream(request):
        on_event(event)
        # Only the first event of a complete prefill counts: it may be repeated.
        if not prefilled and isinstance(event, Prefill) and event.done == event.total:
            prefilled = time.perf_counter()
        elif not first and isinstance(event, Text):
            first = time.perf_counter()
        elif isinstance(event, Finished):
            finished = event
    ended = time.perf_counter()
    cancellation.check()
    if finished is None or not prefilled:
        raise EngineError(_("What was to be measured was cut short."), _("Try again."))
    usage = finished.usage
    return Timed(
        prompt_s=prefilled - begun,
        answer_s=ended - prefilled,
        prompt_tokens=usage.prompt_tokens - usage.cached_tokens,
        answer_tokens=usage.completion_tokens - (finished.reason == "length"),
        usage=usage,
        first_s=(first or ended) - begun,
    )


def samples() -> list[Sample]:
    """Return all samples, in the order of the file."""
    import yaml

    return msgspec.convert(yaml.safe_load(_SAMPLES.read_text(encoding="utf-8")), list[Sample])


def words(count: int, rng: random.Random) -> str:
    """Return a text of about `count` tokens: words in random order."""
    return " ".join(rng.choices(WORDS.split(), k=count))


def question(engine: Engine, tokens: int, rng: random.Random, start: str = "") -> Message:
    """Return a question whose prompt has exactly `tokens` tokens: `start`, then words in random order."""
    text = [*start.split(), *words(tokens, rng).split(" ")]
    length = tokens
    for _attempt in range(8):
        message = Message("user", " ".join(text[:length]))
        missing = tokens - engine.count((message,))
        if not missing:
            return message
        length = max(1, min(length + missing, tokens))
    raise EngineError(
        _("No prompt of exactly {tokens} tokens can be made with this model's vocabulary.").format(tokens=tokens),
        _("Choose another file with -m."),
    )


def median(values: Iterable[float | None]) -> float | None:
    """Return the median of the values that are not None, None if there are none."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def spread(values: Sequence[float | None], layout: str = ".2f") -> str:
    """Return the median, the lowest and the highest value as text."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    if len(known) == 1:
        return f"{known[0]:{layout}}"
    return f"{statistics.median(known):{layout}} ({min(known):{layout}}–{max(known):{layout}})"


def workers() -> list[int]:
    """Return the process ids of the workers of this process."""
    import psutil

    found = []
    for process in psutil.Process().children():
        # It may end meanwhile.
        with contextlib.suppress(psutil.Error):
            if child.is_running(process.cmdline(), child.WORKER):
                found.append(process.pid)
    return found


def peak_memory() -> int | None:
    """Return the largest memory of a worker of this process so far, in bytes, including mapped weights.

    Returns None without a worker. Where the system records no peak (macOS), this is the present memory.
    """
    import psutil

    peaks = []
    for pid in workers():
        with contextlib.suppress(psutil.Error):
            peaks.append(_peak(pid) or _windows_peak(psutil.Process(pid).memory_info()))
    return max(peaks, default=None)


def _peak(pid: int) -> int:
    """Return the peak in bytes on Linux, 0 elsewhere."""
    if os.name != "posix":
        return 0
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _windows_peak(info: object) -> int:
    return int(getattr(info, "peak_wset", 0) or getattr(info, "rss", 0))

"""The process that `torture_history.py` kills: a conversation with an engine that streams words, and a log of both."""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from qwen_tui.chat.answer import AnswerOptions
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.keeping import Keeper, resume
from qwen_tui.chat.turn import Turn
from qwen_tui.engine.protocol import EngineInfo, Request
from qwen_tui.history.store import History, TurnWriter
from qwen_tui.messages import (
    Event,
    Finished,
    FinishReason,
    Limit,
    Loading,
    Message,
    Prefill,
    Question,
    Text,
    Timings,
    Usage,
)

# The seconds between two words, and the number of words of an answer: it takes from one to seven seconds.
PACE_S = (0.03, 0.10)
WORDS = (15, 100)
# So many seconds after the begin of a write, the process is killed: sometimes before the write ends, sometimes after.
WITHIN_S = 0.0015
REMOVES_ONE_IN = 8
RETRIES_ONE_IN = 3


class Log:
    """A log with one line of JSON for each event. The kernel has each line at once, so no kill can take it back."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def __call__(self, event: str, **fields: Any) -> None:
        line = json.dumps({"at": time.monotonic(), "event": event, **fields}) + "\n"
        os.write(self._handle, line.encode())


class WatchedHistory(History):
    """The history, with a log of the begin and end of each write; it may kill its own process during one."""

    def __init__(self, path: Path, log: Log, kill_in_write: int, rng: random.Random) -> None:
        self._log, self._left, self._rng = log, kill_in_write, rng
        with self._watched("open"):
            super().__init__(path)

    def begin(self, *arguments: Any, **options: Any) -> Any:
        with self._watched("question"):
            return super().begin(*arguments, **options)

    def write_answer(
        self, turn: TurnWriter, text: str, reason: FinishReason | None = None, limit: Limit | None = None
    ) -> None:
        what = "growing answer" if reason is None else "finished answer"
        if turn.instead and not turn.has_begun:
            what += " in another's place"
        with self._watched(what):
            super().write_answer(turn, text, reason, limit)

    def remove(self, *conversations: str) -> list[str]:
        with self._watched("removal", conversation=" ".join(conversations)):
            return super().remove(*conversations)

    def _watched(self, what: str, **fields: str) -> "Watched":
        self._left -= 1
        if self._left == 0:
            threading.Thread(target=self._kill, args=(self._rng.uniform(0, WITHIN_S),), daemon=True).start()
        return Watched(self._log, what, fields)

    def _kill(self, delay: float) -> None:
        time.sleep(delay)
        self._log("killed")
        os.kill(os.getpid(), signal.SIGKILL)


class Watched:
    """Log the begin and the end of a write."""

    def __init__(self, log: Log, what: str, fields: dict[str, str]) -> None:
        self._log, self._what, self._fields = log, what, fields

    def __enter__(self) -> None:
        self._log("begins", what=self._what, **self._fields)

    def __exit__(self, *_exception: object) -> None:
        self._log("ends", what=self._what, **self._fields)


class Engine:
    """Streams words at the speed of a real engine, and logs the begin of the prefill and each word."""

    def __init__(self, log: Log, rng: random.Random, conversation: Conversation, instead_of: str = "") -> None:
        self._log, self._rng, self._conversation, self.instead_of = log, rng, conversation, instead_of

    def start(self) -> None:
        return None

    def load(self) -> Generator[Loading, None, bool]:
        yield Loading(1.0)
        return True

    def info(self) -> EngineInfo:
        return EngineInfo(model="scripted", device="CPU", ctx_size=1_000_000, threads=1, gpu_layers=0)

    def count(self, messages: Sequence[Message]) -> int:
        return sum(len(message.content) for message in messages)

    def stream(self, request: Request) -> Iterator[Event]:
        self._log(
            "prefill",
            question=request.messages[-1].content,
            conversation=self._conversation.id,
            instead_of=self.instead_of,
        )
        yield Prefill(1, 1)
        for _ in range(self._rng.randint(*WORDS)):
            time.sleep(self._rng.uniform(*PACE_S))
            word = self._rng.choice(
                ("邮件", "报告", "明天", " report", " meeting", " café", "，", "。\n", " 😀", " 42")
            )
            self._log("word", word=word)
            yield Text(word)
        yield Finished(Usage(), Timings(), "stop")

    def close(self) -> None:
        return None


class Nowhere:
    """An output that shows nothing."""

    def show(self, _event: Event) -> None:
        return None

    def note(self, sentence: str) -> None:
        raise AssertionError(sentence)


def chat(database: Path, log: Log, seed: int, kill_in_write: int) -> None:
    """Ask and answer until the process is killed."""
    rng = random.Random(seed)
    history = WatchedHistory(database, log, kill_in_write, rng)
    if rng.randrange(REMOVES_ONE_IN) == 0 and (recent := history.recent()):
        history.remove(recent[-1].id)
    last = history.last() if rng.random() < 0.7 else None
    conversation = resume(history, last) if last else Conversation()
    keeper = Keeper(history, "scripted", Nowhere().note)
    for number in range(1000):
        instead = bool(conversation.exchanges) and rng.randrange(RETRIES_ONE_IN) == 0
        before = conversation.exchanges[-1].question.words if instead else ""
        turn = Turn(Engine(log, rng, conversation, before), Nowhere(), AnswerOptions(), keeper)
        question = f"问题 {seed}.{number}: " + "what is the matter with it? " * rng.randint(1, 40)
        turn.run(conversation, Question(question), instead=instead)
        log("finished")


def ask_one_question(folder: Path) -> None:
    """Hold a conversation of one question and one short answer, to be traced."""
    log = Log(folder / "calls.log")
    conversation = Conversation()
    keeper = Keeper(History(folder / "history.db"), "scripted", Nowhere().note)
    Turn(Engine(log, random.Random(0), conversation), Nowhere(), AnswerOptions(), keeper).run(
        conversation, Question("Is it safe?")
    )

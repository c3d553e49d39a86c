"""Kill chats with SIGKILL at random moments, a thousand times, and check whether the history has lost anything.

    python scripts/stress/torture_history.py [--kills 1000] [--program 20] [--lanes 16] [--seed 0]
    python scripts/stress/torture_history.py --trace           # needs strace: the question is synced before its prefill

Most kills hit processes that run a conversation with the program's own Turn, Keeper and History, and an engine that
streams words at the speed of a real one. Half of them are killed at any moment, half during a write. Each logs what
must not be lost, with the time, into a file beside the database. `--program` kills hit the whole program with the
demonstration model, in a terminal and in a pipe.

After each kill the script checks:
- Every question whose prefill has begun is there.
- Every answer contains what was generated `--promise` seconds before the kill, and nothing else.
- What was on the disk after the previous kill is unchanged.
- The conversation is in order, and an answer has replaced another only if it has begun.
- A removed conversation is completely there or completely gone, and every message belongs to a conversation.
- SQLite finds the file undamaged, and the index agrees with the texts.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from qwen_tui import grams
from qwen_tui.columns import markdown_table
from qwen_tui.history.store import History
from qwen_tui.messages import Question
from scripts.command_line import command_line, report_progress
from scripts.stress.history_victim import Log, ask_one_question, chat

# After so many kills a new database begins, so that some kills hit the creation of one.
KILLS_A_DATABASE = 20
LIFE_S = 8.0
# Of the processes that are killed during a write: which write that is.
NTH_WRITE = (1, 8)
WRITERS, MESSAGES_A_WRITER = 8, 500
NICENESS = 10


class Lane:
    """One database, and the processes with it that are killed, one after the other."""

    def __init__(self, folder: Path, promise: float) -> None:
        self.folder = folder
        self._promise = promise
        self._answers: dict[str, str] = {}
        self._questions: dict[str, str] = {}
        self._instead_of: dict[str, str] = {}
        self._removed: set[str] = set()
        self.kills = 0
        self.process = 0
        self.until = 0.0
        folder.mkdir()

    @property
    def _database(self) -> Path:
        return self.folder / "history.db"

    def start(self, seed: int, rng: random.Random) -> None:
        """Start a process that lives for a random time, or until it is in a write."""
        aimed = rng.random() < 0.5
        life = LIFE_S if aimed else rng.uniform(0.0, LIFE_S)
        self._log = self.folder / f"{seed}.log"
        self.process = os.fork()
        if self.process == 0:
            log = Log(self._log)
            try:
                chat(self._database, log, seed, rng.randint(*NTH_WRITE) if aimed else 0)
            except BaseException as error:
                log("failed", reason=repr(error))
            os._exit(1)
        self.until = time.monotonic() + life

    def ended(self) -> bool:
        """Kill the process if its time is over, and return whether it is dead."""
        if time.monotonic() >= self.until:
            Log(self._log)("killed")
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
            return True
        return os.waitpid(self.process, os.WNOHANG)[0] != 0

    def check(self) -> "Finding":
        """Compare the disk with the log."""
        self.kills += 1
        events = [json.loads(line) for line in self._log.read_bytes().splitlines()] if self._log.exists() else []
        finding = Finding()
        killed = next((event["at"] for event in events if event["event"] == "killed"), time.monotonic())
        if failed := [event["reason"] for event in events if event["event"] == "failed"]:
            finding.wrong += [f"the process failed: {failed}"]
        turns = self._turns_of(events, finding)
        history = History(self._database)
        connection = history._connection
        finding.wrong += unsound(connection)
        texts = dict(
            connection.execute("SELECT q.content, a.content FROM messages q JOIN messages a ON a.parent = q.id")
        )
        kept = {question: text for question, text in texts.items() if question.startswith("问题")}
        for question, conversation in list(self._questions.items()):
            if question not in kept and conversation in self._removed:
                del self._questions[question], self._answers[question]
        finding.wrong += [f"lost: {question}" for question in self._questions if question not in kept]
        for question, before in self._answers.items():
            if question not in turns and kept.get(question) != before:
                finding.wrong.append(f"changed: {question}")
        for question, words in turns.items():
            finding.check_answer(kept.get(question), words, killed, self._promise)
        finding.wrong += self._disorder(history, kept)
        self._answers = {question: kept.get(question, "") for question in self._questions}
        finding.questions = len(turns)
        history.close()
        return finding

    def _turns_of(self, events: list[dict[str, Any]], finding: "Finding") -> dict[str, list[dict[str, Any]]]:
        """Return the words of each question by the log, and note what happened at the end."""
        turns: dict[str, list[dict[str, Any]]] = {}
        words: list[dict[str, Any]] = []
        for event in events:
            if event["event"] == "begins":
                finding.within = event["what"]
                if event["what"] == "removal":
                    self._removed.add(event["conversation"])
            elif event["event"] == "ends":
                finding.within = ""
            elif event["event"] == "prefill":
                words = turns[event["question"]] = []
                self._questions[event["question"]] = event["conversation"]
                self._instead_of[event["question"]] = event["instead_of"]
            elif event["event"] in ("word", "finished"):
                words.append(event)
        return turns

    def _disorder(self, history: History, kept: dict[str, str]) -> Iterator[str]:
        """Yield what is wrong with the order of conversations: each must have its questions in the order of the log."""
        for summary in history.recent(1000):
            asked = [exchange.question.words for exchange in history.read(summary.id).exchanges]
            expected = list[str]()
            for question in [q for q, conversation in self._questions.items() if conversation == summary.id]:
                if before := self._instead_of[question]:
                    if not kept.get(question):
                        continue
                    del expected[expected.index(before) :]
                expected.append(question)
            if [question for question in asked if question in self._questions] != expected:
                yield f"in disorder: {summary.id}"


class Finding:
    """The result of one kill: what is `wrong`, the write that it hit, and the age of the oldest lost word."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.within = ""
        self.questions = 0
        self.lost_s = 0.0

    def check_answer(self, kept: str | None, events: list[dict[str, Any]], killed: float, promise: float) -> None:
        """Compare an answer on the disk with the words that the engine generated."""
        words = [event for event in events if event["event"] == "word"]
        said = "".join(event["word"] for event in words)
        if kept is None:
            return
        if not said.startswith(kept):
            self.wrong.append(f"never said: {kept!r}")
        if len(words) < len(events) and kept != said:
            self.wrong.append("a finished answer is not whole")
        length = 0
        for event in words:
            length += len(event["word"])
            if length > len(kept):
                self.lost_s = max(self.lost_s, killed - event["at"])
                break
        if self.lost_s > promise:
            self.wrong.append(f"a word of {self.lost_s:.2f} s before is lost")


def unsound(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield what is wrong with a database: its pages, its references, its index."""
    for (verdict,) in connection.execute("PRAGMA integrity_check"):
        if verdict != "ok":
            yield f"integrity: {verdict}"
    if broken := connection.execute("PRAGMA foreign_key_check").fetchall():
        yield f"references: {broken}"
    if nobodys := connection.execute("SELECT count(*) FROM messages WHERE conversation IS NULL").fetchone()[0]:
        yield f"{nobodys} messages of no conversation"
    try:
        connection.execute("INSERT INTO grams(grams) VALUES ('integrity-check')")
    except sqlite3.Error as error:
        yield f"index: {error}"
    texts = {row[0]: grams.grams(row[1]) for row in connection.execute("SELECT id, content FROM messages")}
    index = dict(connection.execute("SELECT rowid, body FROM grams"))
    if {key: text for key, text in texts.items() if text} != {key: text for key, text in index.items() if text}:
        yield "the index says something else than the texts"


def torture(kills: int, lanes: int, promise: float, seed: int, folder: Path) -> list[Finding]:
    """Kill so many processes, in so many lanes at the same time."""
    rng, findings, begun = random.Random(seed), list[Finding](), 0
    running: list[Lane] = []
    while len(findings) < kills:
        while len(running) < lanes and begun < kills:
            running.append(Lane(folder / str(begun), promise))
            running[-1].start(begun, rng)
            begun += 1
        time.sleep(0.002)
        for lane in [lane for lane in running if lane.ended()]:
            finding = lane.check()
            findings.append(finding)
            for wrong in finding.wrong:
                report_progress(f"{lane.folder}: {wrong[:100]}")
            if len(findings) % 100 == 0:
                report_progress(f"{len(findings)} kills, {sum(bool(f.wrong) for f in findings)} wrong")
            if lane.kills == KILLS_A_DATABASE or begun >= kills:
                running.remove(lane)
                if not finding.wrong:
                    shutil.rmtree(lane.folder)
            else:
                lane.start(begun, rng)
                begun += 1
    return findings


def write_many(history: History, writer: int) -> None:
    """Write one conversation as fast as the disk allows."""
    conversation = None
    for number in range(MESSAGES_A_WRITER // 2):
        turn = history.begin(conversation, Question(f"q{writer}.{number}"), model="m", system=None)
        turn.update(f"a{writer}.{number}", "stop")
        conversation = turn.conversation


def write_at_once(folder: Path) -> str:
    """Let eight processes write 500 messages each into one database, and return what is there."""
    path, started, processes = folder / "many.db", time.perf_counter(), []
    for writer in range(WRITERS):
        if not (process := os.fork()):
            code = 1
            try:
                write_many(History(path), writer)
                code = 0
            finally:
                os._exit(code)
        processes.append(process)
    codes = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]
    took = time.perf_counter() - started
    history = History(path)
    conversations = [
        [text for exchange in history.read(summary.id).exchanges for text in (exchange.question.words, exchange.answer)]
        for summary in history.recent(100)
    ]
    in_order = 0
    for writer in range(WRITERS):
        expected = [f"{kind}{writer}.{number}" for number in range(MESSAGES_A_WRITER // 2) for kind in "qa"]
        in_order += expected in conversations
    wrong = list(unsound(history._connection))
    return (
        f"{WRITERS} processes wrote {sum(map(len, conversations))} messages in {took:.1f} s "
        f"({WRITERS * MESSAGES_A_WRITER} expected); {in_order} of {WRITERS} conversations whole and in order; "
        f"{sum(code != 0 for code in codes)} failed; {wrong or 'sound'}"
    )


def main() -> None:
    """Kill, check, and print the table."""
    parser = command_line(__doc__)
    parser.add_argument("--kills", type=int, default=1000, help="default: %(default)s")
    parser.add_argument("--program", type=int, default=20, help="kills of the whole program (default: %(default)s)")
    parser.add_argument("--lanes", type=int, default=16, help="processes at once (default: %(default)s)")
    parser.add_argument("--promise", type=float, default=2.0, help="seconds that may be lost (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--trace", action="store_true", help="show the system calls of one question instead")
    parser.add_argument("--one-question", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one_question:
        ask_one_question(arguments.one_question)
        return
    os.nice(NICENESS)
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    if arguments.trace:
        print(trace(folder))
        return
    findings = torture(arguments.kills, arguments.lanes, arguments.promise, arguments.seed, folder)
    report(findings, arguments.promise)
    print("\n" + write_at_once(folder))
    if arguments.program:
        from torture_program import torture_program

        print("\n" + torture_program(arguments.program, arguments.promise, arguments.seed, folder))
    if any(finding.wrong for finding in findings):
        sys.exit(f"what went wrong is in {folder}")
    shutil.rmtree(folder)


def report(findings: Sequence[Finding], promise: float) -> None:
    """Print one line for each kind of moment."""
    rows = []
    moments = Counter(finding.within or "between two writes" for finding in findings)
    for moment, count in sorted(moments.items()):
        hit = [finding for finding in findings if (finding.within or "between two writes") == moment]
        wrong = sum(bool(finding.wrong) for finding in hit)
        rows.append((moment, count, sum(f.questions for f in hit), f"{max(f.lost_s for f in hit):.2f}", wrong))
    whole = ("all", len(findings), sum(f.questions for f in findings), f"{max(f.lost_s for f in findings):.2f}")
    rows.append((*whole, sum(bool(f.wrong) for f in findings)))
    head = ["killed within", "kills", "questions", f"oldest word lost, s (promised {promise})", "wrong"]
    print(markdown_table(head, rows))


def trace(folder: Path) -> str:
    """Return the system calls between opening the database and the prefill, and whether the question is synced."""
    calls = "trace=openat,pwrite64,write,fsync,fdatasync"
    command = ["strace", "-f", "-y", "-e", calls, "-s", "60", "-o", str(folder / "trace")]
    subprocess.run([*command, sys.executable, __file__, "--one-question", str(folder)], check=True)
    lines = [line for line in (folder / "trace").read_text().splitlines() if str(folder) in line]
    prefill = next(i for i, line in enumerate(lines) if "prefill" in line)
    shown = [line.replace(str(folder), "…").split(" ", 1)[1].strip() for line in lines[: prefill + 1]]
    log_calls = [line for line in shown if "history.db-wal" in line and "openat" not in line]
    synced = "fdatasync" in log_calls[-1] or "fsync" in log_calls[-1]
    verdict = "The question is synced before its prefill." if synced else "NOT synced before the prefill!"
    return "\n".join([*shown[-14:], verdict])


if __name__ == "__main__":
    main()

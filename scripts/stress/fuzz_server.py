"""Let a server on loopback answer what no server should, and look what comes of it.

    python scripts/stress/fuzz_server.py [--count 10000] [--seed N]

Each response is a stream, or the list of models, that was damaged at random: cut, repeated, of wrong types, huge,
nested, in another encoding, with escape sequences, with another status or kind of content. `qwen ask` runs for each in
this process, with a terminal for its output. Prints a table of the endings and exits with 1 if any response led to a
traceback, to an exit code that no failure has, to a wait without an end, or to a control character on the terminal that
the program did not write itself.
"""

import collections
import contextlib
import json
import os
import random
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from qwen_tui.cli.main import main as main_of_program
from qwen_tui.columns import markdown_table
from scripts.command_line import command_line, report_progress
from tests.program import call, environment
from tests.quiet_server import QuietHandler, QuietServer

MODELS = json.dumps({"object": "list", "data": [{"id": "tiny", "owned_by": "openai"}]}).encode()
# What a hostile or broken server could write to a terminal that shows it as it is.
HOSTILE = (
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x1b]52;c;aGk=\x07",
    "\x9b31m",
    "\x1bP1;1|q\x1b\\",
    "\r\x1b[1A",
    "\x00",
    "\x07",
    "\x08\x08",
    "\x7f",
    "\u202e",
    "\u2066",
    "\ud83d",
    "\ufeff",
    "\U000e0041",
)
VALUES = (None, True, -1, 0, 1.5, 1e308, 10**30, "", "x" * 5000, [], {}, [[]], {"a": {}}, "\x1b[31m", float("inf"))
KINDS = (
    "text/event-stream",
    "application/json",
    "text/html",
    "text/plain",
    "",
    "image/png",
    "text/event-stream; charset=gbk",
)
STATUSES = (*[200] * 30, 204, 206, 302, 400, 401, 404, 413, 422, 429, 500, 503, 999)
# Sequences that the program writes itself on a terminal: cursor, erasing, colours, and its modes.
OWN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|\t")
BAD = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# The program's own sequences never are these: they clear the screen, or give the terminal orders.
FOREIGN = re.compile(r"\x1b\[2J|\x1b\]|\x1bP|\x9b|\x1b\[1A.{0,4}evil")
PATIENCE = 20.0


def answer(rng: random.Random) -> bytes:
    """Return a sound stream with hostile text in it."""
    words = [
        "Hello",
        " there",
        rng.choice(HOSTILE),
        " <think>",
        "</think>\n",
        "```\n",
        rng.choice(HOSTILE) + "evil",
        ".",
    ]
    chunks: list[object] = [
        {"choices": [{"index": 0, "delta": {rng.choice(("content", "content", "reasoning")): word}}]}
        for word in rng.sample(words, rng.randint(1, len(words)))
    ]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": rng.choice(("stop", "length", "\x1b[2J"))}]})
    chunks.append({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}})
    if rng.random() < 0.2:
        chunks.insert(rng.randrange(len(chunks)), {"error": {"message": rng.choice(HOSTILE) + "evil", "code": 500}})
    if rng.random() < 0.4:
        chunks = [spoilt(chunk, rng) for chunk in chunks]
    lines = [
        b"data: " + json.dumps(chunk, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
        for chunk in chunks
    ]
    return b"\n\n".join([*lines, b"data: [DONE]", b""])


def spoilt(value: object, rng: random.Random) -> object:
    """Return JSON with some of its values replaced by others of any type."""
    if rng.random() < 0.08:
        return rng.choice(VALUES)
    if isinstance(value, dict):
        return {rng.choice((key, key, key, key.upper())): spoilt(each, rng) for key, each in value.items()}
    return [spoilt(each, rng) for each in value] if isinstance(value, list) else value


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Return `data` with one kind of damage to its bytes."""
    at = rng.randrange(len(data) + 1)
    match rng.randrange(11):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + bytes(rng.randrange(256) for _byte in range(rng.randint(1, 40))) + data[at:]
        case 2:
            return data.replace(b"\n", rng.choice((b"\r\n", b"\r", b"", b"\n\n\n")))
        case 3:
            return data.decode("utf-8", "replace").encode(
                rng.choice(("utf-16", "gb18030", "latin-1", "utf-32")), "replace"
            )
        case 4:
            return data * rng.randint(2, 50)
        case 5:
            return b"data: " + b"[" * rng.choice((10, 5000, 200_000)) + data
        case 6:
            return rng.choice(HOSTILE).encode("utf-8", "surrogatepass") + data
        case 7:
            return b"data: " + b"9" * 6000 + b"\n\n" + data
        case 8:
            return b"<html><body>" + rng.choice(HOSTILE).encode("utf-8", "surrogatepass") + b"evil</body>"
        case 9:
            return b"data: {" + b"x" * rng.choice((100, 1_000_000, 9_000_000))
        case _:
            return data


class Hostile(QuietServer):
    """Answers by a plan: the body, status and kind of the next list of models, and of the next answer."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.models: tuple[bytes, int, str] = (MODELS, 200, "application/json")
        self.answer: tuple[bytes, int, str] = (b"", 200, "text/event-stream")
        self.cut = False


class _Handler(QuietHandler):
    server: Hostile

    def do_GET(self) -> None:
        self._send(*self.server.models)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._send(*self.server.answer)

    def _send(self, body: bytes, status: int, kind: str) -> None:
        self.send_response(status, "evil\x1b[2J" if status == 999 else None)
        if kind:
            self.send_header("Content-Type", kind)
        if status in (429, 503):
            self.send_header("Retry-After", "evil\x1b[2J")
        if status == 302:
            self.send_header("Location", "http://evil/\x1b[2J")
        self.send_header("Connection", "close")
        if self.server.cut:
            self.send_header("Content-Length", str(len(body) + 100))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)
        self.close_connection = True


def plan(server: Hostile, rng: random.Random) -> None:
    """Prepare the next responses of the server."""
    body = answer(rng)
    if rng.random() < 0.7:
        body = damaged(body, rng)
    server.answer = (body, rng.choice(STATUSES), rng.choice(KINDS) if rng.random() < 0.3 else KINDS[0])
    server.models = (MODELS, 200, "application/json")
    if rng.random() < 0.15:
        listed = spoilt(json.loads(MODELS), rng) if rng.random() < 0.5 else None
        changed = json.dumps(listed).encode("utf-8", "surrogatepass") if listed is not None else damaged(MODELS, rng)
        server.models = (changed, rng.choice(STATUSES), rng.choice(KINDS[1:4]))
    server.cut = rng.random() < 0.1


def unclean(shown: str) -> str:
    """Return what stands on the terminal that the program did not write itself; "" for nothing."""
    if found := FOREIGN.search(shown):
        return found[0]
    found = BAD.search(OWN.sub("", shown))
    return found[0] if found else ""


def cases(server: Hostile, count: int, seed: int) -> Iterator[tuple[int, str]]:
    """Run the cases, and yield the exit code of each and what was wrong with it, "" for nothing."""
    schemas = ("", '{"type":"object"}')
    for number in range(count):
        rng = random.Random(seed * 1_000_003 + number)
        plan(server, rng)
        words = ["ask", "-n", "-m", "fuzz", *rng.choice(((), ("-u",), ("--json",), ("-x",), ("-r",))), "Hi"]
        if schema := rng.choice(schemas[: 1 + (number % 10 == 0)]):
            words += ["--schema", schema]
        begun = time.monotonic()
        try:
            # An answer in a pipe is as the model wrote it. All else must be clean, and everything on a terminal.
            code, shown = on_terminal(words) if number % 4 == 0 else in_pipe(words)
        except Exception as error:
            yield -1, f"case {number}: {type(error).__name__}: {error}"
            continue
        took, wrong = time.monotonic() - begun, ""
        if "Traceback" in shown or unclean(shown):
            wrong = f"case {number}: shown: {unclean(shown)!r} in {shown[-300:]!r}"
        elif code not in (0, 1, 2):
            wrong = f"case {number}: exit code {code}"
        elif took > PATIENCE:
            wrong = f"case {number}: {took:.0f} s"
        yield code, wrong


def in_pipe(words: list[str]) -> tuple[int, str]:
    """Run a command with pipes, and return its exit code and what it wrote on stderr."""
    done = call(*words)
    return done.code, done.err


def on_terminal(words: list[str]) -> tuple[int, str]:
    """Run a command whose streams are a terminal, and return its exit code and all that reached the terminal."""
    master, slave = os.openpty()
    got: list[bytes] = []

    def read() -> None:
        with contextlib.suppress(OSError):
            while piece := os.read(master, 1 << 16):
                got.append(piece)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    with os.fdopen(slave, "w", encoding="utf-8", errors="replace") as screen:
        code = main_of_program(words, environment(stdout=screen, stderr=screen))
    reader.join(5)
    os.close(master)
    return code, b"".join(got).decode("utf-8", "replace")


def main() -> int:
    """Run the cases, print what came of them, and return the exit code."""
    parser = command_line(__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="how many responses (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another one gives other damage (default: %(default)s)")
    arguments = parser.parse_args()
    endings: collections.Counter[int] = collections.Counter()
    wrongs: list[str] = []
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"QWEN_TUI_HOME": home, "QWEN_TUI_LANG": "en"}
        server = Hostile()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = f'[servers.fuzz]\nurl = "http://127.0.0.1:{server.server_port}"\npatience = 5\nsilence = 5\n'
        Path(home, "config.toml").write_text(settings)
        for number, (code, wrong) in enumerate(cases(server, arguments.count, arguments.seed), 1):
            endings[code] += 1
            if wrong:
                wrongs.append(wrong)
                report_progress(wrong)
            if number % 500 == 0:
                report_progress(f"{number} of {arguments.count}")
    print(markdown_table(["exit code", "responses"], [[str(code), str(n)] for code, n in sorted(endings.items())]))
    print(f"\n{len(wrongs)} of {arguments.count} were wrong")
    return 1 if wrongs else 0


if __name__ == "__main__":
    sys.exit(main())

"""Send a million hostile strings to the terminal, and check that only text, newline and tab arrive.

    python scripts/stress/fuzz_sanitiser.py [--strings 1000000] [--each 10000] [--seed 0] [--only FRONT]

The strings contain control characters (C0 and C1), complete and cut escape sequences, characters that reorder or hide
text, tag characters, lone surrogates, and ordinary text. `--strings` of them go through `clean`. `--each` go through
every front that prints foreign text, called as the program calls it, with a terminal for stdout and stderr.

A new front is a line in `fronts()`: its name, and a function that prints a string.
"""

import contextlib
import io
import os
import random
import re
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import typer
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output
from typer.core import TyperCommand

from qwen_tui.chat import slash_commands
from qwen_tui.chat.answer import Answer, AnswerOptions
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.keeping import Keeper
from qwen_tui.chat.session import Session
from qwen_tui.cli import chat, config, logs, screen, templates, wiring
from qwen_tui.cli.delivery import Delivery
from qwen_tui.cli.environment import Environment
from qwen_tui.cli.failure import tell
from qwen_tui.columns import markdown_table
from qwen_tui.config import Config
from qwen_tui.engine.protocol import Engine, EngineInfo
from qwen_tui.errors import QwenError
from qwen_tui.history.records import Hit, StoredConversation, Summary
from qwen_tui.messages import Exchange, Filled, Finished, Material, Question, Text, Timings, Usage
from qwen_tui.models.locate import locate
from qwen_tui.terminal import line_reader
from qwen_tui.terminal.output import HeldOutput
from qwen_tui.terminal.sanitise import clean
from scripts.command_line import command_line

Front = Callable[[str], object]

SEQUENCES = (
    "\x1b[2J", "\x1b[31m", "\x1b]52;c;aGk=\x07", "\x1b]0;title\x1b\\", "\x1bP+q\x1b\\", "\x1b[?1049h", "\x1b[6n",
    "\x1bc", "\x1b", "\x1b[", "\x9b31m", "\x9d52;c;aGk=\x9c", "\x90q\x9c", "\r", "\r\n", "\b\b\b", "\x7f", "\x00",
    "\x07", "\x0e", "\x85", "\u202egnp.exe", "\u2066x\u2069", "\u200b", "\ufeff", "\u2028", "\u2029", "\u2060",
    "\u00ad", "\U000e0041", "\U000e0100", "\ufe00", "\ud800", "\udc80", "\ufff9",
)  # fmt: skip
ORDINARY = (
    "text", "你好，", "\n", "\t", " ", "“”", "e\u0301", "🧑\u200d🚀", "❤\ufe0f", "می\u200cخواهم", "#", "`", "**", "{",
    "\\",
)  # fmt: skip
OWN = re.compile(r"\x1b\[[0-9;]*[mKJHABCD]|\x1b\[\?(?:7|12|25|1|2004|2026)[hl]|\x1b\[6n|\r|\x08")
KEPT_FORMATS = {"\u200c", "\u200d"}
KEPT_SELECTORS = {"\ufe0e", "\ufe0f"}


class Terminal(io.StringIO):
    """A terminal that stores what it receives."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """Return that this is a terminal."""
        return True


class Screen:
    """A terminal on both streams, and the program's fronts with as little behind them as will do."""

    def __init__(self, folder: Path) -> None:
        self._stream = Terminal()
        self._environment = Environment(self._stream, self._stream, self._stream, os.environ)
        self._delivery = Delivery(self._environment, self._environment.note)
        self._context = typer.Context(TyperCommand("qwen"), obj=self._environment)
        self._text = ""
        self._template = folder / "hostile.md"
        self._folder = folder
        self._session = self._make_session()

    def shown(self, front: Front, text: str) -> str:
        """Return what `front` sends to the terminal."""
        self._stream.seek(0)
        self._stream.truncate()
        self._text = text
        front(text)
        return self._stream.getvalue()

    def fronts(self) -> dict[str, Front]:
        """Return the fronts by name."""
        return {
            "logs list: titles": lambda _text: logs.list_(self._context),
            "logs search: lines": self._search,
            "logs show, painted": self._show_conversation,
            "logs export to stdout": lambda _text: logs.export_(self._context, "x"),
            "notes, file names": lambda text: screen.output(self._environment, Config()).note(text),
            "an answer, painted": self._paint_answer,
            "an answer, --raw": lambda text: stream_answer(screen.output(self._environment, Config(), raw=True), text),
            "ask --json": lambda text: self._delivery.print_json(answer(text), whole(text), None),
            "ask -x": lambda text: self._delivery.print_code(answer(f"```\n{text}\n```")),
            "errors": lambda text: tell(self._environment, QwenError(text, text)),
            "no such model": self._locate,
            "templates list: descriptions": self._list_templates,
            "templates show": self._show_template,
            "config show: the environment": self._show_config,
            "the banner of chat": lambda text: self._environment.print(chat._banner(Config(model=text), "")),
            "/show: model metadata, system": lambda _text: self._command("/show"),
            "/logs": lambda _text: self._command("/logs x"),
            "/resume": lambda _text: self._command("/resume x"),
            "/undo": lambda _text: self._command("/undo"),
            "/redo": lambda _text: self._command("/redo"),
            "no such command": lambda text: self._command("/x" + text),
            "/file": lambda text: self._command("/file " + text),
            "/paste": lambda _text: self._command("/paste"),
            "/copy": lambda _text: self._command("/copy"),
            "/model": lambda text: self._command("/model " + text),
            "/set": lambda text: self._command("/set temperature " + text),
            "the log of llama.cpp": self._environment.note,
            "the draft and the toolbar": self._draft,
        }

    def _search(self, _text: str) -> None:
        logs.search(self._context, ["x"])
        self._without_own()

    def _draft(self, text: str) -> None:
        output = Vt100_Output(self._stream, lambda: Size(24, 80), term="xterm", enable_cpr=False)
        with (
            create_pipe_input() as keys,
            create_app_session(input=keys, output=output),
            mock.patch.object(line_reader, "create_input", lambda **_options: keys),
        ):
            reader = line_reader.PromptLineReader(lambda: text, [], {})
            keys.send_text("\r")
            reader.read(whole(text))
        self._without_own()

    def _without_own(self) -> None:
        """Remove the control sequences that the painter and the line editor write themselves."""
        drawn = OWN.sub("", self._stream.getvalue())
        self._stream.seek(0)
        self._stream.truncate()
        self._stream.write(drawn)

    # The methods of the history that the fronts use: all texts in it are hostile.

    def recent(self, _count: int = 20) -> list[Summary]:
        return [Summary("bcdfgh", self._text, self._text, 0.0, 0.0, Hit("file", self._text, self._text + " x"))]

    def search(self, _words: str, _count: int = 20) -> list[Summary]:
        return self.recent()

    def read(self, _conversation: str) -> StoredConversation:
        return StoredConversation(self.recent()[0], self._text, (Exchange(_question(self._text), self._text, None),))

    def move(self, *_arguments: object) -> None:
        return None

    def _make_session(self) -> Session:
        output = SimpleNamespace(note=lambda text: screen.output(self._environment, Config()).note(text))
        keeper = Keeper(self, "m", output.note)  # type: ignore[arg-type]
        clipboard = SimpleNamespace(paste=lambda: self._text, copy=lambda _text: self._text)
        return Session(
            mock.Mock(),
            Conversation(),
            AnswerOptions(),
            keeper,
            output,  # type: ignore[arg-type]
            output.note,
            self._refuse,
            clipboard,  # type: ignore[arg-type]
        )

    def _refuse(self, name: str) -> Engine:
        raise QwenError(name, self._text)

    def _command(self, line: str) -> None:
        session, turns = self._session, [Exchange(_question(self._text), self._text, "interrupted")]
        session.attached.clear()
        session.conversation = Conversation(self._text, turns, list(turns), id="x")
        session.info = EngineInfo(model=self._text, device=self._text, ctx_size=1, threads=1, gpu_layers=0)
        with self._said():
            slash_commands.run(session, whole(line))

    def _paint_answer(self, text: str) -> None:
        stream_answer(screen.output(self._environment, Config()), whole(text))
        self._without_own()

    def _show_conversation(self, _text: str) -> None:
        logs.show(self._context, "x")
        self._without_own()

    def _locate(self, text: str) -> None:
        with self._said():
            locate(whole(text), self._folder)

    def _list_templates(self, text: str) -> None:
        self._template.write_text(f"---\ndescription: |\n  {text}\n---\nbody\n", encoding="utf-8", errors="replace")
        templates.list_(self._context)

    def _show_template(self, text: str) -> None:
        self._template.write_text(f"---\ndescription: x\n---\n{text}\n", encoding="utf-8", errors="replace")
        with self._said():
            templates.show(self._context, "hostile")

    def _show_config(self, text: str) -> None:
        value = whole(text.replace("\x00", ""))
        with mock.patch.dict(os.environ, {"QWEN_TUI_MODEL": value, "QWEN_TUI_SYSTEM": value}), self._said():
            config.show(self._context)

    @contextlib.contextmanager
    def _said(self) -> Generator[None]:
        """Print a failure as the program does."""
        try:
            yield
        except QwenError as error:
            tell(self._environment, error)


def answer(text: str) -> Answer:
    """Return an answer that says `text`."""
    return Answer(whole(text), "stop", Usage(), Timings())


def stream_answer(output: HeldOutput, text: str) -> None:
    """Show `text` as an answer in two pieces."""
    for event in (Text(text[: len(text) // 2]), Text(text[len(text) // 2 :]), Finished(Usage(), Timings(), "stop")):
        output.show(event)
    output.close()


def whole(text: str) -> str:
    """Return `text` with a question mark for each lone surrogate: neither an engine nor a keyboard produces one."""
    return text.encode(errors="replace").decode()


def hostile(rng: random.Random) -> str:
    """Return a random string of characters that a terminal must not get, and of some that it may."""
    parts = []
    for _ in range(rng.randint(1, 12)):
        kind = rng.random()
        if kind < 0.4:
            parts.append(rng.choice(SEQUENCES))
        elif kind < 0.7:
            parts.append(rng.choice(ORDINARY))
        elif kind < 0.85:
            parts.append(chr(rng.choice((rng.randrange(0xA0), rng.randrange(0x2000, 0x2070), rng.randrange(0x110000)))))
        else:
            sequence = rng.choice(SEQUENCES)
            parts.append(sequence[: rng.randint(0, len(sequence))])
    return "".join(parts)


# Format characters that are visible: signs around Arabic, Syriac and Kaithi numbers, joiners of hieroglyphs and
# shorthand.
VISIBLE = ("SIGN", "MARK", "ABOVE", "AYAH", "OVERLAP", "STEP")
HIEROGLYPHS = range(0x13430, 0x13440)


def forbidden(shown: str) -> Iterator[str]:
    """Yield the characters in the output that a terminal must not get."""
    for char in shown:
        code, category = ord(char), unicodedata.category(char)
        steers = category == "Cc" and char not in "\n\t"
        hides = category == "Cf" and char not in KEPT_FORMATS and not unicodedata.name(char, "").endswith(VISIBLE)
        hides = hides and code not in HIEROGLYPHS
        selects = 0xFE00 <= code <= 0xFE0F and char not in KEPT_SELECTORS
        if steers or hides or selects or category in ("Cs", "Zl", "Zp") or 0xE0000 <= code < 0xE1000:
            yield char


def _question(text: str) -> Question:
    """Return a question that is hostile in every part."""
    return Question(text, (Material(text, text),), Filled(text, text))


def main() -> None:
    """Send all strings, check the output, and print the table."""
    parser = command_line(__doc__)
    parser.add_argument("--strings", type=int, default=1_000_000, help="default: %(default)s")
    parser.add_argument("--each", type=int, default=10_000, help="through every front (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--only", help="a front")
    arguments = parser.parse_args()
    os.nice(10)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["QWEN_TUI_HOME"] = folder
        screen = Screen(Path(folder))
        tables: list[tuple[str, Callable[[str], str], int]] = [("clean", clean, arguments.strings)]
        for name, front in screen.fronts().items():
            # The line editor draws at most 50 times a second, so it gets fewer strings.
            count = arguments.each // 10 if front == screen._draft else arguments.each
            tables.append((name, lambda text, front=front: screen.shown(front, text), count))  # type: ignore[misc]
        with (
            mock.patch.object(logs, "_history", lambda: screen),
            mock.patch.object(logs, "_recent", lambda _count: screen.recent()),
            mock.patch.object(wiring, "template_folders", lambda *_language: [Path(folder)]),
        ):
            rows = [
                run(*table, random.Random(arguments.seed)) for table in tables if arguments.only in (None, table[0])
            ]
    print(markdown_table(["front", "strings", "characters sent", "of them forbidden", "s"], rows))
    if any(row[3] for row in rows):
        sys.exit(1)


def run(name: str, front: Callable[[str], str], count: int, rng: random.Random) -> Sequence[object]:
    """Send so many strings through a front, and return a line of the table."""
    started, sent, wrong = time.perf_counter(), 0, 0
    for _ in range(count):
        text = hostile(rng)
        shown = front(text)
        sent += len(shown)
        if found := set(forbidden(shown)):
            wrong += 1
            if wrong <= 3:
                print(f"{name}: {text!r} gave {shown!r}, with {[hex(ord(c)) for c in found]}", file=sys.stderr)
    if not sent:
        raise SystemExit(f"{name}: nothing was ever shown")
    return name, count, sent, wrong, f"{time.perf_counter() - started:.1f}"


if __name__ == "__main__":
    main()

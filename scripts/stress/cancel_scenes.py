"""The long operations that `torture_cancel.py` interrupts; they take long on any PC, without a large model.

Sparse files stand for large models, a silent or slow server for the network, a named pipe for a program that does not
write, and a module that sleeps for a graphics driver that hangs.
"""

import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock

from qwen_tui.models import identity
from qwen_tui.models.shelf import ModelRecord, Shelf
from tests.models.hub_server import NAME, Answering, FaultyHub
from tests.terminal_screen import ENTER
from tests.tiny_model import make_tiny_model

# Hashing a sparse file of this size takes seconds on any PC. Files to be copied or packed are smaller, because all of
# their bytes are written.
LARGE, COPIED = 24 << 30, 6 << 30
# The packages that an installation has compiled to bytecode, and that the program imports only for some commands.
COMPILED = (
    "qwen_tui",
    "typer",
    "msgspec",
    "platformdirs",
    "psutil",
    "filelock",
    "tomlkit",
    "yaml",
    "huggingface_hub",
    "httpx2",
    "jsonschema",
    "llguidance",
    "referencing",
    "prompt_toolkit",
    "rich",
    "markdown_it",
    "pygments",
    "pyperclip",
    "wcwidth",
)


def nothing() -> None:
    """Do nothing: a scene without preparation."""


@dataclass(frozen=True)
class Scene:
    """One operation: a command, or a `line` that is typed into the REPL when `sign` is on the screen.

    - `moments` are the earliest and the latest second of the signal.
    - `stdin`: stdin is a pipe in which nothing arrives. `full`: stdout is a pipe that takes nothing.
    - `changes`: the operation may have changed the home folder before the signal.
    - A `line` of Enter alone: the signal meets a prompt of a command, which ends. `stopped` is what the REPL says.
    """

    name: str
    arguments: tuple[str, ...]
    moments: tuple[float, float] = (0.3, 2.0)
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: bool = False
    full: bool = False
    changes: bool = False
    prepare: Callable[[], None] = nothing
    line: str = ""
    sign: str = ""
    stopped: str = "Stopped."

    @property
    def model(self) -> str:
        """The name of the model with which the conversation begins."""
        return self.arguments[self.arguments.index("-m") + 1]


class Stage:
    """The home folder, files, servers and locks of the scenes, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.locks = contextlib.ExitStack()

    def __enter__(self) -> "Stage":
        folder, models = self.folder, self.home / "models"
        models.mkdir(parents=True)
        self.tiny = make_tiny_model(folder / "tiny.gguf")
        self.large = sparse(self.tiny, models / "large.gguf", LARGE)
        self.copied = sparse(self.tiny, folder / "copied.gguf", COPIED)
        # The record differs from the file, as if that had been touched: the program hashes it before it loads it.
        seen = identity.Facts(LARGE, 1, 1)
        record = ModelRecord(path="large.gguf", name="large.gguf", size=LARGE, sha256="0" * 64, facts=seen)
        Shelf(models).put(record)
        self.fifo = folder / "fifo"
        os.mkfifo(self.fifo)
        (folder / "long.txt").write_text("the of and to in is that for it as with was on be at by " * 2000)
        (folder / "huge.txt").write_text("the of and to in is that for it as with was on be at by " * 130_000)
        (folder / "two").mkdir()
        for name in ("one.gguf", "other.gguf"):
            (folder / "two" / name).write_bytes(self.tiny.read_bytes())
        self.hub = self.locks.enter_context(FaultyHub(self.copied))
        # This script does not hash a file of several GB: the recorded hash is never compared.
        self.hub.linked_etag = None
        # An installed program is compiled to bytecode.
        left_out = ("_PROXY", "PYTHONDONTWRITEBYTECODE")
        self.environment = {
            name: value for name, value in os.environ.items() if not name.upper().endswith(left_out)
        } | {
            "PYTHONPYCACHEPREFIX": str(folder / "pycache"),
            "QWEN_TUI_HOME": str(self.home),
            "QWEN_TUI_LANG": "en",
            "HF_ENDPOINT": self.hub.url,
        }
        places = [find_spec(name) for name in COMPILED]
        folders = [str(Path(place.origin).parent) for place in places if place and place.origin]
        subprocess.run([sys.executable, "-m", "compileall", "-q", *folders], env=self.environment, check=False)
        return self

    def __exit__(self, *_exc: object) -> None:
        self.locks.close()

    def module(self, name: str, text: str) -> Mapping[str, str]:
        """Return an environment in which Python imports a module with this text instead of the real one."""
        folder = self.folder / f"module-{name}-{abs(hash(text))}"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(text)
        return {"PYTHONPATH": f"{folder}{os.pathsep}{Path.cwd()}"}

    def program(self, name: str) -> Mapping[str, str]:
        """Return an environment in which the program of this name does nothing for a minute."""
        folder = self.folder / f"program-{name}"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("#!/bin/sh\nexec sleep 60\n")
        (folder / name).chmod(0o755)
        return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "DISPLAY": ":0"}

    def locked(self, path: Path) -> None:
        """Hold a lock as another process would, until the scenes are over."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.locks.enter_context(FileLock(path).acquire())

    def locked_home(self) -> Mapping[str, str]:
        """Return an environment with a home folder whose database another process has locked."""
        home = self.folder / "locked-home"
        home.mkdir(exist_ok=True)
        database = sqlite3.connect(home / "history.db", check_same_thread=False)
        database.execute("CREATE TABLE IF NOT EXISTS x(y)")
        database.execute("BEGIN EXCLUSIVE")
        self.locks.callback(database.close)
        return {"QWEN_TUI_HOME": str(home)}

    def silent(self) -> str:
        """Return the address of a server that accepts connections and sends nothing."""
        server = socket.create_server(("127.0.0.1", 0))
        self.locks.callback(server.close)
        return f"http://127.0.0.1:{server.getsockname()[1]}"

    def slowly(self) -> None:
        """Let the hub send slowly."""
        self.hub.always = Answering(rate=300_000)

    def stalling(self) -> None:
        """Let the hub send a little, then nothing."""
        self.hub.always = Answering(until=1_000_000, length=COPIED, stall=True)


def command_scenes(stage: Stage) -> Iterator[Scene]:
    """The commands."""
    folder, tiny = stage.folder, str(stage.tiny)
    copied, long, huge = str(stage.copied), str(folder / "long.txt"), str(folder / "huge.txt")
    yield Scene("models verify", ("models", "verify", "large.gguf"))
    yield Scene("models import, copying", ("models", "import", copied), (0.3, 1.5))
    yield Scene("models import --link", ("models", "import", "--link", copied), (0.3, 1.5))
    yield Scene("pack into a folder", ("pack", "-m", copied, str(folder / "pack")), (0.3, 1.5))
    yield Scene("pack into .tar", ("pack", "-m", copied, str(folder / "pack.tar")), (0.3, 1.5))
    yield Scene("pack into .zip", ("pack", "-m", copied, str(folder / "pack.zip")), (0.3, 1.5))
    yield Scene("check of a changed file, ask", ("ask", "-m", "large.gguf", "hello"))
    yield from downloads(stage)
    yield Scene(
        "waiting for another import",
        ("models", "import", copied),
        prepare=once(lambda: stage.locked(stage.home / "models" / "import.lock")),
    )
    locked = stage.locked_home()
    yield Scene("logs list, database locked", ("logs", "list"), environment=locked)
    yield Scene("ask, database locked", ("ask", "-m", tiny, "hello"), environment=locked)
    yield Scene("-f of a named pipe", ("ask", "-m", tiny, "-f", str(stage.fifo), "hello"))
    yield Scene("--schema of a named pipe", ("ask", "-m", tiny, "--schema", str(stage.fifo), "hello"))
    yield Scene("stdin that says nothing", ("ask", "-m", tiny, "hello"), stdin=True)
    yield Scene("loading", ("ask", "-n", "-m", tiny, "hello"), (0.0, 0.6))
    context = ("--ctx-size", "40000")
    yield Scene("prefill", ("ask", "-n", "-m", tiny, *context, "-f", long, "hello"), (0.8, 3.0))
    yield Scene("counting", ("ask", "-n", "-m", tiny, *context, "-f", huge, "hello"), (0.5, 3.0))
    yield Scene("decoding", ("ask", "-n", "-m", tiny, *context, "hello"), (0.8, 3.0))
    hangs = "import time\nclass NVMLError(Exception): pass\ndef nvmlInit(): time.sleep(60)\n"
    driver = stage.module("pynvml", hangs)
    yield Scene("doctor, a driver that hangs", ("doctor", "-m", tiny), (0.2, 1.5), driver)
    yield Scene("doctor", ("doctor", "-m", tiny), (0.0, 0.8))
    silent = {"HF_ENDPOINT": stage.silent()}
    yield Scene("doctor --network", ("doctor", "-m", tiny, "--network"), (0.8, 2.5), silent)
    yield Scene("tune", ("tune", "-m", tiny), (0.3, 3.0))
    yield Scene("bench", ("bench", "-m", tiny), (0.3, 3.0))
    yield Scene(
        "an editor", ("config", "edit"), environment={**stage.program("editor"), "EDITOR": "editor"}, changes=True
    )
    yield Scene("cache clear, many states", ("cache", "clear"), (0.0, 0.3), changes=True, prepare=lambda: many(stage))
    yield Scene("a pipe that nobody reads", ("templates", "list"), full=True)


def downloads(stage: Stage) -> Iterator[Scene]:
    """Downloads from servers that send nothing, or slowly."""
    pull = ("pull", "--yes", NAME)
    yield Scene("pull, a slow server", pull, (0.5, 2.5), prepare=stage.slowly)
    yield Scene("pull, a server that stalls", pull, (0.5, 2.5), prepare=stage.stalling)
    yield Scene("pull, a silent hub", pull, (0.3, 2.5), {"HF_ENDPOINT": stage.silent()})
    hangs = "import socket, time\nsocket.getaddrinfo = lambda *_a, **_k: time.sleep(60)\n"
    names = {"HF_ENDPOINT": "http://mirror.invalid", **stage.module("sitecustomize", hangs)}
    yield Scene("pull, a name that is not found", pull, (0.3, 2.5), names)
    yield Scene(
        "pull, another one runs",
        ("pull", "--yes", "--source", f"{stage.hub.direct}", NAME),
        (0.5, 2.5),
        prepare=stage.slowly,
    )


def repl_scenes(stage: Stage) -> Iterator[Scene]:
    """The REPL, and questions in a terminal."""
    chat, ready = ("chat", "-n", "-m", "demo"), "Ctrl-D leaves"
    long = ("chat", "-n", "-m", str(stage.tiny), "--ctx-size", "40000")
    yield Scene("/model, a changed file", chat, line="/model large.gguf", sign=ready)
    yield Scene("/file, a named pipe", chat, line=f"/file {stage.fifo}", sign=ready)
    hanging = stage.program("xclip")
    yield Scene("/paste, xclip hangs", chat, line="/paste", sign=ready, environment=hanging)
    yield Scene("an answer in the REPL", long, (1.5, 3.0), line="hello", sign=ready, stopped="was stopped.")
    two = ("models", "import", str(stage.folder / "two"))
    yield Scene("a choice", two, (0.0, 0.5), line=ENTER, sign="Type numbers")
    yield Scene("a question of yes or no", ("models", "rm", "large.gguf"), (0.0, 0.5), line=ENTER, sign="Remove")
    yield Scene("the first run", ("chat", "-m", "qwen3-4b-instruct"), (0.0, 0.5), line=ENTER, sign="Type a number")


def sparse(model: Path, path: Path, size: int) -> Path:
    """Return a model file of `size` bytes that takes no space on the disk."""
    path.write_bytes(model.read_bytes())
    os.truncate(path, size)
    return path


def once(prepare: Callable[[], None]) -> Callable[[], None]:
    """Return a function that calls `prepare` the first time only."""
    left = [prepare]
    return lambda: left.pop()() if left else None


def many(stage: Stage) -> None:
    """Put very many states into the cache."""
    states = stage.home / "cache" / "states"
    states.mkdir(parents=True, exist_ok=True)
    for number in range(20_000):
        (states / f"s{number}.state").touch()

"""The protocol between the parent and its worker: length-prefixed msgspec frames over two pipes."""

import struct
from typing import IO, Literal

import msgspec

from qwen_tui.engine.protocol import EngineInfo, LoadOptions, Request
from qwen_tui.hardware.device import Build
from qwen_tui.messages import Finished, Loading, Message, Note, Prefill, Reasoning, Text

# How the `detail` of a `Failed` begins where the vocabulary lacks a special token of the prompt.
NOT_CHATML = "the vocabulary has no token "
# The worker's environment names in this variable the variants of llama.cpp that it must not load, with commas between.
AVOIDED = "QWEN_TUI_AVOIDED_VARIANTS"
# The length of a frame in bytes.
_LENGTH = struct.Struct("<I")


class Load(msgspec.Struct, frozen=True, tag=True):
    """Load a model; answered by `Loading` frames and one `Loaded`.

    `leaving` is a folder, as `os.fsencode` gives it. In it are the notices of workers that still hold GPU memory.
    """

    options: LoadOptions
    leaving: bytes = b""


class Count(msgspec.Struct, frozen=True, tag=True):
    """Count the prompt tokens of a conversation; answered by `Counted`. With `cached`, also those computed before."""

    messages: tuple[Message, ...]
    cached: bool = False


class Resize(msgspec.Struct, frozen=True, tag=True):
    """Let the context hold so many tokens from now on; answered by `Loaded`."""

    ctx_size: int


class Generate(msgspec.Struct, frozen=True, tag=True):
    """Answer a question; answered by the events of the answer."""

    number: int
    request: Request


class ReadAhead(msgspec.Struct, frozen=True, tag=True):
    """Read this question ahead, for the next one will probably go on with it; with None, read nothing any more.

    `place` is the number of the conversation. It is answered by nothing but `ReadAheadProgress`.
    """

    request: Request | None
    place: int = 0


class Measure(msgspec.Struct, frozen=True, tag=True):
    """Time batches of `sizes` tokens behind `depth` tokens; answered by `Measured`."""

    number: int
    sizes: tuple[int, ...]
    depth: int


class Describe(msgspec.Struct, frozen=True, tag=True):
    """Describe the installed llama.cpp, with a dry run of each of `options`; answered by `Described`.

    No weights are loaded.
    """

    options: tuple[LoadOptions, ...] = ()


class Examine(msgspec.Struct, frozen=True, tag=True):
    """Find out whether a model can be loaded and spoken to, without its weights; answered by `Examined`."""

    options: LoadOptions


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """Stop the question with this number, running or not yet begun; no other question."""

    number: int


class Leave(msgspec.Struct, frozen=True, tag=True):
    """Save what is worth it, then end; answered by `Leaving`, after which the parent may end first.

    `notice` is a file, as `os.fsencode` gives it: the worker removes it when it has freed its GPU memory.
    """

    notice: bytes = b""


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """The model is ready. Loading took `load_s` seconds, and the worker holds `held` bytes of GPU memory."""

    info: EngineInfo
    load_s: float
    held: int = 0


class Backend(msgspec.Struct, frozen=True, tag=True):
    """A portable llama.cpp is about to load the `variant` for this processor; `others` would run here, too.

    It comes before the variant runs any code, because that may end the worker. If llama.cpp refuses the variant, this
    comes again, with the next one.
    """

    variant: str
    others: tuple[str, ...] = ()


class ReadAheadProgress(msgspec.Struct, frozen=True, tag=True):
    """`done` of `total` tokens are read ahead; if both are equal, nothing will be read any more.

    It may come between the replies to any command.
    """

    done: int
    total: int


class Counted(msgspec.Struct, frozen=True, tag=True):
    """The number of prompt tokens, and how many of them need no computing."""

    tokens: int
    cached: int = 0


class Measured(msgspec.Struct, frozen=True, tag=True):
    """The seconds that the batches took, in the order of the sizes; fewer if it was stopped."""

    seconds: tuple[float, ...]


class Described(msgspec.Struct, frozen=True, tag=True):
    """The installed llama.cpp, and the buffers that the dry runs would allocate."""

    build: Build


class Examined(msgspec.Struct, frozen=True, tag=True):
    """The model can be loaded and spoken to."""


class Leaving(msgspec.Struct, frozen=True, tag=True):
    """Other processes can now see on the disk which state this worker is writing."""


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The command failed; the worker goes on. `detail` and the numbers are for the error message."""

    kind: Literal["library", "model", "context", "memory", "too_long", "schema", "decode"]
    detail: str = ""
    tokens: int = 0
    ctx_size: int = 0


WorkerCommand = Load | Count | Resize | Generate | ReadAhead | Measure | Describe | Examine | Cancel | Leave
AnswerEvent = Prefill | Text | Reasoning | Note | Finished
Reply = (
    Loading
    | Loaded
    | Backend
    | ReadAheadProgress
    | Counted
    | Measured
    | Described
    | Examined
    | Leaving
    | AnswerEvent
    | Failed
)

_encoder = msgspec.msgpack.Encoder()
_commands: msgspec.msgpack.Decoder[WorkerCommand] = msgspec.msgpack.Decoder(WorkerCommand)
_replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def write(stream: IO[bytes], frame: WorkerCommand | Reply) -> None:
    """Write one frame and flush; raises `OSError` when the other side has ended."""
    body = _encoder.encode(frame)
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def read_command(stream: IO[bytes]) -> WorkerCommand | None:
    """Read the next command; None when the other side has ended."""
    body = _read(stream)
    return None if body is None else _commands.decode(body)


def read_reply(stream: IO[bytes]) -> Reply | None:
    """Read the next reply; None when the other side has ended."""
    body = _read(stream)
    return None if body is None else _replies.decode(body)


def _read(stream: IO[bytes]) -> bytes | None:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = stream.read(length)
    return body if len(body) == length else None

"""What the parent and its worker say to each other: length-prefixed msgspec frames over two pipes."""

import struct
from typing import IO, Literal

import msgspec

from qwen_tui.engine.protocol import EngineInfo, LoadOptions, Request
from qwen_tui.hardware.device import Build
from qwen_tui.messages import Finished, Loading, Message, Note, Prefill, Reasoning, Text

_LENGTH = struct.Struct("<I")


class Load(msgspec.Struct, frozen=True, tag=True):
    """Load a model; answered by `Loading` frames and one `Loaded`.

    `leaving` is the folder, as `os.fsencode` gives it, with the signs of workers that still hold memory of a GPU.
    """

    options: LoadOptions
    leaving: bytes = b""


class Count(msgspec.Struct, frozen=True, tag=True):
    """Count the prompt tokens of a conversation; answered by `Counted`."""

    messages: tuple[Message, ...]


class Generate(msgspec.Struct, frozen=True, tag=True):
    """Answer a question; answered by the events of the stream."""

    number: int
    request: Request


class Measure(msgspec.Struct, frozen=True, tag=True):
    """Time batches of so many tokens behind `depth` of them; answered by `Measured`."""

    number: int
    sizes: tuple[int, ...]
    depth: int


class Describe(msgspec.Struct, frozen=True, tag=True):
    """Describe the installed llama.cpp, with a dry run of each of `options`; no model is loaded.

    Answered by `Described`.
    """

    options: tuple[LoadOptions, ...] = ()


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """Stop the question of that number, running or not yet begun; of another one, nothing."""

    number: int


class Leave(msgspec.Struct, frozen=True, tag=True):
    """End, after having kept what is worth keeping; answered by `Leaving`, then the parent may end before.

    `sign` is a file, as `os.fsencode` gives it, that is to be removed when the memory of a GPU is free.
    """

    sign: bytes = b""


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """The model is ready; `load_s` is what that took, `held` the bytes that it holds of a GPU."""

    info: EngineInfo
    load_s: float
    held: int = 0


class Counted(msgspec.Struct, frozen=True, tag=True):
    """The number of prompt tokens."""

    tokens: int


class Measured(msgspec.Struct, frozen=True, tag=True):
    """The seconds that the batches took, in their order; fewer if it was stopped."""

    seconds: tuple[float, ...]


class Described(msgspec.Struct, frozen=True, tag=True):
    """What the installed llama.cpp is, and the buffers that it would make."""

    build: Build


class Leaving(msgspec.Struct, frozen=True, tag=True):
    """Who asks next can see on the disk what is being kept."""


class Failed(msgspec.Struct, frozen=True, tag=True):
    """What was asked could not be done; the worker goes on. `detail` and the numbers are for the message."""

    kind: Literal["library", "model", "context", "memory", "too_long", "schema", "decode"]
    detail: str = ""
    tokens: int = 0
    ctx_size: int = 0


Command = Load | Count | Generate | Measure | Describe | Cancel | Leave
Happening = Prefill | Text | Reasoning | Note | Finished
Reply = Loading | Loaded | Counted | Measured | Described | Leaving | Happening | Failed

_encoder = msgspec.msgpack.Encoder()
_commands: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def write(stream: IO[bytes], frame: Command | Reply) -> None:
    """Write one frame and flush; raises `OSError` when the other side is gone."""
    body = _encoder.encode(frame)
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def read_command(stream: IO[bytes]) -> Command | None:
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

"""Keeps what the model answered to the parts of a long text, so that the same work goes on where it was stopped.

A file holds one answer. Its name is a hash of all that led to it: the material, the instruction, the model, and how it
was sampled. It notes the conversations that asked for it, and is removed with any of them. Computed states are not kept
here: those of sixty parts would push out all others.
"""

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from qwen_tui import cancellation, learned
from qwen_tui.engine.protocol import EngineInfo, Request
from qwen_tui.files import private_folder
from qwen_tui.kept_files import Tombstones, files_in
from qwen_tui.messages import FinishReason, Timings, Usage

# All files together take at most so many bytes, and there are at most so many; the one last used first is kept longest.
MOST_BYTES = 64 << 20
MOST_FILES = 4096
_SUFFIX = ".json"


class PartAnswer(msgspec.Struct, frozen=True):
    """What the model answered to one part, and its figures."""

    text: str
    reason: FinishReason
    usage: Usage = Usage()
    timings: Timings = Timings()


class _File(msgspec.Struct, frozen=True):
    conversations: tuple[str, ...]
    answer: PartAnswer
    version: Literal[1] = 1


class KeptOf(NamedTuple):
    """The parts that are kept of one conversation: how many, their bytes, and when the last of them was used."""

    conversation: str
    parts: int
    size: int
    used: float


class KeptParts:
    """The answers in `folder` that one conversation asks for or has asked for. Finding never raises."""

    def __init__(self, folder: Path, conversation: str) -> None:
        self._folder = PartsFolder(folder)
        self._conversation = conversation

    def find(self, key: str) -> PartAnswer | None:
        """Return the answer that is kept under `key`, None if there is none; it belongs to this conversation, too."""
        path = self._folder.file(key)
        found = _read(path)
        if found is None:
            return None
        with contextlib.suppress(OSError):
            if self._conversation in found.conversations:
                os.utime(path)
            else:
                conversations = (*found.conversations, self._conversation)
                learned.save(path, msgspec.structs.replace(found, conversations=conversations))
        return found.answer

    def keep(self, key: str, answer: PartAnswer) -> None:
        """Keep an answer under `key`, unless the conversation was removed meanwhile; raises `OSError`."""
        if self._folder.is_forgotten(self._conversation):
            return
        private_folder(self._folder.path)
        path = self._folder.file(key)
        # Another program may do the same work at the same time.
        before = _read(path)
        asked = dict.fromkeys((*(before.conversations if before else ()), self._conversation))
        learned.save(path, _File(tuple(asked), answer))
        # Another process that removes the conversation leaves its tombstone before it looks for files.
        if self._folder.is_forgotten(self._conversation):
            self.drop(key)
        self._folder.make_room()

    def drop(self, key: str) -> None:
        """Remove the answer that is kept under `key`."""
        with contextlib.suppress(OSError):
            self._folder.file(key).unlink(missing_ok=True)


class PartsFolder:
    """The folder of all kept answers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tombstones = Tombstones(path)

    def file(self, key: str) -> Path:
        """Return the file of a key."""
        return self.path / f"{key}{_SUFFIX}"

    def is_forgotten(self, conversation: str) -> bool:
        """Whether the conversation was removed."""
        return self._tombstones.has(conversation)

    def forget(self, conversation: str) -> None:
        """Remove what is kept of a conversation, and let no process keep more of it; raises `OSError`."""
        self._tombstones.put_up(conversation)
        for path, _stat in files_in(self.path, _SUFFIX):
            found = _read(path)
            if found is not None and conversation in found.conversations:
                path.unlink(missing_ok=True)

    def clear(self) -> int:
        """Remove every answer and return how many there were; raises `OSError`."""
        paths = [path for path, _stat in files_in(self.path, _SUFFIX)]
        for path in paths:
            cancellation.check()
            path.unlink(missing_ok=True)
        return len(paths)

    def entries(self) -> list[KeptOf]:
        """Return what is kept, by the conversation that asked for it first, the last used first."""
        found: dict[str, KeptOf] = {}
        for path, stat in files_in(self.path, _SUFFIX):
            cancellation.check()
            file = _read(path)
            if file is not None:
                first = file.conversations[0]
                before = found.get(first, KeptOf(first, 0, 0, 0.0))
                found[first] = KeptOf(
                    first, before.parts + 1, before.size + stat.st_size, max(before.used, stat.st_mtime)
                )
        return sorted(found.values(), key=lambda one: -one.used)

    def make_room(self) -> None:
        """Remove the answers that were used longest ago, until the limits hold, and old tombstones."""
        files = sorted(files_in(self.path, _SUFFIX), key=lambda pair: pair[1].st_mtime)
        total, count = sum(stat.st_size for _path, stat in files), len(files)
        for path, stat in files:
            if total <= MOST_BYTES and count <= MOST_FILES:
                break
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            total, count = total - stat.st_size, count - 1
        self._tombstones.remove_old()


def key_of(request: Request, info: EngineInfo, host: str) -> str:
    """Return the key of the answer to `request` by the engine that `info` and its `host` describe."""
    asked = (info.identity or info.model, host, request.messages, request.sampler, request.max_tokens, request.schema)
    return hashlib.sha256(msgspec.json.encode(asked)).hexdigest()


def _read(path: Path) -> _File | None:
    found = learned.read(path, _File, _File((), PartAnswer("", "stop")))
    return found if found.conversations else None

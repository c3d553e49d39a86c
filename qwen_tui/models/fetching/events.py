"""The events of a download, as plain data."""

from collections.abc import Generator
from pathlib import Path
from typing import TypeAlias, TypeVar

import msgspec

T = TypeVar("T")


class Checking(msgspec.Struct, frozen=True):
    """`done` bytes of `total` on this disk are hashed."""

    done: int
    total: int


class Fetching(msgspec.Struct, frozen=True):
    """`done` bytes have arrived, of `total` if that is known."""

    done: int
    total: int | None


class Remark(msgspec.Struct, frozen=True):
    """Something the person should know, in a sentence."""

    text: str


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """The file is complete, verified, and has its name.

    `fetched` counts the bytes that came over the network, and `source` is the host of the last ones, "" if there were
    none. `expected` says that the hash was known beforehand; without that, `sha256` is only the hash of what arrived.
    """

    path: Path
    size: int
    sha256: str
    fetched: int
    source: str
    expected: bool


FetchEvent = Checking | Fetching | Remark | Arrived
# A generator that yields events and returns a result.
Steps: TypeAlias = Generator[FetchEvent, None, T]

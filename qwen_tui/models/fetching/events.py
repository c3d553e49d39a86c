"""What happens while a model is fetched, as plain data."""

from collections.abc import Generator
from pathlib import Path
from typing import TypeAlias, TypeVar

import msgspec

T = TypeVar("T")


class Checking(msgspec.Struct, frozen=True):
    """So many bytes of `total` on this disk are hashed."""

    done: int
    total: int


class Fetching(msgspec.Struct, frozen=True):
    """So many bytes of `total`, which may be unknown, are here."""

    done: int
    total: int | None


class Remark(msgspec.Struct, frozen=True):
    """Something the person should know, in a sentence."""

    text: str


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """The file is there, under its name, and proven.

    `fetched` is how many bytes came over the network. `source` is the host they came from, "" if none did. `expected`
    says that the hash was known before the bytes.
    """

    path: Path
    size: int
    sha256: str
    fetched: int
    source: str
    expected: bool


FetchEvent = Checking | Fetching | Remark | Arrived
# What yields events and returns a result.
Steps: TypeAlias = Generator[FetchEvent, None, T]

"""Finds other programs on the PATH, such as an editor.

Windows would look for them in the current folder first: in a folder of downloads, anybody could put code there.
"""

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

ON_WINDOWS = os.name == "nt"


def find(program: str, path: str | None = None) -> str | None:
    """Return the file of `program` by a search path, by default the PATH; None if it is in none of its folders.

    A `program` with a folder in its name is looked for there alone.
    """
    if not ON_WINDOWS or {os.sep, "/"} & set(program):
        return shutil.which(program, path=path)
    path = os.environ.get("PATH", os.defpath) if path is None else path
    # Python would put the current folder first, unless it is there already.
    found = shutil.which(program, path=os.pathsep.join([path, os.curdir]))
    return found if found and Path(found).is_absolute() else None


def located(words: Sequence[str], path: str | None = None) -> list[str]:
    """Return a command line with the file of its program; raises `FileNotFoundError`.

    Elsewhere than on Windows it stays as it is: the system finds the program.
    """
    if not ON_WINDOWS:
        return list(words)
    if (found := find(words[0], path)) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), words[0])
    return [found, *words[1:]]

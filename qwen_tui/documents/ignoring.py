"""Tells what git ignores in a folder: by .gitignore at every level, and by .git/info/exclude."""

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_IGNORE_FILE = ".gitignore"
# A file with rules has so many bytes at most.
_MOST_BYTES = 2**20


# pathspec takes a pattern that matches a folder for one that matches all in it. In git it does not: `!*/` brings back
# folders, and no files. With this character at the end of patterns and paths, a pattern matches only the path itself.
_END = "\1"


class _File(NamedTuple):
    """The patterns of one file, which are about the paths in the folder `base`: those for folders, those for others."""

    base: str
    for_folders: "GitIgnoreSpec"
    for_others: "GitIgnoreSpec"


class Rules(NamedTuple):
    """The rules that hold in a folder. Of several files, the last one that says something decides."""

    files: tuple[_File, ...] = ()

    def within(self, folder: str) -> "Rules":
        """Return the rules for the folder with that absolute path: its own .gitignore comes last."""
        own = _file(folder, Path(folder, _IGNORE_FILE))
        return Rules((*self.files, own)) if own else self

    def ignore(self, path: str, *, is_folder: bool) -> bool:
        """Whether git ignores this absolute path, if it does not ignore the folder above it."""
        for file in reversed(self.files):
            inside = path.removeprefix(file.base).lstrip(os.sep).replace(os.sep, "/")
            decided = (file.for_folders if is_folder else file.for_others).check_file(inside + _END).include
            if decided is not None:
                return decided
        return False


def rules_above(folder: str) -> Rules:
    """Return the rules from the folders above this absolute path, up to the root of its repository.

    There are none outside a repository. If they ignored `folder` itself, they would leave out everything in it, and the
    person has named it: then they do not count.
    """
    rules = Rules()
    inside = Path(folder)
    root = next((above for above in (inside, *inside.parents) if os.path.lexists(above / ".git")), None)
    if root is None:
        return rules
    excluded = _file(str(root), _git_folder(root) / "info" / "exclude")
    rules = Rules((excluded,)) if excluded else rules
    for above in reversed([path for path in inside.parents if path == root or root in path.parents]):
        rules = rules.within(str(above))
    is_ignored = any(
        rules.ignore(str(path), is_folder=True) for path in (inside, *inside.parents) if root in path.parents
    )
    return Rules() if is_ignored else rules


def _git_folder(root: Path) -> Path:
    """Return the folder with the settings of the repository; in a linked work tree, .git is a file that leads there."""
    git = root / ".git"
    try:
        if git.is_dir():
            return git
        own = root / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        common = own / "commondir"
        return own / common.read_text(encoding="utf-8").strip() if common.is_file() else own
    except (OSError, UnicodeDecodeError):
        return git


def _file(base: str, path: Path) -> _File | None:
    """Return the rules in the file `path`; None if there are none, or if it is not a plain file that can be read."""
    try:
        # Like git, this follows no link here. Opening a named pipe would block.
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES)
    except OSError:
        return None
    # Other than Python, git knows no ends of lines but this one.
    lines = [line.removesuffix("\r") for line in data.decode("utf-8-sig", "surrogateescape").split("\n")]
    patterns = list(filter(None, map(_pattern, lines)))
    if not patterns:
        return None
    # Imported here, because it takes time and most folders have no such file.
    from pathspec import GitIgnoreSpec

    # Only folders match a pattern with a slash at its end.
    for_others = [pattern for pattern in patterns if not pattern.endswith("/")]
    specs = (GitIgnoreSpec.from_lines(map(_ended, chosen)) for chosen in (patterns, for_others))
    return _File(base, *specs)


def _pattern(line: str) -> str:
    """Return the pattern in a line; empty for a comment, and for what means nothing in git either."""
    pattern = line.rstrip(" ")
    backslashes = len(pattern) - len(pattern.rstrip("\\"))
    if backslashes % 2:
        # It stands for the blank behind it.
        pattern = line[: len(pattern) + 1]
        if pattern.endswith("\\"):
            return ""
    return "" if pattern.startswith("#") or not pattern.removeprefix("!").strip("/") else pattern


def _ended(pattern: str) -> str:
    """Return a pattern that matches a path before `_END`; two stars at the end match all of a folder as they are."""
    bare = pattern.rstrip("/")
    return bare if bare.endswith("/**") else bare + _END

"""The program's folders, atomic writes, permissions, packaged data, and how sizes and times are shown."""

import contextlib
import errno
import itertools
import os
import stat
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qwen_tui.errors import ConfigError, UsageError, WriteError, how_to_write, why
from qwen_tui.i18n import gettext as _

APPLICATION = "qwen-tui"
PACKAGE = Path(__file__).parent
ASSETS = PACKAGE / "assets"

# The system's errors for a folder that accepts no new file, and (EBUSY) for a file that is a mount point.
_NO_REPLACING = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY)


@dataclass(frozen=True, slots=True)
class Folders:
    """The program's folders on this computer. The program creates each only when it first writes into it."""

    config: Path
    data: Path
    cache: Path

    @property
    def config_file(self) -> Path:
        return self.config / "config.toml"

    @property
    def history(self) -> Path:
        return self.data / "history.db"

    @property
    def tuned(self) -> Path:
        return self.data / "tuned.json"

    @property
    def worked(self) -> Path:
        return self.data / "worked.json"

    @property
    def crashes(self) -> Path:
        return self.data / "crashes.json"

    @property
    def variants(self) -> Path:
        return self.data / "variants.json"

    @property
    def speeds(self) -> Path:
        return self.data / "speeds.json"

    @property
    def consents(self) -> Path:
        return self.data / "consents.json"

    @property
    def offered(self) -> Path:
        return self.data / "offered.json"

    @property
    def templates(self) -> Path:
        return self.data / "templates"

    @property
    def models(self) -> Path:
        return self.data / "models"

    @property
    def comparisons(self) -> Path:
        return self.data / "comparisons"

    @property
    def states(self) -> Path:
        return self.cache / "states"

    @property
    def parts(self) -> Path:
        return self.cache / "parts"

    @property
    def engine(self) -> Path:
        return self.cache / "engine.json"

    @property
    def examined(self) -> Path:
        return self.cache / "examined.json"

    @property
    def leaving(self) -> Path:
        return self.cache / "leaving"

    @property
    def driver_hung(self) -> Path:
        return self.cache / "driver-hung"


def folders(environ: Mapping[str, str] = os.environ) -> Folders:
    """Return the folders: under `QWEN_TUI_HOME` if that is set, else where the platform puts such folders.

    Raises `ConfigError` if the user has no home folder.
    """
    home = environ.get("QWEN_TUI_HOME")
    if home:
        root = expand(home)
        if str(root).startswith("~"):
            raise _homeless(_("QWEN_TUI_HOME is “{value}”, and there is no such home folder.").format(value=home))
        return Folders(config=root, data=root, cache=root / "cache")
    import platformdirs

    try:
        return Folders(
            config=platformdirs.user_config_path(APPLICATION, appauthor=False),
            data=platformdirs.user_data_path(APPLICATION, appauthor=False),
            cache=platformdirs.user_cache_path(APPLICATION, appauthor=False),
        )
    except RuntimeError as error:
        raise _homeless(
            _("This user has no home folder: HOME is not an absolute path, and the system knows none.")
        ) from error


def _homeless(problem: str) -> ConfigError:
    return ConfigError(
        problem, _("Name a folder to keep everything in: {command}").format(command="export QWEN_TUI_HOME=/a/folder")
    )


def expand(path: str) -> Path:
    """Return `path` with `~` replaced by the user's home; `~name` of an unknown user stays as it is.

    This also replaces NUL by U+FFFD. No file name contains NUL, and Python would raise `ValueError` for it, instead of
    the `OSError` for a missing file.
    """
    path = path.replace("\0", "\ufffd")
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def is_there(path: str | Path) -> bool:
    """Whether there is a file or a folder; False too for a path that is too long, or may not be looked at."""
    return os.path.exists(path)  # noqa: PTH110 - those of pathlib raise for such paths


def is_file(path: str | Path) -> bool:
    """Whether there is a file; False as for `is_there`."""
    return os.path.isfile(path)  # noqa: PTH113 - likewise


def is_folder(path: str | Path) -> bool:
    """Whether there is a folder; False as for `is_there`."""
    return os.path.isdir(path)  # noqa: PTH112 - likewise


def listing(folder: Path) -> list[str]:
    """Return the names in `folder`, none if there is no folder; raises `OSError` if the system refuses it."""
    try:
        return os.listdir(folder)  # noqa: PTH208 - the names are all that is wanted
    except FileNotFoundError:
        return []


def size_text(size: int) -> str:
    """Return a size in bytes as people write it, in decimal units (1 GB = 10⁹ bytes) as shops and the hub do."""
    for unit, name, digits in ((1e9, "GB", 2), (1e6, "MB", 1), (1e3, "kB", 0)):
        if size >= unit:
            return f"{size / unit:.{digits}f} {name}"
    return f"{size} B"


def time_text(seconds: float) -> str:
    """Return a time in seconds since 1970 as people write it, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def sync_folder(path: Path) -> None:
    """Make renames in the folder survive a power cut. Windows cannot open folders, so there this does nothing."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        # Some network drives refuse to sync a folder; the program can do nothing more there.
        return
    finally:
        os.close(handle)


def private_folder(path: Path) -> Path:
    """Create `path` and its missing parents, readable by the user alone (0700), and return `path`."""
    if is_folder(path):
        return path
    # mkdir(parents=True) would create the parents readable by others.
    for folder in (*reversed(path.parents), path):
        if not is_folder(folder):
            try:
                folder.mkdir(mode=0o700, exist_ok=True)
            except FileExistsError:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
            # mkdir's mode passes through the umask; chmod does not.
            folder.chmod(0o700)
    return path


def write_private(path: Path, content: bytes) -> None:
    """Replace the content of `path` in one step: a reader sees the old or the new content, never a part.

    A new file is readable by the user alone (0600). An existing file keeps its permissions and its owner. A symbolic
    link stays a link, and the file that it leads to is replaced.
    """
    private_folder(path.parent)
    target = link_target(path)
    before = target.stat() if target.exists() else None
    try:
        _replace(target, content, before)
    except OSError as error:
        if before is None or not stat.S_ISREG(before.st_mode) or error.errno not in _NO_REPLACING:
            raise
        # The folder accepts no second file, or a container has mounted this file. Then only overwriting works.
        with target.open("r+b") as file:
            file.write(content)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())


def _replace(target: Path, content: bytes, before: os.stat_result | None) -> None:
    # mkstemp creates the file with 0600, whatever the umask is.
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if before is not None:
            keep_permissions(Path(name), before)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def link_target(path: Path) -> Path:
    """Return the file that a symbolic link leads to, else `path`: replacing that file keeps the link."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def keep_permissions(path: Path, before: os.stat_result) -> None:
    """Give `path`, which will replace a file, that file's permissions, and its owner if the system allows."""
    if hasattr(os, "chown"):
        # Only root may give a file to another owner. Otherwise the new file belongs to the user who runs the program.
        with contextlib.suppress(PermissionError):
            os.chown(path, before.st_uid, before.st_gid)
    path.chmod(stat.S_IMODE(before.st_mode))


def save_new(path: Path, text: str, *, chosen: bool = True) -> None:
    """Write `text` into a new file, readable by the user alone.

    `chosen` says that the person has named the place, and not this program. Raises `UsageError` if there is a file or a
    folder of that name already, `WriteError` if the system refuses to write.
    """
    refuse_taken(path)
    try:
        write_private(path, text.encode())
    except OSError as error:
        raise WriteError(
            _("{path} could not be written: {reason}").format(path=path, reason=why(error)),
            how_to_write(error, chosen=chosen),
        ) from error


def refuse_taken(path: Path, another_way: str = "") -> None:
    """Raise `UsageError` if there is a file or a folder of that name; `another_way` tells a remedy for a file."""
    if is_folder(path):
        raise UsageError(
            _("{path} is a folder.").format(path=path),
            _("Name a file in it, for example: {path}").format(path=path / "talk.md"),
        )
    if is_there(path):
        remedy = _("Choose another name, for example: {path}").format(path=_free(path))
        raise UsageError(
            _("There is a file {path} already, and it stays as it is.").format(path=path),
            "\n".join(filter(None, (remedy, another_way))),
        )


def _free(path: Path) -> Path:
    """Return the same name with the first number, from 2, that no file there has."""
    numbered = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in itertools.count(2))
    return next(candidate for candidate in numbered if not is_there(candidate))


def packaged(name: str, package: Path = PACKAGE) -> Path:
    """Return the data folder `name`, as `templates`: inside the package in a wheel, beside it in a checkout.

    An editable install does not see the folders that the wheel's build adds (force-include), so this looks in both.
    """
    inside = package / name
    return inside if inside.is_dir() else package.parent / name

"""Where things live on disk, and how they are written: the folders, atomic writes, permissions, packaged data."""

import contextlib
import errno
import itertools
import os
import re
import shlex
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qwen_tui.errors import ConfigError, UsageError, WriteError, how_to_write, why
from qwen_tui.i18n import gettext as _

APPLICATION = "qwen-tui"
PACKAGE = Path(__file__).parent
ASSETS = PACKAGE / "assets"
# Words that no shell of Windows takes apart.
_PLAIN = re.compile(r"[\w@+=:./\\-]+")

# What the system says of a folder that takes no new file, and of a file that something is mounted on.
_NO_REPLACING = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY)


@dataclass(frozen=True, slots=True)
class Folders:
    """The program's folders on this computer; none is created before something is written into it."""

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
    def templates(self) -> Path:
        return self.data / "templates"

    @property
    def models(self) -> Path:
        return self.data / "models"

    @property
    def states(self) -> Path:
        return self.cache / "states"

    @property
    def engine(self) -> Path:
        return self.cache / "engine.json"

    @property
    def leaving(self) -> Path:
        return self.cache / "leaving"

    @property
    def driver_hung(self) -> Path:
        return self.cache / "driver-hung"


def folders(environ: Mapping[str, str] = os.environ) -> Folders:
    """Return the folders: under `QWEN_TUI_HOME` if that is set, else where the platform wants them.

    Raises `ConfigError` for a user who has no home folder that those could lie in.
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
        raise _homeless(_("This user has no home folder: HOME is no whole path, and the system knows none.")) from error


def _homeless(problem: str) -> ConfigError:
    return ConfigError(
        problem, _("Name a folder to keep everything in: {command}").format(command="export QWEN_TUI_HOME=/a/folder")
    )


def expand(path: str) -> Path:
    """Return `path` with `~` as the user's home; one that names no known user stays as it is.

    A NUL is in no name that can be opened, and Python fails on it otherwise than on a name that is not there.
    """
    path = path.replace("\0", "\ufffd")
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def quoted(word: str | Path) -> str:
    """Return `word` as a command line of this system takes it; a path that begins with a dash is no option."""
    text = str(word)
    if isinstance(word, Path) and text.startswith("-"):
        text = os.path.join(os.curdir, text)  # noqa: PTH118 - a path drops it
    if os.name == "nt":
        return text if _PLAIN.fullmatch(text) else f'"{text}"'
    return shlex.quote(text)


def command_line(*words: str | Path) -> str:
    """Return a command that does what it says when it is pasted, whatever blanks and brackets its words hold."""
    return " ".join(map(quoted, words))


def setting(variable: str, value: str) -> str:
    """Return the command that sets an environment variable in the shell that most people have here."""
    return f"$env:{variable} = '{value}'" if os.name == "nt" else f"export {variable}={quoted(value)}"


def unsetting(variable: str) -> str:
    """Return the command that takes an environment variable back."""
    return f"Remove-Item Env:{variable}" if os.name == "nt" else f"unset {variable}"


def size_text(size: int) -> str:
    """Return a size in bytes as people say it, in decimal units as the shops and the hub use them."""
    for unit, name, digits in ((1e9, "GB", 2), (1e6, "MB", 1), (1e3, "kB", 0)):
        if size >= unit:
            return f"{size / unit:.{digits}f} {name}"
    return f"{size} B"


def sync_folder(path: Path) -> None:
    """Make what was renamed in the folder last through a power cut, where the system lets folders be opened."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        # Some network drives refuse it; nothing more can be done there.
        return
    finally:
        os.close(handle)


def private_folder(path: Path) -> Path:
    """Create `path` and what is missing above it, readable by the user alone (0700), and return it."""
    if path.is_dir():
        return path
    # mkdir's own `parents` would leave those open to others.
    for folder in (*reversed(path.parents), path):
        if not folder.is_dir():
            try:
                folder.mkdir(mode=0o700, exist_ok=True)
            except FileExistsError:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
            # mkdir's mode passes through the umask; chmod does not.
            folder.chmod(0o700)
    return path


def write_private(path: Path, content: bytes) -> None:
    """Replace the content of `path` in one step: old or new, never half of it.

    A new file is readable by the user alone (0600). One that is there keeps its permissions and its owner. A symbolic
    link stays one: what it leads to is replaced.
    """
    private_folder(path.parent)
    target = link_target(path)
    before = target.stat() if target.exists() else None
    try:
        _replace(target, content, before)
    except OSError as error:
        if before is None or not stat.S_ISREG(before.st_mode) or error.errno not in _NO_REPLACING:
            raise
        # The folder takes no second file, or a container has mounted this one: it can only be overwritten.
        with target.open("r+b") as file:
            file.write(content)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())


def _replace(target: Path, content: bytes, before: os.stat_result | None) -> None:
    # mkstemp creates with 0600 whatever the umask.
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
    """Return what is to be replaced so that a symbolic link stays one: what it leads to."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def keep_permissions(path: Path, before: os.stat_result) -> None:
    """Give `path`, which is about to replace a file, that file's permissions, and where it may be its owner."""
    if hasattr(os, "chown"):
        # Only root gives files away: for anybody else the new one is their own.
        with contextlib.suppress(PermissionError):
            os.chown(path, before.st_uid, before.st_gid)
    path.chmod(stat.S_IMODE(before.st_mode))


def save_new(path: Path, text: str, *, chosen: bool = True) -> None:
    """Write `text` where a person wants it, readable by them alone, in place of nothing that is there.

    `chosen` says that the person has named the place, and not this program. Raises `UsageError` for what is there
    already, `WriteError` for what the disk refuses.
    """
    if path.is_dir():
        raise UsageError(
            _("{path} is a folder.").format(path=path),
            _("Name a file in it, for example: {path}").format(path=path / "talk.md"),
        )
    if path.exists():
        raise UsageError(
            _("There is a file {path} already, and it stays as it is.").format(path=path),
            _("Choose another name, for example: {path}").format(path=_free(path)),
        )
    try:
        write_private(path, text.encode())
    except OSError as error:
        raise WriteError(
            _("{path} could not be written: {reason}").format(path=path, reason=why(error)),
            how_to_write(error, chosen=chosen),
        ) from error


def _free(path: Path) -> Path:
    """The same name with the first number that makes it a new one."""
    numbered = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in itertools.count(2))
    return next(candidate for candidate in numbered if not candidate.exists())


def packaged(name: str, package: Path = PACKAGE) -> Path:
    """Return a data folder that the wheel carries inside the package and a checkout keeps beside it.

    `name` is the folder's, e.g. `templates`. An editable install does not see force-included folders, hence both.
    """
    inside = package / name
    return inside if inside.is_dir() else package.parent / name

"""TOML files of the program's own: read, and changed so that all else in them stays as the person wrote it."""

import codecs
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from qwen_tui.errors import ConfigError, why
from qwen_tui.files import is_file, write_private
from qwen_tui.i18n import gettext as _

if TYPE_CHECKING:
    from tomlkit import TOMLDocument


class Read(NamedTuple):
    """The text of a file, and its values; both are empty if there is no file."""

    text: str
    values: dict[str, Any]


def change(path: Path, keys: Sequence[str], value: Any, instead: str = "") -> None:
    """Write `value` under `keys`, the last of which is in the tables that the others name; None removes it.

    Raises `ConfigError` for a file that is not TOML, which stays as it is; `instead` is the remedy for a value that is
    not text.
    """
    before = read(path).text
    document = _document(path, before)
    _set(document, keys, value)
    after = document.as_string()
    if "\r\n" in before:
        # tomlkit ends the lines that it adds with \n alone.
        after = re.sub("\r?\n", "\r\n", after)
    try:
        content = after.encode("utf-8-sig" if _begins_with_mark(path) else "utf-8")
    except UnicodeEncodeError as error:
        raise ConfigError(
            _("{path} holds text in UTF-8, and “{value}” is not UTF-8.").format(path=path, value=value), instead
        ) from error
    write_private(path, content)


def _set(document: "TOMLDocument", keys: Sequence[str], value: Any) -> None:
    table: Any = document
    for key in keys[:-1]:
        if key not in table:
            if value is None:
                return
            import tomlkit

            # Its own line would hold nothing: [servers.NAME] says it all.
            table[key] = tomlkit.table(is_super_table=True)
        table = table[key]
    if value is None:
        table.pop(keys[-1], None)
        if len(keys) > 1 and not table:
            document.pop(keys[0], None)
    else:
        table[keys[-1]] = value


def read(path: Path) -> Read:
    """Return the text of the file, and its values; both are empty if there is no file. Raises `ConfigError`."""
    content = b""
    try:
        content = path.read_bytes()
        # Notepad begins its files with a byte order mark.
        text = content.decode("utf-8-sig")
        return Read(text, tomllib.loads(text))
    except (FileNotFoundError, NotADirectoryError):
        return Read("", {})
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            _("{path}, line {line}: it is not UTF-8.").format(path=path, line=line),
            _("Save it as UTF-8 with: qwen config edit"),
        ) from error
    # For too many digits tomllib raises a plain ValueError, for too many brackets a RecursionError.
    except (ValueError, RecursionError) as error:
        raise _not_toml(path, error) from error
    except OSError as error:
        raise ConfigError(
            _("{path} cannot be read: {reason}").format(path=path, reason=why(error)),
            _("Check its permissions, or set QWEN_TUI_HOME to another folder."),
        ) from error


def _document(path: Path, text: str) -> "TOMLDocument":
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise _not_toml(path, error) from error


def _not_toml(path: Path, error: Exception) -> ConfigError:
    return ConfigError(
        _("{path} is not valid TOML: {reason}").format(path=path, reason=why(error)),
        _("Correct it with: qwen config edit"),
    )


def _begins_with_mark(path: Path) -> bool:
    return is_file(path) and path.read_bytes().startswith(codecs.BOM_UTF8)


def place(path: Path, text: str, name: str) -> str:
    """Return the file as text, with the line that sets `name` if that can be found."""
    begins = re.compile(rf"""\s*\[*\s*["']?{re.escape(name)}["']?\s*[=.\]]""")
    lines = text.replace("\r\n", "\n").split("\n")
    for number, line in enumerate(lines):
        if begins.match(line) and _is_whole("\n".join(lines[:number])):
            return _("{path}, line {line}").format(path=path, line=number + 1)
    return str(path)


def _is_whole(text: str) -> bool:
    """Whether `text` is TOML on its own, and does not end inside a string of several lines."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True

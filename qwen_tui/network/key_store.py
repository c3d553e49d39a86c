"""Keys of servers in the keyring of the system, where the optional library for it is installed."""

from types import ModuleType

from qwen_tui.errors import QwenError
from qwen_tui.files import APPLICATION
from qwen_tui.i18n import gettext as _


class KeyStoreError(QwenError):
    """A keyring that is missing, locked or refuses."""


def read(server: str) -> str | None:
    """Return the key of `server`, None if none is stored; raises `KeyStoreError`."""
    keyring = _library()
    try:
        key: str | None = keyring.get_password(APPLICATION, server)
    except Exception as error:
        raise _refused(error) from error
    return key


def store(server: str, key: str) -> None:
    """Store the key of `server`; raises `KeyStoreError`."""
    keyring = _library()
    try:
        keyring.set_password(APPLICATION, server, key)
    except Exception as error:
        raise _refused(error) from error


def remove(server: str) -> None:
    """Remove the key of `server` if there is one; raises `KeyStoreError`."""
    if read(server) is None:
        return
    try:
        _library().delete_password(APPLICATION, server)
    except Exception as error:
        raise _refused(error) from error


def _library() -> ModuleType:
    try:
        import keyring
    except ImportError as error:
        raise KeyStoreError(
            _("The library that reaches the keyring of the system is not installed."),
            _("Install it with: pip install 'qwen-tui[keyring]', or put the key into a variable: --key-env NAME"),
        ) from error
    return keyring


def _refused(error: Exception) -> KeyStoreError:
    # The library's own message is about its parts, and its many backends raise what they like.
    return KeyStoreError(
        _("The keyring of the system cannot be used: {reason}").format(reason=type(error).__name__),
        _("Unlock it, or put the key into a variable: --key-env NAME"),
    )

"""The file of `--output`: an answer goes there as it comes, and what has come stays if it breaks off."""

import contextlib
import dataclasses
import io
import os
from collections.abc import Iterator
from pathlib import Path

from qwen_tui import cancellation, files
from qwen_tui.cli.environment import Environment
from qwen_tui.errors import WriteError, how_to_write, why
from qwen_tui.files import is_file, is_folder, is_there, private_folder
from qwen_tui.i18n import gettext as _

# As the name of a file, this means stdout.
_STDOUT = "-"


class _AnswerFile(io.TextIOWrapper):
    """A file in UTF-8 whose old content goes when the first text of the answer comes, and not before."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(io.FileIO(descriptor, "w"), "utf-8", "replace", newline="", write_through=True)
        self.has_text = False

    def write(self, text: str, /) -> int:
        if text and not self.has_text:
            # A pipe and a device have no old content.
            with contextlib.suppress(OSError):
                os.ftruncate(self.fileno(), 0)
        written = super().write(text)
        self.has_text |= bool(text)
        return written


@contextlib.contextmanager
def answering_into(
    name: str | None, environment: Environment, *, overwrite: bool, quiet: bool
) -> Iterator[Environment]:
    """Yield an environment whose stdout is the file `name`; without one, `environment` itself.

    In the end, a note says that the file was written, unless `quiet`; a new one without a text goes again. Raises
    `UsageError` for a folder, and for a file with content that is not to be overwritten; `WriteError` if the system
    refuses.
    """
    if name is None or name == _STDOUT:
        yield environment
        return
    path = files.expand(name)
    is_new = not is_there(path)
    if is_folder(path) or (is_file(path) and path.stat().st_size and not overwrite):
        files.refuse_taken(path, _("To replace it, add --overwrite."))
    stream = _opened(path)
    try:
        yield dataclasses.replace(environment, stdout=stream)
    finally:
        # A write that failed has been told, and a file that cannot be removed is empty.
        with contextlib.suppress(OSError):
            stream.close()
            if is_new and not stream.has_text:
                path.unlink()
        if stream.has_text and not quiet:
            environment.note(_("Written: {path}").format(path=path))


def _opened(path: Path) -> _AnswerFile:
    try:
        private_folder(path.parent)
        # A named pipe opens when somebody reads it. Only the user may read a new file.
        with cancellation.current().interruptible():
            return _AnswerFile(os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600))
    except OSError as error:
        raise WriteError(
            _("{path} could not be written: {reason}").format(path=path, reason=why(error)),
            how_to_write(error, chosen=True),
        ) from error

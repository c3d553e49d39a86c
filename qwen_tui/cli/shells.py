"""`--install-completion` and `--show-completion`: let the Tab key of a shell complete commands and names."""

import codecs
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from qwen_tui import cancellation, files, programs
from qwen_tui.cli.environment import Environment
from qwen_tui.errors import QwenError, UsageError, WriteError, how_to_write, why
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed
from qwen_tui.quoting import quoted

# The variable with which a shell's script asks the program for completions; see `shell_completion`.
COMPLETE = "_QWEN_TUI_COMPLETE"
INSTALL, SHOW = "--install-completion", "--show-completion"
# The shells, and the file of each in `assets/completion`.
SHELLS = {"bash": "qwen.bash", "zsh": "qwen.zsh", "fish": "qwen.fish", "powershell": "qwen.ps1"}
_CALLED = {"pwsh": "powershell"}


def run(environment: Environment, arguments: Sequence[str]) -> int | None:
    """If `arguments` have one of the two options, run it and return the exit code; else return None."""
    option, equals, shell = arguments[0].partition("=") if arguments else ("", "", "")
    if option not in (INSTALL, SHOW):
        return None
    named = [shell] if equals else list(arguments[1:])
    if len(named) > 1 or (named and named[0] not in SHELLS):
        raise UsageError(
            _("There is no completion for the shell “{name}”.").format(name=" ".join(named)),
            _("Choose one of: {names}.").format(names=listed(SHELLS)),
        )
    shell = named[0] if named else _current(environment.variables)
    if option == SHOW:
        environment.print(_script(shell))
        return 0
    for file in _install(shell, environment.variables):
        environment.print(_("Completion is set up in {path}.").format(path=file))
    environment.print(
        _("In new {shell} windows the Tab key now completes commands, options and names.").format(shell=shell)
    )
    return 0


def _script(shell: str) -> str:
    return (files.ASSETS / "completion" / SHELLS[shell]).read_text(encoding="utf-8")


def _current(variables: Mapping[str, str]) -> str:
    """Return the shell that the program was started from; raises `UsageError` if it is none of `SHELLS`."""
    import psutil

    try:
        names = [process.name() for process in psutil.Process().parents()]
    except psutil.Error:
        names = []
    for name in [*names, Path(variables.get("SHELL", "")).name]:
        shell = name.lower().removesuffix(".exe").removeprefix("-")
        if _CALLED.get(shell, shell) in SHELLS:
            return _CALLED.get(shell, shell)
    raise UsageError(
        _("It is not clear which shell this is."), _("Name it: {command}").format(command=f"qwen {INSTALL} bash")
    )


def _install(shell: str, variables: Mapping[str, str]) -> list[Path]:
    """Let `shell` complete from its next start on, and return the written files."""
    home = files.expand("~")
    if shell == "fish":
        folder = Path(variables.get("XDG_CONFIG_HOME") or home / ".config") / "fish" / "completions"
        # fish looks for a file with the name of the command.
        return [_write(folder / f"{name}.fish", _script(shell).encode()) for name in ("qwen", "qwen-tui")]
    script = _write(files.folders().data / "completion" / SHELLS[shell], _script(shell).encode())
    if shell == "powershell":
        path = str(script).replace("'", "''")
        start, line = _profile(), f"if (Test-Path '{path}') {{ . '{path}' }}"
    else:
        folder = Path(variables.get("ZDOTDIR") or home) if shell == "zsh" else home
        # On macOS, terminals start bash as a login shell, which reads another file.
        name = ".bash_profile" if (shell, sys.platform) == ("bash", "darwin") else f".{shell}rc"
        start, line = folder / name, f"[ ! -f {quoted(script)} ] || . {quoted(script)}"
    before = start.read_bytes() if start.exists() else b""
    added = _with_line(before, line)
    return [script] if added == before else [script, _write(start, added)]


def _with_line(before: bytes, line: str) -> bytes:
    """Return the content of a person's file with `line` at its end, and all else as it was; it is added only once."""
    # PowerShell 5 writes UTF-16.
    marks = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
    encoding = marks.get(before[:2], "utf-8")
    added, end = line.encode(encoding, "surrogateescape"), "\n".encode(encoding)
    if added in before:
        return before
    return before + (b"" if not before or before.endswith(end) else end) + added + end


def _write(file: Path, content: bytes) -> Path:
    try:
        files.write_private(file, content)
    except OSError as error:
        raise WriteError(
            _("{path} could not be written: {reason}").format(path=file, reason=why(error)),
            how_to_write(error, chosen=True),
        ) from error
    return file


def _profile() -> Path:
    """Return the file that PowerShell reads at its start; raises `QwenError` without PowerShell."""
    for program in ("pwsh", "powershell"):
        try:
            asked = subprocess.Popen(
                programs.located([program, "-NoProfile", "-Command", "$PROFILE.CurrentUserAllHosts"]),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            continue
        said = os.fsdecode(cancellation.current().communicate(asked)[0]).strip()
        if asked.returncode == 0 and said:
            return Path(said)
    raise QwenError(
        _("PowerShell does not answer where its profile is."),
        _("Add to your profile what this prints: {command}").format(command=f"qwen {SHOW} powershell"),
    )

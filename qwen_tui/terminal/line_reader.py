"""The line people type into, with its keys."""

import io
from collections.abc import Callable, Iterable, Sequence

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.application.current import get_app_session
from prompt_toolkit.completion import CompleteEvent, Completer, PathCompleter
from prompt_toolkit.completion import Completion as Offer
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import create_input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.styles import Style

from qwen_tui.messages import as_text
from qwen_tui.terminal.completion import Completion, candidates, path_start
from qwen_tui.terminal.sanitise import clean
from qwen_tui.terminal.typeahead import Answering
from qwen_tui.terminal.visible import Visible

_STYLE = Style.from_dict(
    {"prompt": "bold", "bottom-toolbar": "noreverse fg:ansibrightblack", "continuation": "fg:ansibrightblack"}
)


class PromptLineReader:
    """Reads messages of one or more lines from the terminal.

    `toolbar` returns what the line below shows; `commands` and `options` are what Tab offers. `always_tty` reads the
    terminal itself although stdin is a pipe.
    """

    def __init__(
        self,
        toolbar: Callable[[], str],
        commands: Sequence[Completion],
        options: Sequence[str],
        *,
        always_tty: bool = False,
    ) -> None:
        self._left = False
        self._input = create_input(always_prefer_tty=always_tty)
        self._session: PromptSession[str] = PromptSession(
            message=[("", "\n"), ("class:prompt", "> ")],
            prompt_continuation=[("class:continuation", "  ")],
            multiline=True,
            history=InMemoryHistory(),
            key_bindings=_key_bindings(),
            bottom_toolbar=lambda: clean(toolbar()),
            completer=_Completer(commands, options),
            complete_while_typing=False,
            reserve_space_for_menu=6,
            enable_open_in_editor=True,
            enable_suspend=True,
            input_processors=[Visible()],
            style=_STYLE,
            input=self._input,
        )

    def read(self, draft: str = "") -> str:
        """Return a message; raises `EOFError` on Ctrl-D in an empty line, or when the terminal is gone."""
        if self._left:
            raise EOFError
        try:
            return as_text(self._session.prompt(default=draft, pre_run=self._leave_if_told))
        except KeyboardInterrupt:
            # It came before the terminal was in raw mode, where Ctrl-C is a key.
            return ""
        except (OSError, io.UnsupportedOperation):
            # The terminal went away: its window was closed.
            raise EOFError from None

    def leave(self) -> None:
        """Make a running `read` raise `EOFError`; callable from a signal handler."""
        self._left = True
        # On a dumb terminal this is another application than the session's.
        app = get_app_session().app
        if app is not None and app.loop is not None:
            app.loop.call_soon_threadsafe(self._leave_if_told)

    def _leave_if_told(self) -> None:
        app = get_app_session().app
        if self._left and app is not None and app.future is not None and not app.future.done():
            app.exit(exception=EOFError)

    def answering(self) -> Answering:
        """Return the mode in which an answer is written: nothing typed is echoed, and nothing is lost."""
        return Answering(self._input.fileno())


class _Completer(Completer):
    def __init__(self, commands: Sequence[Completion], options: Sequence[str]) -> None:
        self._commands = commands
        self._options = options
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterable[Offer]:
        line = document.text_before_cursor
        start = path_start(line, self._commands)
        if start is not None:
            path = line[start:]
            yield from self._paths.get_completions(Document(path, len(path)), event)
            return
        word = line.rpartition(" ")[2]
        for text, description in candidates(line, self._commands, self._options):
            yield Offer(text, start_position=-len(word), display_meta=description)


def _key_bindings() -> KeyBindings:
    bindings = KeyBindings()

    @bindings.add("enter")
    def _send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @bindings.add("c-j")
    @bindings.add("escape", "enter")
    def _newline(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @bindings.add("c-c")
    def _clear(event: KeyPressEvent) -> None:
        event.current_buffer.reset()

    @bindings.add("c-d")
    def _leave(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.delete()
        else:
            get_app().exit(exception=EOFError)

    return bindings

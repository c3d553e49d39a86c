"""The line that the person types into."""

import asyncio
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from prompt_toolkit import Application, PromptSession
from prompt_toolkit.application.current import get_app_session
from prompt_toolkit.completion import CompleteEvent, Completer, PathCompleter
from prompt_toolkit.completion import Completion as Offer
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_input
from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import SearchBufferControl
from prompt_toolkit.layout.processors import BeforeInput
from prompt_toolkit.styles import Style

from qwen_tui import cancellation
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Draft, as_text
from qwen_tui.terminal.completion import Completion, Offers, candidates, path_start
from qwen_tui.terminal.draft_line import DraftLine, SlotMarks
from qwen_tui.terminal.keys import Edit, key_bindings
from qwen_tui.terminal.recall import Recall
from qwen_tui.terminal.sanitise import clean
from qwen_tui.terminal.typeahead import QuietTerminal
from qwen_tui.terminal.visible import Visible

# Only colours that are readable on dark and on light backgrounds.
_STYLE = Style.from_dict(
    {
        "prompt": "bold",
        "bottom-toolbar": "noreverse fg:ansibrightblack",
        "continuation": "fg:ansibrightblack",
        "slot.wanted": "underline fg:ansimagenta",
        "slot.default": "underline",
        "slot.current": "reverse",
    }
)
# While the model loads, the toolbar is redrawn at this interval, in seconds.
_WHILE_LOADING = 0.25


class PromptLineReader:
    """Reads messages of one or more lines from the terminal.

    `toolbar` returns the text below the line; the reader asks again and again while `is_loading` returns True. Tab
    offers the `commands`, and behind a command the `offers` for its kind of argument. `edit` opens the line in the
    person's editor. `questions` returns the questions of earlier sittings, newest first; the reader calls it when it
    shows the first line. With `always_tty` it reads the terminal itself, even if stdin is a pipe.
    """

    def __init__(
        self,
        toolbar: Callable[[], str],
        commands: Sequence[Completion],
        offers: Offers,
        *,
        edit: Edit = lambda text: text,
        questions: Callable[[], Iterable[str]] = lambda: (),
        is_loading: Callable[[], bool] = lambda: False,
        always_tty: bool = False,
    ) -> None:
        self._left = False
        self._is_loading = is_loading
        self._input = create_input(always_prefer_tty=always_tty)
        recall = Recall(questions)
        self._session: PromptSession[str] = PromptSession(
            message=[("", "\n"), ("class:prompt", "> ")],
            prompt_continuation=[("class:continuation", "  ")],
            multiline=True,
            history=recall,
            bottom_toolbar=lambda: clean(self._draft.hint or toolbar()),
            completer=_Completer(commands, offers),
            complete_while_typing=False,
            reserve_space_for_menu=6,
            enable_suspend=True,
            search_ignore_case=True,
            style=_STYLE,
            input=self._input,
        )
        for control in self._session.layout.find_all_controls():
            if isinstance(control, SearchBufferControl):
                control.input_processors = [BeforeInput(_("Search: "), style="class:search-toolbar.prompt")]
        self._draft = DraftLine(self._session.default_buffer, recall)
        self._session.key_bindings = key_bindings(self._draft, edit)
        self._session.input_processors = [SlotMarks(self._draft), Visible()]

    def read(self, draft: str | Draft = "") -> str:
        """Return a message; raises `EOFError` on Ctrl-D in an empty line, or when the terminal is gone."""
        if self._left:
            raise EOFError
        beginning = self._draft.begin(draft if isinstance(draft, Draft) else Draft(draft))
        try:
            line = as_text(self._session.prompt(default=beginning, pre_run=self._prepare))
        except KeyboardInterrupt:
            # Ctrl-C came before prompt_toolkit put the terminal into raw mode. In raw mode it is an ordinary key.
            self._draft.clear()
            return ""
        except (OSError, io.UnsupportedOperation):
            # The person has closed the terminal's window.
            raise EOFError from None
        self._heed_ctrl_c()
        return line

    def _heed_ctrl_c(self) -> None:
        """Cancel the sent message if Ctrl-C followed Enter at once.

        Until prompt_toolkit leaves raw mode, Ctrl-C is a key without a signal, and waits among the keys typed ahead.
        """
        keys = get_typeahead(self._input)
        pressed = [index for index, key in enumerate(keys) if key.key in (Keys.ControlC, Keys.SIGINT)]
        if pressed:
            cancellation.current().cancel()
            del keys[: pressed[-1] + 1]
        store_typeahead(self._input, keys)

    def leave(self) -> None:
        """Make a running `read` raise `EOFError`; callable from a signal handler."""
        self._left = True
        # On a dumb terminal prompt_toolkit runs another application than the session's.
        app = get_app_session().app
        if app is not None and app.loop is not None:
            app.loop.call_soon_threadsafe(self._leave_if_told)

    def _leave_if_told(self) -> None:
        app = get_app_session().app
        if self._left and app is not None and app.future is not None and not app.future.done():
            app.exit(exception=EOFError)

    def _prepare(self) -> None:
        self._leave_if_told()
        app = get_app_session().app
        if app is not None and self._is_loading():
            app.create_background_task(self._refresh(app))

    async def _refresh(self, app: Application[Any]) -> None:
        while self._is_loading():
            await asyncio.sleep(_WHILE_LOADING)
            app.invalidate()

    def answering(self) -> QuietTerminal:
        """Return the terminal's mode during an answer: it echoes no keys, and keeps them for the next line."""
        return QuietTerminal(self._input.fileno())


class _Completer(Completer):
    def __init__(self, commands: Sequence[Completion], offers: Offers) -> None:
        self._commands = commands
        self._offers = offers
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterable[Offer]:
        line = document.text_before_cursor
        start = path_start(line, self._commands)
        if start is not None:
            path = line[start:]
            yield from self._paths.get_completions(Document(path, len(path)), event)
            return
        word = line.rpartition(" ")[2]
        for text, description in candidates(line, self._commands, self._offers):
            yield Offer(text, start_position=-len(word), display=clean(text), display_meta=clean(description))

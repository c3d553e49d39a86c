"""The line that the person types into."""

import asyncio
import io
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from prompt_toolkit import Application, PromptSession
from prompt_toolkit.application.current import get_app, get_app_session
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, PathCompleter
from prompt_toolkit.completion import Completion as Offer
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_input
from prompt_toolkit.input.typeahead import get_typeahead
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import AnyDimension, Dimension, SearchBufferControl, to_dimension
from prompt_toolkit.layout.processors import BeforeInput, TabsProcessor
from prompt_toolkit.styles import Style

from qwen_tui import cancellation
from qwen_tui.columns import fitting
from qwen_tui.errors import CancelledError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import ngettext
from qwen_tui.messages import Draft
from qwen_tui.terminal.completion import Completion, Offers, candidates, last_word, path_start
from qwen_tui.terminal.draft_line import DraftLine, SlotMarks
from qwen_tui.terminal.key_parser import filter_keys
from qwen_tui.terminal.keys import Edit, key_bindings
from qwen_tui.terminal.quiet import QuietTerminal
from qwen_tui.terminal.recall import Recall
from qwen_tui.terminal.sanitise import clean
from qwen_tui.terminal.typeahead import TypingAhead, entries
from qwen_tui.terminal.visible import Visible
from qwen_tui.terminal.width import Ruler
from qwen_tui.typed_text import as_text

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
# While the engine works, the toolbar is redrawn at this interval, in seconds.
_WHILE_BUSY = 0.25
# After so many seconds without a key, the person has paused.
_PAUSE = 0.3


class PromptLineReader:
    """Reads messages of one or more lines from the terminal.

    `toolbar` returns what stands below the line, see `fitting`; the reader asks again and again while `is_busy`
    returns True. `typing` is told the line when it begins, changes and rests, without what may still be replaced in it;
    True means that no key came for a moment. Tab offers the `commands`, and behind a command the `offers` for its kind
    of argument. `edit` opens the line in the person's editor. `questions` returns the questions of earlier sittings,
    newest first; the reader calls it when it shows the first line. With `always_tty` it reads the terminal itself, even
    if stdin is a pipe. The reader is used while the terminal is `quiet`.
    """

    def __init__(
        self,
        toolbar: Callable[[], Sequence[tuple[int, str]]],
        commands: Sequence[Completion],
        offers: Offers,
        *,
        edit: Edit = lambda text: text,
        questions: Callable[[], Iterable[str]] = lambda: (),
        is_busy: Callable[[], bool] = lambda: False,
        typing: Callable[[str, bool], None] = lambda _line, _paused: None,
        always_tty: bool = False,
    ) -> None:
        self._left = False
        self._is_busy = is_busy
        self._typing = typing
        # The next time at which the person will have paused, unless a key comes before.
        self._pause: asyncio.TimerHandle | None = None
        self._input = create_input(always_prefer_tty=always_tty)
        filter_keys(self._input)
        # In this mode prompt_toolkit finds the terminal, and leaves it so: there is no moment with an echo between.
        self.quiet = QuietTerminal(self._input.fileno(), by_key=True)
        # What was typed ahead: keys that no line has taken yet, and the lines that wait for their turn.
        self._keys: list[KeyPress] = []
        self._waiting: list[str] = []
        self._typing_ahead = TypingAhead(self._input, self.quiet, self._keys)
        recall = Recall(questions)
        self._session: PromptSession[str] = PromptSession(
            message=[("", "\n"), ("class:prompt", "> ")],
            prompt_continuation=[("class:continuation", "  ")],
            multiline=True,
            history=recall,
            bottom_toolbar=lambda: clean(self._below(toolbar)),
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
        self._session.default_buffer.on_text_changed += self._changed
        self._session.key_bindings = key_bindings(
            self._draft,
            edit,
            # With the line goes all that was typed ahead: there is no other way to be rid of that.
            on_clear=self._waiting.clear,
        )
        self._session.input_processors = [SlotMarks(self._draft), Visible(), TabsProcessor(char1=" ", char2=" ")]
        self._leave_room_above()

    def read(self, draft: str | Draft = "") -> str:
        """Return a message; raises `EOFError` on Ctrl-D in an empty line, or when the terminal is gone.

        Without a draft the line begins with the next of what was typed ahead.
        """
        if self._left:
            raise EOFError
        self._waiting += entries(self._keys)
        self._keys.clear()
        if draft == "" and self._waiting:
            draft = self._waiting.pop(0)
        beginning = self._draft.begin(draft if isinstance(draft, Draft) else Draft(draft))
        self.quiet.is_lent = True
        try:
            line = as_text(self._session.prompt(default=beginning, pre_run=self._prepare))
        except KeyboardInterrupt:
            # Ctrl-C came before prompt_toolkit put the terminal into raw mode. In raw mode it is an ordinary key.
            self._draft.clear()
            self._waiting.clear()
            return ""
        except (OSError, io.UnsupportedOperation):
            # The person has closed the terminal's window.
            raise EOFError from None
        finally:
            self.quiet.is_lent = False
            if self._pause is not None:
                self._pause.cancel()
        self._take_typed_ahead()
        return line

    def _below(self, toolbar: Callable[[], Sequence[tuple[int, str]]]) -> str:
        """Return what stands below the line: what its slot wants, or else the toolbar, as far as there is room."""
        columns = get_app().output.get_size().columns
        if self._draft.hint:
            return Ruler().wrapped(self._draft.hint, columns)
        n = len(self._waiting)
        ahead = ngettext("{n} more line was typed ahead", "{n} more lines were typed ahead", n).format(n=n)
        return fitting([*([(0, ahead)] if n else []), *toolbar()], columns)

    def _leave_room_above(self) -> None:
        """Let no message take more than two thirds of the screen: what was said about it stays in sight above."""
        for window in self._session.layout.find_all_windows():
            if getattr(window.content, "buffer", None) is self._session.default_buffer:
                window.height = partial(self._height, window.height)

    def _height(self, usual: AnyDimension) -> Dimension:
        rows, columns = get_app().output.get_size()
        buffer, most = self._session.default_buffer, max(3, 2 * rows // 3)
        # A text that surely fits is not measured: to measure is slow.
        if buffer.document.line_count <= most and len(buffer.text) <= most * columns // 4:
            return to_dimension(usual)
        least = to_dimension(usual).min
        return Dimension(min=min(least, most), max=most)

    def _take_typed_ahead(self) -> None:
        """Take the keys that followed Enter at once; Ctrl-C among them cancels the sent message.

        Until prompt_toolkit leaves raw mode, Ctrl-C is a key without a signal.
        """
        keys = get_typeahead(self._input)
        pressed = [index for index, key in enumerate(keys) if key.key in (Keys.ControlC, Keys.SIGINT)]
        if pressed:
            cancellation.current().cancel()
            del keys[: pressed[-1] + 1]
        self._keys += keys

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
        self._typing("", True)
        if self._draft.settled:
            self._typing(self._draft.settled, True)
        app = get_app_session().app
        if app is not None and self._is_busy():
            app.create_background_task(self._refresh(app))

    async def _refresh(self, app: Application[Any]) -> None:
        while self._is_busy():
            await asyncio.sleep(_WHILE_BUSY)
            app.invalidate()

    def _changed(self, _buffer: Buffer) -> None:
        """Tell that the line has changed, and a moment later that the person has paused."""
        if self._pause is not None:
            self._pause.cancel()
        app = get_app_session().app
        # Between two lines, there is no loop, and nobody types.
        if app is None or app.loop is None or not app.is_running:
            return
        self._typing(self._draft.settled, False)
        self._pause = app.loop.call_later(_PAUSE, lambda: self._typing(self._draft.settled, True))

    def answering(self) -> TypingAhead:
        """Return what keeps the keys of an answer's time for the next lines."""
        return self._typing_ahead

    def ask(self, question: str, *, hidden: bool = False) -> str:
        """Ask the person within an answer, and return the line, which is not shown if it is `hidden`.

        What was typed ahead answers nothing: it waits for its line. Raises `CancelledError` at Ctrl-C and Ctrl-D.
        """
        with self._typing_ahead.paused():
            self.quiet.is_lent = True
            try:
                asking: PromptSession[str] = PromptSession(input=self._input)
                # The person may have left, or the terminal may be gone.
                line = asking.prompt(clean(question) + " ", is_password=hidden, pre_run=self._leave_if_told)
            except (KeyboardInterrupt, EOFError, OSError, io.UnsupportedOperation):
                cancellation.current().cancel()
                raise CancelledError from None
            finally:
                self.quiet.is_lent = False
            self._keys += get_typeahead(self._input)
        return as_text(line).strip()


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
        for text, description in candidates(line, self._commands, self._offers):
            start = -len(last_word(line))
            yield Offer(text, start_position=start, display=clean(text.strip()), display_meta=clean(description))

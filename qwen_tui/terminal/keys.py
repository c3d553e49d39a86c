"""The keys of the input line that differ from prompt_toolkit's own."""

from collections.abc import Callable

from prompt_toolkit import search
from prompt_toolkit.application import get_app, run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition, is_searching
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from qwen_tui.terminal.draft_line import DraftLine

# Opens a text in the person's editor; returns the edited text, or None if that failed.
Edit = Callable[[str], str | None]


def key_bindings(draft: DraftLine, edit: Edit, on_clear: Callable[[], None]) -> KeyBindings:
    """Return the keys of a line that may hold a draft.

    `edit` opens a text in the person's editor; `on_clear` is called when the person clears the line.
    """
    bindings = KeyBindings()
    # During a search, prompt_toolkit's own search keys apply.
    typing = ~is_searching

    @bindings.add("enter", filter=typing)
    def _send(event: KeyPressEvent) -> None:
        if draft.finish():
            event.current_buffer.validate_and_handle()

    @bindings.add("enter", filter=is_searching)
    def _take_found(event: KeyPressEvent) -> None:
        # This takes the found question into the line without sending it, and puts the cursor at its end.
        search.accept_search()
        event.app.current_buffer.cursor_position = len(event.app.current_buffer.text)

    @bindings.add("c-j", filter=typing)
    @bindings.add("escape", "enter", filter=typing)
    def _newline(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @bindings.add("c-x", "c-e", filter=typing)
    def _edit(event: KeyPressEvent) -> None:
        # Closing the editor does not send the text; only Enter sends.
        event.app.create_background_task(_edited(event.current_buffer, edit))

    @bindings.add("c-c", filter=typing)
    def _clear(event: KeyPressEvent) -> None:
        draft.clear()
        on_clear()
        event.current_buffer.reset()

    @bindings.add("c-d", filter=typing)
    def _leave(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.delete()
        else:
            get_app().exit(exception=EOFError)

    _add_slot_keys(bindings, draft)
    return bindings


async def _edited(buffer: Buffer, edit: Edit) -> None:
    text = await run_in_terminal(lambda: edit(buffer.text), in_executor=True)
    if text is not None:
        buffer.document = Document(text, len(text))


def _add_slot_keys(bindings: KeyBindings, draft: DraftLine) -> None:
    in_draft = ~is_searching & Condition(lambda: draft.has_slots)

    @bindings.add("tab", filter=in_draft)
    def _next(_event: KeyPressEvent) -> None:
        draft.step(1)

    @bindings.add("s-tab", filter=in_draft)
    def _previous(_event: KeyPressEvent) -> None:
        draft.step(-1)

    @bindings.add("backspace", filter=in_draft & Condition(lambda: draft.is_before_untouched))
    def _empty(event: KeyPressEvent) -> None:
        # The slot looks selected, so Backspace deletes the slot and not the character before it.
        event.current_buffer.delete()

    is_draft = ~is_searching & Condition(lambda: draft.is_shown)

    @bindings.add("c-_", filter=is_draft, save_before=lambda _event: False)
    @bindings.add("c-x", "c-u", filter=is_draft, save_before=lambda _event: False)
    def _undo(_event: KeyPressEvent) -> None:
        draft.undo()

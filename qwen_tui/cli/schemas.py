"""`--schema`: reads the schema from a file or the command line."""

from typing import TYPE_CHECKING, NamedTuple

from qwen_tui import cancellation, files, typed_paths
from qwen_tui.chat import material
from qwen_tui.chat.material import Reading
from qwen_tui.documents import whole_file
from qwen_tui.errors import UsageError, why
from qwen_tui.i18n import gettext as _

if TYPE_CHECKING:
    from qwen_tui.chat.schema.reading import Schema


class Given(NamedTuple):
    """A schema, and `grammar`: the same schema as JSON text, simplified so that the engine can follow it."""

    schema: "Schema"
    grammar: str


def given(argument: str, reading: Reading) -> Given:
    """Return the schema that `argument` is, or that is in the file it names; raises `UsageError`."""
    # The file can be a named pipe, as with <(…) in a shell, and reading it can block.
    with cancellation.current().interruptible():
        # Imported here, because these libraries take time and only --schema needs them.
        from qwen_tui.chat.schema.reading import read
        from qwen_tui.chat.schema.refusing import grammar_of
        from qwen_tui.chat.schema.simplifying import simplify
        from qwen_tui.engine.schema_grammar import problem

        schema = read(_text(argument, reading))
        return Given(schema, grammar_of(simplify(schema), problem))


def _text(argument: str, reading: Reading) -> str:
    begins = argument.lstrip()[:1]
    if begins == "{" or argument.strip() in ("true", "false"):
        return argument
    how = _("Give a JSON schema, as a file or as JSON text.")
    if not begins:
        raise UsageError(_("The schema is empty."), how)
    try:
        with cancellation.current().interruptible():
            data = whole_file.read(files.expand(typed_paths.meant(argument)), argument, reading.report)
    except OSError as error:
        if begins in '["':
            # It is JSON, so it was not meant as a path. The reader of the schema says what is wrong with it.
            return argument
        raise UsageError(
            _("The schema {path} cannot be read: {reason}").format(path=argument, reason=why(error)), how
        ) from error
    text: str = material.from_bytes(data, argument, reading).text
    if not text.strip():
        raise UsageError(_("The schema is empty."), how)
    return text

"""`qwen ask`: one answer on stdout, everything else on stderr."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from qwen_tui.chat import endings, templates
from qwen_tui.chat.composing import compose, parameters
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.keeping import Keeper
from qwen_tui.chat.material import labelled
from qwen_tui.chat.templates import Template
from qwen_tui.chat.turn import Answer, Turn
from qwen_tui.cli import delivery, first_run, options, screen, sources, stdin, wiring
from qwen_tui.cli.chat import converse
from qwen_tui.cli.signals import Signals
from qwen_tui.errors import QwenError, UsageError, why
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import as_text

Raw = Annotated[bool, typer.Option("-r", "--raw", help=_("Do not render Markdown on a terminal."))]
Extract = Annotated[bool, typer.Option("-x", "--extract", help=_("Print only the first code block."))]
Usage = Annotated[bool, typer.Option("-u", "--usage", help=_("Show tokens and speed on stderr."))]
AsJson = Annotated[bool, typer.Option("--json", help=_("Print one JSON object."))]
Schema = Annotated[
    str | None, typer.Option("--schema", metavar="FILE|JSON", help=_("A JSON schema the answer must follow."))
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help=_("No progress and no notes."))]
NoStdin = Annotated[bool, typer.Option("--no-stdin", help=_("Do not read stdin."))]
Interactive = Annotated[bool, typer.Option("-i", "--interactive", help=_("Go on in the REPL."))]


def ask(
    prompt: Annotated[list[str] | None, typer.Argument(metavar="PROMPT", show_default=False)] = None,
    model: options.Model = None,
    system: options.System = None,
    option: options.Option = None,
    raw: Raw = False,
    extract: Extract = False,
    usage: Usage = False,
    as_json: AsJson = False,
    schema: Schema = None,
    quiet: Quiet = False,
    no_stdin: NoStdin = False,
    interactive: Interactive = False,
    file: options.File = None,
    template: options.Template = None,
    param: options.Parameter = None,
    continued: options.Continue = False,
    cid: options.Cid = None,
    no_log: options.NoLog = False,
    ctx_size: options.CtxSize = None,
    threads: options.Threads = None,
    gpu_layers: options.GpuLayers = None,
    offline: options.Offline = False,
    lang: options.Language = None,
) -> int:
    """Answer once and return the exit code."""
    flags = {"model": model, "system": system, "ctx_size": ctx_size, "threads": threads, "gpu_layers": gpu_layers}
    settings = options.settings({**flags, "language": lang, **options.sampling_flags(option)})
    answering = options.answer_options(settings, _schema(schema))
    output = screen.output(settings, held=as_json or extract, raw=raw, quiet=quiet)
    asked = Asked(
        prompt=as_text(" ".join(prompt or ())),
        files=tuple(file or ()),
        piped=not no_stdin and _is_handed_over(file or (), output.note),
        template=templates.find(template, wiring.template_folders()) if template else None,
        values=parameters([as_text(text) for text in param or ()]),
    )
    _refuse_what_cannot_be(asked, interactive=interactive)
    settings = first_run.settled(settings, offline=offline, quiet=quiet)
    history = wiring.history(settings, output.note, no_log=no_log, needed=continued or cid is not None)
    conversation = wiring.conversation(settings, history, continued=continued, cid=cid)
    keeper = Keeper(history, as_text(settings.model), output.note)
    with closing(output), closing(wiring.engine(settings, "ask", quiet=quiet)) as engine:
        # The model loads while the material is read.
        engine.start()
        question = asked.question(conversation, output.note)
        with Signals(lambda: engine, on_resumed=output.resumed).handled() as signals:
            answer = Turn(engine, output, answering, keeper).run(conversation, question, asked.prompt)
        whole = True
        if as_json:
            delivery.print_json(answer, keeper.model, conversation.id if history else None)
        elif extract and answer.text:
            whole = delivery.print_code(answer, output.note)
        if usage:
            delivery.print_usage(answer)
        ended = endings.of_command(answer, kept=keeper.history is not None)
        failed = not signals.exit_code and (not whole or not answer.text)
        if not (failed or schema or (quiet and as_json)):
            delivery.tell(ended)
        if interactive and signals.ending is None:
            return converse(engine, settings, conversation, keeper, always_tty=True)
        if schema and answer.reason == "length" and not signals.exit_code:
            raise _cut_short(answer)
        if failed and (ended.what or not whole):
            raise endings.error(ended, inside_code=not whole)
    return signals.exit_code


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says about the question: the words, and where the material is."""

    prompt: str
    files: tuple[str, ...]
    piped: bool
    template: Template | None
    values: Mapping[str, str]

    def question(self, conversation: Conversation, note: Callable[[str], None]) -> str:
        """Read the material and return the message; raises `InputError`, and `UsageError` where it says nothing."""
        material = labelled(sources.gather(self.files, note, piped=self.piped))
        message = compose(conversation, material, self.prompt, self.template, self.values)
        if not message.strip():
            raise UsageError(_("There is no question: the input is empty."), _("See: qwen ask --help"))
        return message


def _is_handed_over(paths: Sequence[str], note: Callable[[str], None]) -> bool:
    """Whether there is material on stdin that is meant for this program; `note` is told of what is left to others."""
    if not stdin.is_piped():
        return False
    if sources.STDIN in paths or not stdin.is_partly_read():
        return True
    note(
        _(
            "The file on stdin was read from before, perhaps by a loop: the rest of it is left alone. "
            "-f - reads it, --no-stdin says nothing of it."
        )
    )
    return False


def _refuse_what_cannot_be(asked: Asked, *, interactive: bool) -> None:
    if not (asked.prompt or asked.files or asked.piped or asked.template):
        raise UsageError(_("There is no question."), _("Write one: qwen ask 'Why is the sky blue?'"))
    if interactive and not screen.has_terminal():
        raise UsageError(_("There is no terminal to go on in."), _("Leave out -i, or start it in a terminal."))


def _cut_short(answer: Answer) -> QwenError:
    return QwenError(
        _("The answer was cut at {n} tokens and is no complete JSON.").format(n=answer.usage.completion_tokens),
        _("Allow more with -o max_tokens=N, or a larger context with --ctx-size."),
    )


def _schema(given: str | None) -> str | None:
    """Return the schema as JSON text; `given` is that or a file with it; raises `UsageError`."""
    if given is None:
        return None
    text = given
    if not given.lstrip().startswith("{"):
        try:
            text = Path(given).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                _("The schema {path} cannot be read: {reason}").format(
                    path=given, reason=why(error) if isinstance(error, OSError) else error
                ),
                _("Give a JSON schema, as a file or as JSON text."),
            ) from error
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            _("The schema is not valid JSON: {reason}").format(reason=error),
            _("Give a JSON schema, as a file or as JSON text."),
        ) from error
    if not isinstance(parsed, dict):
        raise UsageError(_("The schema is no JSON object."), _("Give a JSON schema, as a file or as JSON text."))
    return json.dumps(parsed)

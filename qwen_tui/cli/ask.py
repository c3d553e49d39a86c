"""`qwen ask`: one answer on stdout, everything else on stderr."""

import json
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from qwen_tui.chat.conversation import Conversation, ask_about
from qwen_tui.chat.extract import first_code_block
from qwen_tui.chat.turn import Answer, Turn
from qwen_tui.cli import options, stdin, wiring
from qwen_tui.cli.signals import Signals
from qwen_tui.errors import QwenError, UsageError
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Timings, Usage
from qwen_tui.terminal.output import HeldOutput, StreamingOutput, write


class JsonAnswer(msgspec.Struct, frozen=True):
    """What `--json` prints."""

    answer: str
    model: str
    finish_reason: str
    conversation_id: str | None
    usage: Usage
    timings: Timings


def ask(
    prompt: Annotated[list[str] | None, typer.Argument(metavar="[PROMPT…]", show_default=False)] = None,
    model: options.Model = None,
    system: options.System = None,
    option: options.Option = None,
    raw: Annotated[bool, typer.Option("-r", "--raw", help=_("Do not render Markdown on a terminal."))] = False,  # noqa: ARG001 - nothing is rendered yet
    extract: Annotated[bool, typer.Option("-x", "--extract", help=_("Print only the first code block."))] = False,
    usage: Annotated[bool, typer.Option("-u", "--usage", help=_("Show tokens and speed on stderr."))] = False,
    as_json: Annotated[bool, typer.Option("--json", help=_("Print one JSON object."))] = False,
    schema: Annotated[
        str | None, typer.Option("--schema", metavar="FILE|JSON", help=_("A JSON schema the answer must follow."))
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help=_("No progress and no notes."))] = False,
    no_stdin: Annotated[bool, typer.Option("--no-stdin", help=_("Do not read stdin."))] = False,
    interactive: Annotated[bool, typer.Option("-i", "--interactive", help=_("Go on in the REPL."))] = False,
    ctx_size: options.CtxSize = None,
    threads: options.Threads = None,
    gpu_layers: options.GpuLayers = None,
    lang: options.Language = None,
) -> int:
    """Answer once and return the exit code."""
    flags = {"model": model, "system": system, "ctx_size": ctx_size, "threads": threads, "gpu_layers": gpu_layers}
    settings = options.settings({**flags, "language": lang, **options.sampling_flags(option)})
    answering = options.answer_options(settings, _schema(schema))
    if not prompt and (no_stdin or not stdin.is_material()):
        raise UsageError(_("There is no question."), _("Write one: qwen ask 'Why is the sky blue?'"))
    stdout, stderr = wiring.terminal_streams()
    status = wiring.status_line(quiet=quiet)
    output = HeldOutput(stderr, status) if as_json or extract else StreamingOutput(stdout, stderr, status)
    notes = output if not quiet else None
    engine = wiring.engine(settings)
    try:
        # The model loads while stdin is read.
        engine.start()
        parts: list[str] = []
        if not no_stdin and stdin.is_material():
            text, note = stdin.read(lambda sentence: notes.note(sentence) if notes else None)
            if note and notes:
                notes.note(note)
            parts.append(text)
        question = ask_about(parts, options.as_text(" ".join(prompt or ())))
        if not question.strip():
            raise UsageError(_("There is no question: the input is empty."), _("See: qwen ask --help"))
        conversation = Conversation(settings.system)
        with Signals(engine).handled() as signals:
            answer = Turn(engine, output, answering).run(conversation, question)
        status.clear()
        if as_json:
            write(stdout, _json(answer, settings.model))
        elif extract:
            code = first_code_block(answer.text)
            if code is None and notes:
                notes.note(_("The answer has no code block; here is all of it."))
            write(stdout, _line(answer.text if code is None else code))
        if usage:
            write(stderr, _usage(answer) + "\n")
        if signals.exit_code:
            return signals.exit_code
        if schema and answer.reason == "length":
            raise QwenError(
                _("The answer was cut at {n} tokens and is no complete JSON.").format(n=answer.usage.completion_tokens),
                _("Allow more with -o max_tokens=N, or a larger context with --ctx-size."),
            )
        if interactive:
            from qwen_tui.cli.chat import converse

            return converse(engine, settings, conversation, always_tty=True)
    finally:
        engine.close()
    return 0


def _schema(given: str | None) -> str | None:
    """Return the schema as JSON text; `given` is that or a file with it; raises `UsageError`."""
    if given is None:
        return None
    text = given
    if not given.lstrip().startswith("{"):
        try:
            text = Path(given).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                _("The schema {path} cannot be read: {reason}").format(path=given, reason=error),
                _("Give a JSON schema, as a file or as JSON text."),
            ) from error
    try:
        parsed = json.loads(text)
    except ValueError as error:
        raise UsageError(
            _("The schema is not valid JSON: {reason}").format(reason=error),
            _("Give a JSON schema, as a file or as JSON text."),
        ) from error
    if not isinstance(parsed, dict):
        raise UsageError(_("The schema is no JSON object."), _("Give a JSON schema, as a file or as JSON text."))
    return json.dumps(parsed)


def _json(answer: Answer, model: str) -> str:
    return _line(
        msgspec.json.encode(JsonAnswer(answer.text, model, answer.reason, None, answer.usage, answer.timings)).decode()
    )


def _usage(answer: Answer) -> str:
    usage, timings = answer.usage, answer.timings
    return _(
        "{prompt} prompt tokens ({cached} cached), {completion} in the answer; "
        "{prefill:.1f} tokens/s reading, {decode:.1f} writing; first after {ttft:.1f} s"
    ).format(
        prompt=usage.prompt_tokens,
        cached=usage.cached_tokens,
        completion=usage.completion_tokens,
        prefill=timings.prefill_tps,
        decode=timings.decode_tps,
        ttft=timings.ttft_s,
    )


def _line(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"

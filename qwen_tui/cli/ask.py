"""`qwen ask`: one answer on stdout, everything else on stderr."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from qwen_tui import cancellation
from qwen_tui.chat import endings, templates
from qwen_tui.chat.answer import Answer, AnswerOptions
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.endings import Ending
from qwen_tui.chat.fitting.way import Front
from qwen_tui.chat.from_template import compose, parameters
from qwen_tui.chat.going_on import Begun, Wanted, begin
from qwen_tui.chat.material import Reading, report_blank
from qwen_tui.chat.question import prompt_text
from qwen_tui.chat.templates import Template
from qwen_tui.chat.turn import Turn
from qwen_tui.cli import first_run, options, schemas, screen, signals, sources, stdin, wiring
from qwen_tui.cli.answer_file import answering_into
from qwen_tui.cli.asking import Asker
from qwen_tui.cli.delivery import Delivery
from qwen_tui.cli.dry_run import print_budget
from qwen_tui.cli.environment import Environment
from qwen_tui.documents.document import Password
from qwen_tui.engine.protocol import Engine
from qwen_tui.errors import QwenError, UsageError
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Question
from qwen_tui.terminal.output import HeldOutput
from qwen_tui.typed_text import as_text

Raw = Annotated[bool, typer.Option("-r", "--raw", help=_("Do not render Markdown on a terminal."))]
Extract = Annotated[bool, typer.Option("-x", "--extract", help=_("Print only the first code block."))]
Usage = Annotated[bool, typer.Option("-u", "--usage", help=_("Show tokens and speed on stderr."))]
AsJson = Annotated[bool, typer.Option("--json", help=_("Print one JSON object."))]
OutputFile = Annotated[
    str | None, typer.Option("--output", metavar="FILE", help=_("Write the answer into a new file as it comes."))
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help=_("Let --output replace a file."))]
Schema = Annotated[
    str | None, typer.Option("--schema", metavar="FILE|JSON", help=_("A JSON schema the answer must follow."))
]
Quiet = Annotated[
    bool, typer.Option("-q", "--quiet", help=_("No progress; of the notes, only what was lost or left out."))
]
NoStdin = Annotated[bool, typer.Option("--no-stdin", help=_("Do not read stdin."))]
Interactive = Annotated[bool, typer.Option("-i", "--interactive", help=_("Go on in the REPL."))]


def ask(
    context: typer.Context,
    prompt: Annotated[
        list[str] | None, typer.Argument(metavar="PROMPT", show_default=False, help=_("The question or instruction."))
    ] = None,
    model: options.Model = None,
    system: options.System = None,
    option: options.Option = None,
    raw: Raw = False,
    extract: Extract = False,
    usage: Usage = False,
    as_json: AsJson = False,
    schema: Schema = None,
    output_file: OutputFile = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    no_stdin: NoStdin = False,
    interactive: Interactive = False,
    file: options.File = None,
    encoding: options.Encoding = None,
    password_file: options.PasswordFile = None,
    template: options.Template = None,
    param: options.Parameter = None,
    continued: options.Continue = False,
    cid: options.Cid = None,
    no_log: options.NoLog = False,
    fit: options.Fit = None,
    dry_run: options.DryRun = False,
    ctx_size: options.CtxSize = None,
    threads: options.Threads = None,
    gpu_layers: options.GpuLayers = None,
    offline: options.Offline = False,
    lang: options.Language = None,
) -> int:
    """Answer once and return the exit code."""
    environment = Environment.of(context)
    flags = {"model": model, "system": system, "ctx_size": ctx_size, "threads": threads, "gpu_layers": gpu_layers}
    flags |= {"language": lang, "fit": fit, **options.sampling_flags(option)}
    settings = options.settings(environment, flags)
    target = answering_into(output_file, environment, overwrite=overwrite, quiet=quiet)
    printing = context.with_resource(target)
    # JSON is not Markdown: a renderer would swallow its backslashes and underscores.
    output = screen.output(printing, settings, held=as_json or extract, raw=raw or schema is not None, quiet=quiet)
    named = sources.password_of(password_file)
    reading = sources.reading_of(environment, output, encoding, named)
    # --encoding is for the material: a schema comes from elsewhere, as a rule from a program.
    follows = schemas.given(schema, Reading(output.note, say_otherwise="")) if schema is not None else None
    asked = Asked(
        prompt=as_text(" ".join(prompt or ())),
        files=sources.named(file),
        piped=not no_stdin and _is_handed_over(environment, sources.named(file), output.note),
        template=templates.find(template, wiring.template_folders()) if template else None,
        values=parameters([as_text(text) for text in param or ()]),
        reading=reading,
        password=named,
        offline=offline,
    )
    _refuse_what_cannot_be(environment, asked, interactive=interactive)
    wanted = Wanted(continued=continued, cid=cid, no_log=no_log or dry_run, model=model, system=system)
    if not wanted.keeps_model:
        settings = first_run.settled(environment, settings, offline=offline, quiet=quiet, is_named=model is not None)
    begun = begin(settings, wanted, wiring.meaning(settings), output.note)
    if dry_run:
        with closing(output), closing(begun.keeper):
            question = asked.question(environment, begun.conversation)
            return print_budget(environment, begun, question, as_json=as_json, offline=offline)
    delivery = Delivery(printing, output.note, as_json=as_json, extract=extract, usage=usage, quiet=quiet)
    return _answered(environment, begun, asked, output, delivery, follows, interactive=interactive)


def _answered(
    environment: Environment,
    begun: Begun,
    asked: "Asked",
    output: HeldOutput,
    delivery: Delivery,
    follows: schemas.Given | None,
    *,
    interactive: bool,
) -> int:
    """Load the model, answer, print the answer, go on in the REPL if it is `interactive`, and return the exit code."""
    settings, conversation, keeper, _wanted = begun
    answering = AnswerOptions.of(settings, follows.grammar if follows else None)
    is_kept = keeper.history is not None
    engine = wiring.engine(environment, settings, "ask", quiet=delivery.quiet, offline=asked.offline)
    offering = wiring.offering(environment, settings)
    if engine.host:
        # Also with -q: where the words go is more than a note.
        environment.note(_("The question goes to {host}.").format(host=engine.host))
    with closing(output), closing(keeper), closing(engine):
        # The worker loads the model while this process reads the material.
        engine.start()
        question = asked.question(environment, conversation)
        # If the REPL follows, Ctrl-C ends only the answer, and not the command.
        scope = cancellation.operation() if interactive else nullcontext(cancellation.current())
        quiet = screen.quiet(environment, by_key=interactive)
        with scope as operation, signals.suspending(lambda: engine, quiet.restore, output.resumed), quiet:
            asker = Asker(environment, quiet.lent)
            # The output breaks what is said to the person at words.
            asker.note = output.note
            person = asker if asker.can_answer and not delivery.quiet else None
            front = Front(output.note, person, advised=asked.template.fit if asked.template else None)
            answer = Turn(engine, output, answering, keeper, front).run(conversation, question)
        # Of the beginning of a name, the whole name is told; of a path, what the person wrote.
        model = as_text(settings.model) if Path(keeper.model).is_absolute() else keeper.model
        whole = delivery.print(answer, model, conversation.id if is_kept else None)
        ended = endings.of_command(answer, kept=keeper.history is not None)
        failure = None if operation.requested else _failure(answer, ended, follows, whole=whole)
        if not failure:
            delivery.print_ending(ended)
            if (
                environment.stderr.isatty()
                and not (delivery.quiet or interactive)
                and (offer := offering(keeper.model))
            ):
                output.note(offer)
        if interactive and not cancellation.current().requested:
            if failure:
                output.note(failure.message)
            return _go_on(environment, engine, begun, asked)
        if failure:
            raise failure
    return operation.exit_code


def _go_on(environment: Environment, engine: Engine, begun: Begun, asked: "Asked") -> int:
    """Lead the rest of the conversation in the REPL, and return the exit code."""
    # Imported only here, because the import takes time, and few questions need it.
    from qwen_tui.cli.chat import Opening, converse

    opening = Opening(encoding=asked.reading.encoding, password=asked.password, offline=asked.offline)
    return converse(environment, engine, begun, opening, always_tty=True)


def _failure(answer: Answer, ended: Ending, follows: schemas.Given | None, *, whole: bool) -> QwenError | None:
    """Return what the command fails with: an answer that breaks its schema, no answer, or code without its end."""
    wrong = None
    if follows:
        # Imported here, because it takes time and only --schema needs it.
        from qwen_tui.chat.schema.checking import complaint

        wrong = complaint(follows.schema, answer)
    if wrong is None and (not whole or (ended.what and not answer.text)):
        return endings.error(ended, inside_code=not whole)
    return wrong


@dataclass(frozen=True, slots=True)
class Asked:
    """The question on the command line: its words, where and how to read its material, and its template with values.

    `password` is the one that the person has named. With `offline` no server is asked.
    """

    prompt: str
    files: tuple[str, ...]
    piped: bool
    template: Template | None
    values: Mapping[str, str]
    reading: Reading
    password: Password | None
    offline: bool = False

    def question(self, environment: Environment, conversation: Conversation) -> Question:
        """Read the material and return the question; raises `InputError`, and `UsageError` where it says nothing."""
        materials, words = sources.gather(environment, self.files, self.reading, piped=self.piped), self.prompt
        if not words.strip() and self.template is None and [one.kind for one in materials] == ["stdin"]:
            # Without any words, the text on stdin is the question itself, and not material for one.
            materials, words = [], materials[0].text
        question = compose(conversation, materials, words, self.template, self.values)
        if not prompt_text(question).strip():
            raise UsageError(_("There is no question: the input is empty."), _("See: qwen ask --help"))
        report_blank(materials, self.reading.report)
        return question


def _is_handed_over(environment: Environment, paths: Sequence[str], report: Callable[[str], None]) -> bool:
    """Whether stdin holds material for this program.

    A shell's loop may share a file on stdin with the programs in it. If such a loop has read a part of the file, the
    rest stays for the loop, and `report` gets a sentence about that.
    """
    if not stdin.is_piped(environment):
        return False
    if sources.STDIN in paths or not stdin.is_partly_read(environment):
        return True
    report(
        _(
            "The file on stdin was read from before, perhaps by a loop: the rest of it is left alone. "
            "-f - reads it, --no-stdin says nothing of it."
        )
    )
    return False


def _refuse_what_cannot_be(environment: Environment, asked: Asked, *, interactive: bool) -> None:
    if not (asked.prompt or asked.files or asked.piped or asked.template):
        raise UsageError(_("There is no question."), _("Write one: qwen ask 'Why is the sky blue?'"))
    if interactive and not screen.has_terminal(environment):
        raise UsageError(_("There is no terminal to go on in."), _("Leave out -i, or start it in a terminal."))

"""`qwen chat`: the conversation in the terminal."""

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import typer

from qwen_tui import __version__, cancellation
from qwen_tui.chat import overviews, settable, slash_commands, templates, transfer
from qwen_tui.chat.answer import AnswerOptions
from qwen_tui.chat.from_template import draft, parameters
from qwen_tui.chat.going_on import Begun, Wanted, begin
from qwen_tui.chat.material import report_blank
from qwen_tui.chat.question import ask_about
from qwen_tui.chat.reading_ahead import NextPrompt, enough_power
from qwen_tui.chat.repl import Repl
from qwen_tui.chat.session import Session
from qwen_tui.chat.templates import Template
from qwen_tui.cli import first_run, options, screen, signals, sources, wiring
from qwen_tui.cli.asking import AskerInConversation
from qwen_tui.cli.dry_run import print_budget
from qwen_tui.cli.editor import edited
from qwen_tui.cli.environment import Environment
from qwen_tui.cli.failure import as_told
from qwen_tui.cli.toolbar import short, toolbar
from qwen_tui.config import Config
from qwen_tui.documents.document import Password
from qwen_tui.documents.encodings import Encoding
from qwen_tui.engine.protocol import Engine
from qwen_tui.errors import HistoryError, OutputError, QwenError, UsageError
from qwen_tui.history.store import History
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Draft, Material
from qwen_tui.models.locate import DEMO
from qwen_tui.terminal.completion import Completion, Offers
from qwen_tui.terminal.output import HeldOutput
from qwen_tui.typed_text import as_text

if TYPE_CHECKING:
    from qwen_tui.terminal.line_reader import PromptLineReader

T = TypeVar("T")


def chat(
    context: typer.Context,
    model: options.Model = None,
    system: options.System = None,
    option: options.Option = None,
    template: options.Template = None,
    param: options.Parameter = None,
    file: options.File = None,
    encoding: options.Encoding = None,
    password_file: options.PasswordFile = None,
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
    """Converse until the person leaves, and return the exit code."""
    environment = Environment.of(context)
    flags = {"model": model, "system": system, "ctx_size": ctx_size, "threads": threads, "gpu_layers": gpu_layers}
    flags |= {"language": lang, "fit": fit, **options.sampling_flags(option)}
    settings = options.settings(environment, flags)
    wanted = Wanted(continued=continued, cid=cid, no_log=no_log or dry_run, model=model, system=system)
    # Without a terminal, it says first how to get a missing model: that helps here and in a pipe.
    if not wanted.keeps_model:
        settings = first_run.settled(environment, settings, offline=offline, is_named=model is not None)
    if not (environment.can_converse or dry_run):
        raise UsageError(_("A conversation needs a terminal."), _("For pipes and scripts there is: qwen ask"))
    if sources.STDIN in sources.named(file):
        raise UsageError(_("A conversation cannot read its material from stdin."), _("For that there is: qwen ask -i"))
    chosen = templates.find(template, wiring.template_folders()) if template else None
    first = draft(chosen, parameters([as_text(text) for text in param or ()])) if chosen else None
    notes = screen.output(environment, settings, held=True, notes=environment.stdout)
    named = sources.password_of(password_file)
    reading = sources.reading_of(environment, notes, encoding, named)
    begun = begin(settings, wanted, wiring.meaning(settings), notes.note)
    if dry_run:
        with closing(notes), closing(begun.keeper):
            attached = sources.gather(environment, file or (), reading, piped=False)
            return print_budget(environment, begun, ask_about(attached, ""), offline=offline)
    with closing(begun.keeper), closing(wiring.engine(environment, begun.settings, offline=offline)) as engine:
        # The worker loads the model while the person types the first message.
        engine.start()
        attached = sources.gather(environment, file or (), reading, piped=False)
        report_blank(attached, notes.note)
        opening = Opening(attached, chosen, first, reading.encoding, named, offline)
        shows_standing = begun.keeper.history is not None and wanted.goes_on
        return converse(environment, engine, begun, opening, shows_standing=shows_standing)


class Opening(NamedTuple):
    """The material for the first message, the draft that its line begins with, and the template of that draft.

    `encoding` is the one of all files that are attached, None if it is to be guessed; `password` opens those documents
    that are protected, if the person has named it. With `offline` no server is asked.
    """

    attached: Sequence[Material] = ()
    template: Template | None = None
    first: Draft | None = None
    encoding: Encoding | None = None
    password: Password | None = None
    offline: bool = False


def converse(
    environment: Environment,
    engine: Engine,
    begun: Begun,
    opening: Opening,
    *,
    shows_standing: bool = False,
    always_tty: bool = False,
) -> int:
    """Run the REPL on an engine and a conversation, and return the exit code.

    `shows_standing` tells the person first where the conversation stands. At the end this closes the engine that is in
    use then, which may be another.
    """
    settings = begun.settings
    output = screen.output(environment, settings, apart=True, notes=environment.stdout)

    def show_error(error: QwenError) -> None:
        output.close()
        # Like all else that is said here, it is broken between words.
        output.note(as_told(error))

    session = _session(environment, engine, begun, opening, output)
    reader = _line_reader(environment, session, settings, show_error, always_tty=always_tty, offline=opening.offline)
    asker = AskerInConversation(environment, reader.ask, output.note)
    session.person = asker
    session.password = session.password or asker.ask_password
    with (
        signals.telling(reader.leave),
        signals.suspending(lambda: session.engine, reader.quiet.restore, output.resumed),
        reader.quiet,
    ):
        # What was typed until now waits for Enter, too.
        with reader.answering():
            output.note(_banner(settings, engine.host))
            if shows_standing:
                output.note("")
                slash_commands.show_standing(session)
            transfer.attach(session, opening.attached)
        try:
            Repl(session, reader, show_error).run(opening.first)
        except OutputError:
            # The person has closed the terminal. The write failed because of that, and the program is ending already.
            if not cancellation.current().requested:
                raise
        finally:
            session.engine.close()
    return cancellation.current().exit_code


def _session(environment: Environment, engine: Engine, begun: Begun, opening: Opening, output: HeldOutput) -> Session:
    """Return the session that the slash commands and the questions of the REPL work on."""
    settings = begun.settings
    return Session(
        engine,
        begun.conversation,
        AnswerOptions.of(settings),
        begun.keeper,
        output,
        report=output.note,
        open_engine=wiring.opener(environment, settings, engine, offline=opening.offline),
        clipboard=screen.clipboard(environment),
        template_folders=wiring.template_folders(),
        template=opening.template,
        computing=wiring.describer(environment, settings),
        meaning=wiring.meaning(settings),
        is_named=begun.wanted.model is not None,
        encoding=opening.encoding,
        password=opening.password,
        show_reading=output.show_reading,
        models=lambda: wiring.models(settings),
        offer=wiring.offering(environment, settings),
        columns=lambda: min((environment.columns or overviews.COLUMNS) - 1, settings.prose_width),
    )


def _line_reader(
    environment: Environment,
    session: Session,
    settings: Config,
    show_error: Callable[[QwenError], None],
    *,
    always_tty: bool,
    offline: bool,
) -> "PromptLineReader":
    """Return the line that the person types into, with its completions and its toolbar."""
    from qwen_tui.terminal.line_reader import PromptLineReader

    next_prompt = NextPrompt(session, settings.ctx_size, enough_power(settings.read_ahead_charge))
    completions = [Completion(name, c.description, c.takes) for c in slash_commands.commands() for name in c.names]
    return PromptLineReader(
        lambda: toolbar(session, settings),
        completions,
        _offers(session, wiring.models_begun(environment, settings, offline=offline)),
        edit=partial(edited, environment, show_error),
        questions=lambda: _quietly(session, History.questions),
        is_busy=lambda: session.engine.loading() is not None or _is_reading_ahead(session, next_prompt),
        typing=next_prompt.typing if settings.read_ahead else lambda _line, _paused: None,
        always_tty=always_tty,
    )


def _is_reading_ahead(session: Session, next_prompt: NextPrompt) -> bool:
    # It goes on for minutes, and the charger may be pulled out meanwhile.
    return session.engine.reading_ahead() is not None and next_prompt.may_read()


def _offers(session: Session, models: Callable[[str], Sequence[tuple[str, str]]]) -> Offers:
    """Return what Tab offers behind a slash command, by the kind of argument that the command takes."""
    return {
        "option": lambda _begun: [(name, "") for name in settable.NAMES],
        "model": models,
        "template": lambda _begun: templates.described(session.template_folders),
        "conversation": lambda _begun: [
            (s.id, s.title) for s in _quietly(session, lambda history: history.recent(100))
        ],
    }


def _quietly(session: Session, look: Callable[[History], list[T]]) -> list[T]:
    """Return what `look` finds in the history, or nothing if it fails; the next turn tells the person why."""
    try:
        return look(session.keeper.history) if session.keeper.history else []
    except HistoryError:
        return []


def _banner(settings: Config, host: str) -> str:
    lines = [
        f"qwen-tui {__version__} · {short(settings.model, settings)}",
        _("Enter sends · Ctrl-J new line · Ctrl-C stops · /help commands · Ctrl-D leaves"),
    ]
    if host:
        lines.append(slash_commands.goes_to(host))
    if settings.model == DEMO:
        lines.append(_("This is the demonstration model: it has learned a few dozen conversations by heart."))
    return "\n".join(lines)

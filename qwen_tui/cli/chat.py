"""`qwen chat`: the conversation in the terminal."""

import re
import sys

from qwen_tui import __version__
from qwen_tui.chat.conversation import Conversation
from qwen_tui.chat.keeping import Keeper
from qwen_tui.chat.repl import Repl
from qwen_tui.cli import options, wiring
from qwen_tui.cli.main import tell
from qwen_tui.cli.signals import Signals
from qwen_tui.config import Config
from qwen_tui.engine.local import LocalEngine
from qwen_tui.errors import QwenError, UsageError
from qwen_tui.i18n import gettext as _
from qwen_tui.models.locate import DEMO
from qwen_tui.terminal.output import write


def chat(
    model: options.Model = None,
    system: options.System = None,
    option: options.Option = None,
    continued: options.Continue = False,
    cid: options.Cid = None,
    no_log: options.NoLog = False,
    ctx_size: options.CtxSize = None,
    threads: options.Threads = None,
    gpu_layers: options.GpuLayers = None,
    lang: options.Language = None,
) -> int:
    """Converse until the person leaves, and return the exit code."""
    flags = {"model": model, "system": system, "ctx_size": ctx_size, "threads": threads, "gpu_layers": gpu_layers}
    settings = options.settings({**flags, "language": lang, **options.sampling_flags(option)})
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(_("A conversation needs a terminal."), _("For pipes and scripts there is: qwen ask"))
    notes = wiring.output(notes=sys.stdout)
    history = wiring.history(settings, notes.note, no_log=no_log)
    conversation = wiring.conversation(settings, history, continued=continued, cid=cid)
    keeper = Keeper(history, settings.model, notes.note)
    engine = wiring.engine(settings)
    try:
        # The model loads while the first message is typed.
        engine.start()
        return converse(engine, settings, conversation, keeper)
    finally:
        engine.close()


def converse(
    engine: LocalEngine, settings: Config, conversation: Conversation, keeper: Keeper, *, always_tty: bool = False
) -> int:
    """Run the REPL on an engine and a conversation, and return the exit code."""
    from qwen_tui.terminal.line_reader import PromptLineReader

    output = wiring.output(notes=sys.stdout)

    def toolbar() -> str:
        parts = [_short(settings.model), _("context {size}").format(size=settings.ctx_size)]
        if repl.last is not None and repl.last.usage.prompt_tokens:
            info, usage = engine.info(), repl.last.usage
            used = usage.prompt_tokens + usage.completion_tokens
            parts = [_short(settings.model), info.device]
            parts.append(_("context {used} of {size}").format(used=used, size=info.ctx_size))
            if repl.last.timings.decode_tps:
                parts.append(_("{speed:.1f} tokens/s").format(speed=repl.last.timings.decode_tps))
        return " · ".join(parts)

    def show_error(error: QwenError) -> None:
        output.close()
        tell(error)

    reader = PromptLineReader(toolbar, always_tty=always_tty)
    repl = Repl(engine, conversation, reader, output, options.answer_options(settings), keeper, show_error)
    write(sys.stdout, _banner(settings) + "\n")
    with Signals(engine, on_ending=reader.leave).handled() as signals:
        repl.run(leaving=lambda: signals.ending is not None)
    return 0 if signals.ending is None else signals.exit_code


def _banner(settings: Config) -> str:
    lines = [
        f"qwen-tui {__version__} · {_short(settings.model)}",
        _("Enter sends, Ctrl-J starts a new line, Ctrl-C stops an answer, Ctrl-D leaves."),
    ]
    if settings.model == DEMO:
        lines.append(_("This is the demonstration model: it has learned a few dozen conversations by heart."))
    return "\n".join(lines)


def _short(model: str) -> str:
    """The name of a model as it fits into a line: of a path, its last part."""
    return re.split(r"[/\\]", model)[-1]

"""What a worker's failure or death means to a person, and what they can do."""

import os
import re
import signal

from qwen_tui.engine import wire
from qwen_tui.engine.installed import for_people
from qwen_tui.engine.mending import build_command, how_to_mend, how_to_reinstall
from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.engine.recovery import OF_MEMORY, Cause, Phase
from qwen_tui.errors import EngineError, InvalidModelError, PromptTooLongError, QwenError, UsageError, WorkerDiedError
from qwen_tui.files import folders
from qwen_tui.i18n import gettext as _
from qwen_tui.models.inventory import held
from qwen_tui.models.shelf import Shelf
from qwen_tui.quoting import quoted

# After one of these failures, the worker is of no use any more.
FATAL = ("library", "model", "context", "memory", "decode")
# How llama.cpp, its backends, the C++ and Python runtimes and the loader say that memory ran out. A failure to allocate
# pinned memory is left out: llama.cpp goes on with other memory, only slower.
_RAN_OUT = re.compile(
    r"(?:failed|unable) to allocate(?!.*pinned)|out of (?:device |host )?memory|Out_?Of\w*Memory|bad_alloc|MemoryError"
    r"|cannot allocate memory|(?:insufficient|not enough) memory|failed to map segment|can't start new thread"
    # cuBLAS allocates memory of its own when it is first used.
    r"|resource temporarily unavailable|CUBLAS_STATUS_(?:ALLOC_FAILED|NOT_INITIALIZED)|resource allocation failed",
    re.IGNORECASE,
)
# What llama.cpp says of a file that is damaged, or of a kind that it does not know. On another device, it would say the
# same.
_DAMAGED = re.compile(
    r"gguf_init_from_|invalid magic|within the file bounds|corrupted or incomplete|unknown model architecture"
    r"|missing tensor|wrong (?:shape|number of tensors)|key not found"
    r"|error loading model (?:architecture|hyperparameters|vocabulary)",
    re.IGNORECASE,
)
# What llama.cpp says of a file that may well be whole, but that this program cannot use.
_ARCHITECTURE = re.compile(r"unknown model architecture: '([^']*)'")
_TOKENIZER = re.compile(r"unknown (?:pre-)?tokenizer(?: type)?: '([^']*)'")
_PART = re.compile(r"failed to load GGUF split from (.+)")
_PICTURES = "cannot be used as main model"
# The signals with which a processor, or llama.cpp itself, ends a worker. People and systems send others.
_CRASHES = {int(number): number.name for number in (signal.SIGILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE)}


class WorkerFailure(Exception):  # noqa: N818 - it is caught where it is raised, and what a person sees is `error`
    """A worker failed, for a `cause`. `recovery` knows what may help; if nothing does, the person sees `error`.

    `crash` is the name of the signal if the code that computes has a fault, as "SIGSEGV"; else it is empty.
    """

    def __init__(self, error: QwenError, cause: Cause, phase: Phase, *, crash: str = "") -> None:
        super().__init__(error.message)
        self.error = error
        self.cause = cause
        self.phase = phase
        self.crash = crash
        if isinstance(error, WorkerDiedError):
            error.crash = crash

    @property
    def headline(self) -> str:
        """What has happened, in one line."""
        return self.error.message.splitlines()[0]


def of_reply(failure: wire.Failed, options: LoadOptions, lines: str, phase: Phase) -> WorkerFailure:
    """Return what a `Failed` reply stands for; `lines` is the end of llama.cpp's log."""
    cause = _cause_of_reply(failure, options, lines)
    if cause == "no memory":
        return WorkerFailure(_no_memory(options), cause, phase)
    if failure.kind == "model" and (error := unfit(os.fsdecode(options.path), f"{failure.detail}\n{lines}")):
        return WorkerFailure(error, "bad file", phase)
    return WorkerFailure(_error_of(failure, options, _last(lines)), cause, phase)


def _cause_of_reply(failure: wire.Failed, options: LoadOptions, lines: str) -> Cause:
    if failure.kind in FATAL and (failure.kind == "memory" or _RAN_OUT.search(f"{failure.detail}\n{lines}")):
        return "no memory"
    match failure.kind:
        case "library":
            return "no library"
        case "model":
            # If the file is bad, the log or the detail says what is wrong. If a driver failed, often nothing does.
            is_bad = failure.detail or _DAMAGED.search(lines) or not options.plan.gpu_layers
            return "bad file" if is_bad else "refused"
        case "too_long" | "schema":
            return "bad request"
        case _:
            return "refused"


def unfit(path: str, said: str) -> InvalidModelError | None:
    """Return the error if llama.cpp `said` that it cannot use the undamaged file `path`; None if it did not."""
    if found := _ARCHITECTURE.search(said):
        return InvalidModelError(
            _("{path} is of the architecture “{name}”, which the llama.cpp installed here does not know.").format(
                path=path, name=found[1]
            ),
            _("The file may well be whole. Choose another model with -m; a newer version of qwen-tui may know it."),
        )
    if found := _TOKENIZER.search(said):
        return InvalidModelError(
            _("{path} has the tokenizer “{name}”, which the llama.cpp installed here does not know.").format(
                path=path, name=found[1]
            ),
            _("The file may well be whole. Choose another model with -m; a newer version of qwen-tui may know it."),
        )
    if wire.NOT_CHATML in said:
        return InvalidModelError(
            _("{path} does not know ChatML, the form of prompts in which this program speaks to models.").format(
                path=path
            ),
            _("The file may well be whole. Choose another model with -m, such as one of Qwen."),
        )
    if found := _PART.search(said):
        return InvalidModelError(
            _("{path} is one part of a model, and another is not there: {part}").format(path=path, part=found[1]),
            _("Put all parts into one folder, and name the first with -m."),
        )
    if _PICTURES in said:
        return InvalidModelError(
            _("{path} is the part of a model that looks at pictures, and cannot answer.").format(path=path),
            _("Choose another file with -m."),
        )
    return None


def _error_of(failure: wire.Failed, options: LoadOptions, lines: str) -> QwenError:
    match failure.kind:
        case "library":
            return EngineError(
                _("llama.cpp cannot be loaded: {reason}").format(reason=failure.detail),
                how_to_mend(failure.detail),
            )
        case "model":
            return InvalidModelError(
                _("{path} is not a model that llama.cpp can load:\n{lines}").format(
                    path=os.fsdecode(options.path), lines=failure.detail or lines
                ),
                _("Download or copy it again, or choose another file with -m."),
            )
        case "context":
            return EngineError(
                _("llama.cpp could not make the context ({reason}):\n{lines}").format(
                    reason=failure.detail, lines=lines
                ),
                _("If the memory is short, choose a smaller one with --ctx-size, or close other programs."),
            )
        case "too_long":
            return PromptTooLongError(
                _("The prompt has {tokens} tokens, and the context holds {size}.").format(
                    tokens=f"{failure.tokens:,}", size=f"{failure.ctx_size:,}"
                ),
                _("Shorten it, or enlarge the context with --ctx-size (it takes memory)."),
            )
        case "schema":
            return UsageError(
                _("The schema cannot be used: {reason}").format(reason=failure.detail),
                _("Give a JSON schema, as a file or as JSON text."),
            )
        case "decode":
            return EngineError(
                _("llama.cpp could not go on: {reason}").format(reason=failure.detail),
                _("Nothing of the conversation is lost: send the message again."),
            )
        case "memory":
            return _no_memory(options)


def of_death(code: int, options: LoadOptions, lines: str, phase: Phase, *, starved: bool = False) -> WorkerFailure:
    """Return what the exit `code` of a worker stands for; a negative one is the signal that ended it.

    `starved` says that the kernel has just killed a program for lack of memory. SIGKILL alone does not say so, because
    any program may have sent it.
    """
    loading, cause = phase == "loading", _cause_of_death(code, lines, starved=starved)
    if cause in OF_MEMORY:
        return WorkerFailure(_no_memory(options) if loading else _ran_out(), cause, phase)
    error = _epitaph(code, options, _last(lines, 3 if loading else 1), loading=loading)
    return WorkerFailure(error, cause, phase, crash=_CRASHES.get(-code, ""))


def _cause_of_death(code: int, lines: str, *, starved: bool) -> Cause:
    killed = code < 0 and code == -_number("SIGKILL")
    if code == -signal.SIGILL:
        return "illegal instruction"
    if _RAN_OUT.search(lines) or (killed and starved):
        return "died of memory" if code < 0 else "no memory"
    if code >= 0:
        return "ended"
    if killed:
        return "killed"
    return "crashed" if -code in _CRASHES else "other signal"


def no_memory_for_context(options: LoadOptions, smaller: int) -> QwenError:
    """Return the error if only a context of `smaller` tokens may help."""
    return EngineError(
        _("There is too little memory for a context of {size} tokens.").format(size=options.plan.ctx_size),
        _("Choose a smaller one with --ctx-size {smaller}, or close other programs.").format(smaller=smaller),
    )


def _no_memory(options: LoadOptions) -> QwenError:
    return EngineError(
        _("There is too little memory for {path} with a context of {size} tokens.").format(
            path=os.fsdecode(options.path), size=options.plan.ctx_size
        ),
        _("Close other programs, or choose a smaller context with --ctx-size."),
    )


def _ran_out() -> QwenError:
    return WorkerDiedError(
        _("The engine ran out of memory."),
        _(
            "Nothing of the conversation is lost: close other programs, or choose a smaller context with --ctx-size, "
            "and send the message again."
        ),
    )


def _epitaph(code: int, options: LoadOptions, lines: str, *, loading: bool) -> WorkerDiedError:
    if not loading:
        return WorkerDiedError(
            _("The engine {epitaph}.").format(epitaph=_describe(code)) + (f"\n{lines}" if lines else ""),
            _(
                "Nothing of the conversation is lost: send the message again. "
                "If this happens every time, the model file may be damaged."
            ),
        )
    return WorkerDiedError(
        _("The engine {epitaph} while it loaded {path}.").format(
            epitaph=_describe(code), path=os.fsdecode(options.path)
        )
        + (f"\n{lines}" if lines else ""),
        _remedy(code, options),
    )


def _remedy(code: int, options: LoadOptions) -> str:
    if code == -signal.SIGILL:
        return _("llama.cpp was built for another processor. Build it here: {command}").format(command=build_command())
    if code == -_number("SIGKILL"):
        return _("Try again. If this happens every time, close other programs, or choose a smaller --ctx-size.")
    if code >= 0:
        return how_to_reinstall()
    if name := _verifiable(options.path):
        return _(
            "The file may be damaged: check it with qwen models verify {name}. If it is whole, see: qwen doctor"
        ).format(name=quoted(name))
    return _("The file may be damaged: download or copy it again, or choose another with -m.")


def _verifiable(path: bytes) -> str | None:
    """Return the name by which `qwen models verify` knows the file; None if it does not."""
    real = os.path.realpath(os.fsdecode(path))
    there = held(Shelf(folders().models))
    return next((model.name for model in there if os.path.realpath(model.file) == real), None)


def _describe(code: int) -> str:
    """Return how a worker ended, in words that follow “The engine”."""
    if code >= 0:
        return _("ended with code {code}").format(code=code)
    reasons = {
        "SIGKILL": _("was killed (SIGKILL)"),
        "SIGABRT": _("gave up on an internal error (SIGABRT)"),
        "SIGSEGV": _("crashed (SIGSEGV)"),
        "SIGBUS": _("crashed (SIGBUS): a model file was changed while in use, or the memory ran out"),
        "SIGILL": _("met an instruction that this processor does not have (SIGILL)"),
        "SIGFPE": _("crashed (SIGFPE)"),
    }
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    return reasons.get(name, _("was ended by a signal ({name})").format(name=name))


def _last(lines: str, count: int = 3) -> str:
    return "\n".join(for_people(lines)[-count:])


def _number(name: str) -> int:
    """Return the number of a signal; 0 on a platform without it."""
    return int(getattr(signal, name, 0))

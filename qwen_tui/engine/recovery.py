"""What the parent does when a worker fails: one table, by how far the worker had come and by what it failed at."""

from typing import Literal

Phase = Literal[
    # The worker starts and loads the model. With layers on a card it also makes the context and computes one batch.
    "loading",
    # The model is loaded, and this worker has computed nothing of an answer. It may still have to make the context.
    "first decode",
    # The worker has computed a part of an answer.
    "answering",
]

Cause = Literal[
    # llama.cpp or Python found no memory, or the first batch left too little of the card. No signal ended the worker.
    "no memory",
    # A signal ended the worker, and its log or the kernel's count of killed programs speaks of memory.
    "died of memory",
    # llama.cpp failed at the context, at a decode, or at a model with layers on a card, and said nothing of memory.
    "refused",
    # SIGKILL: the system may have been short of memory, or a person has ended the worker.
    "killed",
    # SIGSEGV, SIGABRT, SIGFPE: a fault in the code that computes, in the driver or in the file.
    "crashed",
    # SIGILL: the processor does not know an instruction of the code that computes.
    "illegal instruction",
    # Another signal, such as SIGBUS after somebody has changed the file.
    "other signal",
    # The model is loaded without the card for which its plan has layers: llama.cpp sees none now.
    "card gone",
    # The file is malformed, or llama.cpp does not know its kind.
    "bad file",
    # llama.cpp itself cannot be loaded.
    "no library",
    # The prompt is too long, or nothing can follow the schema. The worker goes on.
    "bad request",
    # The worker ended by itself, with an exit code, and said nothing of memory.
    "ended",
]

# "The next way" is the next one on the ladder that keeps the context.
Action = Literal[
    # Load the model in the same way once more, because the failure may have been an accident.
    "again",
    # Take the next way, and begin with it the next time that the program runs.
    "less, and keep it",
    # Take the next way, for now.
    "less",
    # The same, as long as layers are on a card: memory may have been short without a word of it.
    "less on the card",
    # Take the next way without a card, for now.
    "without the card",
    # Load the model in the same way, with the next best variant of a portable llama.cpp.
    "older instructions",
    # Take the next way that computes with other code, for now, if the processor computes alone.
    "other code",
    # The same, if the weights are repacked: while a model is loaded, no other code computes.
    "no repacking",
]

# The parent tries the actions from left to right, and passes over one that is used up or that the ladder has no way
# for. If no action is left, the person sees the error. Only after "card gone" the model stays as it was loaded.
POLICY: dict[Phase, dict[Cause, tuple[Action, ...]]] = {
    "loading": {
        "no memory": ("less, and keep it",),
        "died of memory": ("less, and keep it",),
        "refused": ("less, and keep it",),
        "killed": ("again", "less"),
        "crashed": ("again", "no repacking", "less on the card", "without the card"),
        "illegal instruction": ("older instructions", "no repacking"),
        "other signal": ("again", "less on the card", "without the card"),
        "card gone": ("without the card",),
        "bad file": (),
        "no library": (),
        "ended": (),
    },
    "first decode": {
        "no memory": ("less, and keep it",),
        "died of memory": ("less, and keep it", "again"),
        "refused": ("less",),
        "killed": ("again", "less"),
        "crashed": ("again", "other code", "less"),
        "illegal instruction": ("older instructions", "other code"),
        "other signal": ("again", "less"),
        "bad request": (),
        "ended": (),
    },
    "answering": {
        "no memory": ("less, and keep it",),
        "died of memory": ("less, and keep it", "again"),
        "refused": ("less",),
        "killed": ("again", "less"),
        "crashed": ("again", "less"),
        "illegal instruction": ("older instructions", "other code"),
        "other signal": ("again", "less"),
        "bad request": (),
        "ended": (),
    },
}

# These causes say that there was too little memory.
OF_MEMORY: frozenset[Cause] = frozenset({"no memory", "died of memory"})

# More variants than any build has.
_MOST_VARIANTS = 20


class Tries:
    """How often the actions that may be in vain can still be taken, in one loading or in one answer."""

    def __init__(self, *, again: int = 1) -> None:
        # What is wrong with a driver or a file is wrong in every way.
        self._left: dict[Action, int] = {"again": again, "less on the card": 2, "older instructions": _MOST_VARIANTS}

    def allows(self, action: Action) -> bool:
        """Whether `action` can still be taken."""
        return self._left.get(action, 1) > 0

    def count(self, action: Action) -> None:
        """Know that `action` was taken."""
        if action in self._left:
            self._left[action] -= 1

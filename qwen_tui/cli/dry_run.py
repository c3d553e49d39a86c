"""`--dry-run`: the budget of a question alone, before anything is asked."""

from contextlib import closing

import msgspec

from qwen_tui import cancellation
from qwen_tui.chat.answer import AnswerOptions
from qwen_tui.chat.fitting import budget, fitting
from qwen_tui.chat.fitting.way import Work
from qwen_tui.chat.going_on import Begun
from qwen_tui.cli import wiring
from qwen_tui.cli.environment import Environment
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Question


def print_budget(
    environment: Environment, begun: Begun, question: Question, *, as_json: bool = False, offline: bool = False
) -> int:
    """Print what `question` would take, and return the exit code: 0 if it fits, 1 if it does not.

    The weights are not loaded: the vocabulary counts, and what was measured before tells the time.
    """
    with closing(wiring.counter(environment, begun.settings, offline=offline)) as engine:
        if engine.host:
            # A server that counts the tokens gets the text for that.
            environment.note(_("The question goes to {host}.").format(host=engine.host))
        engine.start()
        for _progress in engine.load():
            cancellation.check()
        work = Work(engine, AnswerOptions.of(begun.settings), begun.conversation, question)
        found = budget.measure(work)
        fits = found.fits or found.is_tight
        ways = {} if fits else {name: way.cost(work) for name, way in fitting.usable_ways(work).items()}
    if as_json:
        costs = {name: cost._asdict() for name, cost in ways.items()}
        printed = {**msgspec.to_builtins(found), "ways": costs}
        environment.print(msgspec.json.encode(printed).decode())
    else:
        environment.print("\n".join([budget.overview(found), *map(fitting.offer, ways, ways.values())]))
    return 0 if fits else 1

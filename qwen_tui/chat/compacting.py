"""Puts a summary in the place of the oldest turns of a conversation: the model writes it."""

from collections.abc import Iterator, Sequence

import msgspec

from qwen_tui.chat.conversation import Conversation, room_for_answer
from qwen_tui.chat.counting import SPARE, words_in
from qwen_tui.chat.fitting.splitting import counter, split
from qwen_tui.chat.material import some_names
from qwen_tui.chat.question import said
from qwen_tui.chat.reasoning import separate_reasoning
from qwen_tui.chat.session import Session
from qwen_tui.engine.protocol import Engine, Request, SamplingOptions
from qwen_tui.errors import CancelledError, QwenError, UsageError
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import language_of, listed, speaking
from qwen_tui.messages import Exchange, Finished, FinishReason, Message, Output, Question, Reasoning, Step, Text

# The last turn stays, so that the next question can go on from it. To summarise fewer turns than these is not worth it.
_STAY, _LEAST = 1, 2
# A summary has at most so many tokens.
_MOST = 512


def turns_to_summarise(conversation: Conversation) -> int:
    """Return how many of the oldest turns a summary would stand for; raises `UsageError` if that is not worth it."""
    turns = len(conversation.exchanges) - _STAY
    if not conversation.exchanges:
        raise UsageError(_("There is nothing to summarise yet."), _("Ask something first."))
    if turns - conversation.summarised < _LEAST:
        raise UsageError(
            _("The conversation is too short to summarise."),
            _("The last turn stays as it is, and before it there must be two more."),
        )
    return turns


def compact(session: Session, _argument: str) -> None:
    """Run /compact: the model writes a summary, and the prompt has that in the place of all turns but the last."""
    conversation, count = session.conversation, session.engine.count
    turns = turns_to_summarise(conversation)
    summary = Summary(session.engine, conversation, turns)
    text = summary.write(session.output)
    before = count(conversation.prompt(Question(""))[:-1])
    session.keeper.summarise(conversation, turns, text)
    conversation.summarise(turns, text)
    after = count(conversation.prompt(Question(""))[:-1])
    conversation.exchanges[-1] = msgspec.structs.replace(conversation.exchanges[-1], tokens=after)
    lines = [
        _(
            "A summary stands in the place of the oldest {n} turns: {after} tokens in the prompt, {before} before."
        ).format(n=turns, after=f"{after:,}", before=f"{before:,}"),
        _("The turns themselves are kept: /export has them, /undo goes back to them."),
    ]
    if standing := conversation.carried.materials:
        lines.append(_("Still in the prompt: {names}.").format(names=listed(some_names(standing))))
    if summary.is_cut:
        lines.append(_("The summary was cut off at its limit."))
    session.report("\n".join([*lines, "", text]))


class Summary:
    """A summary that is being written, of the oldest `turns` of a conversation. Nothing of that changes meanwhile."""

    def __init__(self, engine: Engine, conversation: Conversation, turns: int) -> None:
        self._engine = engine
        before = conversation.summarised
        self._earlier = conversation.exchanges[before - 1].summary if before else ""
        exchanges = conversation.exchanges[before:turns]
        self._language = language_of("\n".join(said(one.question) + one.answer for one in exchanges))
        with speaking(self._language):
            self._text = "\n\n".join(_lines(exchanges))
        # Whether it was cut off at its limit.
        self.is_cut = False

    def write(self, output: Output) -> str:
        """Return the summary, and show the progress; raises `CancelledError` and what the engine raises."""
        for progress in self._engine.load():
            output.show(progress)
        ctx_size = self._engine.info().ctx_size
        most = min(_MOST, room_for_answer(ctx_size))
        count = counter(self._engine)
        with speaking(self._language):
            around = count(self._asked("", "", most))
        room = ctx_size - around - most - max(most, count(self._earlier)) - 2 * SPARE
        if room < SPARE:
            raise UsageError(
                _("In a context of {size} tokens, there is no room for a summary.").format(size=ctx_size),
                _("For a larger context, leave, and begin with: qwen chat --ctx-size N"),
            )
        # A long conversation is read in parts: each time, the summary so far takes up what comes next.
        parts = [piece.text for piece in split(self._text, room, count)]
        summary = self._earlier
        for number, part in enumerate(parts):
            with speaking(self._language):
                asked = self._asked(summary, part, most)
            summary = self._answered(asked, most, Step(number, len(parts)), output)
        output.show(Step(len(parts), len(parts)))
        return summary

    def _answered(self, asked: str, most: int, step: Step, output: Output) -> str:
        """Put a prompt to the model, and return what it writes."""
        request = Request(
            messages=(Message("user", asked),), sampler=SamplingOptions(temperature=0), max_tokens=most, lookup=True
        )
        output.show(step)
        text, written = "", 0
        reason: FinishReason = "interrupted"
        for event in separate_reasoning(self._engine.stream(request)):
            if isinstance(event, Text):
                text += event.piece
                written += max(1, len(event.tokens))
                output.show(Step(step.done, step.total, written=written))
            elif isinstance(event, Reasoning):
                text = "" if event.taken_back else text
            elif isinstance(event, Finished):
                reason = event.reason
            else:
                output.show(event)
        if reason == "interrupted":
            raise CancelledError
        if not text.strip():
            raise QwenError(_("The model wrote no summary."), _("Nothing has changed. Try again with: /compact"))
        self.is_cut = reason == "length"
        return text.strip()

    def _asked(self, earlier: str, text: str, most: int) -> str:
        heading = _("A summary of the conversation before this:")
        before = f"{heading}\n{earlier}\n\n" if earlier else ""
        return _(
            "{conversation}\n\n"
            "Above stands a conversation. Do not go on with it. Write a summary that takes its place for someone who "
            "goes on with it: what the user wants, what was found and decided, and every name, figure, date and "
            "condition that may matter later, exactly as it stands; what is still open. Keep what an earlier summary "
            "says. Write only what stands there, in at most {words} words."
        ).format(conversation=f"{before}{text}", words=words_in(most))


def _lines(exchanges: Sequence[Exchange]) -> Iterator[str]:
    """Yield what was said, and of materials only the names: the materials themselves stay in the prompt."""
    user, assistant = _("User"), _("Assistant")
    for exchange in exchanges:
        names = "".join(f"[{' '.join(one.name.split())}] " for one in exchange.question.materials)
        yield _("{speaker}: ").format(speaker=user) + f"{names}{said(exchange.question).strip()}"
        yield _("{speaker}: ").format(speaker=assistant) + exchange.answer.strip()

"""Ask the demonstration model all that it knows with and without prompt lookup and stored states, and compare.

    python scripts/stress/compare_answers.py

Each learned conversation is asked greedily, with a second turn, in three ways: plainly; with prompt lookup; with prompt
lookup and the prefix store, where a new process asks each turn and finds the states that the one before has stored. If
an answer differs, the plain one is replayed to show the margin: by how much the logit of its token exceeds that of
the second best one, at the place where the other answer parts from it. Exits with 1 if an answer differs.
"""

import math
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from qwen_tui.columns import markdown_table
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import LoadOptions, ReplayOptions, Request, SamplingOptions, StoreOptions
from qwen_tui.files import packaged
from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import Finished, Message, Text, Usage
from scripts.command_line import command_line, report_progress
from scripts.models.demo_model.conversations import Conversation, load_conversations, user_content

LIMIT = 4 << 30
MOST_TOKENS = 1500
SECOND = {"zh": "谢谢", "en": "thanks"}


class Answer(NamedTuple):
    """An answer, and the messages before it."""

    messages: tuple[Message, ...]
    text: str


class Asker:
    """Asks in one of the three ways; `accepted` and `cached` count the tokens that lookup and store have saved."""

    def __init__(self, *, lookup: bool, store: StoreOptions | None = None) -> None:
        path = os.fsencode(packaged("assets") / "demo.gguf")
        self._options = LoadOptions(path=path, plan=Plan(threads=2, batch_threads=2), store=store)
        self._lookup = lookup
        self._engine = LocalEngine(self._options)
        self.accepted = self.cached = 0

    def answers(self, conversations: Sequence[Conversation]) -> list[Answer]:
        """Return two answers for each conversation."""
        found: list[Answer] = []
        for number, item in enumerate(conversations):
            messages: tuple[Message, ...] = ()
            for question in (user_content(item.material, item.prompts[0]), SECOND[item.language]):
                messages = (*messages, Message("user", question))
                found.append(Answer(messages, self._answer(messages, f"c{number}")))
                messages = (*messages, Message("assistant", found[-1].text))
        self._engine.close()
        return found

    def _answer(self, messages: tuple[Message, ...], conversation: str) -> str:
        store = self._options.store
        request = Request(
            messages=messages,
            sampler=SamplingOptions(temperature=0),
            max_tokens=MOST_TOKENS,
            lookup=self._lookup,
            conversation=conversation if store else None,
        )
        text, usage = "", Usage()
        for event in self._engine.stream(request):
            if isinstance(event, Text):
                text += event.piece
            elif isinstance(event, Finished):
                usage = event.usage
        self.accepted += usage.accepted_tokens
        self.cached += usage.cached_tokens
        if store:
            # The worker stores the state when it leaves, and the next process finds it.
            self._engine.close()
            self._engine = LocalEngine(self._options)
        return text


def margin(plain: Answer, other: str) -> float:
    """Return by how much the logit of the plain answer's token exceeds the next one where `other` parts from it."""
    options = LoadOptions(path=os.fsencode(packaged("assets") / "demo.gguf"), plan=Plan(threads=2, batch_threads=2))
    request = Request(
        messages=plain.messages,
        sampler=ReplayOptions(text=plain.text, best_two=True),
        max_tokens=MOST_TOKENS,
        lookup=False,
    )
    text = ""
    with closing(LocalEngine(options)) as engine:
        for event in engine.stream(request):
            if isinstance(event, Text):
                text += event.piece
                if not other.startswith(text):
                    first, second = event.best[-1].logits
                    return first - second
    # The other answer goes on where the plain one ends.
    return math.nan


def main() -> int:
    """Ask in the three ways, print a table, and return the exit code."""
    command_line(__doc__).parse_args()
    conversations = load_conversations()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        store = StoreOptions(folder=os.fsencode(Path(folder)), limit=LIMIT, worth_s=0.0)
        askers = {
            "plain": Asker(lookup=False),
            "lookup": Asker(lookup=True),
            "lookup and store": Asker(lookup=True, store=store),
        }
        found = {}
        for way, asker in askers.items():
            report_progress(f"asking: {way}")
            found[way] = asker.answers(conversations)
    rows, parted = [], False
    for (way, answers), asker in zip(found.items(), askers.values(), strict=True):
        pairs = zip(found["plain"], answers, strict=True)
        other = [(plain, answer) for plain, answer in pairs if answer.text != plain.text]
        # Behind another first answer, a second one answers something else.
        margins = [margin(plain, answer.text) for plain, answer in other if answer.messages == plain.messages]
        parted = parted or bool(other)
        largest = f"{max(margins):.4f}" if margins else ""
        rows.append([way, str(len(answers)), str(len(other)), largest, str(asker.accepted), str(asker.cached)])
    print(markdown_table(["way", "answers", "that differ", "largest margin", "drafts accepted", "tokens cached"], rows))
    return 1 if parted else 0


if __name__ == "__main__":
    sys.exit(main())

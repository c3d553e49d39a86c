"""The budget of a question, before the work: the tokens of its parts, what there is room for, and the time it takes."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from qwen_tui.chat.counting import Counted, counted
from qwen_tui.chat.fitting.way import ANSWER, Work
from qwen_tui.columns import table
from qwen_tui.documents import marks
from qwen_tui.documents.document import Unit
from qwen_tui.durations import duration
from qwen_tui.engine.protocol import LEAST_ROOM, Engine
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import labelled, listed, ngettext
from qwen_tui.messages import Material, Message


class Part(msgspec.Struct, frozen=True):
    """A part of a prompt, and its tokens. A material has its name, and so many places of a `unit`, such as pages."""

    kind: Literal["system", "conversation", "material", "instruction"]
    tokens: int
    name: str = ""
    unit: Unit = ""
    places: int = 0

    @property
    def title(self) -> str:
        """What the part is, in words."""
        return {
            "system": _("system prompt"),
            "conversation": _("conversation so far"),
            "material": " ".join(self.name.split()),
            "instruction": _("instruction"),
        }[self.kind]


class Budget(msgspec.Struct, frozen=True):
    """What a question takes. The names are those of `--dry-run --json`.

    - `prompt_tokens` are those of all `parts` and of the marks around them; `about` says that they are estimated.
    - `fits`: there is room for an answer of `room` tokens in a context of `ctx_size`, at least when older turns leave.
    - `cached_tokens` need no computing; 0 if those are the system prompt and the opening marks alone.
    - `first_s` seconds pass until the first word, and `all_s` until the end of an answer of `answer_tokens`; None where
      nobody knows yet.
    """

    parts: tuple[Part, ...]
    prompt_tokens: int
    ctx_size: int
    room: int
    fits: bool
    cached_tokens: int = 0
    about: bool = False
    first_s: float | None = None
    all_s: float | None = None
    answer_tokens: int = ANSWER

    @property
    def is_tight(self) -> bool:
        """Whether it fits only with less room for the answer than usual."""
        return not self.fits and not self.about and self.prompt_tokens + LEAST_ROOM <= self.ctx_size

    @property
    def share(self) -> str:
        """Return how much of the context is filled, in words."""
        said = _("about {n} of {size} tokens") if self.about else _("{n} of {size} tokens")
        return said.format(n=f"{self.prompt_tokens:,}", size=f"{self.ctx_size:,}")

    @property
    def waits(self) -> str:
        """Return how long it takes, in words; empty if nobody knows."""
        return waits(self.first_s, self.all_s, self.answer_tokens)


def waits(first_s: float | None, all_s: float | None, answer: int | None = None) -> str:
    """Return the time to the first word and in all, in words; empty if neither is known."""
    said = []
    if first_s is not None:
        said.append(_("first word in about {time}").format(time=duration(first_s)))
    if all_s is not None:
        time = duration(all_s)
        if answer is None:
            said.append(_("in all about {time}").format(time=time))
        else:
            said.append(_("in all about {time} for an answer of {n} tokens").format(time=time, n=answer))
    return " · ".join(said)


def measure(work: Work) -> Budget:
    """Return the budget of the question of `work`, whole, with the time as far as the engine knows it.

    If the turns before it do not fit beside it, this is the budget without the oldest of them.
    """
    engine, question, room = work.engine, work.question, work.room
    ctx_size, alone = engine.info().ctx_size, work.size(question)
    fits = alone.tokens + room <= ctx_size
    prompt, whole = work.messages(question), alone
    if not alone.about and work.conversation.exchanges:
        everything = work.conversation.prompt(question)
        whole = counted(engine, everything)
        if whole.tokens + room <= ctx_size:
            prompt = everything
        else:
            # About half of the context is filled when the oldest turns have left.
            whole = Counted(min(whole.tokens, max(alone.tokens, ctx_size // 2)))
    can_be_asked = alone.tokens + LEAST_ROOM <= ctx_size
    cached = engine.cached(prompt) if can_be_asked else 0
    parts = _parts(work, whole)
    # The opening marks of a message are as long as those of the answer, which is all that an empty prompt has.
    of_every_prompt = engine.count(()) + sum(part.tokens for part in parts if part.kind == "system")
    answer = work.answer_tokens
    return Budget(
        parts=parts,
        prompt_tokens=whole.tokens,
        ctx_size=ctx_size,
        room=room,
        fits=fits,
        cached_tokens=cached if cached > of_every_prompt else 0,
        about=whole.about,
        first_s=engine.estimate(whole.tokens, cached) if can_be_asked else None,
        all_s=engine.estimate(whole.tokens, cached, answer) if can_be_asked else None,
        answer_tokens=answer,
    )


def _parts(work: Work, whole: Counted) -> tuple[Part, ...]:
    materials, conversation = list(material_parts(work.engine, work.question.materials)), work.conversation
    system = tokens_of(work.engine, [Message("system", conversation.system)]) if conversation.system else 0
    asked = work.size(work.question).tokens - system
    parts = [
        Part("system", system),
        Part("conversation", max(0, whole.tokens - asked - system)),
        *materials,
        # The marks of ChatML belong to the message.
        Part("instruction", max(0, asked - sum(part.tokens for part in materials))),
    ]
    return tuple(part for part in parts if part.tokens or part.kind == "material")


def material_parts(engine: Engine, materials: Sequence[Material]) -> list[Part]:
    """Return each of `materials` as a part of the prompt."""
    parts = []
    for one in materials:
        found = marks.find(one.text)
        tokens = tokens_of(engine, [Message("user", one.text)])
        parts.append(Part("material", tokens, one.name, found[0].unit if found else "", len(found)))
    return parts


def tokens_of(engine: Engine, messages: Sequence[Message]) -> int:
    """Return about how many tokens a prompt has more with these messages in it."""
    return max(0, counted(engine, messages).tokens - engine.count(()))


def described(part: Part) -> str:
    """Return the name of a part with its pages and its tokens."""
    tokens = ngettext("{n} token", "{n} tokens", part.tokens).format(n=f"{part.tokens:,}")
    return labelled(part.title, listed(filter(None, (places(part), tokens))))


def places(part: Part) -> str:
    """Return how many pages or other places a part has, in words; empty if it has none."""
    if not part.unit:
        return ""
    return {
        "page": ngettext("{n} page", "{n} pages", part.places),
        "slide": ngettext("{n} slide", "{n} slides", part.places),
        "sheet": ngettext("{n} sheet", "{n} sheets", part.places),
        "chapter": ngettext("{n} chapter", "{n} chapters", part.places),
    }[part.unit].format(n=f"{part.places:,}")


def line(budget: Budget) -> str:
    """Return the budget in a line: each material with its pages, the share of the context, and the wait."""
    materials = [part for part in budget.parts if part.kind == "material"]
    about = budget.share if budget.fits or budget.is_tight else _("{share}: does not fit").format(share=budget.share)
    if len(materials) == 1:
        (one,) = materials
        where = listed(filter(None, (places(one), about)))
        return " · ".join(filter(None, (labelled(one.title, where), budget.waits)))
    names = [described(part) for part in materials]
    return "\n".join([*names, " · ".join(filter(None, (about, budget.waits)))])


def overview(budget: Budget) -> str:
    """Return the whole budget as a table: what `--dry-run` prints."""
    rows = [(f"{part.tokens:>9,}", part.title, places(part)) for part in budget.parts]
    lines = [table(rows)] if rows else []
    share = budget.share if budget.fits or budget.is_tight else _("{share}: does not fit").format(share=budget.share)
    lines.append(share)
    if budget.cached_tokens:
        lines.append(_("{n} tokens are computed already").format(n=f"{budget.cached_tokens:,}"))
    left = max(0, budget.ctx_size - budget.prompt_tokens)
    if budget.fits or budget.is_tight:
        lines.append(_("room for an answer: {n} tokens").format(n=f"{left:,}"))
        lines.append(
            budget.waits or _("How long it takes is not known yet: the first answer here tells, or qwen tune.")
        )
    return "\n".join(lines)

"""What fills the context: `/context` lists the parts of the next prompt with their tokens, and what has left it."""

from qwen_tui.chat import overviews
from qwen_tui.chat.conversation import Conversation, room_for_answer
from qwen_tui.chat.fitting.budget import Part, material_parts, places, tokens_of
from qwen_tui.chat.session import Session
from qwen_tui.columns import cut
from qwen_tui.history.records import title_of
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed, ngettext, noted
from qwen_tui.messages import Message, Question

# So many of the last turns have a row of their own.
_MOST_ROWS = 12
_TITLE = 40


def contents(session: Session) -> str:
    """Return a table of what the next prompt holds: the system prompt, each turn, and each material that is attached.

    The rows add up to the size of the context.
    """
    engine, conversation = session.engine, session.conversation
    size = engine.info().ctx_size
    system = tokens_of(engine, [Message("system", conversation.system)]) if conversation.system else 0
    carried, summary = conversation.carried, _summary(session)
    standing = [(part.tokens, _standing(part)) for part in material_parts(engine, carried.materials)]
    turns, attached = [*standing, *summary, *_turns(session)], material_parts(engine, session.attached)
    said = sum(tokens for tokens, _name in turns)
    waiting = sum(part.tokens for part in attached)
    free = max(0, size - system - said)
    rows = [(system, _("system prompt"))]
    for tokens, name in (*turns, *((part.tokens, _attached(part)) for part in attached)):
        # What does not fit is named below the table.
        rows.append((min(tokens, max(0, size - sum(row[0] for row in rows))), name))
    left = max(0, size - sum(row[0] for row in rows))
    room = min(left, room_for_answer(size))
    rows += [(room, _("room for the answer")), (left - room, _("free"))]
    lines = [overviews.shares(rows, size)]
    if engine.info().estimates:
        lines.append(_("The server counts no tokens: these are estimates."))
    if said + system >= size and turns:
        lines.append(_("The context is full: the oldest turns are no longer part of the next prompt."))
    if waiting > free:
        lines.append(_("What is attached takes {n} tokens, more than is free.").format(n=f"{waiting:,}"))
    lines += _left(conversation)
    return "\n".join(lines)


def _summary(session: Session) -> list[tuple[int, str]]:
    """Return the row of the summary of the oldest turns, if there is one."""
    conversation = session.conversation
    summary, n = conversation.carried.summary, conversation.summarised
    if not summary:
        return []
    name = ngettext("summary of the oldest turn", "summary of the oldest {n} turns", n).format(n=n)
    return [(tokens_of(session.engine, [Message("user", summary)]), name)]


def _standing(part: Part) -> str:
    """Return the caption of a material whose turn has left the prompt."""
    return noted(part.title, ", ".join(filter(None, (places(part), _("its turn has left")))))


def _turns(session: Session) -> list[tuple[int, str]]:
    """Return the tokens and a caption of each turn in the next prompt; the first of many turns share one."""
    conversation, messages = session.conversation, session.conversation.turns
    first = conversation.out
    counted = [tokens_of(session.engine, messages[2 * at : 2 * at + 2]) for at in range(first, len(messages) // 2)]
    apart = max(0, len(counted) - _MOST_ROWS)
    rows = [
        (
            tokens,
            _("turn {n}: {title}").format(n=first + at + 1, title=_title(conversation.exchanges[first + at].question)),
        )
        for at, tokens in enumerate(counted)
    ]
    if apart > 1:
        together = _("turns {first} to {last}").format(first=first + 1, last=first + apart)
        rows[:apart] = [(sum(counted[:apart]), together)]
    return rows


def _title(question: Question) -> str:
    title = cut(title_of(question), _TITLE)
    names = listed(" ".join(one.name.split()) for one in question.materials)
    return noted(title, names) if names else title


def _attached(part: Part) -> str:
    """Return the caption of a material that goes with the next message."""
    return noted(part.title, listed(filter(None, (places(part), _("attached to the next message")))))


def _left(conversation: Conversation) -> list[str]:
    """Say which turns and materials have left the prompt."""
    said, summarised = [], conversation.summarised
    if gone := conversation.out - summarised:
        said.append(
            ngettext("The oldest turn is left out.", "The oldest {n} turns are left out.", gone).format(n=gone)
            if not summarised
            else ngettext(
                "Left out behind the summary: {n} turn.", "Left out behind the summary: {n} turns.", gone
            ).format(n=gone)
        )
    stays = {one.name for one in conversation.carried.materials}
    stays |= {one.name for turn in conversation.exchanges[conversation.out :] for one in turn.question.materials}
    names = [one.name for turn in conversation.exchanges[: conversation.out] for one in turn.question.materials]
    if absent := [" ".join(name.split()) for name in dict.fromkeys(names) if name not in stays]:
        sentence = _("No longer whole in the prompt: {names}. Questions get the passages that bear on them.")
        said.append(sentence.format(names=listed(absent)))
    return said

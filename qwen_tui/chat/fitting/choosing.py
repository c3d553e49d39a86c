"""Chooses the passages of documents for a question: those that bear on it, as many as there is room for.

If the question names nothing to find passages by, these are the beginnings of sections, from everywhere in the text.
"""

from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest

import msgspec

from qwen_tui import cancellation
from qwen_tui.chat.conversation import room_for_answer
from qwen_tui.chat.counting import counted
from qwen_tui.chat.fitting.bearing import bearing_on
from qwen_tui.chat.fitting.breaks import is_heading
from qwen_tui.chat.fitting.splitting import Piece, split
from qwen_tui.chat.fitting.way import Work
from qwen_tui.chat.question import said
from qwen_tui.messages import Given, Material, Message, Question

# A passage has this many tokens at most, and at most this share of the room for all.
_PASSAGE, _SHARE = 300, 0.25
# Passages take this share of the room for them, so that the next question finds room behind them, and the engine uses
# again what it has computed. Of a small room, they take so many tokens.
_PART, _LEAST = 0.5, 2_048
# If behind the conversation less than this share of that is free, its oldest turns leave.
_CROWDED = 0.5
# Small materials stay whole beside others, if together they take at most this share of the tokens.
_WHOLE = 0.5
# A question is about a document if the best passage has so many of its words, or of a short question such a part.
_SHARED, _SHARED_PART = 2, 0.2
# Stands where something of a document is left out, and the tokens that it may take with the mark of a page. The name
# of a material may take so many.
_GAP, _GAP_TOKENS, _NAME_TOKENS = "[…]", 12, 16

# A passage: the index of its material, and its own among the passages of that.
Place = tuple[int, int]


class Choice:
    """Passages of `materials` for the question of `work`, which stands behind its conversation.

    - `room` is how many tokens of material fit into the context if all older turns leave it.
    - `before` are the tokens of the prompt without them; `stays` says that the older turns stay in it.
    """

    def __init__(self, work: Work, materials: Sequence[Material]) -> None:
        self._work = work
        self._materials = materials
        count, ctx_size = work.engine.count, work.engine.info().ctx_size
        bare = msgspec.structs.replace(work.question, given=Given("select", (), 0, 0))
        free = ctx_size - room_for_answer(ctx_size)
        alone, behind = work.tokens(bare), count(work.conversation.prompt(bare))
        names = _NAME_TOKENS * len(materials)
        self.room = free - alone - names
        most = min(self.room, max(int(self.room * _PART), _LEAST))
        self.stays = behind == alone or free - behind - names >= most * _CROWDED
        self.before = behind if self.stays else alone
        self._most = min(most, free - self.before - names)
        # What the model gets with the older turns.
        self._earlier = "\n".join(one.content for one in work.conversation.prompt(bare))
        self._pieces = [self._split(one) for one in materials]
        self._tokens = {
            (m, index): tokens for m, pieces in enumerate(self._pieces) for index, (_piece, tokens) in enumerate(pieces)
        }
        self.all = list(self._tokens)
        with cancellation.current().interruptible():
            self._bearing = bearing_on(said(work.question), [self._piece(place) for place in self.all])
        self._ranked = [self.all[index] for index in self._bearing.passages]

    @property
    def asks(self) -> bool:
        """Whether the question has a word that says what it is about."""
        return self.bears or self._bearing.terms > 0

    @property
    def is_about(self) -> bool:
        """Whether the question is about the documents: it names a place, or the best passage shares its words."""
        found = self._bearing
        return self.bears and (found.named > 0 or found.held >= min(_SHARED, _SHARED_PART * found.terms))

    @property
    def bears(self) -> bool:
        """Whether any passage bears on the question."""
        return bool(self._ranked)

    @property
    def total(self) -> int:
        """How many passages there are."""
        return len(self.all)

    def tokens(self, places: Iterable[Place]) -> int:
        """Return about how many tokens the passages take."""
        return sum(self._tokens[place] for place in places)

    def chosen(self) -> list[Place]:
        """Return the passages for the question, in the order of the documents, without those in the older turns."""
        taken = dict.fromkeys(place for place in self._small() if not self._is_known(place))
        left = self._most - self.tokens(taken)
        for place in self._wanted():
            tokens = self._tokens[place] + _GAP_TOKENS
            if place not in taken and tokens <= left and not self._is_known(place):
                taken[place] = None
                left -= tokens
        while taken and not self._fits(list(taken)):
            taken.popitem()
        return sorted(taken)

    def question(self, places: Sequence[Place]) -> Question:
        """Return the question with these passages."""
        given = []
        for m, material in enumerate(self._materials):
            indices = sorted(index for of, index in places if of == m)
            if indices:
                text = _excerpts([piece for piece, _tokens in self._pieces[m]], indices)
                given.append(msgspec.structs.replace(material, text=text))
        return msgspec.structs.replace(
            self._work.question, given=Given("select", tuple(given), len(places), self.total)
        )

    def _split(self, material: Material) -> list[tuple[Piece, int]]:
        """Return the passages of a material, each with about the number of its tokens."""
        # To count each passage would take long. In UTF-8, the tokens of a text have about as many bytes everywhere.
        whole = counted(self._work.engine, (Message("user", material.text),)).tokens
        rate = whole / max(_bytes(material.text), 1)

        def tokens(text: str) -> int:
            return int(_bytes(text) * rate) + 1

        most = max(min(_PASSAGE, int(self._most * _SHARE)), 1)
        with cancellation.current().interruptible():
            return [(piece, tokens(piece.shown)) for piece in split(material.text, most, tokens)]

    def knows_all(self) -> bool:
        """Whether the model has the whole documents with the older turns."""
        return all(one.text.strip() in self._earlier for one in self._materials)

    def _is_known(self, place: Place) -> bool:
        """Whether the model has this passage with the older turns."""
        return self.stays and self._piece(place).text.strip() in self._earlier

    def _piece(self, place: Place) -> Piece:
        return self._pieces[place[0]][place[1]][0]

    def _small(self) -> list[Place]:
        """Return all passages of the materials that stay whole beside larger ones: the smallest ones."""
        if len(self._materials) < 2:
            return []
        sizes = sorted((self.tokens(place for place in self.all if place[0] == m), m) for m in range(len(self._pieces)))
        taken: list[Place] = []
        for size, m in sizes:
            if self.tokens(taken) + size <= self._most * _WHOLE:
                taken += [place for place in self.all if place[0] == m]
        return taken

    def _wanted(self) -> list[Place]:
        """Return the passages in the order in which they are taken.

        - First those that bear on the question; a document that has some also says what it is, at its beginning.
        - What stands behind a passage often goes on about the same.
        - Where nothing can be found: the beginnings of the sections, then the others, of each document in turn.
        """
        if not self.asks:
            in_turn = zip_longest(*map(self._overview, range(len(self._pieces))))
            return [place for place in chain.from_iterable(in_turn) if place is not None]
        beginnings = [(m, 0) for m in sorted({m for m, _index in self._ranked})]
        behind = [(m, index + 1) for m, index in self._ranked if (m, index + 1) in self._tokens]
        return [*self._ranked, *beginnings, *behind]

    def _overview(self, material: int) -> list[Place]:
        """Return the passages of a material in an order of which any beginning is spread over all of it."""
        begins = [
            bool(piece.places and piece.began is None) or is_heading(piece.text)
            for piece, _tokens in self._pieces[material]
        ]
        found = [[index for index, one in enumerate(begins) if one is wanted] for wanted in (True, False)]
        return [(material, index) for indices in found for index in _spread(indices)]

    def _fits(self, places: Sequence[Place]) -> bool:
        """Whether the question fits into the context with these passages and an answer: the tokens are estimates."""
        question = self.question(places)
        if self.stays:
            ctx_size = self._work.engine.info().ctx_size
            messages = self._work.conversation.prompt(question)
            return self._work.engine.count(messages) + room_for_answer(ctx_size) <= ctx_size
        return self._work.fits(question)


def _spread(indices: Sequence[int]) -> list[int]:
    """Return `indices` in another order: the first, the one in the middle, those in the middles of the halves, …"""
    bits = len(indices).bit_length()
    return [indices[at] for at in sorted(range(len(indices)), key=lambda at: f"{at:0{bits}b}"[::-1])]


def _excerpts(pieces: Sequence[Piece], indices: Sequence[int]) -> str:
    """Return the `pieces` of these rising `indices`; a sign stands in place of what is left out."""
    runs: list[Piece] = []
    for index in indices:
        piece = pieces[index]
        if runs and runs[-1].end == piece.start:
            runs[-1] = runs[-1]._replace(text=runs[-1].text + piece.text)
        else:
            runs.append(piece)
    text = f"\n\n{_GAP}\n\n".join(run.shown for run in runs)
    before = "" if runs[0].start == 0 else f"{_GAP}\n\n"
    behind = "" if runs[-1].end == pieces[-1].end else f"\n\n{_GAP}"
    return f"{before}{text}{behind}"


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))

"""Counts what of a document of Office is not in its text, and says so."""

from collections.abc import Iterator
from dataclasses import dataclass

from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import ngettext
from qwen_tui.messages import Loss


@dataclass
class Found:
    """What a document has beside its text, counted."""

    pictures: int = 0
    equations: int = 0
    comments: int = 0
    inserted: int = 0
    changes: int = 0
    hidden: int = 0

    def notes(self, name: str) -> Iterator[str]:
        """Give a sentence for each kind of thing that was left out, or read in one of several ways."""
        if self.pictures:
            sentence = ngettext("{name}: {n} picture is not read.", "{name}: {n} pictures are not read.", self.pictures)
            yield sentence.format(name=name, n=self.pictures)
        texts = (
            (
                self.equations,
                ngettext("{name}: {n} equation is not read.", "{name}: {n} equations are not read.", self.equations),
            ),
            (
                self.comments,
                ngettext("{name}: {n} comment is left out.", "{name}: {n} comments are left out.", self.comments),
            ),
            (
                self.inserted,
                ngettext(
                    "{name}: {n} document that is inserted in it is not read.",
                    "{name}: {n} documents that are inserted in it are not read.",
                    self.inserted,
                ),
            ),
        )
        for number, sentence in texts:
            if number:
                yield Loss(sentence.format(name=name, n=number))
        if self.changes:
            yield _("{name} has tracked changes; it was read as if all of them were accepted.").format(name=name)
        if self.hidden:
            yield Loss(_("{name}: hidden text is left out.").format(name=name))

"""What of an answer the material does not bear out, and how that is said."""

import msgspec

from qwen_tui.columns import cut
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed

# A note shows so many columns of a quotation.
_SHOWN = 120


class Doubts(msgspec.Struct, frozen=True):
    """What the material of an answer does not bear out, as the model wrote it. Scripts rely on the names.

    - `citations` name places that the model did not get.
    - `quotations` stand in none of the texts.
    """

    citations: tuple[str, ...] = ()
    quotations: tuple[str, ...] = ()

    def sentences(self) -> list[str]:
        """Return a sentence for each kind of doubt."""
        said = [
            _("Quoted, but not in the material: “{text}”").format(text=cut(" ".join(one.split()), _SHOWN))
            for one in self.quotations
        ]
        if self.citations:
            said.insert(0, _("Cited, but not given to the model: {places}").format(places=listed(self.citations)))
        return said

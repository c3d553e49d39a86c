"""Writes what stands within a line of HTML as Markdown: code, links, raised signs, pictures."""

import urllib.parse

from qwen_tui.documents.markdown_writer import raised
from qwen_tui.documents.office.drawing import picture_text

# Links from a heading to itself, and from a note back to where it is named.
_SIGNS = ("↩", "↩︎", "↑", "^", "¶", "#", "§", "🔗", "⏎", "⇧")
# A picture whose description has so many characters is an emoji.
_EMOJI = 2


def inline(tag: str, value: str, parent: str, text: str) -> str:
    """Return how the `text` of an element is written; `value` is its attribute, `parent` the element around it."""
    if tag in ("code", "tt"):
        return text if "`" in text or "\n" in text else f"`{text}`"
    if tag in ("del", "s", "strike"):
        return f"~~{text}~~"
    if tag == "sup" and parent != "a":
        return raised(text)
    if tag == "a":
        return _link(text, value, is_raised=parent == "sup")
    return text


def _link(text: str, address: str, *, is_raised: bool) -> str:
    """Return the text of a link. Only an address to write or to call stands in it: the others can be long."""
    if address.startswith("#") and text in _SIGNS:
        return ""
    if address == "note" or ((is_raised or text.isdigit()) and address.startswith("#")):
        return text if text.startswith("[") else f"[{text}]"
    kind, _colon, told = address.partition(":")
    told = urllib.parse.unquote(told.partition("?")[0])
    return f"{text} ({told})" if kind in ("mailto", "tel") and told and told not in text else text


def picture(description: str) -> str:
    """Return how a picture with this description is written."""
    text = " ".join(description.split())
    if text.startswith("{\\"):
        return f"${text}$"
    return text if len(text) <= _EMOJI and not text.isalnum() else picture_text(text)

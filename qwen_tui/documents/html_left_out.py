"""Which elements of a web page say nothing to who reads it: hidden ones, scripts, menus."""

import re
from collections.abc import Mapping

# Elements of which nothing is seen, or nothing that can be read.
_UNREAD = re.compile(
    "annotation-xml|applet|audio|canvas|datalist|embed|frame|frameset|iframe|input|map|noframes|noscript|object|rp|"
    "script|select|style|svg|template|textarea|video"
)
# Elements that control a page.
_CONTROLS = frozenset(("button", "nav"))
# What these say of themselves is about the whole website, not about the page.
_CONTROL_ROLES = frozenset(("banner", "contentinfo", "menu", "menubar", "navigation", "search", "toolbar"))
# What stands beside and below the words of a page.
_OUTSIDE = frozenset(("aside", "footer"))
# Elements within a line.
_INLINE = frozenset(("a", "i", "span"))
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def is_unseen(tag: str, attributes: Mapping[str, str]) -> bool:
    """Whether nothing of an element is seen, or nothing that can be read."""
    if _UNREAD.fullmatch(tag) and "shadowrootmode" not in attributes and not _is_tick(tag, attributes):
        return True
    if not attributes:
        # Most elements have none.
        return tag == "dialog"
    is_hidden = "hidden" in attributes or bool(_HIDDEN.search(attributes.get("style", "")))
    if is_hidden and tag not in ("html", "body"):
        return True
    # Signs that stand for a word are hidden from those to whom a page is read aloud, and so are second copies.
    if attributes.get("aria-hidden") == "true" and tag in _INLINE:
        return True
    return attributes.get("role") == "doc-backlink" or (tag == "dialog" and "open" not in attributes)


def is_around(tag: str, attributes: Mapping[str, str], *, in_article: bool) -> bool:
    """Whether an element belongs to the website around a page; a footer of an article belongs to the article."""
    return tag in _CONTROLS or attributes.get("role") in _CONTROL_ROLES or (tag in _OUTSIDE and not in_article)


def _is_tick(tag: str, attributes: Mapping[str, str]) -> bool:
    """Whether an element is the box before a task of a list."""
    return tag == "input" and attributes.get("type") == "checkbox"

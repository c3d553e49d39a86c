"""The language of the sentences that people read: gettext over the catalogues in `assets/locale`.

English is the source language; `zh` is a catalogue. Write `_("…")` around a whole sentence, fill in its named `{…}` or
`%(…)s` fields outside the call, and run `scripts/translations.py update` after changing one.
"""

import contextlib
import gettext as _gettext
import locale
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

LANGUAGES = ("zh", "en")
DOMAIN = "qwen_tui"
LOCALE_FOLDER = Path(__file__).parent / "assets" / "locale"

# The signs of Chinese, what makes a text with them Japanese, and words of other scripts.
_HAN, _KANA, _WORD = re.compile("[\u4e00-\u9fff]"), re.compile("[\u3041-\u30ff]"), re.compile("[A-Za-z\u00c0-\u04ff]+")

# The process has one current catalogue; only `use_language` sets it.
_current: _gettext.NullTranslations = _gettext.NullTranslations()
_language = "en"


def gettext(sentence: str) -> str:
    """Return `sentence` (English) in the language in use."""
    return _current.gettext(sentence)


def ngettext(singular: str, plural: str, n: int) -> str:
    """Return the singular or plural form of a sentence for the number `n`, in the language in use."""
    return _current.ngettext(singular, plural, n)


def listed(names: Iterable[str]) -> str:
    """Return `names` joined by the separator of the language in use."""
    return gettext(", ").join(names)


def labelled(name: str, value: str) -> str:
    """Return a name and its value, with the colon of the language in use."""
    return gettext("{name}: {value}").format(name=name, value=value)


def noted(text: str, note: str) -> str:
    """Return a text with a note in the brackets of the language in use."""
    return gettext("{text} ({note})").format(text=text, note=note)


def in_a_row(*sentences: str) -> str:
    """Return `sentences` one behind the other, without the empty ones; no blank follows a Chinese full stop."""
    text = ""
    for sentence in filter(None, sentences):
        text += sentence if not text or text.endswith(("。", "！", "？")) else f" {sentence}"
    return text


def use_language(language: str) -> None:
    """Set the language of all sentences from now on; `language` is one of `LANGUAGES`."""
    global _current, _language
    _language = language
    _current = _gettext.translation(DOMAIN, LOCALE_FOLDER, [language], fallback=True)


def language() -> str:
    """Return the language in use."""
    return _language


@contextlib.contextmanager
def speaking(language: str) -> Iterator[None]:
    """Set the language of the sentences in the block: those that a model reads, beside a question in that language."""
    before = _language
    use_language(language)
    try:
        yield
    finally:
        use_language(before)


def language_of(text: str) -> str:
    """Return the one of our languages that a text is nearest to: `zh` for Chinese, else `en`."""
    if _KANA.search(text):
        return "en"
    return "zh" if len(_HAN.findall(text)) > len(_WORD.findall(text)) else "en"


def language_from_locale(environ: Mapping[str, str] = os.environ) -> str:
    """Return the language of the user's locale: `zh` for every Chinese locale, else `en`."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environ.get(name):
            return "zh" if environ[name].lower().startswith("zh") else "en"
    try:
        name = locale.getlocale()[0] or ""
    except ValueError:
        name = ""
    # Windows says "Chinese (Simplified)_China", other systems "zh_CN".
    return "zh" if name.lower().startswith(("zh", "chinese")) else "en"

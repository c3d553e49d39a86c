"""Checks of a commentary: the places it names, the sides it hears, what it proposes."""

import re
from collections.abc import Iterator

from qwen_tui.evaluation.compare.checks.words import pattern
from qwen_tui.evaluation.compare.sample import Finding, Sample, cannot_tell
from qwen_tui.evaluation.compare.units import HAN, plain, sentences
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed

_STREET = {
    # Up to four characters before the word for a street. Which of them belong to the name, `_name` decides.
    "zh": re.compile(f"([{HAN}]{{2,4}})(大道|胡同|路(?![径线灯程])|街(?![道区坊巷头角边景市])|巷|坊(?!间))"),
    "en": re.compile(
        r"\b((?:[A-Z][\w'’-]+ ){1,3})"
        r"(Road|Rd|Street|Avenue|Lane|Alleys?|Boulevard|Hutong|Square|Market|Quarter|District)\b"
    ),
}
# Before these characters, no name of a street begins; so a name is what stands behind the last of them.
_NO_NAME = frozenset(
    "的之了在从和与到以把被让给向往对于是有像如及或而但就都也很更最每各这那某条一两几些个其此该去走过来逛看"
)


def required_names(sample: Sample, *, names: list[list[str]]) -> Finding:
    """Check that the text names what was asked for; of each list in `names`, one form is enough.

    Rule: the names of the task, looked for as they are written, without regard to capitals.
    """
    text = plain(sample.text).casefold()
    missing = [forms[0] for forms in names if not any(form.casefold() in text for form in forms)]
    if not missing:
        return Finding(1.0, _("Every name that was asked for is there."))
    return Finding(1 - len(missing) / len(names), _("These names are missing: {names}.").format(names=listed(missing)))


def known_places(sample: Sample, *, known: list[str]) -> Finding:
    """Check that the streets and districts in the text are on the list `known`; the value is their share.

    A street that is not on the list may exist all the same. The sentence names it, so that the person can look it up.

    Rule: names that end as streets do, without common words (a gazetteer look-up).
    """
    places = dict.fromkeys(_places(plain(sample.text), sample.language))
    if not places:
        return cannot_tell(_("The text names no street."))
    listed_places = [place.casefold() for place in known]
    strange = [place for place in places if not any(_same(place.casefold(), one) for one in listed_places)]
    if not strange:
        return Finding(1.0, _("Every street in the text is a known one: {names}.").format(names=listed(places)))
    sentence = _("Nobody has checked whether these places exist: {names}.")
    return Finding(1 - len(strange) / len(places), sentence.format(names=listed(strange)))


def _same(place: str, known: str) -> bool:
    """Whether both are one place: a longer form, as 武侯区玉林路 or 玉林西路, counts too."""
    return place.endswith(known) or (known.endswith(place) and len(place) > 2)


def _places(text: str, language: str) -> Iterator[str]:
    for found in _STREET[language].finditer(text):
        name = _name(found[1]) if language == "zh" else _capitals(found[1])
        if name and language == "en":
            yield f"{name} {found[2]}"
        elif name and not pattern("common_streets", language).search(name + found[2]):
            yield name + found[2]


def _name(before: str) -> str:
    """Return the end of `before` that can be a street's name, "" if it is too short for one."""
    for position in range(len(before) - 1, -1, -1):
        if before[position] in _NO_NAME:
            before = before[position + 1 :]
            break
    return before if len(before) > 1 else ""


def _capitals(before: str) -> str:
    words = before.split()
    while words and pattern("common_streets", "en").match(words[0]):
        words = words[1:]
    return " ".join(words)


def both_sides(sample: Sample, *, sides: list[list[str]]) -> Finding:
    """Check that the text hears each side, by words of which only that side speaks, and sets them against each other.

    The value is the share of what is there: each of `sides`, and a word of contrast.

    Rule: lexical indicators, as in the mining of arguments (Stab and Gurevych 2017, "Parsing Argumentation Structures
    in Persuasive Essays"). The words of contrast are our own list, those of the sides the task's.
    """
    text = plain(sample.text).casefold()
    heard = [any(word.casefold() in text for word in words) for words in sides]
    contrast = pattern("contrast", sample.language).search(text) is not None
    missing = [
        _("the side that speaks of {words}").format(words=listed(words[:3]))
        for words, there in zip(sides, heard, strict=True)
        if not there
    ]
    if not contrast:
        missing.append(_("a sentence that sets one side against the other"))
    if not missing:
        return Finding(1.0, _("It hears both sides and sets them against each other."))
    value = 1 - len(missing) / (len(sides) + 1)
    return Finding(value, _("It lacks: {parts}.").format(parts=listed(missing)))


def proposals(sample: Sample, *, least: int) -> Finding:
    """Check that at least `least` sentences propose something.

    Rule: sentences with a word of obligation or proposal, from a list of our own.
    """
    found = list(filter(pattern("proposes", sample.language).search, sentences(sample.text)))
    sentence = _("Sentences with a proposal: {count}; asked for: {least}.")
    return Finding(min(1.0, len(found) / least) if least else 1.0, sentence.format(count=len(found), least=least))

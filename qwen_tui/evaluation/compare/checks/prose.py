"""Checks of a text as a text: its length, its repetitions, its filler, its fitness for a pupil."""

import re
from collections import Counter
from fractions import Fraction

from qwen_tui.evaluation.compare.checks.words import function_words, pattern
from qwen_tui.evaluation.compare.sample import Finding, Sample, cannot_tell, shown
from qwen_tui.evaluation.compare.units import grams, length, sentences
from qwen_tui.grams import pairs, runs
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed

# n of the n-grams: four words; in Chinese, where a word has one or two characters, six characters.
_GRAM = {"en": 4, "zh": 6}
_FEWEST_GRAMS = 20


def length_in_range(sample: Sample, *, least: int, most: int) -> Finding:
    """Check that the text has `least` to `most` words (English) or 字 (Chinese); outside, the value is the ratio.

    Rule: `units.length`, which counts as word processors do.
    """
    found = length(sample.text, sample.language)
    if sample.language == "zh":
        sentence = _("Length: {length:,} characters; asked for: {least:,} to {most:,}.")
    else:
        sentence = _("Length: {length:,} words; asked for: {least:,} to {most:,}.")
    value = min(1.0, found / least if least else 1.0, most / found if found else 1.0)
    return Finding(value, sentence.format(length=found, least=least, most=most))


def repetition(sample: Sample) -> Finding:
    """Check how many n-grams are distinct: those that differ, through all; 1 is a text without any repetition.

    Rule: distinct-n, Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation Models". With
    n = 4 it is 1 - seq-rep-4 of Welleck et al. 2020, "Neural Text Generation with Unlikelihood Training". Sound texts
    of any length are near 1 there, so that a longer answer is not thought worse. Code in the answer counts too.
    """
    size = _GRAM[sample.language]
    found = grams(sample.text, size)
    if len(found) < _FEWEST_GRAMS:
        return cannot_tell(_("The text is too short to tell repetitions."))
    value = len(set(found)) / len(found)
    ((often, times),) = Counter(found).most_common(1)
    if times == 1:
        return Finding(value, _("Nothing comes twice in the same words."))
    sentence = _("{share:.0%} of the passages of {size} units are new; “{passage}” comes {times} times.")
    joined = ("" if sample.language == "zh" else " ").join(often)
    return Finding(value, sentence.format(share=value, size=size, passage=joined, times=times))


def filler(sample: Sample) -> Finding:
    """Check which share of the sentences says nothing: polite openings, announcements, offers of further help.

    Rule: a list of our own for each language (`words.yaml`); a sentence counts if it begins so.
    """
    found = sentences(sample.text)
    if not found:
        return cannot_tell(_("The answer has no sentences."))
    empty = [sentence for sentence in found if is_filler(sentence, sample.language)]
    if not empty:
        return Finding(1.0, _("No sentence is filler."))
    sentence = _("Filler: {empty} of {all} sentences, as “{example}”.")
    return Finding(
        1 - len(empty) / len(found), sentence.format(empty=len(empty), all=len(found), example=shown(empty[0]))
    )


def is_filler(sentence: str, language: str) -> bool:
    """Whether a sentence says nothing about its subject."""
    return pattern("filler", language).match(sentence) is not None


def first_sentence(sample: Sample) -> Finding:
    """Check which share of the question's content words is in the first sentence: a proxy for its relevance, no more.

    Rule: our own. Content words are words that say something of a subject, in Chinese pairs of characters within a run
    of them. A sentence that repeats the question has them all and may answer nothing, and a long one has more of them.
    """
    found = sentences(sample.text)
    asked = content_words(f"{sample.prompt}\n{sample.material}", sample.language)
    if not found or not asked:
        return cannot_tell(_("The answer has no sentences."))
    there = asked & content_words(found[0], sample.language)
    sentence = _("{there} of {all} content words of the question are in the first sentence: “{sentence}”")
    return Finding(
        len(there) / len(asked), sentence.format(there=len(there), all=len(asked), sentence=shown(found[0], 80))
    )


def content_words(text: str, language: str) -> set[str]:
    """Return the words of a text that say something of its subject; in Chinese, pairs of characters stand for them."""
    empty, words = function_words(language), set[str]()
    for unspaced, word in runs(text):
        if word and word.casefold() not in empty:
            words.add(word.casefold())
        for run in re.split(f"[{''.join(empty)}]", unspaced) if language == "zh" else [unspaced]:
            words.update(pairs(run))
    return words


def sentence_length(sample: Sample, *, most: float) -> Finding:
    """Check that sentences have at most `most` words (English) or characters (Chinese) on average.

    Rule: mean sentence length, the first variable of Flesch's reading ease (1948) and of Kincaid's grade level (1975),
    and a feature of Chinese readability formulas. Words of many syllables, the second variable, are no use in Chinese.
    """
    found = sentences(sample.text)
    if not found:
        return cannot_tell(_("The answer has no sentences."))
    mean = length(sample.text, sample.language) / len(found)
    if sample.language == "zh":
        sentence = _("A sentence has {mean:.1f} characters on average; at most {most:g} were wanted.")
    else:
        sentence = _("A sentence has {mean:.1f} words on average; at most {most:g} were wanted.")
    return Finding(min(1.0, most / mean) if mean else 1.0, sentence.format(mean=mean, most=most))


def jargon_explained(sample: Sample, *, terms: list[str]) -> Finding:
    """Check that each of `terms` is explained where it comes first; the value is the share that is, 1 without any.

    It counts as explained if one of the first two sentences with the term has a word or a mark behind it that explains,
    or if that sentence or the next one compares.

    Rule: plain-language guidelines (ISO 24495-1): technical terms are avoided, or explained at first use.
    """
    found = sentences(sample.text)
    used = [term for term in terms if any(_has(sentence, term) for sentence in found)]
    if not found:
        return cannot_tell(_("The answer has no sentences."))
    bare = [term for term in used if not _is_explained(term, found, sample.language)]
    if not used:
        return Finding(1.0, _("It uses no technical terms."))
    if not bare:
        return Finding(1.0, _("It explains every technical term: {terms}.").format(terms=listed(used)))
    return Finding(1 - len(bare) / len(used), _("It does not explain: {terms}.").format(terms=listed(bare)))


def _has(sentence: str, term: str) -> bool:
    return _where(sentence, term) is not None


def _where(sentence: str, term: str) -> re.Match[str] | None:
    # A term in Latin letters is a whole word; Chinese has no spaces between words.
    pattern = rf"(?<![A-Za-z]){re.escape(term)}s?(?![A-Za-z])" if term.isascii() else re.escape(term)
    # GET and POST are terms, and "get" is none.
    return re.search(pattern, sentence, 0 if term.isupper() else re.IGNORECASE)


def _is_explained(term: str, found: list[str], language: str) -> bool:
    """Whether one of the first two sentences with the term explains it: the first may be the question what it is."""
    compares, explains = pattern("compares", language), pattern("explains", language)
    places = [number for number, sentence in enumerate(found) if _has(sentence, term)]
    for number in places[:2]:
        place = _where(found[number], term)
        behind = found[number][place.end() :] if place else ""
        following = found[number + 1] if number + 1 < len(found) else ""
        if explains.search(behind) or compares.search(found[number]) or compares.search(following):
            return True
    return False


def comparisons(sample: Sample, *, least: int) -> Finding:
    """Check that at least `least` sentences compare with something that the reader knows.

    Rule: a list of our own of words that introduce a comparison.
    """
    found = list(filter(pattern("compares", sample.language).search, sentences(sample.text)))
    value = float(min(Fraction(1), Fraction(len(found), least))) if least else 1.0
    if not found:
        return Finding(value, _("It compares with nothing that the reader knows."))
    sentence = _("Sentences with a comparison: {count}, as “{example}”; asked for: {least}.")
    return Finding(value, sentence.format(count=len(found), example=shown(found[0]), least=least))

"""Does a summary have the facts that were planted in the text, and no number that is not there?"""

import re
import unicodedata

from qwen_tui.evaluation.compare.sample import Finding, Sample, cannot_tell
from qwen_tui.evaluation.compare.units import HAN, plain
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed

_NUMBER = re.compile(r"(?<![0-9a-z.])\d+(?:\.\d+)?")


def planted_facts(sample: Sample, *, facts: list[list[str]]) -> Finding:
    """Check that the answer has each of `facts`, in one of its forms; the value is the share it has.

    Rule: the forms of the task, looked for without regard to capitals, width, spaces and the commas in numbers. This is
    recall of known items, as the nuggets of TREC's question answering (Voorhees 2003).
    """
    text = folded(sample.text)
    missing = [forms[0] for forms in facts if not any(_is_in(folded(form), text) for form in forms)]
    if not missing:
        return Finding(1.0, _("Every fact is there ({count}).").format(count=len(facts)))
    sentence = _("{found} of {all} facts are there; missing: {names}.")
    found = len(facts) - len(missing)
    return Finding(found / len(facts), sentence.format(found=found, all=len(facts), names=listed(missing)))


def numbers_from_material(sample: Sample) -> Finding:
    """Check that each number in the answer is in the material too; the value is the share that is.

    Rule: numbers are compared as they are written, without the commas in them. Numbers of a list do not count.
    """
    source = set(_NUMBER.findall(folded(sample.material)))
    found = _NUMBER.findall(folded(plain(sample.text)))
    if not found:
        return cannot_tell(_("The answer has no numbers."))
    strange = list(dict.fromkeys(number for number in found if number not in source))
    if not strange:
        return Finding(1.0, _("Every number of the answer is in the text."))
    share = 1 - sum(number in strange for number in found) / len(found)
    return Finding(share, _("These numbers are not in the text: {numbers}.").format(numbers=listed(strange)))


def folded(text: str) -> str:
    """Return `text` as it is compared: small letters, half width, no commas in numbers, no spaces beside Chinese."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("**", "")
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    # Chinese is written with and without a space between a number and a character.
    text = re.sub(rf"(?<=[{HAN}])\s+|\s+(?=[{HAN}])", "", text)
    return " ".join(text.split())


def _is_in(form: str, text: str) -> bool:
    # 42 is not in 142 or 42.5, and "art" not in "start".
    before = r"(?<![0-9a-z.])" if re.match(r"[0-9a-z]", form) else ""
    after = r"(?![0-9a-z]|\.\d)" if re.search(r"[0-9a-z]$", form) else ""
    return re.search(before + re.escape(form) + after, text) is not None

"""Checks of a proofread text: are the planted mistakes corrected, and is nothing else changed?"""

import difflib
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from qwen_tui.evaluation.compare.sample import Finding, Sample, shown
from qwen_tui.evaluation.compare.units import HAN
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import listed

_TOKEN = re.compile(rf"[{HAN}]|[^\W_]+(?:['’][^\W_]+)*|[^\w\s]")
# Below this share of the text, the answer does not contain the corrected text.
_LEAST_FOUND = 0.6
# So many words beside a mistake may change with it.
_BESIDE = 3
_ALIKE = str.maketrans("‘’“”", "''\"\"")


class Passage(NamedTuple):
    """A passage of the material, `before`, what the answer has in its place, `after`, and the mistake's number."""

    before: str
    after: str
    mistake: int | None


def mistakes_corrected(sample: Sample, *, mistakes: list[list[str]]) -> Finding:
    """Check which of `mistakes` are corrected; the value is their share.

    A mistake is a list: the wrong words, as they occur once in the material, and one or more right forms.

    Rule: the answer is aligned with the material (the longest common blocks, `difflib`), and what stands in the place
    of a mistake is compared with its right forms. That is recall of edits, as in the scoring of grammatical error
    correction (Dahlmeier and Ng 2012, the MaxMatch scorer).
    """
    passages = _passages(sample, mistakes)
    if passages is None:
        return Finding(0.0, _no_text())
    instead = {passage.mistake: passage.after for passage in passages}
    left = [
        wrong
        for number, (wrong, *right) in enumerate(mistakes)
        if instead[number] not in [_joined(_tokens(form)) for form in right]
    ]
    found = len(mistakes) - len(left)
    if not left:
        return Finding(1.0, _("Every mistake is corrected ({count}).").format(count=len(mistakes)))
    sentence = _("{found} of {all} mistakes are corrected; not corrected: {names}.")
    return Finding(found / len(mistakes), sentence.format(found=found, all=len(mistakes), names=listed(left)))


def nothing_else_changed(sample: Sample, *, mistakes: list[list[str]]) -> Finding:
    """Check that the text is unchanged outside `mistakes`; each changed place takes as much as a mistake would add.

    Straight and curly quotation marks are the same, and line breaks do not count.

    Rule: precision of edits, by the same alignment as `mistakes_corrected`.
    """
    passages = _passages(sample, mistakes)
    if passages is None:
        return Finding(0.0, _no_text())
    changed = [passage for passage in passages if passage.mistake is None]
    if not changed:
        return Finding(1.0, _("Nothing else is changed."))
    sentence = _("Changed besides ({count}): {examples}.")
    examples = listed(f"{shown(p.before, 24) or '–'} → {shown(p.after, 24) or '–'}" for p in changed[:5])
    value = max(0.0, 1 - len(changed) / len(mistakes))
    return Finding(value, sentence.format(count=len(changed), examples=examples))


def _no_text() -> str:
    return _("The answer does not contain the corrected text.")


def _passages(sample: Sample, mistakes: Sequence[Sequence[str]]) -> list[Passage] | None:
    """Return the mistakes with what stands in their place, and all other changes; None without the corrected text."""
    before, after = _tokens(sample.material), _tokens(sample.text)
    spans = [_span(before, _tokens(wrong)) for wrong, *_right in mistakes]
    blocks = difflib.SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    same = {block.a + step: block.b + step for block in blocks for step in range(block.size)}
    if len(same) < _LEAST_FOUND * len(before):
        return None
    # Text before and after the corrected one is no change of it.
    first, last = _edges(same, len(before))
    found = []
    for number, (start, stop) in enumerate(spans):
        found.append(
            Passage(_joined(before[start:stop]), _joined(_instead(after, same, start, stop, first, last)), number)
        )
    inside = {place for start, stop in spans for place in range(start, stop)}
    found += [Passage(_joined(a), _joined(b), None) for a, b in _others(before, after, same, inside)]
    return found


def _edges(same: dict[int, int], length: int) -> tuple[int, int]:
    """Return where in the answer the corrected text begins and ends."""
    first, last = min(same), max(same)
    return max(0, same[first] - first), same[last] + (length - last)


def _instead(after: Sequence[str], same: dict[int, int], start: int, stop: int, first: int, last: int) -> Sequence[str]:
    """Return the answer's tokens between the nearest unchanged ones around a passage of the material."""
    left = next((same[place] + 1 for place in range(start - 1, -1, -1) if place in same), first)
    right = next((same[place] for place in range(stop, max(same) + 1) if place in same), last)
    return after[left:right]


def _others(
    before: Sequence[str], after: Sequence[str], same: dict[int, int], inside: set[int]
) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Yield the changes that correct no mistake, each with the tokens before and after."""
    kept = sorted(same)
    for one, next_ in itertools.pairwise(kept):
        gap = range(one + 1, next_)
        replaced = after[same[one] + 1 : same[next_]]
        # A correction may take in the words beside the mistake, but not a sentence.
        corrects = any(place in inside for place in (*gap, one, next_))
        beside = sum(place not in inside for place in gap)
        if (len(gap) or replaced) and not (corrects and beside <= _BESIDE and len(replaced) <= len(gap) + _BESIDE):
            yield before[gap.start : gap.stop], replaced


def _span(tokens: Sequence[str], wanted: Sequence[str]) -> tuple[int, int]:
    """Return where `wanted` stands in `tokens`."""
    for start in range(len(tokens) - len(wanted) + 1):
        if list(tokens[start : start + len(wanted)]) == list(wanted):
            return start, start + len(wanted)
    raise ValueError(_("the material has no mistake “{words}”").format(words=_joined(wanted)))


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text.translate(_ALIKE).replace("**", ""))


def _joined(tokens: Sequence[str]) -> str:
    """Return tokens as a text to compare and to show: a space between two words, none beside punctuation."""
    return re.sub(rf"\s+(?=[^\w\s])|(?<=[{HAN}])\s+|\s+(?=[{HAN}])", "", " ".join(tokens))

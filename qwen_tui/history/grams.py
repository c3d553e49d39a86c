"""Words that SQLite's full-text index can find inside a Chinese sentence.

Chinese does not separate its words, so the index holds every character and every pair of neighbours: 邮件 is found in
请发邮件给我 as the pair it is there. Other scripts are indexed by whole words, and found by their beginnings.
"""

import re

# Han, kana and hangul; everything else that is a word is written between spaces.
_UNSPACED = r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]"
# A run such as "PDF文件" ends where the script changes.
_RUN = re.compile(rf"({_UNSPACED}+)|((?:(?!{_UNSPACED})[^\W_])+)")


def grams(text: str) -> str:
    """Return what the index holds of `text`, separated by spaces."""
    found: list[str] = []
    for unspaced, word in _runs(text):
        found += [*unspaced, *_pairs(unspaced)] if unspaced else [word.lower()]
    return " ".join(found)


def query(words: str) -> str:
    """Return the FTS5 expression that finds texts with all of `words`, or an empty string if there is nothing in it."""
    terms: list[str] = []
    for unspaced, word in _runs(words):
        if unspaced:
            # The pairs of a run stand one after the other in the index, so a longer word is a phrase of them.
            terms.append(f'"{" ".join(_pairs(unspaced) or [unspaced])}"')
        else:
            terms.append(f'"{word.lower()}"*')
    return " AND ".join(terms)


def matching_line(words: str, text: str) -> str:
    """Return the first line of `text` that holds most of `words`."""
    wanted = [unspaced or word.lower() for unspaced, word in _runs(words)]
    lines = [line for line in text.splitlines() if line.strip()] or [""]
    return max(lines, key=lambda line: sum(word in line.lower() for word in wanted)).strip()


def _runs(text: str) -> list[tuple[str, str]]:
    """Split `text` into runs without spaces and words with them; of each pair, one half is empty."""
    return _RUN.findall(text)


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)]

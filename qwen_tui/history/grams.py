"""Splits text so that SQLite's full-text index finds words inside a Chinese sentence.

Chinese does not separate its words with spaces. So the index holds every character and every pair of neighbours: 邮件
is one of the pairs of 请发邮件给我. Other scripts are indexed by whole words, and a word is found by its beginning.
"""

import re

# Han, kana and hangul. All other scripts are taken to separate their words with spaces.
_UNSPACED = r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]"
# A run of letters ends where the script changes: "PDF文件" is two runs.
_RUN = re.compile(rf"({_UNSPACED}+)|((?:(?!{_UNSPACED})[^\W_])+)")


def grams(text: str) -> str:
    """Return the terms under which `text` is indexed, separated by spaces."""
    found: list[str] = []
    for unspaced, word in _runs(text):
        found += [*unspaced, *_pairs(unspaced)] if unspaced else [word.lower()]
    return " ".join(found)


def query(words: str) -> str:
    """Return the FTS5 expression that finds texts with all of `words`, or an empty string if these hold no letters."""
    terms: list[str] = []
    for unspaced, word in _runs(words):
        if unspaced:
            # The index holds the pairs of a run in order, so a longer word is found as a phrase of pairs.
            terms.append(f'"{" ".join(_pairs(unspaced) or [unspaced])}"')
        else:
            terms.append(f'"{word.lower()}"*')
    return " AND ".join(terms)


def matching_line(words: str, text: str) -> str:
    """Return the line of `text` that contains the most of `words`, the first of several."""
    wanted = [unspaced or word.lower() for unspaced, word in _runs(words)]
    lines = [line for line in text.splitlines() if line.strip()] or [""]
    return max(lines, key=lambda line: sum(word in line.lower() for word in wanted)).strip()


def _runs(text: str) -> list[tuple[str, str]]:
    """Split `text` into pairs (run of a script without spaces, word of another script), one half of which is empty."""
    return _RUN.findall(text)


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)]

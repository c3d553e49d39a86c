"""Splits text so that SQLite's full-text index finds words inside a Chinese sentence.

Chinese does not separate its words with spaces. So the index holds every character and every pair of neighbours: 邮件
is one of the pairs of 请发邮件给我. Other scripts are indexed by whole words, and a word is found by its beginning.
"""

import re
import unicodedata

# Han, kana and hangul. All other scripts are taken to separate their words with spaces.
_UNSPACED = r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]"
# A run of letters ends where the script changes: "PDF文件" is two runs.
# It is compiled when it is first used, which takes a while.
_RUN = rf"({_UNSPACED}+)|((?:(?!{_UNSPACED})[^\W_])+)"


def grams(text: str) -> str:
    """Return the terms under which `text` is indexed, separated by spaces."""
    found: list[str] = []
    for unspaced, word in runs(text):
        found += [*unspaced, *pairs(unspaced)] if unspaced else [word.lower()]
    return " ".join(found)


def query(words: str) -> str:
    """Return the FTS5 expression that finds texts with all of `words`, or an empty string if these hold no letters."""
    terms: list[str] = []
    for unspaced, word in runs(words):
        if unspaced:
            # The index holds the pairs of a run in order, so a longer word is found as a phrase of pairs.
            terms.append(f'"{" ".join(pairs(unspaced) or [unspaced])}"')
        else:
            terms.append(f'"{word.lower()}"*')
    return " AND ".join(terms)


def found_in(words: str, line: str) -> list[tuple[int, int]]:
    """Return where `line` holds one of `words`, in order: from which character to which."""
    # The index knows neither capitals nor accents. One character stays one, so that the places are those of `line`.
    plain = "".join(map(_plain, line))
    places = []
    for unspaced, word in runs("".join(map(_plain, words))):
        pattern = unspaced or rf"(?:(?<![^\W_])|(?<={_UNSPACED})){word}"
        places += [match.span() for match in re.finditer(pattern, plain)]
    apart: list[tuple[int, int]] = []
    for start, end in sorted(places):
        if apart and start <= apart[-1][1]:
            apart[-1] = apart[-1][0], max(end, apart[-1][1])
        else:
            apart.append((start, end))
    return apart


def _plain(character: str) -> str:
    """Return a character small and without its accent."""
    apart = unicodedata.normalize("NFD", character)
    # Hangul comes apart as well, but not into a letter and its marks.
    return (apart if all(map(unicodedata.combining, apart[1:])) else character).lower()[0]


def runs(text: str) -> list[tuple[str, str]]:
    """Split `text` into pairs (run of a script without spaces, word of another script), one half of which is empty."""
    return re.findall(_RUN, text)


def pairs(run: str) -> list[str]:
    """Return the pairs of neighbours in a run of a script without spaces."""
    return [run[i : i + 2] for i in range(len(run) - 1)]

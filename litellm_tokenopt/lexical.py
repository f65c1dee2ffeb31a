"""Ranking short texts by the words that they share with a question: splitting, light stemming, BM25.

Pure functions; terms are memoised by content. A text's `terms` are lower-case stems without stop words; an
identifier (``list_open_orders``, ``userId``) gives its parts and itself.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from .memo import Memo

STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
    a about all also am an and any are as at be been being but by can could did do does doing done for from had
    has have having he her here hers him his how i if in into is it its just let me more my no not now of on or
    our out please she should so some such than that the their them then there these they this those to too up
    us use used using very was we were what when where which while who whom why will with would you your yours s
    t d ll m re ve don doesn didn isn aren wasn won couldn wouldn shouldn im
    """,
    )
)

_WORD = re.compile(r"[^\W_]+(?:[_\-./][^\W_]+)*")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
DENSE_CHARS = 16
"""Where blanks are rarer, what stands between them hardly comes again."""

_POINTS_BACK = re.compile(
    r"^\W*(?:and|but|or|so|also|then|now|next|plus|yes|yep|yeah|no|nope|sure|ok|okay|right|good|great|thanks?"
    r"|what about|how about)\b"
    r"|\b(?:it|its|that|this|these|those|they|them|their|he|him|his|she|her|there|same|ones?"
    r"|the (?:results?|first|second|last|others?|above|list))\b",
    re.IGNORECASE,
)

MOST_KNOWN = 50_000
_counts: Memo[str, Mapping[str, int]] = Memo(max_entries=20_000)


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """A light English stem of a lower-case *word*: plural, -ing, -ed and a final e go, y becomes i."""
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    word = _strip_plural(word)
    for suffix in ("ing", "ed"):
        rest = word.removesuffix(suffix)
        if rest != word and len(rest) >= 3 and re.search("[aeiouy]", rest):
            word = rest[:-1] if rest[-1] == rest[-2] and rest[-1] not in "lsz" else rest
            break
    if word.endswith("e") and len(word) > 3:
        word = word[:-1]
    return word[:-1] + "i" if word.endswith("y") and len(word) > 2 else word


def points_back(text: str) -> bool:
    """Whether *text* has a word that stands for what was said before it; in a long text it may stand for its own."""
    return _POINTS_BACK.search(text) is not None


def _strip_plural(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y" if len(word) > 4 else word[:-1]
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def terms(text: str) -> list[str]:
    """The terms of *text*, in order, repeats included."""
    return list(chain.from_iterable(map(_between_blanks.__getitem__, written(text, _WORD))))


def distinct_terms(text: str) -> frozenset[str]:
    """The same without repeats."""
    return frozenset(chain.from_iterable(map(_between_blanks.__getitem__, set(written(text, _WORD)))))


def written(text: str, word: re.Pattern[str]) -> list[str]:
    """What stands between the blanks of *text*; its words where that hardly comes again."""
    found = text.split()
    return found if len(text) <= DENSE_CHARS * len(found) else word.findall(text)


class Known(dict[str, tuple[str, ...]]):
    """What *read* finds in what stands between blanks, kept: a look-up takes half the time of one in an `lru_cache`."""

    def __init__(self, read: Callable[[str], tuple[str, ...]]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, text: str) -> tuple[str, ...]:
        if len(self) >= MOST_KNOWN:
            self.clear()
        found = self[text] = self._read(text)
        return found


def _read(text: str) -> tuple[str, ...]:
    words = _WORD.findall(text)
    return _terms_of(words[0]) if len(words) == 1 else tuple(chain.from_iterable(map(_terms_of, words)))


_between_blanks = Known(_read)


def _terms_of(word: str) -> tuple[str, ...]:
    if word.islower() and word.isascii() and word.isalpha():  # most are, and have one part
        return () if word in STOP_WORDS else (stem(word),)
    parts = _PARTS.findall(word)
    found = [stem(part) if part.isalpha() else part for part in map(str.lower, parts) if part not in STOP_WORDS]
    if len(parts) > 1:
        found.append(word.lower())
    return tuple(found if word.isascii() else chain.from_iterable(map(_unspaced, found)))


def _unspaced(term: str) -> Iterable[str]:
    """Scripts that don't put spaces between words are read as pairs of characters."""
    if len(term) < 3 or not _UNSPACED.search(term):
        return (term,)
    return (term[i : i + 2] for i in range(len(term) - 1))


def term_counts(text: str) -> Mapping[str, int]:
    """How often each term occurs in *text*; memoised, so don't change what you get."""
    return _counts.get_or(text, lambda: Counter(terms(text)))


@dataclass(frozen=True, slots=True)
class Index:
    """Texts, given as their `term_counts`, to be asked many times; `lengths`: how many terms each has.

    A question has few terms: they are looked for in each text, and no index of all of them is made.
    """

    documents: tuple[Mapping[str, int], ...]
    lengths: tuple[int, ...]

    def having(self, terms: Iterable[str]) -> dict[str, list[int]]:
        """Of each of *terms* the numbers of the texts that have it."""
        return {term: [i for i, document in enumerate(self.documents) if term in document] for term in terms}

    def bm25(
        self, query: Mapping[str, float], having: Mapping[str, Sequence[int]], *, k1: float = 1.2, b: float = 0.75
    ) -> list[float]:
        """The scores that `bm25` gives; the texts of each term are known."""
        total = len(self.lengths)
        mean = sum(self.lengths) / total if total else 0.0
        norms = [k1 * (1 - b + b * length / mean) if mean else k1 for length in self.lengths]
        scores = [0.0] * total
        for term, weight in query.items():
            idf = math.log(1 + (total - len(having[term]) + 0.5) / (len(having[term]) + 0.5))
            for i in having[term]:
                frequency = self.documents[i][term]
                scores[i] += weight * idf * frequency * (k1 + 1) / (frequency + norms[i])
        return scores


def indexed(documents: Sequence[Mapping[str, int]]) -> Index:
    """The index of *documents*."""
    return Index(tuple(documents), tuple(sum(document.values()) for document in documents))


def bm25(
    query: Mapping[str, float], documents: Sequence[Mapping[str, int]], *, k1: float = 1.2, b: float = 0.75
) -> list[float]:
    """BM25 scores (≥ 0) of *documents*, given as `term_counts`; *query* gives each term's weight.

    `term_counts(question)` will do as a query, though repeats in a question rarely mean more.
    """
    index = indexed(documents)
    return index.bm25(query, index.having(query), k1=k1, b=b)

"""Rank a conversation's passages for a question, while the conversation grows.

`lexical.bm25` scores a list that is given whole; here passages are added as the fold goes on, and a question
looks only at the passages that share a term with it.
"""

from __future__ import annotations

import math
import re
import sys
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ..lexical import terms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEIGHBOUR = 0.8
"""How much of a passage's score its neighbour gets: what answers a question seldom stands alone."""

REACH = 128
"""What comes to a passage from so far away is nothing."""

LIKE_BEST, LIKE_LEAST = 5, 0.5
"""So many passages that fit a question best, at least half as well as the first, tell what else is looked for: """
LIKE_TERMS, LIKE_SHARE = 10, 0.3
"""so many terms that they share, at this part of their weight."""

QUERY_TERMS = 24
QUERY_CHARS = 4_000
_K1, _B = 1.2, 0.3
LATELY_READ = 4_096
"""A short message is a passage and asks; so many texts are read once for both, and for what fits again and again."""

_BYTES = 4
"""Of a passage's number."""

_QUESTION_MARK = re.compile(r"[?\uff1f\u061f](?=\s|\Z|[\"')])")
_ASKING = re.compile(
    r"\W*(?:please\s+|can you\s+|could you\s+)?(?:what|who|whom|whose|when|where"
    r"|which|why|how|summari[sz]e|list|explain|describe|compare|find|show|tell|remind|recap|recall|repeat|quote|give)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Query:
    """What a message asks for: its rarest terms and their idf, `mass` in all. `asks` is true of questions and
    requests."""

    weights: Mapping[str, float]
    asks: bool
    mass: float


class Index:
    """An inverted index of passages, numbered as they are added."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        # Bytes, as the garbage collector passes over them: a full collection stops every thread.
        self._postings: defaultdict[str, bytearray] = defaultdict(bytearray)
        self._lengths = array("I")
        self._total = 0
        self._norms: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self._lengths)

    def add(self, text: str) -> None:
        number, (found, length) = len(self._lengths).to_bytes(_BYTES, sys.byteorder), read_terms(text)
        for posting in map(self._postings.__getitem__, found):
            posting += number
        self.texts.append(text)
        self._lengths.append(length)
        self._total += length
        self._norms = None

    def query(self, text: str) -> Query:
        """The terms of *text* that the passages know, the rarest first."""
        asks = _QUESTION_MARK.search(text) is not None or _ASKING.match(text) is not None
        known = filter(self._postings.__contains__, read_terms(_ends(text))[0])
        rarest = sorted((len(self._postings[term]) // _BYTES, term) for term in known)[:QUERY_TERMS]
        weights = {term: _idf(hits, len(self._lengths)) for hits, term in rarest}
        return Query(weights, asks, sum(weights.values()))

    def scores(self, idf_of: Mapping[str, float]) -> NDArray[np.float64]:
        """BM25 of each passage, shape (passages,), for terms that are known, given with their idf.

        How often a term occurs inside a passage is not looked at.
        """
        import numpy as np

        count = len(self._lengths)
        if self._norms is None:
            mean = self._total / count if self._total else 1.0
            self._norms = np.array(self._lengths, np.float64) * (_K1 * _B / mean) + (1 + _K1 * (1 - _B))
        postings = [self._postings[term] for term in idf_of]
        numbers = np.frombuffer(b"".join(postings), np.uint32)
        weights = np.array([weight * (_K1 + 1) for weight in idf_of.values()])
        worth = weights.repeat([len(found) // _BYTES for found in postings])
        return np.asarray(np.bincount(numbers, worth, count) / self._norms, np.float64)

    def alike(self, query: Query, best: Sequence[tuple[float, str]]) -> Mapping[str, float]:
        """The terms that the passages which fit *query* *best*, given with their scores, have in common beyond it.

        So a passage is found that says in other words what they tell of (relevance feedback after Abdul-Jaleel et al.,
        2004, but a term of one passage alone counts only where no other fits half as well).
        """
        near = [(score / best[0][0], read_terms(text)[0]) for score, text in best if score >= LIKE_LEAST * best[0][0]]
        said: defaultdict[str, float] = defaultdict(float)
        for share, found in near:
            for term in found:
                said[term] += share
        # Of several passages, what one alone says isn't common: the best one's share is 1, and so the most of any.
        least, count = 1.0 if len(near) > 1 else 0.0, len(self)
        common = {
            term: LIKE_SHARE * _idf(hits, count) * share / len(near)
            for term, share in said.items()
            if share > least and term not in query.weights and (hits := len(self._postings[term]) // _BYTES) > 1
        }
        return dict(sorted(common.items(), key=lambda one: (-one[1], one[0]))[:LIKE_TERMS])

    def rarity(self) -> float:
        """The idf of a term that stands in one passage alone."""
        return math.log(1 + (len(self) - 0.5) / 1.5) if len(self) else 0.0


@lru_cache(maxsize=LATELY_READ)
def read_terms(text: str) -> tuple[frozenset[str], int]:
    """The terms of *text*, and how many they are with repeats; kept for a while."""
    found = terms(text)
    return frozenset(found), len(found)


def _idf(hits: int, count: int) -> float:
    return math.log(1 + (count - hits + 0.5) / (hits + 0.5))


def best(related: NDArray[np.float64]) -> Iterator[int]:
    """The numbers of passages that are related at all, best first."""
    left = related.copy()
    while len(left) and left[number := int(left.argmax())] > 0:
        yield number
        left[number] = 0


def spread(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """*scores* with a share of each passed on to its neighbours, theirs, and so on."""
    import numpy as np

    count = len(scores)
    both = np.zeros((2, -(-count // REACH), REACH))
    rows = both.reshape(2, -1)
    rows[0, :count], rows[1, :count] = scores, scores[::-1]
    _pass_on(both)
    total: NDArray[np.float64] = rows[0, :count] + rows[1, count - 1 :: -1] - scores if count else scores
    return total


def _pass_on(scores: NDArray[np.float64]) -> None:
    """Add to each score, shape (rows, blocks, `REACH`), what comes to it from those before it in its row: in its block
    and, by way of that one's last, in the block before."""
    shares = _shares()
    scores /= shares
    scores.cumsum(axis=2, out=scores)
    scores *= shares
    if scores.shape[1] > 1:
        scores[:, 1:] += scores[:, :-1, -1:] * (NEIGHBOUR * shares)


@lru_cache(maxsize=1)
def _shares() -> NDArray[np.float64]:
    """What comes to the passages behind one, the nearest first."""
    import numpy as np

    return np.asarray(NEIGHBOUR ** np.arange(REACH), np.float64)


def _ends(text: str) -> str:
    """A long message asks at its begin or its end."""
    return text if len(text) <= QUERY_CHARS else f"{text[: QUERY_CHARS // 2]}\n{text[-QUERY_CHARS // 2 :]}"

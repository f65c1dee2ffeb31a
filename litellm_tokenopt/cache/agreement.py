"""Whether a cached answer and a fresh one to the same question say the same.

Without a judge nothing is said that isn't sure: a model words its answers anew each time, and calling that wrong would
make a good cache stricter and stricter.
"""

from __future__ import annotations

import re

from ..models.base import Embedder
from .contradictions import content_in, contradiction, denials_in, names_in, numbers_in, order_of
from .evidence import Outcome
from .judge import Judge
from .normalise import tidied
from .veto import moved

SHORT_WORDS = 40
"""In answers up to this long the order of all words is compared; in longer ones that of names."""
SAME_FROM, DIFFERENT_TO = 0.85, 0.25
"""Cosines from which on answers may say the same, and up to which they may be of different things."""
LEAST_WORDS = 3
"""Content words that an answer must have for its subject to be told."""

_ENUMERATION = re.compile(r"^\s*(?:\d+[.)]|[-*•#]+)\s+", re.MULTILINE)
_MARKUP = re.compile(r"[*_`#>]+")


class AnswerComparer:
    """Compares two answers: word for word, then by *judge*; without a verdict only what is sure is told."""

    def __init__(self, embedder: Embedder, judge: Judge | None = None) -> None:
        self._embedder = embedder
        self._judge = judge

    async def compare(self, question: str, cached: str, fresh: str) -> Outcome:
        """What two answers to *question* come to. Raises `UnavailableError`, and what asking the judge raises."""
        first, second = plain(cached), plain(fresh)
        if not first or not second:
            return "unknown"
        if first.casefold() == second.casefold():
            return "same"
        verdict = "unknown" if self._judge is None else await self._judge.answers(question, cached, fresh)
        if verdict != "unknown":
            return verdict
        if contradiction(first, second) is not None:
            return "different"
        one, other = await self._embedder.embed([first, second])
        return told(first, second, float(one @ other))


def plain(answer: str) -> str:
    """*answer* without marks of layout, and without differences that can't change what it says."""
    unmarked = _MARKUP.sub("", _ENUMERATION.sub("", answer))
    return tidied(" ".join(unmarked.split()))


def told(first: str, second: str, cosine: float) -> Outcome:
    """What two answers without a contradiction come to, by the *cosine* of their vectors and what they speak of."""
    if cosine >= SAME_FROM and _speak_of_the_same(first, second):
        return "same"
    ours, theirs = content_in(first), content_in(second)
    if cosine <= DIFFERENT_TO and min(len(ours), len(theirs)) >= LEAST_WORDS and ours.isdisjoint(theirs):
        return "different"
    return "unknown"


def _speak_of_the_same(first: str, second: str) -> bool:
    """Whether two answers have the same numbers, as many denials, and the same names in the same order."""
    if numbers_in(first) != numbers_in(second) or denials_in(first) != denials_in(second):
        return False
    names = names_in(first) | names_in(second)
    if order_of(names, first) != order_of(names, second):
        return False
    return max(len(text.split()) for text in (first, second)) > SHORT_WORDS or not moved(first, second)

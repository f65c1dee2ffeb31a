"""Whether a cached answer and a fresh one to the same question say the same."""

from __future__ import annotations

import re

from ..models.base import Embedder
from .evidence import Outcome
from .judge import Judge
from .normalise import normalise
from .veto import veto

SHORT_WORDS = 40
"""Answers up to this long are read word by word; of longer ones figures, verdicts and the drift are compared."""
SAME_FROM, DIFFERENT_TO = 0.85, 0.55
"""Cosines from which on answers say the same, and up to which they don't; between, it can't be told."""

# Two answers may put one thing in other words: of a veto's reasons only these are of substance.
_SUBSTANCE = frozenset({"literal", "number", "negation", "antonym", "name"})
_ENUMERATION = re.compile(r"^\s*(?:\d+[.)]|[-*•#]+)\s+", re.MULTILINE)
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_VERDICT = re.compile(r"\W*(yes|no|true|false|correct|incorrect)\b", re.IGNORECASE)
_MARKUP = re.compile(r"[*_`#>]+")


class AnswerComparer:
    """Compares two answers: word for word, then by *judge*; without a verdict by contradictions, then by vectors."""

    def __init__(self, embedder: Embedder, judge: Judge | None = None) -> None:
        self._embedder = embedder
        self._judge = judge

    async def compare(self, question: str, cached: str, fresh: str) -> Outcome:
        """What two answers to *question* come to. Raises `UnavailableError`, and what asking the judge raises."""
        first, second = plain(cached), plain(fresh)
        if not first or not second:
            return "unknown"
        if first == second:
            return "same"
        verdict = "unknown" if self._judge is None else await self._judge.answers(question, cached, fresh)
        if verdict != "unknown":
            return verdict
        if clash(first, second) is not None:
            return "different"
        one, other = await self._embedder.embed([first, second])
        return _told(float(one @ other))


def plain(answer: str) -> str:
    """*answer* without marks of layout, and without differences that can't change what it says."""
    bare = _MARKUP.sub("", _ENUMERATION.sub("", answer))
    return normalise(" ".join(bare.split())).casefold()


def clash(first: str, second: str) -> str | None:
    """What two answers can't both say, in a word: verdict, number, or a veto's reason; None where nothing was found."""
    verdicts = [match[1].lower() if (match := _VERDICT.match(text)) else "" for text in (first, second)]
    if all(verdicts) and verdicts[0] != verdicts[1]:
        return "verdict"
    ours, theirs = (set(_numbers(text)) for text in (first, second))
    if ours - theirs and theirs - ours:
        return "number"
    if max(len(text.split()) for text in (first, second)) > SHORT_WORDS:
        return None
    reason = veto(first, second)
    return reason if reason in _SUBSTANCE else None


def _numbers(text: str) -> list[str]:
    return [number.replace(",", "").rstrip(".") for number in _NUMBER.findall(text)]


def _told(cosine: float) -> Outcome:
    if cosine >= SAME_FROM:
        return "same"
    return "different" if cosine <= DIFFERENT_TO else "unknown"

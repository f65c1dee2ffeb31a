"""How much a question needs each section: by words (BM25) and by meaning (embeddings)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..lexical import term_counts
from .outline import Outline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MEANING_WEIGHT = 0.6
QUESTION_CHARS = 700
"""Of a longer question this much is read from its start, and as much from its end."""
FEW_TERMS = 3
"""A question of fewer terms says too little to choose by it alone."""
TELLING_PART = 4
RARE_PART = 12
"""A term tells something if at most one section in so many has it; it is rare at one in so many."""


class Relevance(NamedTuple):
    """One section's worth for a question.

    `score` ranks the sections of one question; `cosine` and `shared` (distinct terms in common, those that most
    sections have aside) can be compared between questions.
    """

    score: float
    cosine: float
    shared: int


def readable(question: str) -> str:
    """The part of *question* that ranking reads."""
    if len(question) <= 2 * QUESTION_CHARS:
        return question
    return f"{question[:QUESTION_CHARS]}\n{question[-QUESTION_CHARS:]}"


def says_little(question: str) -> bool:
    """Whether *question* is a greeting, thanks or the like."""
    return len(term_counts(question)) < FEW_TERMS


def tells(outline: Outline, text: str) -> bool:
    """Whether *text* has a rare word of the prompt."""
    most = max(1, len(outline.sections) // RARE_PART)
    return any(0 < len(found) <= most for found in outline.index.having(term_counts(text)).values())


def rank(
    outline: Outline, question: str, vector: NDArray[np.float32], sections: NDArray[np.float32]
) -> tuple[Relevance, ...]:
    """The relevance of each section to *question*, whose unit vector is *vector*.

    *sections* holds the vectors of the outline's gists, a row each.
    """
    query = dict.fromkeys(term_counts(question), 1.0)
    having = outline.index.having(query)
    by_words = outline.index.bm25(query, having)
    best = max(by_words, default=0.0) or 1.0
    count = len(by_words)
    shared = [0] * count
    for found in having.values():
        if len(found) <= max(1, count // TELLING_PART):
            for i in found:
                shared[i] += 1
    cosines = (sections @ vector).tolist()
    scores = [
        (1 - MEANING_WEIGHT) * words / best + MEANING_WEIGHT * cosine
        for words, cosine in zip(by_words, cosines, strict=True)
    ]
    return tuple(map(Relevance, scores, cosines, shared))

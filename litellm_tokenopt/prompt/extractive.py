"""Whole sentences, chosen for a question by words (BM25) and by meaning."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..lexical import bm25, term_counts
from ..models.base import Embedder
from ..tokens import count_text
from .ranking import readable
from .words import Span, cut, is_binding, is_strict, sentences_of

MEANING_WEIGHT = 0.6
READ_SENTENCES = 200
"""So many, those that fit best by their words, are read for their meaning: each takes about a millisecond."""
NEIGHBOUR = 0.15
"""How much of a sentence's score the next one gets: "it" stands for what the one before names."""


class SentenceSelector:
    """Keeps the sentences that a question asks for, in their order; without a question the text's own subject asks.

    Rules stay, and what says to what one is limited. After the best sentence come those that say what must always or
    never be done, then the others.
    """

    name = "extractive"

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def compress(self, text: str, ratio: float, question: str = "") -> str:
        """The best sentences of *text* in at most *ratio* of its tokens; the best one and rules stay in any case."""
        spans = await asyncio.to_thread(sentences_of, text)
        if ratio >= 1 or len(spans) < 2:
            return text
        sentences = [text[start:end] for start, end in spans]
        asked = readable(question) or text
        by_words = await asyncio.to_thread(_by_words, asked, sentences)
        read = sorted(sorted(range(len(spans)), key=lambda n: (-by_words[n], n))[:READ_SENTENCES])
        vectors = await self._embedder.embed([readable(asked), *(sentences[n] for n in read)])
        cosines = dict(zip(read, (vectors[1:] @ vectors[0]).tolist(), strict=True))
        scores = _scores(by_words, [cosines.get(n, 0.0) for n in range(len(spans))])
        return await asyncio.to_thread(_select, text, spans, scores, ratio)

    def close(self) -> None:
        """The embedder is another's."""


def _select(text: str, spans: Sequence[Span], scores: Sequence[float], ratio: float) -> str:
    sentences = [text[start:end] for start, end in spans]
    costs = [count_text(f" {sentence}") for sentence in sentences]
    best, *others = sorted(range(len(spans)), key=lambda n: (-scores[n], n))
    chosen = {best, *(n for n in others if is_binding(sentences[n]))}
    room = int(ratio * count_text(text)) - sum(costs[n] for n in chosen)
    for n in sorted(others, key=lambda n: not is_strict(sentences[n])):
        if n not in chosen and costs[n] <= room:
            chosen.add(n)
            room -= costs[n]
    return cut(text, [spans[n] for n in sorted(chosen)])


def _by_words(asked: str, sentences: Sequence[str]) -> list[float]:
    """How well each of *sentences* fits by its words; the best one 1."""
    found = bm25(dict.fromkeys(term_counts(asked), 1.0), [term_counts(sentence) for sentence in sentences])
    best = max(found, default=0.0) or 1.0
    return [score / best for score in found]


def _scores(by_words: Sequence[float], cosines: Sequence[float]) -> list[float]:
    own = [
        (1 - MEANING_WEIGHT) * words + MEANING_WEIGHT * cosine for words, cosine in zip(by_words, cosines, strict=True)
    ]
    return [score + NEIGHBOUR * before for score, before in zip(own, [0.0, *own[:-1]], strict=True)]

"""The likeliest answers in a text, whatever may be asked: runs of words that a trained classifier finds important."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from ..models.importance import TokenImportance
from ..tokens import count_text
from .words import Span, cut, firm, words_of

IMPORTANT = 0.5
"""Words above this, side by side, are kept or left out together: half an answer is none."""
BRIDGE = 0.1
"""A word is hardly less important than both its neighbours."""


class TokenCompressor:
    """Keeps the runs of words that answer questions; numbers, names, code, quotes and negations stay in any case."""

    name = "tokens"

    def __init__(self, importance: TokenImportance) -> None:
        self._importance = importance

    async def compress(self, text: str, ratio: float, question: str = "") -> str:
        """*text* in about *ratio* of its tokens; *question* isn't read. Raises `ModelUnavailable`."""
        if ratio >= 1 or not text.strip():
            return text
        words = await asyncio.to_thread(words_of, text)
        weights = await self._importance.weigh(text, words)
        return await asyncio.to_thread(shortened, text, words, weights, ratio)

    def close(self) -> None:
        """Let go of the classifier's model."""
        self._importance.close()


def shortened(text: str, words: Sequence[Span], weights: Sequence[float], ratio: float) -> str:
    """*text* with the weightiest of *words* that fit into *ratio* of its tokens, and those that must stay."""
    must = firm(text, words)
    kept = [n for n, stays in enumerate(must) if stays]
    costs = [count_text(f" {text[start:end]}") for start, end in words]
    room = ratio * count_text(text) - sum(costs[n] for n in kept)
    taken = set(kept)
    for run in _by_weight(text, words, weights):
        missing = [n for n in run if n not in taken]
        cost = sum(costs[n] for n in missing)
        if missing and cost <= room:
            taken.update(missing)
            room -= cost
    found = cut(text, [words[n] for n in sorted(taken)])
    return found if found.strip() and count_text(found) < count_text(text) else text


def _by_weight(text: str, words: Sequence[Span], weights: Sequence[float]) -> list[range]:
    """Runs of words, the weightiest first; last the others, one by one."""
    ends = [text[end - 1] in ".!?;:" for _, end in words]
    bridged = _bridged(weights, ends)
    runs = list(_runs(bridged, ends))
    means = {run: sum(bridged[n] for n in run) / len(run) for run in runs}
    single = [range(n, n + 1) for n in sorted(range(len(words)), key=lambda n: (-bridged[n], n))]
    return sorted(runs, key=lambda run: (-means[run], run.start)) + single


def _bridged(weights: Sequence[float], ends: Sequence[bool]) -> list[float]:
    found = list(weights)
    for n in range(1, len(weights) - 1):
        if not ends[n] and not ends[n - 1]:
            found[n] = max(weights[n], min(weights[n - 1], weights[n + 1]) - BRIDGE)
    return found


def _runs(weights: Sequence[float], ends: Sequence[bool]) -> Iterator[range]:
    start = None
    for n, weight in enumerate(weights):
        if weight > IMPORTANT and start is None:
            start = n
        if start is not None and (ends[n] or n + 1 == len(weights) or weights[n + 1] <= IMPORTANT):
            yield range(start, n + 1)
            start = None

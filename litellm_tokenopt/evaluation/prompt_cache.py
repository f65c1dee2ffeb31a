"""A provider's prompt cache, simulated: the longest prefix that an earlier request had is read, not paid anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..request import digest
from .bodies import Piece

MIN_CACHED_TOKENS = 1024
"""Shorter prefixes are not cached (the least that OpenAI and Anthropic cache)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Input tokens of one request, and how many of them were read from the prompt cache."""

    tokens: int
    cached: int


class PromptCache:
    """Remembers every prefix of every request, per *key* (an account, a model), for good."""

    def __init__(self, min_tokens: int = MIN_CACHED_TOKENS) -> None:
        self._min_tokens = min_tokens
        self._seen: set[str] = set()

    def read(self, pieces: Sequence[Piece], key: str = "") -> Reading:
        """Count a request against what was read before it, and remember it."""
        prefixes = list(_prefixes(pieces, key))
        shared = next((n for n, prefix in enumerate(prefixes) if prefix not in self._seen), len(prefixes))
        self._seen.update(prefixes)
        cached = sum(piece.tokens for piece in pieces[:shared])
        total = sum(piece.tokens for piece in pieces)
        return Reading(total, cached if cached >= self._min_tokens else 0)


def _prefixes(pieces: Sequence[Piece], key: str) -> Iterator[str]:
    """A digest for each prefix of *pieces*, shortest first."""
    prefix = digest(key)
    for piece in pieces:
        prefix = digest(prefix, piece.text)
        yield prefix

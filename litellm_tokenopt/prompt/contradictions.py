"""Sentences that can't both hold: what one asks for and another forbids, and two numbers for one limit.

Found by words alone, so as to be looked at by people: both must say the same but for that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, TypeAlias

from .repeats import telling
from .words import numbers

Kind: TypeAlias = Literal["opposite", "number"]

LEAST_TERMS = 2
"""Of fewer words beside it, a number says too little to be the same limit."""
SHARE = 0.75
LEAST_SHARED = 4
"""Sentences of so many words may differ in a quarter of them."""
PATTERN = 4
"""So many sentences that differ in a number are a list."""

_NO = re.compile(
    r"\b(?:not|never|no|cannot|avoid|refuse|forbidden|prohibited|without)\b|n['\u2019]t\b|\bunder no circumstances\b",
    re.IGNORECASE,
)
_DUTY_TERMS = frozenset(telling("avoid refuse forbidden prohibited may might allowed"))
_ASKS = re.compile(
    r"\b(?:must|always|never|shall|should|may|can|do not|don['\u2019]t|required|allowed|forbidden|prohibited|avoid"
    r"|under no circumstances)\b",
    re.IGNORECASE,
)
_STRICT = re.compile(
    r"\b(?:must|always|never|shall|do not|don['\u2019]t|forbidden|prohibited|avoid|under no circumstances)\b",
    re.IGNORECASE,
)
_QUALIFIED = re.compile(r"\b(?:unless|except|only|until|but)\b", re.IGNORECASE)
_LIMIT = re.compile(
    r"\b(?:at (?:most|least)|up to|less than|more than|max(?:imum)?|min(?:imum)?|limit(?:ed)?|within|over"
    r"|under|above|below|exceeds?|longer|shorter|must|never|always|shall|should)\b",
    re.IGNORECASE,
)


_LIMIT_TERMS = frozenset(
    telling("most least up limited maximum minimum max min more less over under above below exceed")
)


@dataclass(frozen=True, slots=True)
class _Read:
    """A sentence: its telling words, numbers aside, those numbers, and whether it denies something."""

    place: int
    terms: frozenset[str]
    numbers: tuple[str, ...]
    denies: bool
    text: str


def contradictions(texts: Sequence[str]) -> list[tuple[int, int, Kind]]:
    """Pairs of *texts* (earlier, later) that can't both hold, and in what they differ."""
    read = [one for place, text in enumerate(texts) if (one := _read(place, text)).terms]
    found = {_places(*pair): _kind("opposite") for pair in _opposites(read)}
    return [(*pair, kind) for pair, kind in sorted({**found, **dict.fromkeys(_numbers(read), _kind("number"))}.items())]


def _kind(kind: Kind) -> Kind:
    return kind


def _read(place: int, text: str) -> _Read:
    terms = frozenset(term for term in telling(text) if not any(map(str.isdigit, term)))
    said = tuple(" ".join(number.split()).casefold() for number in numbers(text))
    return _Read(place, terms - _DUTY_TERMS - _LIMIT_TERMS, said, len(_NO.findall(text)) % 2 == 1, text)


def _opposites(read: Sequence[_Read]) -> Iterator[tuple[_Read, _Read]]:
    """Pairs that say the same, without a condition, of which one alone forbids it."""
    asking = [one for one in read if _ASKS.search(one.text) and not _QUALIFIED.search(one.text)]
    forbidding = [one for one in asking if one.denies and _STRICT.search(one.text)]
    others = [one for one in asking if not one.denies]
    for one, other in product(forbidding, others):
        if one.numbers == other.numbers and _say_the_same(one.terms, other.terms):
            yield one, other


def _numbers(read: Sequence[_Read]) -> Iterator[tuple[int, int]]:
    """Pairs that say the same but for their one number; lists of such sentences aside."""
    limits = [
        one for one in read if len(one.numbers) == 1 and len(one.terms) >= LEAST_TERMS and _LIMIT.search(one.text)
    ]
    for one in limits:
        others = [
            other
            for other in limits
            if other.numbers != one.numbers and other.denies == one.denies and _say_the_same(one.terms, other.terms)
        ]
        if len(others) < PATTERN - 1:
            yield from (_places(one, other) for other in others)


def _say_the_same(one: frozenset[str], other: frozenset[str]) -> bool:
    shared = len(one & other)
    return one == other or (shared >= LEAST_SHARED and shared / len(one | other) >= SHARE)


def _places(one: _Read, other: _Read) -> tuple[int, int]:
    return min(one.place, other.place), max(one.place, other.place)

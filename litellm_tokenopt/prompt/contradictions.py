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
"""Of sentences of so many words, one may have a third more."""
PATTERN = 4
"""So many sentences that differ in a number are a list."""

_NO = re.compile(
    r"\b(?:not|never|no|cannot|avoid|refuse|forbidden|prohibited|without)\b|n['\u2019]t\b|\bunder no circumstances\b",
    re.IGNORECASE,
)
_DUTY_TERMS = frozenset(telling("avoid refuse forbidden prohibited may might allowed"))
_ASKS = re.compile(
    r"\b(?:must|always|never|shall|should|may|can|cannot|do not|don['\u2019]t|can['\u2019]t|required|allowed|forbidden"
    r"|prohibited|avoid|under no circumstances)\b",
    re.IGNORECASE,
)
_STRICT = re.compile(
    r"\b(?:must|always|never|shall|do not|may not|cannot|don['\u2019]t|can['\u2019]t|forbidden|prohibited|avoid"
    r"|under no circumstances)\b",
    re.IGNORECASE,
)
_FORBIDDEN_DOING = re.compile(r"^\W*(?:please )?(?:do not|don['\u2019]t|never) (?P<verb>\w+)", re.IGNORECASE)
_DOING = re.compile(r"^\W*(?:please )?(?P<verb>\w+)", re.IGNORECASE)
_QUALIFIED = re.compile(r"\b(?:unless|except|only|until|but)\b", re.IGNORECASE)

_VALUE = re.compile(r"(?P<value>[^\w\s]*\d[\d.,:/'-]*|\w+)\s*(?P<unit>.*)", re.DOTALL)
_MEASURING = re.compile(
    r"(?:\b(?:most|least|to|than|within|after|is|are|under|over|above|below|every|by|max(?:imum)?|min(?:imum)?|limit|only"
    r"|have|has|allows?|takes?|exceeds?|from)|-)\s*$",
    re.IGNORECASE,
)
"""After these a bare number measures something; elsewhere (form 12, step 2) it's a name."""
_MEASURE = re.compile(r"[€£$¥]|\d:\d\d")
_MOST = re.compile(
    r"\b(?:at most|up to|less|under|below|within|max(?:imum)?|no more|not more|shorter|limit(?:ed)?)\b", re.IGNORECASE
)
_LEAST = re.compile(r"\b(?:at least|more than|over|above|min(?:imum)?|exceeds?|no less|longer)\b", re.IGNORECASE)
_LIMIT_TERMS = frozenset(
    telling("most least up limited maximum minimum max min more less over under above below exceed within")
)


@dataclass(frozen=True, slots=True)
class _Read:
    """A sentence: its telling words, numbers aside, the numbers that measure (with units), those that name, whether it
    denies something, and whether it says at most, or at least."""

    place: int
    terms: frozenset[str]
    measures: tuple[tuple[str, str], ...]
    labels: tuple[str, ...]
    denies: bool
    bounds: tuple[bool, bool]
    text: str


def contradictions(texts: Sequence[str]) -> list[tuple[int, int, Kind]]:
    """Pairs of *texts* (earlier, later) that can't both hold, and in what they differ."""
    read = [one for place, text in enumerate(texts) if (one := _read(place, text)).terms]
    found = {_places(*pair): _kind("opposite") for pair in _opposites(read)}
    return [(*pair, kind) for pair, kind in sorted({**found, **dict.fromkeys(_numbers(read), _kind("number"))}.items())]


def _kind(kind: Kind) -> Kind:
    return kind


def _read(place: int, text: str) -> _Read:
    said, rest = _numbered(text)
    measures = tuple(measure for measure, measuring in said if measuring)
    labels = tuple(value for (value, _), measuring in said if not measuring)
    terms = frozenset(telling(rest)) - _DUTY_TERMS - _LIMIT_TERMS
    bounds = bool(_MOST.search(text)), bool(_LEAST.search(text))
    return _Read(place, terms, measures, labels, len(_NO.findall(text)) % 2 == 1, bounds, text)


def _numbered(text: str) -> tuple[list[tuple[tuple[str, str], bool]], str]:
    """The numbers of *text* (value, unit), whether each measures something, and *text* without their values."""
    found, rest, last = [], [], 0
    for number in numbers(text):
        start = text.index(number, last)
        match = _VALUE.fullmatch(number)
        value, unit = (match["value"], match["unit"]) if match else (number, "")
        measuring = bool(unit or _MEASURE.search(value) or _MEASURING.search(text[:start]))
        found.append(((value.casefold(), " ".join(unit.casefold().split()).removesuffix("s")), measuring))
        rest += [text[last:start], " ", unit]
        last = start + len(number)
    return found, "".join([*rest, text[last:]])


def _opposites(read: Sequence[_Read]) -> Iterator[tuple[_Read, _Read]]:
    """Pairs that say the same, without a condition, of which one alone forbids it."""
    plain = [one for one in read if not _QUALIFIED.search(one.text)]
    forbidding = [one for one in plain if one.denies and _STRICT.search(one.text)]
    for one, other in product(forbidding, [one for one in plain if not one.denies]):
        asks = _ASKS.search(other.text) or _tells_to(one.text, other.text)
        if (
            asks
            and (one.measures, one.labels) == (other.measures, other.labels)
            and _say_the_same(one.terms, other.terms)
        ):
            yield one, other


def _tells_to(forbidding: str, other: str) -> bool:
    """Whether *other* begins with the very verb that *forbidding* forbids."""
    one, two = _FORBIDDEN_DOING.match(forbidding), _DOING.match(other)
    return one is not None and two is not None and one["verb"].casefold() == two["verb"].casefold()


def _numbers(read: Sequence[_Read]) -> Iterator[tuple[int, int]]:
    """Pairs that say the same but for what they measure; lists of such sentences aside."""
    measuring = [one for one in read if one.measures and _enough(one)]
    for one in measuring:
        others = [other for other in measuring if _differ(one, other) and _say_the_same(one.terms, other.terms)]
        if len(others) < PATTERN - 1:
            yield from (_places(one, other) for other in others)


def _enough(one: _Read) -> bool:
    """Whether the words, and a unit that is none, tell what is measured."""
    signs = any(unit and not unit.isalpha() for _, unit in one.measures)
    return len(one.terms) + signs >= LEAST_TERMS


def _differ(one: _Read, other: _Read) -> bool:
    """Whether the two measure in the same units, and otherwise; at most 9 and at least 5 go together."""
    same = one.denies == other.denies and one.labels == other.labels
    units = [unit for _, unit in one.measures] == [unit for _, unit in other.measures]
    together = one.bounds != other.bounds and all(map(any, (one.bounds, other.bounds)))
    return same and units and not together and one.measures != other.measures


def _say_the_same(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether the two are about one thing; where each has a word that the other lacks, they are about two."""
    shared = len(one & other)
    return one == other or (
        shared >= LEAST_SHARED and shared / len(one | other) >= SHARE and shared == min(len(one), len(other))
    )


def _places(one: _Read, other: _Read) -> tuple[int, int]:
    return min(one.place, other.place), max(one.place, other.place)

"""Instructions that a prompt gives more than once, in the same or nearly the same words.

Nearly the same are two texts with the same telling words, numbers and names, as many negations, and one degree of duty
(must, should, may); where words like *before* or *than* stand, and in short rules of more than two such words, in the
same order too. Code and tables are never repeats.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..lexical import term_counts, terms
from ..memo import Memo
from .words import is_strict

Place = TypeVar("Place")

LEAST_TERMS = 5
"""A text of fewer different telling words may mean something else in another place."""
LEAST_WORDS = 5
RULE_TERMS = 2
"""A rule (never share passwords) may be as short as this: it means the same wherever it stands."""

_MARKER = re.compile(r"^[ \t]*(?:[-*+•>]|\d{1,3}[.)]|[a-z]\))[ \t]+", re.MULTILINE)
_MARKUP = re.compile(r"[*_`#\"“”'\u2019]+")
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|without|cannot|neither|nor|except|unless|only)\b|n['\u2019]t\b", re.IGNORECASE
)
_MUST = re.compile(r"\b(?:must|always|shall|required?|have to|mandatory|never)\b", re.IGNORECASE)
_SHOULD = re.compile(r"\b(?:should|recommended|prefer|preferably)\b", re.IGNORECASE)
_MAY = re.compile(r"\b(?:may|can|could|optional(?:ly)?|might)\b", re.IGNORECASE)
_ORDER = re.compile(
    r"\b(?:before|after|than|from|to|over|under|above|below|until|since|into|instead|first|then|if|when|between|by)\b",
    re.IGNORECASE,
)
_FILLERS = frozenset(
    terms("please ensure make sure note remember important kindly always must shall required need case never ever")
) | frozenset(terms("anyone anybody everyone everybody under circumstance"))
_WHOSE = re.compile(
    r"\b(?:my|our|your|his|her|its|their|some|such|other|own|out|up|off|down|back|it|them)\b", re.IGNORECASE
)
"""Small words that are no telling ones, and yet tell in a short rule."""
_NO_PROSE = re.compile(r"```|~~~|^[ \t]*\|.*\|[ \t]*$", re.MULTILINE)

_keys: Memo[tuple[str, bool], tuple[Hashable | None]] = Memo(max_entries=10_000)
"""A session's prompt mostly has the blocks of another's."""


@dataclass(frozen=True, slots=True)
class Saying:
    """A text, and a number that all texts share that say the same, and few others."""

    text: str
    likeness: int


def saying(text: str) -> Saying:
    """*text* as `grouped` takes it."""
    told = (term for term in term_counts(text) if term not in _FILLERS and len(term) > 1 and not term.isdigit())
    return Saying(text, hash(frozenset(told)))


def repeats(texts: Iterable[tuple[Place, str]], *, near: bool) -> tuple[tuple[Place, ...], ...]:
    """Groups of places whose *texts* say the same, each in order; with *near*, also in nearly the same words."""
    return grouped(((place, saying(text)) for place, text in texts), near=near)


def grouped(sayings: Iterable[tuple[Place, Saying]], *, near: bool) -> tuple[tuple[Place, ...], ...]:
    """`repeats` of what is read already."""
    placed = list(sayings)
    alike = Counter(said.likeness for _, said in placed)
    groups: dict[Hashable, list[Place]] = {}
    for place, said in placed:
        if alike[said.likeness] > 1 and (key := _key(said.text, near)) is not None:
            groups.setdefault(key, []).append(place)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def alike(texts: Sequence[str], share: float) -> list[tuple[int, int, float]]:
    """Pairs (earlier, later, share of words in common) of *texts* that share so many words, and are no `repeats`."""
    told = [frozenset(telling(text)) if _key(text, near=True) is not None else frozenset() for text in texts]
    holders: dict[str, list[int]] = {}
    pairs = []
    for later, words in enumerate(told):
        common: dict[int, int] = {}
        for word in words:
            for earlier in holders.get(word, ()):
                common[earlier] = common.get(earlier, 0) + 1
            holders.setdefault(word, []).append(later)
        for earlier, count in sorted(common.items()):
            found = count / len(words | told[earlier])
            if found >= share and _key(texts[earlier], near=True) != _key(texts[later], near=True):
                pairs.append((earlier, later, found))
    return pairs


def _key(text: str, near: bool) -> Hashable | None:
    """Equal for texts that say the same; None for what is too short, or no prose."""
    return _keys.get_or((text, near), lambda: (_made_key(text, near),))[0]


def _made_key(text: str, near: bool) -> Hashable | None:
    plain = " ".join(_MARKUP.sub("", _MARKER.sub("", text)).split()).rstrip(".!;:").casefold()
    if _NO_PROSE.search(text):
        return None
    told = telling(text)
    short_rule = is_strict(text) and RULE_TERMS <= len(set(told)) < LEAST_TERMS
    if len(plain.split()) < LEAST_WORDS and not short_rule:
        return None
    if not near:
        return plain
    if short_rule:
        return _rule_key(plain, told)
    if len(set(told)) < LEAST_TERMS:
        return plain
    ordered = bool(_ORDER.search(plain))
    return (tuple(told) if ordered else frozenset(told), len(_NEGATION.findall(plain)), _duty(plain))


def _rule_key(plain: str, told: Sequence[str]) -> Hashable:
    """Of a rule of few words; who does what to whom is told by their order where there are three or more."""
    ordered = len(told) > RULE_TERMS or bool(_ORDER.search(plain))
    words = tuple(told) if ordered else frozenset(told)
    return (words, len(_NEGATION.findall(plain)), _duty(plain), frozenset(_WHOSE.findall(plain)))


def telling(text: str) -> list[str]:
    """The terms of *text* without courtesies and words of duty, in order."""
    return [term for term in terms(_MARKUP.sub("", _MARKER.sub("", text))) if term not in _FILLERS]


def _duty(plain: str) -> str:
    """How much a text asks: must (also where it just says what to do), should or may."""
    if _MUST.search(plain):
        return "must"
    return "should" if _SHOULD.search(plain) else "may" if _MAY.search(plain) else "must"

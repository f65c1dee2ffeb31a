"""Whether two conversations come to the same situation in other words.

The turns of both are laid beside each other, each next to the one most like it. Every pair must say the same, told by a
trained classifier from the pair model's word and the rules' signs. Small talk that one side alone has is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby, pairwise, product
from typing import TYPE_CHECKING, TypeAlias

from ..memo import Memo
from ..models.base import Embedder
from .asides import alone, known_from, least_added, least_contested
from .lexicon import EMPTY_WORDS, THIRD_PERSON, stem
from .normalise import normalise
from .reading import read
from .replies import repeats, replied_alike
from .situation import Clause, Situation, figures, says_the_same, wished_for
from .telling import Teller
from .veto import objections, rearranged, unmatched_words, worded_anew

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_TURNS = 16
"""Of so many turns at most, on either side, may two conversations differ: each takes a model."""
LEAST_COMMON = 0.2
"""The share of content words of the one that says less that the other must have for models to be asked."""
LEAST_ALIKE = 0.2
"""Cosine below which two turns have nothing to do with each other."""
LEAST_RESTATED, LEAST_AMONG_OTHERS, OTHERS = 0.6, 0.25, 1
"""How likely turns must say the same; less will do for the assistant's beside so many that surely do, worded anew."""
LEAST_TELLING = 2
"""Content words from which on a reply says what it answers: "no light at all", but not "yes please"."""

MOST_SHORT = 3
"""Content words up to which a reply is a bare fact, of which no word can be another."""
MOST_SHARED = 0.7
"""Share of their words in common from which on two turns aren't worded anew where their order or roles differ."""

_NOUN = r"(?P<noun>(?!(?:ones?|and|or|is|are|please)\b)[a-z]{3,})"
_COUNTS = re.compile(
    r"\b(?!(?:last|next) (?:day|date|week|month|year|time|night|weekend)\b)(?!\d+ [a-z]{3,}s\b)"
    rf"(?:(?:first|second|third|fourth|fifth|last|next)\b(?: {_NOUN})?|(?:latter|former|other|option|number|\d+)\b)",
    re.IGNORECASE,
)
_LIMITS = re.compile(r"\b(?:never|none|nothing|nobody|only|just|not|no)\b|n't\b", re.IGNORECASE)
_WORD = re.compile(r"[\w']+")
_SIGNS = (
    "name", "number", "negation", "antonym", "persons", "case", "order", "question_word",
    "preposition", "tense", "words",
)  # fmt: skip
_LIGHT = EMPTY_WORDS | frozenset((*THIRD_PERSON.values(), *map(stem, ("want", "need", "like", "looking"))))
_AGREED = Clause("a", "yes")
_MOVED = frozenset({"roles", "exchange", "speaker"})
Pairing: TypeAlias = list[tuple[int | None, int | None]]
Likeness: TypeAlias = Callable[[str, str], Awaitable[float | None]]
"""The logit of two texts asking or saying the same; None where no model can be had."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one side said at a stretch, as clauses."""

    clauses: tuple[Clause, ...]

    @property
    def assistants(self) -> bool:
        """Whether the assistant said it."""
        return self.clauses[0].by == "a"

    @property
    def text(self) -> str:
        """All of it."""
        return _text(self.clauses)


class Restater:
    """Tells whether situations are the same in other words, with what *teller* was trained for; *likeness* compares.

    Raises `UnavailableError` when the embedder can't be had.
    """

    def __init__(self, embedder: Embedder, teller: Teller, likeness: Likeness) -> None:
        self._embedder = embedder
        self._teller = teller
        self._likeness = likeness
        self._known: Memo[tuple[str, str], float] = Memo(max_entries=5_000)

    async def same(self, one: Situation, other: Situation, question: str) -> bool:
        """Whether both situations are the same for *question*, small talk aside."""
        one, other = await self._without_talk(one, other, question)
        ours, theirs = differing(one, other)
        if not (ours or theirs):
            return True
        if (
            counts(question, (one, other))
            or max(len(ours), len(theirs)) > MOST_TURNS
            or not _speak_of_the_same(ours, theirs)
        ):
            return False
        pairing = await self._beside(ours, theirs)
        if lone(pairing, ours, theirs):
            return False
        pairs = [(ours[i], theirs[j]) for i, j in pairing if i is not None and j is not None]
        if not all(same_figures(*pair) for pair in pairs):
            return False
        alike = replies_alike(pairs)
        chances = list[float]()
        for pair in answered_questions_aside(pairs):
            if pair in alike:
                continue
            chances.append(await self._chance(*pair))
            if chances[-1] < (LEAST_AMONG_OTHERS if pair[0].assistants else LEAST_RESTATED):
                return False
        return restated(chances)

    async def _without_talk(self, one: Situation, other: Situation, question: str) -> tuple[Situation, Situation]:
        """Both without the small talk that the other lacks."""
        ours, theirs = alone(one, other)
        first, second = (_text([side[n] for n in places]) for side, places in ((one, ours), (other, theirs)))
        return await self._kept(one, ours, question, second), await self._kept(other, theirs, question, first)

    async def _kept(self, situation: Situation, places: Sequence[int], question: str, others: str) -> Situation:
        """*situation* without those of its clauses at *places* that are small talk beside the others.

        Where the other side has *others* that this one lacks, one's may have taken the place of the other's: it must
        be surer, and what both speak of in their own words is none.
        """
        if not places:
            return situation
        known = known_from([clause for n, clause in enumerate(situation) if n not in places], f"{question} {others}")
        lone = [situation[n] for n in places]
        sure = [(least_contested if others else least_added)(clause, known) for clause in lone]
        idle = await self._teller.small_talk(lone, sure)
        left = {n for n, talk in zip(places, idle, strict=True) if talk}
        left -= _answered(situation, left)
        return tuple(clause for n, clause in enumerate(situation) if n not in left)

    async def _beside(self, ours: Sequence[Said], theirs: Sequence[Said]) -> Pairing:
        if not (ours and theirs):
            return [*((n, None) for n in range(len(ours))), *((None, n) for n in range(len(theirs)))]
        vectors = await self._embedder.embed([turn.text for turn in (*ours, *theirs)])
        return beside(ours, theirs, vectors[: len(ours)] @ vectors[len(ours) :].T)

    async def _chance(self, one: Said, other: Said) -> float:
        """How likely two turns say the same: 1 where rules know, 0 where they know of a difference."""
        if not one.assistants and _put_otherwise(one, other):
            return 0.0
        ours, theirs = left_over(one, other)
        if not (ours or theirs):
            return 1.0
        if _denied(ours) != _denied(theirs) or (not one.assistants and wished_for(one.text, other.text)):
            return 0.0
        texts = (_text(ours), _text(theirs)) if ours and theirs else (one.text, other.text)
        found = objections(*texts)
        if not _MOVED.isdisjoint(found) and (_shared(*texts) >= MOST_SHARED or not one.assistants):
            return 0.0
        if not one.assistants and found and (_adds(*texts) or _denies(found, *texts)):
            return 0.0
        if any(clause.by == "r" for clause in (*ours, *theirs)) and _swaps(*texts):
            return 0.0
        if not (_content(ours) or _content(theirs)) and found in ((), ("words",)):
            return 1.0
        if (known := self._known.get(texts)) is None:
            known = await self._judged(*texts)
            self._known.put(texts, known)
        return known

    async def _judged(self, one: str, other: str) -> float:
        logit = await self._likeness(normalise(one), normalise(other))
        if logit is None:
            return 0.0
        first, second = await self._embedder.embed([one, other])
        return self._teller.restated(restating_signs(one, other, logit, float(first @ second)))


def counts(question: str, situations: Iterable[Situation] = ()) -> bool:
    """Whether *question* points at a place in what *situations* say: the second one, option 2.

    "The next step" doesn't where no steps were spoken of, nor "the last day", nor "for 60 guests".
    """
    told = frozenset[str]().union(*map(_content, situations))
    return any(not match["noun"] or stem(match["noun"].lower()) in told for match in _COUNTS.finditer(question))


def restated(chances: Sequence[float]) -> bool:
    """Whether turns that say the same with *chances* come to the same situation.

    Who words all anew words the doubtful turn anew, too; where the rest is the same to the letter, it's another fact.
    """
    anew = [chance for chance in chances if chance < 1.0]
    least = LEAST_AMONG_OTHERS if sum(chance >= LEAST_RESTATED for chance in anew) >= OTHERS else LEAST_RESTATED
    return min(anew, default=1.0) >= least


def differing(one: Situation, other: Situation) -> tuple[list[Said], list[Said]]:
    """The turns of both, without those that both begin and end with, but for the question that a reply is to."""
    ours, theirs = _turns(one), _turns(other)
    start = _common(ours, theirs)
    if 0 < start < min(len(ours), len(theirs)) and ours[start - 1].assistants:
        start -= 1
    ours, theirs = ours[start:], theirs[start:]
    end = _common(ours[::-1], theirs[::-1])
    return ours[: len(ours) - end], theirs[: len(theirs) - end]


def beside(ours: Sequence[Said], theirs: Sequence[Said], cosines: NDArray[np.float32]) -> Pairing:
    """Which turn of *ours* belongs to which of *theirs*, in order; None where the other side has none.

    *cosines* has the shape (ours, theirs). Turns of different sides never belong together.
    """
    gain = [[0.0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    for i in range(len(ours) - 1, -1, -1):
        for j in range(len(theirs) - 1, -1, -1):
            matched = gain[i + 1][j + 1] + _worth(ours[i], theirs[j], float(cosines[i, j]))
            gain[i][j] = max(matched, gain[i + 1][j], gain[i][j + 1])
    found: Pairing = []
    i = j = 0
    while i < len(ours) and j < len(theirs):
        if gain[i][j] == gain[i + 1][j]:
            found.append((i, None))
            i += 1
        elif gain[i][j] == gain[i][j + 1]:
            found.append((None, j))
            j += 1
        else:
            found.append((i, j))
            i, j = i + 1, j + 1
    return [*found, *((n, None) for n in range(i, len(ours))), *((None, n) for n in range(j, len(theirs)))]


def lone(pairing: Pairing, ours: Sequence[Said], theirs: Sequence[Said]) -> bool:
    """Whether one side alone says something, more than yes."""
    turns = [ours[i] for i, j in pairing if i is not None and j is None]
    turns += [theirs[j] for i, j in pairing if i is None and j is not None]
    return any(clause != _AGREED for turn in turns for clause in turn.clauses)


def answered_questions_aside(pairs: Sequence[tuple[Said, Said]]) -> list[tuple[Said, Said]]:
    """*pairs* without the assistant's questions to which both users' replies say by themselves what they answer."""
    kept: list[tuple[Said, Said]] = []
    replies: list[tuple[Said, ...]] = [*pairs[1:], ()]
    for (one, other), then in zip(pairs, replies, strict=False):
        ours, theirs = one, other
        if one.assistants and then and all(len(_content(reply.clauses)) >= LEAST_TELLING for reply in then):
            ours, theirs = _stated(one), _stated(other)
        if bool(ours.clauses) != bool(theirs.clauses):
            ours, theirs = one, other
        if ours.clauses:
            kept.append((ours, theirs))
    return kept


def replies_alike(pairs: Sequence[tuple[Said, Said]]) -> list[tuple[Said, Said]]:
    """The pairs of users' turns that differ in no more than the assistant's questions before them account for."""
    return [
        replies
        for asked, replies in pairwise(pairs)
        if asked[0].assistants
        and not replies[0].assistants
        and (
            replied_alike(left_over(*replies), (asked[0].text, asked[1].text))
            or _agreed_alike(replies, asked)
            or _agreed_alike(replies[::-1], asked[::-1])
        )
    ]


def _agreed_alike(replies: Sequence[Said], asked: Sequence[Said]) -> bool:
    """Whether the first of *replies* is a bare yes, and the second a yes that repeats what it was *asked*."""
    first, *more = (clause.text for clause in replies[1].clauses)
    questions = [clause.text for clause in asked[1].clauses if clause.text.endswith("?")]
    if {clause.text for clause in replies[0].clauses} != {"yes"} or first != "yes" or len(questions) != 1:
        return False
    return bool(more) and repeats(replies[1].clauses[1:], questions[0])


def left_over(one: Said, other: Said) -> tuple[list[Clause], list[Clause]]:
    """The clauses of two turns without a counterpart in the other."""
    ours, theirs = (_without(x.clauses, y.clauses) for x, y in ((one, other), (other, one)))
    return ours, theirs


def apart(one: Situation, other: Situation) -> tuple[str, str]:
    """What two turns, each a situation of its own, say otherwise than the other; all of them where one adds."""
    ours, theirs = left_over(Said(one), Said(other))
    return (_text(ours), _text(theirs)) if ours and theirs else (_text(one), _text(other))


def same_figures(one: Said, other: Said) -> bool:
    """Whether both name the same numbers; the assistant may repeat them or not."""
    return one.assistants or sorted(figures([("", one.text)])) == sorted(figures([("", other.text)]))


def restating_signs(one: str, other: str, logit: float, cosine: float) -> list[float]:
    """What tells whether two turns say the same, as numbers of about the same size.

    *logit* is the pair model's word, *cosine* the vectors'.
    """
    found = objections(one, other)
    ours, theirs = map(len, unmatched_words(one, other))
    first, second = sorted((_WORD.findall(one.lower()), _WORD.findall(other.lower())))
    alike = SequenceMatcher(None, first, second, autojunk=False).ratio()
    return [
        logit / 2,
        cosine * 3,
        min(ours, 4) / 2 + min(theirs, 4) / 2,
        float(min(ours, theirs) > 0),
        float(ours == theirs == 1),
        alike * 2,
        float(bool(found) and worded_anew(one, other, found)),
        float(not found),
        *(float(sign in found) for sign in _SIGNS),
    ]


def _without(clauses: Sequence[Clause], others: Sequence[Clause]) -> list[Clause]:
    """*clauses* that none of *others* says.

    The assistant may say yes before what it says, or not, and both may say no before what denies by itself.
    """
    kept = clauses if len(clauses) == 1 else [clause for clause in clauses if clause != _AGREED]
    limited = any(_LIMITS.search(clause.text) for clause in kept if clause.text != "no")
    if limited and not any(clause.text == "yes" for clause in others):
        kept = [clause for clause in kept if clause.text != "no"]
    return [clause for clause in kept if not any(says_the_same(clause, other) for other in others)]


def _answered(situation: Situation, left: Container[int]) -> set[int]:
    """The places of the assistant's questions in *situation* whose answers aren't *left* out."""
    found = set[int]()
    for n, (clause, then) in enumerate(pairwise(situation)):
        if clause.by == "a" and clause.text.endswith("?") and then.by != "a" and n + 1 not in left:
            found.add(n)
    return found


def _adds(one: str, other: str) -> bool:
    """Whether one text says all that the other does, and a word more: vegetarian, nearly vegetarian."""
    ours, theirs = (words - _LIGHT for words in unmatched_words(one, other))
    return bool(ours) != bool(theirs)


def _denies(found: Container[str], one: str, other: str) -> bool:
    """Whether two texts of the same words differ by a denial: only black, not only black."""
    return "negation" in found and not all(unmatched_words(one, other))


def _swaps(one: str, other: str) -> bool:
    """Whether two short replies have a word in common, and each another one: dark brown, light brown."""
    ours, theirs = (words - _LIGHT for words in unmatched_words(one, other))
    first, second = (frozenset(read(text).words) - _LIGHT for text in (one, other))
    return bool(ours and theirs and first & second) and max(len(first), len(second)) <= MOST_SHORT


def _put_otherwise(one: Said, other: Said) -> bool:
    """Whether two turns are the same words, or clauses, in another order."""
    texts = product(*([said.text, *(clause.text for clause in said.clauses)] for said in (one, other)))
    if any(rearranged(*pair) for pair in texts):
        return True
    found = [[n for n, clause in enumerate(other.clauses) if says_the_same(ours, clause)] for ours in one.clauses]
    places = [matches[0] for matches in found if matches]
    return places != sorted(places)


def _denied(clauses: Sequence[Clause]) -> bool:
    return any(clause.text == "no" for clause in clauses)


def _speak_of_the_same(ours: Sequence[Said], theirs: Sequence[Said]) -> bool:
    """Whether two conversations have words in common, as far as both say something: it spares asking models."""
    first, second = (_content([clause for turn in turns for clause in turn.clauses]) for turns in (ours, theirs))
    return len(first & second) >= LEAST_COMMON * min(len(first), len(second))


def _shared(one: str, other: str) -> float:
    """The share of all words of two texts that both have, as often."""
    first, second = (Counter(_WORD.findall(text.lower())) for text in (one, other))
    return (first & second).total() / max((first | second).total(), 1)


def _stated(said: Said) -> Said:
    return Said(tuple(clause for clause in said.clauses if not clause.text.endswith("?")))


def _content(clauses: Sequence[Clause]) -> frozenset[str]:
    """The words of *clauses* that aren't empty."""
    return frozenset(read(_text(clauses)).words) - EMPTY_WORDS


def _text(clauses: Sequence[Clause]) -> str:
    return ", ".join(clause.text for clause in clauses)


def _turns(situation: Situation) -> list[Said]:
    return [Said(tuple(clauses)) for _, clauses in groupby(situation, key=lambda clause: clause.by == "a")]


def _common(ours: Sequence[Said], theirs: Sequence[Said]) -> int:
    pairs = zip(ours, theirs, strict=False)
    same = (len(x.clauses) == len(y.clauses) and all(map(says_the_same, x.clauses, y.clauses)) for x, y in pairs)
    return next((n for n, found in enumerate(same) if not found), min(len(ours), len(theirs)))


def _worth(one: Said, other: Said, cosine: float) -> float:
    return cosine - LEAST_ALIKE if one.assistants == other.assistants else -1.0

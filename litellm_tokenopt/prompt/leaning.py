"""Which of a user's turns lean on an earlier question, and how far back what was added for a turn still stands."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from ..additions import Reach
from ..lexical import points_back, term_counts
from .messages import Turn
from .ranking import readable, says_little

LEANING_TERMS = 5
"""A turn of more terms says enough by itself, whatever it points at."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a turn says (`own`), and how it's read: after the question that it leans on, if it does.

    `standing` is the first turn whose addition still stands where this one is asked.
    """

    own: str
    text: str
    standing: int = 0


def read_questions(turns: Sequence[Turn], reach: Reach) -> tuple[Question, ...]:
    """The questions of *turns*, whose additions stand as far as *reach*."""
    places = [turn.chars_before for turn in turns]
    found: list[Question] = []
    before = ""
    for turn in turns:
        own = readable(turn.question)
        text = f"{before}\n{own}" if before and _leans(own) else own
        before = own if text is own and not says_little(own) else before
        found.append(Question(own, text, bisect_left(places, reach.since(turn.chars_before))))
    return tuple(found)


def _leans(text: str) -> bool:
    return len(term_counts(text)) <= LEANING_TERMS and points_back(text)

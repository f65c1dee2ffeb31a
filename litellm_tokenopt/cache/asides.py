"""Which clauses of a conversation may be small talk: by what they hold, and by what else was said.

"We had such a lovely lunch" may be left out, "the light just went green" not where a light was spoken of. What a user
says must have words of small talk alone (`chatter`); a trained classifier tells how likely a clause is small talk
(`telling.Teller`), and here is what it reads of the words, and how sure it must be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from . import lexicon as lex
from .chatter import matters, talk_of
from .facts import statement_signs
from .situation import PHATIC, Clause, Situation, figures, holds_facts, may_be_small_talk, says_the_same
from .standing import content_of

LEAST_LIKELY, LEAST_SURELY, LEAST_RELATED = 0.5, 0.92, 0.97
"""How likely the assistant's clause must be small talk; one with a name, a figure or a denial, or a question; and any
one with a word of what else was said."""
LEAST_STRANGELY = (LEAST_LIKELY, 0.9, 0.95)
"""How likely a user's clause must be, by how many of its words aren't of small talk; sayings are sure."""
MOST_WORDS = 24
"""Small talk is short."""

_RELATES = re.compile(
    r"\b(?:as well|also|too(?=$|[,.!])|instead|after all|in the end|actually|rather|(?:other|another|second|that|this) "
    r"ones?|mine|hers|no longer|any ?more|make it|for it)\b",
    re.IGNORECASE,
)
_CAPITAL = re.compile(r"\b[A-Z]\w+")
_SIGNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\?$",
        r"\b(?:it|its|it's)\b",
        r"\b(?:he|she|they|them|him|his|her|hers|their)\b",
        r"\b(?:you|your|you're)\b",
        r"\b(?:actually|instead|rather|after all|in the end|already|no longer|any ?more|really|also|too|as well|other|"
        r"both|one)\b",
        r"\b(?:want|need|prefer|make|take|changed?|moved|bought|paid|ordered|booked|use|using)\b",
        r"\b(?:haha|ha|lol|ugh|phew|wow|omg|yay|sob|brb)\b",
        r"\b(?:feel|love|hate|hope|glad|lovely|awful|great|funny|crazy|excited|nervous|tired|beautiful|amazing|nice)\b",
        r"\b(?:weather|rain\w*|sun\w*|snow\w*|cold|hot|coffee|lunch|weekend|match|game|joke|film|music|song)\b",
    )
)


@dataclass(frozen=True, slots=True)
class Known:
    """What else was said, or is asked: its content words, those of the question, and its names and figures."""

    words: frozenset[str]
    asked: frozenset[str]
    marks: frozenset[str]


def known_from(clauses: Iterable[Clause], question: str) -> Known:
    """What *clauses* and *question* speak of."""
    texts = [*(clause.text for clause in clauses), question]
    return Known(
        frozenset[str]().union(*map(_words, texts)), _words(question), frozenset[str]().union(*map(_marks, texts))
    )


def least_sure(clause: Clause, known: Known) -> float | None:
    """How likely *clause* must be small talk to be left out beside what is *known*; None where it never is."""
    text = clause.text
    if holds_facts(clause) or _RELATES.search(text) or len(text.split()) > MOST_WORDS:
        return None
    words = _words(text)
    if words & known.asked or _marks(text) & known.marks:
        return None
    needed = _least_of_assistants(clause) if clause.by == "a" else _least_of_users(text, known)
    return needed if needed is None or words.isdisjoint(known.words) else LEAST_RELATED


def _least_of_assistants(clause: Clause) -> float:
    return LEAST_LIKELY if may_be_small_talk(clause) else LEAST_SURELY


def _least_of_users(text: str, known: Known) -> float | None:
    talk = talk_of(text)
    if talk is None or talk.strange >= len(LEAST_STRANGELY) or matters(talk.topics, known.words):
        return None
    return 0.0 if talk.saying else LEAST_STRANGELY[talk.strange]


def least_added(clause: Clause, known: Known) -> float | None:
    """`least_sure` where the other side has all else that was said: a question's own answer among it."""
    if clause.by != "r":
        return least_sure(clause, known)
    needed = least_sure(replace(clause, by="u"), known)
    return needed and LEAST_RELATED


def least_contested(clause: Clause, known: Known) -> float | None:
    """`least_sure` where *clause* may have taken the place of something else."""
    needed = least_sure(clause, known)
    return needed and max(needed, LEAST_SURELY)


def talk_signs(clause: Clause) -> list[float]:
    """What the words of *clause* say about whether it's small talk, as numbers of about the same size."""
    found = (pattern.search(clause.text) is not None for pattern in _SIGNS)
    return [*statement_signs(clause.text), *map(float, found), float(clause.by == "a")]


def alone(one: Situation, other: Situation) -> tuple[list[int], list[int]]:
    """The places of the clauses of each situation that the other has nowhere."""
    first, second = (
        [n for n, clause in enumerate(x) if not any(says_the_same(clause, said) for said in y)]
        for x, y in ((one, other), (other, one))
    )
    return first, second


def _words(text: str) -> frozenset[str]:
    return content_of(text) - _LIGHT


def _marks(text: str) -> frozenset[str]:
    names = (word.lower() for word in _CAPITAL.findall(text))
    return frozenset((*(name for name in names if name not in _PLAIN), *figures([("", text)])))


_PLAIN = PHATIC | lex.FUNCTION_WORDS
_LIGHT = lex.EMPTY_WORDS | frozenset(map(lex.stem, PHATIC))

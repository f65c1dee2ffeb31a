"""What is said in passing and may change the answer to a question that seems to stand alone.

"I'm on the family plan." … "How much data do I get?": the question names no plan, but hinges on it. Two classifiers
tell the one from "who founded your company?", and the other from "your colleague was very kind" (`telling.Teller`);
here is what they read, and when the same facts were told in two conversations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .situation import Clause, Situation, says_the_same
from .standing import content_of, is_question
from .veto import veto

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_ABOUT_YOU = re.compile(r"\b(?:you(?:'re| are|'ve| have| hold| pay)|your)\b", re.IGNORECASE)

_QUESTION_SIGNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:i|my|me|we|our|us)\b",
        r"\byour?\b",
        r"^how (?:much|many|long|often|big|far|fast|large)\b",
        r"^how (?:do|can|should) (?:i|we)\b",
        r"^(?:can|may|do|am|should|is it) ",
        r"^(?:what|who|why|when|where) (?:is|are|was|does|do)\b",
        r"\bmean\b|\bstands? for\b",
        r"^(?:do you|does your|is there|are there|are your)\b",
        r"^which\b",
        r"\bshould\b",
        r"\b(?:costs?|prices?|fees?|discounts?|pay|rates?)\b",
        r"^(?:who|where|why)\b",
        r"\ban?\b",
        r"\bthe\b",
        r"\b(?:need|eligible|entitled|allowed|suit|recommend|best)\b",
        r"\b(?:he|she|him|her)\b",
        r"(?-i:(?<!^)\b[A-Z]\w+)",
    )
)
_STATEMENT_SIGNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:i|i'm|i've|we|we're|we've)\b",
        r"\b(?:i'm|i am|we're|we are|it's|he's|she's|there are|is|are)\b",
        r"\b(?:have|i've got|has|got)\b",
        r"\b(?:my|our)\b",
        r"\b\w+ed\b",
        r"\b(?:was|were|did|yesterday|last|ago)\b",
        r"\d",
        r"\b(?:only|just|no|not|never|can't|don't|without)\b",
        r"\b(?:on|in|from|for|with)\b",
        r"\b(?:use|using|runs?|live|works?|travel\w*|drive|write|writing|written|comply|rent|hosted)\b",
        r"^the\b",
    )
)
_ADVICE = re.compile(
    r"\b(?:should|recommend|suggest|advise|suits?|fits?|best|better|cheapest|ideal|right|would you|do i need|"
    r"what (?:can|could) i|(?:which|what) [\w -]{0,40}\b(?:can|could|may|would) (?:i|we)|(?:can|may|could) (?:i|we)|"
    r"for (?:me|us|him|her|them|my \w+|our \w+)|am i|are we|safe)\b",
    re.IGNORECASE,
)
# Words that tell nothing where another way of saying has them.
_LIGHT = frozenset("liv use get got hav hold own run base currentli still actualli now realli just".split())


def question_signs(core: str) -> list[float]:
    """What the words of a question say about whether it hinges on who asks, as numbers of about the same size."""
    return _signs(core, _QUESTION_SIGNS)


def statement_signs(statement: str) -> list[float]:
    """What the words of *statement* say about whether it tells a fact, as numbers of about the same size."""
    return _signs(statement, _STATEMENT_SIGNS)


def asks_advice(core: str) -> bool:
    """Whether a question asks what is right for who asks: then all that they said of themselves may count."""
    return _ADVICE.search(core) is not None


def statements(situation: Situation) -> tuple[str, ...]:
    """What *situation* has that may tell facts, in order.

    All that the user said but questions, a reply with the question that it answers, and what the assistant said of
    the user.
    """
    return tuple(_statements(situation))


def same_facts(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether both tell the same facts, in the same order, though perhaps in other words."""
    return len(one) == len(other) and all(map(_tells_the_same, one, other))


def _statements(situation: Situation) -> Iterator[str]:
    asked = ""
    for clause in situation:
        if clause.by == "a" and clause.text.endswith("?"):
            asked = clause.text
        elif clause.by == "r" and asked:
            yield f"{asked} {clause.text}"
        elif not is_question(clause.text) and (clause.by != "a" or _ABOUT_YOU.search(clause.text)):
            yield clause.text


def _tells_the_same(one: str, other: str) -> bool:
    if says_the_same(Clause("u", one), Clause("u", other)):
        return True
    return content_of(one) - _LIGHT == content_of(other) - _LIGHT and veto(one, other) == "words"


def _signs(text: str, patterns: Sequence[re.Pattern[str]]) -> list[float]:
    return [*(float(pattern.search(text) is not None) for pattern in patterns), min(len(_WORD.findall(text)), 16) / 8]

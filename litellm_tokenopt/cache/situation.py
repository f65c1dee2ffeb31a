"""What earlier turns established: the clauses that were said, by whom, without greetings and thanks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .lasting import lasts
from .lexicon import NUMBER_WORDS
from .reading import read
from .veto import listed_otherwise, rearranged, veto

_BOUNDARY = re.compile(r"(?<=[.!?;])\s+|\n+|,\s+|\s+[-\u2013\u2014]+\s+|\s+[:;][()DP](?=\s|$)|:\s+|(?<=[!?])(?=\w)")
_YES_NO = re.compile(
    r"(?P<yes>yes|yep|yeah|yup|aye)|(?P<no>no|nope|nah)"
    r"(?=$|\s*[,.!;:]|\s+(?:i|it|its|we|they|that|this|he|she|just|only|not|thanks|thank|please|sorry|the|my|you|don't|"
    r"there)\b|\s+(?:it|that|there|i|we|they|he|she)')",
    re.IGNORECASE,
)
_LEADING = re.compile(
    r"(?:oh no|hi|hello|hey|hiya|ok|okay|oh|omg|ah|so|right(?=\s*[,!.])|great|wow|please|and|but|well|perfect|"
    r"lovely|then|thanks|thank you|thx|cheers|good (?:morning|afternoon|evening))\b[\s,!.]*(?=\w)",
    re.IGNORECASE,
)
_THANKS = re.compile(
    r"\b(?:thanks|thank you|thx|cheers)(?: (?:so |very )?much| a (?:lot|million|bunch))?"
    r"(?: for (?:telling|letting|checking|asking|waiting|confirming|clarifying)(?: us| me)?(?: know)?(?: that)?)?\b",
    re.IGNORECASE,
)
_TRAILING = re.compile(r"\s+(?:please|pls|plz|thanks|thank you|thx|cheers|lol|haha|x+)$", re.IGNORECASE)
_REASSURANCE = re.compile(
    r"\b(?:no (?:need to (?:be sorry|apologi[sz]e|worry)|problem|worries|rush|hurry|fun|wonder|offence|bother|trouble)|"
    r"not to worry|(?<!it )(?<!this )(?<!that )can't wait|"
    r"(?:don't|dont|do not) (?:worry|mention)|not at all|isn't it|aren't you|never mind)\b",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"(?:is there |was there )?(?:anything|something) else(?: (?:that )?(?:i|we) can (?:do|help(?: you)?(?: with)?)"
    r"| (?:that )?you(?:'d| would)? (?:need|want|like)(?: to know| help with)?)?(?: for you)?(?: today)?\?"
    r"|(?:how|what) (?:can|may|could) (?:i|we) (?:do|help)(?: you)?(?: with)?(?: for you)?(?: today| now)?\?",
    re.IGNORECASE,
)
_FIGURE = re.compile(r"\w*\d(?:[\w.,:/-]*\w)?|[^\W\d_]+")
_PER = re.compile(r"(?<=\d)[/-][a-z]{3,}$")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_HAS = re.compile(r"\b(?:have|has|had|owns?|got)\b(?! to\b)", re.IGNORECASE)
_WANTS = re.compile(r"\b(?:want|wants|wanted|needs?|needed|would like)\b|\w'd like\b", re.IGNORECASE)
_DENIALS = re.compile(r"\b(?:yes|no|not|never|none|without|cannot|can't|won't|don't|isn't|doesn't|only|cancel)\b", re.I)
_NAME = re.compile(r"(?<=[^\s.!?:]\s)(?!I\b)[A-Z]\w*")

PHATIC = frozenset(
    """
    hi hello hey hiya morning afternoon evening welcome thank thanks cheers ta thx please pls pleasure sorry apologise
    apologies apologize worry worries worried problem bother trouble kind nice lovely great good perfect brilliant
    wonderful excellent super fantastic awesome amazing fab cool glad happy pleased hope hoping well fine ok okay sure
    understand understood see noted brill oh ah aah aaah haha ha lol hmm phew wow yay oops whoops argh ugh gosh
    annoying frustrating stressful tired appreciate help helpful helping anything else more star legend brilliant love
    loving enjoy joke joking kidding moan moaning rambling typo typos very so really much lot bit ever best always
    understandable congratulations congrats luck sounds sound understandably np thx you're you i i'm am are is was it
    it's that that's there to be for the a an my me your of with and in on what how could were hear not_at_all day
    hope youre ur can do anything everything glad done sadly luckily unfortunately fortunately thankfully alas
    """.split()
)


@dataclass(frozen=True, slots=True)
class Clause:
    """Something said: by the user (``u``), the assistant (``a``), or as all of a user's reply to a question (``r``)."""

    by: str
    text: str


Situation = tuple[Clause, ...]


def situation_of(turns: Iterable[tuple[str, str]]) -> Situation:
    """The situation after *turns*, pairs of role (user or assistant) and text, oldest first."""
    found: list[Clause] = []
    before: list[str] = []
    for role, text in turns:
        spoken = list(_clauses(text))
        found += _said(spoken) if role == "assistant" else _replied(spoken, before)
        before = spoken if role == "assistant" else []
    return tuple(found)


def _said(spoken: Sequence[str]) -> list[Clause]:
    return [Clause("a", clause) for clause in spoken if not (_is_phatic(clause) or _COURTESY.fullmatch(clause))]


def _replied(spoken: Sequence[str], before: Sequence[str]) -> list[Clause]:
    """What of a user's *spoken* clauses counts, after the assistant's *before*: an answer always does."""
    kept = [clause for clause in spoken if not _is_phatic(clause)]
    questions = [clause for clause in before if clause.endswith("?")]
    if not questions:
        return [Clause("u", clause) for clause in kept]
    if all(map(_COURTESY.fullmatch, questions)):
        return [Clause("u", clause) for clause in kept if not _YES_NO.fullmatch(clause)]
    kept = kept or list(spoken)
    return [Clause("r" if len(kept) == 1 else "u", clause) for clause in kept]


def figures(turns: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The numbers, dates and codes in *turns*, in order: what must be equal before situations are compared at all."""
    return tuple(figure for _, text in turns for figure in _figures(text))


def pack(situation: Situation) -> str:
    """*situation* as text, for `unpack`; empty for none."""
    return json.dumps([[clause.by, clause.text] for clause in situation], separators=(",", ":")) if situation else ""


def unpack(text: str) -> Situation:
    """The situation that `pack` made *text* of. Raises `ValueError` for another text."""
    return tuple(Clause(by, clause) for by, clause in json.loads(text)) if text else ()


def says_the_same(one: Clause, other: Clause) -> bool:
    """Whether both say the same, said by the same side."""
    if (one.by == "a") != (other.by == "a"):
        return False
    first, second = one.text.lower(), other.text.lower()
    if first == second:
        return True
    if _telling_words(first).isdisjoint(_telling_words(second)) or _figures(first) != _figures(second):
        return False
    if (
        wished_for(one.text, other.text)
        or veto(one.text, other.text) is not None
        or listed_otherwise(one.text, other.text)
    ):
        return False
    return one.by == "a" or not rearranged(one.text, other.text)


def wished_for(one: str, other: str) -> bool:
    """Whether one text has what the other wants: that's little in a question, but a fact in a statement."""
    return all(bool(pattern.search(one)) != bool(pattern.search(other)) for pattern in (_HAS, _WANTS))


def _telling_words(text: str) -> set[str]:
    """What two clauses must share a word of before it's worth comparing them: all words, where all are short."""
    words = set(_WORD.findall(text))
    return {word[:5] for word in words if len(word) > 3} or words


def holds_facts(clause: Clause) -> bool:
    """Whether *clause* surely counts: a yes or no, all of a reply, or what is meant for good."""
    text = clause.text
    return (clause.by == "r" and not text.endswith("?")) or _YES_NO.fullmatch(text) is not None or lasts(text)


def may_be_small_talk(clause: Clause) -> bool:
    """Whether leaving *clause* out can't lose a fact that rules see: no number, name, denial or question is in it."""
    text = clause.text
    if holds_facts(clause) or text.endswith("?") or _figures(text) or _NAME.search(text):
        return False
    return _is_phatic(text) or not (_DENIALS.search(_REASSURANCE.sub(" ", text)) or read(text).literals)


def _clauses(text: str) -> Iterator[str]:
    for part in _BOUNDARY.split(_THANKS.sub("thanks", text)):
        yield from _plain(part.strip(" .!,;:"))


def _plain(part: str) -> Iterator[str]:
    """*part* without politeness around it; a yes or no at its start is a clause of its own."""
    while found := _LEADING.match(part):
        part = part[found.end() :]
    while found := _TRAILING.search(part):
        part = part[: found.start()]
    answer = re.match(rf"(?:{_YES_NO.pattern})(?=\W|$)", part, re.IGNORECASE)
    if answer:
        yield "yes" if answer["yes"] else "no"
        rest = part[answer.end() :].strip(" ,.!")
        yield from _plain(rest) if rest else ()
    elif part:
        yield part


def _is_phatic(clause: str) -> bool:
    if clause in ("yes", "no"):
        return False
    words = _WORD.findall(clause.lower())
    return all(word in PHATIC for word in words) and not clause.endswith("?") and not _DENIALS.search(clause)


def _figures(text: str) -> list[str]:
    """Numbers, as digits, and whatever has digits in it, in order; *one* is too often a pronoun to count."""
    found = (_figure(match.group().lower()) for match in _FIGURE.finditer(text))
    return [figure for figure in found if figure is not None]


def _figure(word: str) -> str | None:
    if any(map(str.isdigit, word)):
        return _PER.sub("", word.replace(",", ""))
    number = NUMBER_WORDS.get(word, 1)
    return None if number == 1 else str(number)

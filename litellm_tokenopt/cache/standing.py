"""Whether a conversation's last turn stands alone: whether it asks what it would ask without the turns before.

Rules say no to whatever points back (pronouns, "the second one", "and for kids?", bare verbs). What is left is put
as features, beside the question's vector, to a small trained classifier.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..lexical import stem, terms
from ..memo import Memo
from ..request import Reply
from . import lexicon as lex
from .chatter import is_talk
from .reading import content_stem, read

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_ASKING = (
    "is are was were am do does did has have had can could will would shall should may might must who whom whose what "
    "which when where why how whats what's wheres where's whos who's hows how's whens when's"
)
_ASKS = re.compile(rf"(?:{'|'.join(_ASKING.split())})\b", re.IGNORECASE)
_ANSWER_WORDS = "yes yep yeah yup no nope nah"
_OPENERS = (
    "ok okay right great good lovely perfect cool nice shame fine thanks thx ta cheers brilliant wonderful super "
    "understood noted hi hello hey oh ah well sure alright excellent awesome hmm lol so and also plus but btw "
    "separately finally actually unrelated"
)
_OPENING_PHRASES = (
    "thank you|got it|many thanks|thanks a lot|by the way|another (?:thing|question)|"
    "one (?:more|other|last) (?:thing|question|one)|"
    "(?:new|next|other|different|random|last|quick|separate) (?:question|one|thing)|"
    "something else|on another note|changing the subject|in general|just out of interest|while i'm here|a question|"
    "before i (?:go|forget|leave)|(?:quick |last |small )?general question|"
    "for (?:my|our) next (?:visit|trip|stay|order)|i mean|(?:switching|moving on) to [\\w ]{2,20}|"
    "speaking of [\\w ]{2,20}"
)
_OPENER = re.compile(
    rf"(?:{_OPENING_PHRASES}|(?:{'|'.join(_ANSWER_WORDS.split())})(?: please| thanks| thank you)?"
    rf"|{'|'.join(_OPENERS.split())})"
    rf"(?:\s*[,:;!.\-\u2013\u2014]+\s*|\s+(?=(?:also|and|separately|{'|'.join(_ASKING.split())}|{_OPENING_PHRASES})\b))",
    re.IGNORECASE,
)
_CLOSER = re.compile(r",?\s+(?:lol|haha|please|pls|just out of interest|by the way|btw|thanks|thank you)\s*$", re.I)
_SWITCHES = re.compile(
    r"\b(?:also|separately|another (?:thing|question)|one (?:more|other|last) (?:thing|question|one)|"
    r"(?:new|next|other|different|random|unrelated|separate|last|quick) (?:question|one|topic|subject|thing)|"
    r"something else|unrelated|by the way|btw|changing the subject|change of subject|on another note|switching|"
    r"moving on|speaking of|in general|out of interest|while i'm here)\b",
    re.IGNORECASE,
)
_ABOUT_ONESELF = re.compile(r"\b(?:i|i'm|im|i've|ive|i'd|i'll|me|my|mine|we|we're|we've|us|our|ours)\b", re.IGNORECASE)
_JOINED = re.compile(
    rf"(?:[,;:]\s*|\s+[-\u2013\u2014]+\s+|\s+(?=(?:so|and|but)\s))(?:(?:so|and|but)\s+)?(?=(?:{'|'.join(_ASKING.split())})\b)",
    re.IGNORECASE,
)
"""Where a question begins behind what is said before it in the same sentence."""
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_INFORMAL = tuple(
    (re.compile(pattern, re.IGNORECASE), plain)
    for pattern, plain in (
        (r"\bwhats\b", "what's"),
        (r"\bwheres\b", "where's"),
        (r"\bhows\b", "how's"),
        (r"\bu\b", "you"),
    )
)
_POINTERS = frozenset(
    "it's its they they're them their theirs he he's him his she she's her hers these those ones others same such "
    "else then neither itself themselves former latter above".split()
)
_POINTS_BACK = re.compile(
    r"^(?:and|or|but|so|then|same|what about|how about|what if|why not|what else|any other)\b"
    r"|\b(?:the|that|this|which|another|first|second|third|last|other|next|cheaper|bigger|smaller) ones?\b|\bone$"
    r"|\bthe (?:first|second|third|fourth|last|next)(?: option| choice)?(?=$|[,;.]| please\b)"
    r"|\bthe (?:other|former|latter)\b|\binstead\b(?! of)|\banother\b|\btoo$|^still\b|\byet$"
    r"|\b(?:which|either|both|all|none|any|each|neither|most|half|some) of (?:them|these|those|the)\b"
    r"|(?<!is )(?<!are )(?<!was )(?<!were )\bthere\b(?! (?:is|are|was|were|be)\b)|\bthis\b"
    r"|\b(?:my|your|the) (?:answer|reply|question|suggestion|example|result|code|text|poem|story|email|title|verse|"
    r"line|paragraph|table|list|draft|version)\b"
    r"|^(?:please )?(?:can|could|would|will) you (?:please )?(?:confirm|book|cancel|change|send|order|reserve|add|"
    r"remove|move|check) (?:me |us )?the\b"
    r"|\b(?:translate|rewrite|rephrase|shorten|summari[sz]e|continue|repeat|redo|expand|elaborate|rename)\b",
    re.IGNORECASE,
)
_RELATIVE_THAT = re.compile(
    r"\bthat (?=(?:is|are|was|has|have|had|can|will|would|could|i|you|we|a|an|the|my|your|does|do|supports?|works?)\b)"
)
_EXPLETIVE = re.compile(
    r"\b(?:is|was|would|will) it(?: be)? (?:really |still )?(?:possible|ok|okay|safe|free|legal|allowed|better|worth|"
    r"normal|true|necessary|bad|good|fine|easy|hard|cheaper|best|too late)\b(?= \w)"
    r"|\bhow (?:far|long) is it (?=from|to)"
    r"|\b(?:does|will|would|did) it (?:cost|take)\b(?=.*\bto \w)"
)
_ASKS_MEANING = re.compile(
    r"what (?:does|do) (?:the (?:term|word|phrase|expression|abbreviation) )?"
    r"['\"\u2018\u201c]?\w{2,}['\"\u2019\u201d]? (?:mean|stand for)\W*$",
    re.IGNORECASE,
)
_NAMED_BEFORE = re.compile(
    r"(\byour (?:\w+ )?\w+s\b[^.?!]{,50} (?:or|and|if|when|once|before|after|so)\b[^.?!]{,30}) (?:them|they)\b"
)
_ACRONYM = re.compile(r"\b[A-Z]{2,}\b")
_YOU = frozenset("you your yours you're".split())
_ME = frozenset("i i'm my me mine we us our ours".split())
LEAST_CONTENT_WORDS = 2
_content: Memo[str, frozenset[str]] = Memo(max_entries=5_000)


@dataclass(frozen=True, slots=True)
class LastTurn:
    """A user's last turn: `core` is what it asks, `lead` what it says before that (answers, news, thanks)."""

    lead: str
    core: str


class Apart(NamedTuple):
    """A text in two: `told` is what its user says of themselves, `asked` the rest."""

    told: str
    asked: str


def split_turn(text: str) -> LastTurn:
    """The last question in *text*, with whatever follows it, apart from what is said before it.

    A text in which nothing is asked is all core.
    """
    sentences = [part for part in _SENTENCE.split(text.strip()) if part]
    asking = [i for i, sentence in enumerate(sentences) if is_question(sentence)]
    start = asking[-1] if asking else 0
    core = " ".join(sentences[start:])
    bare = _without_openers(core)
    opener = core[: len(core) - len(bare)]
    lead = " ".join([*sentences[:start], opener.strip()]).strip()
    return LastTurn(lead, _informal_spelt(_CLOSER.sub("", bare)))


def oneself_apart(text: str) -> Apart:
    """*text* in two: what its user says of themselves beside a question, small talk aside, and all else."""
    parts = [part for sentence in _SENTENCE.split(text.strip()) for part in _JOINED.split(sentence) if part]
    told = [part for part in parts if _is_of_oneself(part)]
    if not any(map(is_question, parts)):
        return Apart("", text)
    return Apart(" ".join(told), " ".join(part for part in parts if part not in told))


def _is_of_oneself(part: str) -> bool:
    return bool(_ABOUT_ONESELF.search(part)) and not is_question(part) and not is_talk(part.rstrip(" .!"))


def points_back(core: str) -> bool:
    """Whether *core* surely says something only in the light of earlier turns."""
    text = core if core.isupper() else _ACRONYM.sub("name", core)
    text = _NAMED_BEFORE.sub(r"\1", _EXPLETIVE.sub(" ", text.lower().strip(" ?!.,")))
    words = _WORD.findall(text)
    if not _POINTERS.isdisjoint(words) or "it" in words or _POINTS_BACK.search(text):
        return True
    if "that" in _WORD.findall(_RELATIVE_THAT.sub(" ", text)):
        return True
    return len(_weighty(core)) < LEAST_CONTENT_WORDS and not _ASKS_MEANING.match(core)


def features(turn: LastTurn, history: Iterable[str]) -> list[float]:
    """What tells whether *turn* stands alone, as numbers of about the same size. *history* holds earlier texts."""
    words = _WORD.findall(turn.core.lower())
    weighty = _weighty(turn.core)
    known = frozenset[str]().union(*map(content_of, (*history, turn.lead)))
    new = [word for word in weighty if word not in known]
    opening = turn.lead[-60:]
    return [
        min(len(weighty), 6) / 3,
        min(len(new), 6) / 3,
        min(len(weighty) - len(new), 6) / 3,
        min(len(words), 16) / 8,
        float(len(words) <= 4),
        float(not _YOU.isdisjoint(words)),
        float(not _ME.isdisjoint(words)),
        words.count("the") / 2,
        float(_ASKS.match(turn.core) is not None),
        float(_SWITCHES.search(opening) is not None),
    ]


def content_of(text: str) -> frozenset[str]:
    """The content words of *text*, as stems; memoised."""
    return _content.get_or(text, lambda: frozenset(lex.stem(word) for word in terms(text)))


def leans_on(reply: Reply, core: str, history: Sequence[str]) -> bool:
    """Whether *reply* to *core* speaks of what only *history* has: its numbers, names, or "your sofa"."""
    asked = content_of(core) | frozenset(_marks(core))
    known = frozenset[str]().union(*(content_of(text) | frozenset(_marks(text)) for text in history))
    said = frozenset(_marks(reply.text)) | frozenset(_pointed_at(reply.text))
    return bool((said & known) - asked)


def is_question(sentence: str) -> bool:
    """Whether *sentence* asks, with a question mark or without."""
    return sentence.rstrip().endswith("?") or _ASKS.match(_without_openers(sentence)) is not None


def _without_openers(text: str) -> str:
    while (found := _OPENER.match(text)) and found.end() < len(text):
        text = text[found.end() :]
    return text


def _informal_spelt(text: str) -> str:
    for pattern, plain in _INFORMAL:
        text = pattern.sub(plain, text)
    return text


def _weighty(core: str) -> list[str]:
    return [word for word in read(core).words if word not in lex.EMPTY_WORDS]


_MARK = re.compile(r"[^\s,;:!?()\"]*\d[^\s,;!?()\"]*|(?<![.!?:\n] )(?<!^)\b[A-Z][\w'-]+")
_POINTED = re.compile(r"\b(?:your|this|that|these|those)\s+((?:[^\W\d_]+\s?){1,3})", re.IGNORECASE)


def _marks(text: str) -> Iterable[str]:
    """Numbers and names in *text*."""
    for match in _MARK.finditer(text):
        word = match.group().strip(".'-").lower()
        yield word.replace(",", "") if word[:1].isdigit() else stem(word)


def _pointed_at(text: str) -> Iterable[str]:
    for match in _POINTED.finditer(text.lower()):
        yield from filter(None, map(content_stem, match.group(1).split()))

"""Instructions that a prompt gives more than once, in the same or nearly the same words.

Nearly the same are two texts whose sentences come to the same words in the same order once each is put in one form:
as a command, what it begins with ("Before …, …", "In …, …") at its end, without articles and courtesies, *never* for
*must not* and *do not*. Numbers, names, identifiers, negations, small words and the forms of other words must be equal;
code, tables, and what points to something else ("this", "it") are never repeats.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TypeVar

from ..lexical import stem, term_counts, terms
from ..memo import Memo
from .words import is_strict, sentences_of

Place = TypeVar("Place")

LEAST_TERMS = 5
"""A text of fewer different telling words may mean something else in another place."""
LEAST_WORDS = 5
RULE_TERMS = 2
"""A rule (never share passwords) may be as short as this: it means the same wherever it stands."""

_MARKER = re.compile(r"^[ \t]*(?:[-*+•>]|\d{1,3}[.)]|[a-z]\))[ \t]+", re.MULTILINE)
_MARKUP = re.compile(r"[*_`#\"“”'\u2019]+")
_DIGITS = re.compile(r"\d+")
_NO_PROSE = re.compile(r"```|~~~|^[ \t]*\|.*\|[ \t]*$", re.MULTILINE)
_POINTS = re.compile(
    r"^\W*(?:it|this|that|these|those|they|such|he|she)\b|\b(?:it|this|these|those|them|above|below)\b", re.IGNORECASE
)
"""A text of few words with such a one may mean something else in another place."""
_FILLERS = frozenset(
    terms("please ensure make sure note remember important kindly always must shall required need case never ever")
) | frozenset(terms("anyone anybody everyone everybody under circumstance"))
_LIKE_ALL = _FILLERS | frozenset(
    terms("each every whatsoever essential mandatory crucial vital allowed permitted assistant")
)
"""Words that may be said in another way, or not at all."""

_EMPHASISED = frozenset(
    "not never must always only do no all any every each and or before after should shall may can if unless".split()
)
_BARE = '()[]"“”*_`'
_SAME_WORDS = {
    "each": "every", "are": "is", "were": "was", "shall": "must", "cannot": "can not", "can't": "can not",
    "won't": "will not", "please": "", "kindly": "", "whatsoever": "",
}  # fmt: skip
_SAID_OTHERWISE: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("circumst", re.compile(r"under no circumstances?"), "never"),
    ("to", re.compile(r"\bis not (?:allowed|permitted) to\b"), "must not"),
    ("to", re.compile(r"\b(?:is required to|ha(?:ve|s) to)\b"), "must"),
)
"""What tells that a wording is there, the wording, and what is meant."""
_OPENING = re.compile(
    r"^(?:(?:important|note|remember)(?: [:;-])?(?: that| to)? |be sure to |make sure (?:that |to )?|ensure (?:that )?"
    r"|it is (?:important|essential|mandatory|crucial|vital) (?:that |to ))+"
)
_JOINING = r"and|or|who|which|that|if|when|whenever|unless|before|after|until|while|once|because"
_MARK = r"[,;:?(](?!\S)"
_IN_FRONT = re.compile(
    rf"^(?P<first>(?:before|after|if|when|whenever|while|until|unless|without|once|in|on|at|during|within)"
    rf"(?: (?!{_MARK})\S+)+) , (?:then )?(?P<then>(?:(?!(?:{_JOINING}) |{_MARK})\S+ ?)+)$"
)
_PASSIVE = re.compile(
    rf"^(?P<what>(?:(?!(?:{_JOINING.removeprefix('and|')}|must|should|may|can|not|never|be|by|only) |{_MARK})\S+ )+?)"
    r"(?P<modal>must|should|may|can) (?P<no>(?:not |never )?)(?:always )?be (?P<verb>\w+)(?P<rest>(?: (?!by\b)\S+)*)$"
)
_DUTY = re.compile(
    r"^(?:(?:you|the assistant) (?=must |should |may |can |will |do |always |never ))?"
    r"(?P<modal>(?:must |should |may |can |will )?)(?P<adverbs>(?:do not |not |never |always )*)"
)
_TO_NOBODY = re.compile(r"\b(?:(?:to|with|by) any(?:one|body)|any|ever)(?!\S) ?")
_BEFORE_DOING = frozenset("before after when while without once if until unless".split())
_PREPOSITIONS = frozenset(
    "of in on at to for with from by about into within before after during if when unless".split()
)
_PARTICIPLES = dict(
    pair.split(":")
    for pair in "shown:show sent:send given:give made:make kept:keep told:tell said:say written:write paid:pay "
    "sold:sell lent:lend left:leave held:hold taken:take spoken:speak found:find built:build bought:buy brought:bring "
    "put:put read:read cut:cut set:set let:let known:know done:do seen:see hidden:hide chosen:choose met:meet "
    "lost:lose".split()
)

_DONE = "="
"""Before what is done with something, said as a participle."""

_keys: Memo[tuple[str, bool], tuple[Hashable | None]] = Memo(max_entries=10_000)
"""A session's prompt mostly has the blocks of another's."""


@dataclass(frozen=True, slots=True)
class Saying:
    """A text, and a number that all texts share that say the same, and few others."""

    text: str
    likeness: int


def saying(text: str) -> Saying:
    """*text* as `grouped` takes it."""
    return Saying(text, hash((frozenset(map(_telling_part, term_counts(text))) - {""}, _digits(text))))


@lru_cache(maxsize=50_000)
def _telling_part(term: str) -> str:
    """What two texts that say the same must both have of *term*; "" where one may lack it."""
    if term in _LIKE_ALL or len(term) < 2 or term.isdigit():
        return ""
    return stem(_PARTICIPLES[term]) if term in _PARTICIPLES else _spelt(term)


def _digits(text: str) -> tuple[str, ...]:
    return tuple(sorted(_DIGITS.findall(_MARKER.sub("", text))))


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
    if _NO_PROSE.search(text):
        return None
    text = _MARKER.sub("", text)
    plain = " ".join(map(_lowered, _MARKUP.sub("", text).split())).rstrip(".!;:")
    told = len(set(telling(text)))
    short_rule = is_strict(text) and RULE_TERMS <= told < LEAST_TERMS
    if (len(plain.split()) < LEAST_WORDS and not short_rule) or (told < LEAST_TERMS and _POINTS.search(plain)):
        return None
    if not near:
        return plain
    return tuple(_meant(text[start:end]) for start, end in sentences_of(text))


def _meant(sentence: str) -> tuple[str, ...]:
    """How strictly a *sentence* asks, and its words as a command has them."""
    said = " ".join(chain.from_iterable(map(_words, sentence.split())))
    for sign, pattern, meant in _SAID_OTHERWISE:
        if sign in said:
            said = pattern.sub(meant, said)
    said = _active(_OPENING.sub("", _turned(_OPENING.sub("", " ".join(said.split())))))
    duty = _DUTY.match(said)
    assert duty is not None
    strictness = _strictness(duty["modal"].strip(), duty["adverbs"].split())
    body = said[duty.end() :]
    return (strictness, *_in_one_order(list(_forms(_TO_NOBODY.sub("", body) if "never" in strictness else body))))


@lru_cache(maxsize=20_000)
def _words(written: str) -> tuple[str, ...]:
    """A word as it stands between blanks, its marks as words of their own; capitals stay where they tell."""
    word = written.strip(_BARE)
    bare = word.rstrip(".!?,;:" + _BARE)
    plain = _lowered(bare).replace("\u2019", "'")
    known = _SAME_WORDS.get(plain, plain)
    said = f"{known[:-3]} not" if known.endswith("n't") else known
    return ("(",) * (written[0] == "(") + tuple(said.split()) + tuple(c for c in word[len(bare) :] if c in "?,;:")


def _lowered(word: str) -> str:
    small = word.lower()
    return small if word[1:].islower() or len(word) == 1 or small.strip(".,;:!") in _EMPHASISED else word


def _turned(said: str) -> str:
    """What stands in front of a command, behind it."""
    found = _IN_FRONT.match(said) if " , " in said else None
    return f"{found['then'].strip()} {found['first']}" if found else said


def _active(said: str) -> str:
    """*said* as a command, where it says what must be done with something."""
    found = _PASSIVE.match(said)
    if found is None or not (found["verb"] in _PARTICIPLES or found["verb"].endswith("ed")):
        return said
    return f"{found['modal']} {found['no']}{_DONE}{found['verb']} {found['what'].strip()}{found['rest']}"


def _strictness(modal: str, adverbs: Sequence[str]) -> str:
    must = modal in ("", "must")
    if "not" in adverbs or "never" in adverbs:
        return "never" if must else f"{modal} not"
    return "must" if must else modal


def _forms(body: str) -> Iterator[str]:
    before = ""
    for word in body.split():
        if word not in ("a", "an", "the", ",", "also") and not (word == "you" and before in _BEFORE_DOING):
            yield _form(word, before in _BEFORE_DOING)
        before = word


@lru_cache(maxsize=20_000)
def _form(word: str, doing: bool) -> str:
    """A *word* in the singular; how a verb is said counts, but for *before doing* and what is done (`_active`)."""
    if word.startswith(_DONE):
        done = word.removeprefix(_DONE)
        return _spelt(stem(_PARTICIPLES.get(done, done)))
    if not (word.isascii() and word.isalpha() and word.islower()):
        return word
    ending = next((end for end in ("ing", "ed") if word.endswith(end) and len(word) > len(end) + 2), "")
    return _spelt(stem(word)) + ("" if not ending or (doing and ending == "ing") else f"+{ending}")


def _spelt(term: str) -> str:
    """A stem in one spelling: cancelling, cancel; summarise, summarize."""
    if term.endswith("ll") and len(re.findall("[aeiouy]+", term)) > 1:
        return term[:-1]
    return f"{term[:-2]}iz" if len(term) > 5 and term.endswith("is") else term


def _in_one_order(words: list[str]) -> list[str]:
    """*words*, two that an *and* joins, and nothing else does, in the order of the alphabet."""
    joins = [n for n, word in enumerate(words) if word in ("and", "or")]
    if len(joins) == 1 and 2 <= (n := joins[0]) < len(words) - 1:
        first = n == 2 or words[n - 2] in _PREPOSITIONS
        last = n + 2 == len(words) or words[n + 2] in _PREPOSITIONS
        if first and last and words[n - 1].isalpha() and words[n + 1].isalpha():
            words[n - 1], words[n + 1] = sorted((words[n - 1], words[n + 1]))
    return words


def telling(text: str) -> list[str]:
    """The terms of *text* without courtesies and words of duty, in order."""
    return [term for term in terms(_MARKUP.sub("", _MARKER.sub("", text))) if term not in _FILLERS]

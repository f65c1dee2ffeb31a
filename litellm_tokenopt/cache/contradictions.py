"""What two answers surely can't both say: nearly the same words, with something else in one place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from . import lexicon as lex
from .reading import content_stem

LEAST_SHARED = 0.6
"""Part of the words that two answers must share in order before another word in a place speaks for itself."""

MOST_TOKENS = 300
"""Longer answers are never worded alike, and matching them takes time."""

_EXAMPLE = re.compile(r"\b(?:examples?|instance|e\.g|such as|say|like|suppose|imagine)\b", re.IGNORECASE)
_TOKEN = re.compile(r"\d[\d,]*(?:\.\d+)?(?::\d+)?|[^\W\d_]+(?:'[^\W\d_]+)?|[%£$€°]")
_SENTENCE = re.compile(r"(?:^|[.!?:]\s+|\n\s*)(?:[^\w\s]\s*)*(\w+)")
_VERDICT = re.compile(
    r"\W*(yes|no|true|false|correct|incorrect)\b(?! (?:problem|need|worries|doubt|one|longer|matter|more)\b)",
    re.IGNORECASE,
)
_SAYS_YES = frozenset(("yes", "true", "correct"))
_DENIES = frozenset(("not", "never"))
_DENIALS = _DENIES | {"no", "none", "without", "nothing"}
_MONTHS = frozenset(
    "january february march april may june july august september october november december monday tuesday wednesday "
    "thursday friday saturday sunday".split()
)
_TRIVIAL = frozenset("a an the".split())
_PAIRS = lex.ANTONYMS | {frozenset(pair) for pair in (("before", "after"), ("always", "never"), ("more", "less"))}


def contradiction(first: str, second: str) -> str | None:
    """The one thing that two answers of nearly the same words say otherwise, in a word; None where it isn't sure.

    verdict, number, negation, antonym or name. Symmetric. Other words, other units, a figure more or less, and two
    differences of which one may undo the other are no contradiction.
    """
    if _verdicts_differ(first, second):
        return "verdict"
    ours, theirs = _tokens(first), _tokens(second)
    if ours > theirs:  # the matcher isn't symmetric
        ours, theirs, first, second = theirs, ours, second, first
    matcher = SequenceMatcher(None, [t.lower() for t in ours], [t.lower() for t in theirs], autojunk=False)
    if max(len(ours), len(theirs)) > MOST_TOKENS or matcher.ratio() < LEAST_SHARED:
        return None
    names = names_in(first) | names_in(second)
    places = [(ours[a:b], theirs[c:d]) for kind, a, b, c, d in matcher.get_opcodes() if kind != "equal"]
    told = [_told(*place, names) for place in places if not _is_trivial(*place)]
    if len(set(told)) != 1 or (len(told) > 1 and told[0] != "number"):
        return None
    return None if told[0] in ("number", "name") and _EXAMPLE.search(first + second) else told[0] or None


def numbers_in(text: str) -> list[str]:
    """Numbers in *text* as digits, the same list for the same numbers."""
    return sorted(number for word in _tokens(text) if (number := _number(word)) is not None)


def names_in(text: str) -> frozenset[str]:
    """Words in *text* with a capital that no beginning of a sentence explains, in lower case."""
    starts = {match.start(1) for match in _SENTENCE.finditer(text)}
    words = re.finditer(r"\b[A-Z][\w'-]*", text)
    return frozenset(word.group().lower() for word in words if word.start() not in starts and word.group() != "I")


def order_of(names: frozenset[str], text: str) -> list[str]:
    """The *names* that *text* has, as they come, each once."""
    return list(dict.fromkeys(word.lower() for word in _tokens(text) if word.lower() in names))


def denials_in(text: str) -> int:
    """How often *text* says no."""
    return sum(word.lower() in _DENIALS for word in _tokens(text))


def _verdicts_differ(first: str, second: str) -> bool:
    one, other = (_VERDICT.match(text) for text in (first, second))
    return one is not None and other is not None and (one[1].lower() in _SAYS_YES) != (other[1].lower() in _SAYS_YES)


def _tokens(text: str) -> list[str]:
    spelt = re.sub(r"\bcan(?:not|'t)\b", "can not", text, flags=re.IGNORECASE)
    spelt = re.sub(r"\bwon't\b", "will not", spelt, flags=re.IGNORECASE)
    return _TOKEN.findall(re.sub(r"(?<=\w)n't\b", " not", spelt))


def _is_trivial(ours: Sequence[str], theirs: Sequence[str]) -> bool:
    return all(word.lower() in _TRIVIAL for word in (*ours, *theirs))


def _told(ours: Sequence[str], theirs: Sequence[str], names: frozenset[str]) -> str:
    """What a place with other words says: a contradiction's word, or empty where it may mean the same."""
    one, other = ([word for word in map(str.lower, part) if word not in _TRIVIAL] for part in (ours, theirs))
    if one and other:
        return _replaced(one, other, names)
    return "negation" if len(one + other) == 1 and set(one + other) <= _DENIES else ""


def _replaced(one: Sequence[str], other: Sequence[str], names: frozenset[str]) -> str:
    figures = [[number for word in part if (number := _number(word)) is not None] for part in (one, other)]
    if all(figures):
        return "number" if _other_figures(*figures) and _rest(one, other) else ""
    if len(one) == len(other) == 1 and not any(figures):
        x, y = one[0], other[0]
        if frozenset((content_stem(x) or x, content_stem(y) or y)) in _PAIRS or frozenset((x, y)) in _PAIRS:
            return "antonym"
        if {x, y} <= names and not _alias(x, y):
            return "name"
    return ""


def _rest(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether what stands beside the figures is the same, or both are dates."""
    left, right = ([word for word in part if _number(word) is None] for part in (one, other))
    return left == right or (len(left) == len(right) and {*left, *right} <= _MONTHS)


def _other_figures(ours: Sequence[str], theirs: Sequence[str]) -> bool:
    return len(ours) == len(theirs) and any(not _rounded(x, y) for x, y in zip(ours, theirs, strict=True))


def _rounded(x: str, y: str) -> bool:
    """Whether two figures may be one, said more or less exactly."""
    if x == y:
        return True
    if ":" in x + y:
        return False
    exact = max(abs(float(x)), abs(float(y)))
    return (exact >= 100 or "." in x + y) and abs(float(x) - float(y)) <= max(_step(x), _step(y)) / 2


def _step(number: str) -> float:
    """The place value of the last figure that counts: 100 for 2,100, a tenth for 5.2."""
    whole, _, part = number.partition(".")
    return 10.0 ** -len(part) if part else 10.0 ** (len(whole) - len(whole.rstrip("0")))


def _number(word: str) -> str | None:
    if word[:1].isdigit():
        return word.replace(",", "")
    number = lex.NUMBER_WORDS.get(word.lower())
    return None if number is None else str(number)


def _alias(x: str, y: str) -> bool:
    """Whether two names may be one: short forms and initials."""
    short, long = sorted((x, y), key=len)
    return len(short) <= 3 or long.startswith(short[:3])


def content_in(text: str) -> frozenset[str]:
    """The content words of *text*, as stems."""
    return frozenset(filter(None, map(content_stem, map(str.lower, _tokens(text)))))

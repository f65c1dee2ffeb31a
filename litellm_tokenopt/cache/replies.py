"""Whether two replies to a question say the same, one of them in fewer words: "36" and "36 months"."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from .lexicon import NUMBER_WORDS, stem
from .situation import Clause

_WORD = re.compile(r"[^\W_]+(?:[.,:/-][^\W_]+)*")
_SHORT = re.compile(r"'(?:s|re|m|d|ll|ve)\b", re.IGNORECASE)
_NAME = re.compile(r"(?<=[^\s.!?:,]\s)(?!I\b)[A-Z]\w*")


def _stems(words: str) -> frozenset[str]:
    return frozenset(map(stem, words.split()))


_FRAME = _stems(
    "a an the i we it my our one is are am be was will would like prefer want take go have got please think "
    "guess choose pick say"
)
"""Words that a reply may have or not: "I'd like the blue one", "the blue one"."""
_EMPTY = _stems("a an the i we it my our one")
"""Those of them that may stand for each other; have and want, was and will may not."""
_PLACES = _stems("in on at for of")
_JOINING = _stems(
    "and or nor but not no never none nothing without with except only just both either neither all more less most "
    "least over under before after until till from to by then if unless instead also too other another half nearly "
    "almost than up down off out me us you him her them his their your mine yours"
)
"""Words that say something in a reply though its question has them, too."""
_ADDRESSED = _stems("you do")
_WISH = _stems("like want prefer")
_BEARING = _stems("have got go is are am was be")
"""Verbs that make of a wish what is."""


def replied_alike(replies: tuple[Iterable[Clause], Iterable[Clause]], asked: tuple[str, str]) -> bool:
    """Whether one of *replies* says all that the other does, and besides only what the other was *asked* with.

    Not so for "the pool and the gym" beside "the pool", whatever was asked.
    """
    (said, question), (more, _) = sorted(
        zip(map(_text, replies), asked, strict=True), key=lambda pair: len(_words(pair[0]))
    )
    ours, theirs = _words(said), _words(more)
    told = [word for word in ours if word not in _FRAME | _PLACES]
    if not told or told != [word for word in theirs if word in told] or (_places(ours) - _places(theirs)):
        return False
    added = frozenset(Counter(theirs) - Counter(ours))
    left = frozenset(Counter(ours) - Counter(theirs))
    if (added | left) & _JOINING or not left <= _EMPTY or _speaker(ours, theirs):
        return False
    names = frozenset(stem(name.lower()) for name in _NAME.findall(more))
    return added <= _FRAME | _PLACES | (frozenset(_words(question)) - names)


def repeats(clauses: Iterable[Clause], question: str) -> bool:
    """Whether *clauses*, said after a yes, say just what the yes-or-no *question* asks.

    "I'd like travel cover" after "Would you like travel cover?"; not where that offers a choice, or denies.
    """
    told, asked = _words(_text(clauses)), _words(question)
    if (frozenset(told) | frozenset(asked)) & _JOINING - _ADDRESSED or "n't" in question.replace("\u2019", "'"):
        return False
    if not _BEARING & frozenset(told) <= frozenset(asked) or (_WISH & frozenset(told) and not _WISH & frozenset(asked)):
        return False
    content, wanted = ([word for word in words if word not in _FRAME | _ADDRESSED] for words in (told, asked))
    return bool(content) and content == wanted


def _speaker(ours: Iterable[str], theirs: Iterable[str]) -> bool:
    """Whether one side says I, or my, and the other we, or our."""
    first, second = (frozenset(words) & frozenset(("i", "my", "we", "our")) for words in (ours, theirs))
    return bool(first and second) and first != second


def _places(words: Iterable[str]) -> frozenset[str]:
    return _PLACES & frozenset(words)


def _text(clauses: Iterable[Clause]) -> str:
    return " ".join(clause.text for clause in clauses)


def _words(text: str) -> list[str]:
    """The stems of *text*'s words, numbers as digits."""
    found = (word.lower() for word in _WORD.findall(_SHORT.sub(" ", text.replace("\u2019", "'"))))
    return [str(NUMBER_WORDS[word]) if word in NUMBER_WORDS and word != "one" else stem(word) for word in found]

"""Words of tools and questions: identifiers split, small talk left out, and the parts of a longer question."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..lexical import points_back, stem
from ..lexical import terms as all_terms

MAX_PARTS = 10
"""Parts of one question that are looked at; a longer one is read from both its ends."""

LEANING_WORDS = 20
"""A longer question says itself what it is about."""

MAX_QUESTION_CHARS = 4_000
"""A longer question (a pasted document, say) is read from both its ends, where the request stands."""

SMALL_TALK = frozenset(
    stem(word)
    for word in re.findall(
        r"\w+",
        """
    after again ahead ask assist back because before best better both bye cannot cheers confirm detail down each either
    else fine first further gave get give given go going gonna good goodbye got great guess hello help hey hi hmm
    information keep kind know last let like ll look make many maybe mean might mind mine most much must need new
    nice nor off ok okay once one only other over own per perfect perhaps possible proceed quite re really right
    same see shall since something soon sorry sort still sure take tell thank thanks thing through today try um
    until upon via want way welcome well whether whose wish within without wonder wonderful work yeah yes yet
    """,
    )
)
"""Stems that a question has whatever it is about, beyond the usual stop words."""

_QUOTED = re.compile(
    r"(?<!\w)(?:\"[^\"\n]{2,120}\"|'(?=\S)[^\n]{1,119}?\S'|`[^`\n]{2,120}`|[\u201c\u201e][^\u201c-\u201e\n]{2,120}[\u201c\u201d]"
    r"|\u2018[^\n]{1,119}?\S\u2019|\u00ab[^\u00bb\n]{2,120}\u00bb)(?!\w)"
    r"|\u300c[^\u300d]{1,120}\u300d|\u300e[^\u300f]{1,120}\u300f|\u300a[^\u300b]{1,120}\u300b"
)
"""What stands in quotation marks of any script."""

LATIN_ENDS = "\u0250"

_WORD = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-zA-Z])(?=\d)|(?<=\d)(?=[a-zA-Z])")
_PART = re.compile(
    r"(?<=[.!?;])\s+|[\u3002\uff01\uff1f\uff1b]|\n+|,\s+|\s+(?:and then|and also|after that|as well as|and|then)\s+",
    re.IGNORECASE,
)


def split_identifier(name: str) -> str:
    """``getUserDetails_v2`` as ``get User Details v 2``."""
    return " ".join(word for piece in _WORD.findall(name) for word in _HUMP.split(piece))


def terms(text: str) -> Iterator[str]:
    """The stems of the words in *text* that say something, in order; identifiers give their parts and themselves."""
    return (term for term in all_terms(text) if term not in SMALL_TALK)


def unquoted(text: str) -> str:
    """*text* with "something" for all that it quotes: what is asked, without what it's asked about."""
    return _QUOTED.sub("something", text)


def latin_share(text: str) -> float:
    """The share of Latin letters in those of *text*; 1 where it has none."""
    latin = [char < LATIN_ENDS for char in text if char.isalpha()]
    return sum(latin) / len(latin) if latin else 1.0


def trim(text: str, limit: int = MAX_QUESTION_CHARS) -> str:
    """*text*, or its two ends where it is longer than *limit*."""
    if len(text) <= limit:
        return text
    return text[: limit // 2] + "\n" + text[-(limit // 2) :]


def parts(question: str) -> tuple[str, ...]:
    """The sentences and clauses of *question* that say something, each once; none if it is a single one."""
    found: dict[str, None] = {}
    for part in _PART.split(trim(question)):
        text = part.strip(" ,.;:!?\t")
        if len(set(terms(text))) >= 2:
            found.setdefault(text)
    texts = tuple(found) if len(found) > 1 else ()
    half = MAX_PARTS // 2
    return texts if len(texts) <= MAX_PARTS else texts[:half] + texts[-half:]


def goes_on(question: str) -> bool:
    """Whether a short question goes on with what was said before it: "now email it to Bob"."""
    return len(question.split()) <= LEANING_WORDS and points_back(question)

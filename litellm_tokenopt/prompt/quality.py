"""What a compression kept of a text: its facts, its words, and how long it still is."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ..lexical import term_counts
from ..tokens import count_text
from .words import identifiers, is_rule, is_strict, names, numbers, sentences_of

_CAPITAL = re.compile(r"\b[^\W\d_a-z]\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Shares from 0 to 1 (1 where there was none): of numbers, names, identifiers and rules that are still there.

    Of rules it is the share of their terms. `kept` is the share of all of these together, `words` the cosine of
    both texts' term counts, `ratio` the tokens after by those before.
    """

    numbers: float
    names: float
    identifiers: float
    rules: float
    kept: float
    words: float
    ratio: float


def quality(before: str, after: str, question: str = "") -> Quality:
    """What *after* kept of *before*; of its strict rules and what *question* has words in common with, where it has."""
    wanted = facts(_asked_part(before, question))
    terms = Counter(term_counts(after))
    had = {
        "numbers": Counter(numbers(after)), "names": Counter(_CAPITAL.findall(after)),
        "identifiers": Counter(identifiers(after)), "rules": terms,
    }  # fmt: skip
    counts = {kind: (_shared(wanted[kind], had[kind]), wanted[kind].total()) for kind in wanted}
    return Quality(
        **{kind: _share(*pair) for kind, pair in counts.items()},
        kept=_share(sum(kept for kept, _ in counts.values()), sum(total for _, total in counts.values())),
        words=_cosine(term_counts(before), term_counts(after)),
        ratio=count_text(after) / max(1, count_text(before)),
    )


def facts(text: str) -> Mapping[str, Counter[str]]:
    """Numbers, names, identifiers and rules of *text*; a rule is told by the terms of its sentence."""
    rules = [text[start:end] for start, end in sentences_of(text) if is_rule(text[start:end])]
    return {
        "numbers": Counter(numbers(text)),
        "names": Counter(word for name in names(text) for word in _CAPITAL.findall(name)),
        "identifiers": Counter(identifiers(text)),
        "rules": Counter(term for rule in rules for term in term_counts(rule)),
    }


def _asked_part(text: str, question: str) -> str:
    """The sentences with the most terms of *question*, and strict rules; all of *text* where none has any."""
    asked = term_counts(question)
    if not asked:
        return text
    sentences = [text[start:end] for start, end in sentences_of(text)]
    shared = [len(asked.keys() & term_counts(sentence).keys()) for sentence in sentences]
    most = max(shared, default=0)
    if not most:
        return text
    return "\n".join(s for s, n in zip(sentences, shared, strict=True) if n == most or is_strict(s))


def _shared(wanted: Counter[str], had: Counter[str]) -> int:
    return sum(min(count, had[fact]) for fact, count in wanted.items())


def _share(kept: int, total: int) -> float:
    return kept / total if total else 1.0


def _cosine(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    product = sum(count * other.get(term, 0) for term, count in one.items())
    lengths = math.sqrt(sum(n * n for n in one.values())) * math.sqrt(sum(n * n for n in other.values()))
    return product / lengths if lengths else 1.0

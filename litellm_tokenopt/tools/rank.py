"""How well each tool of a block fits a question: words (BM25) and meaning (embeddings) together.

Both scores are standardised over the block and added up. The clauses of a question are scored as well, and
a tool gets the best of them on top: so each step of a longer request brings its own tool forward.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from ..request import Tool
from .phrasing import packaged
from .reading import argument_texts, description_of, name_of
from .words import latin_share, parts, terms, trim, unquoted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]
    Matrix = NDArray[np.float64]

NAME_WEIGHT, TEXT_WEIGHT, ARGUMENT_WEIGHT = 3.0, 1.0, 0.5
"""How much a word counts in a tool's name, in its description or argument names, in an argument's description."""

SATURATION, LENGTH_NORM = 1.2, 0.4
"""BM25's k1 and b; b is low because a tool that has many arguments is not less relevant."""

MEANING_SHARE = 0.7
"""Share of the embedding similarity in a score; the rest is BM25."""

MATCHED_SHARE = 0.45
"""Share of the trained similarity of requests and tools (`models.matching`) in that; the rest is of plain vectors."""

MEANT_WEIGHT = 0.22
"""Weight of the words that a question's phrases stand for (`phrasing`), beside the score of its own."""

UNREAD_SHARE = 0.5
"""What similarities count for a text in letters that the embedder hardly knows, beside one in Latin ones."""

PART_WEIGHT = 0.5
"""Weight of the best clause beside the whole question."""

HINT_WEIGHT = 0.3
"""Weight of what a question's form asks for, see `HINTS`."""

TELLING_COSINE = 0.30
"""A question that shares no word with any tool, and is less similar than this to all of them, says nothing."""

SEEDS = 6
"""So many best tools are taken for themselves; the others also for belonging to them."""

SURE_SEEDS, SEED_SHARE = 4, 0.4
"""The first so many of them all the same; the others if they come to so much of the similarity of the most similar."""

SEEDS_COMPLETED = 4
"""So many of them bring in the tools that look up what they work on."""

GENERAL_TOOLS, GENERAL_COSINE = 2, 0.4
"""So many tools that are as close as this to what a question's form asks for (`HINTS`) come forward after them."""

GENERAL_BONUS = 2.0
"""By how much (standard deviations)."""

WORDS_COSINE = 0.5
"""The similarity that is taken for the best tool's where only words are compared."""

KIN_WEIGHT = 2.5
"""Weight of belonging to the best tools (about 0 to 2), beside a tool's own score in standard deviations."""

ASKED, ASKED_WEIGHT = 3, 0.3
"""So many tools that fit best what was asked count with those that were called, each so much of one of them."""

OWN_WEIGHT = 0.5
"""Weight of a tool's own score where the block must change, beside belonging to the called ones."""

NEED_BONUS = 2.0
"""What a tool has ahead of the others when it looks up what a called or asked one works on (standard deviations)."""

SURE, LEAST_SHARE = 6, 0.25
"""So many tools are sent whatever their scores; further ones if they come to so much of the best one's."""


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


HINTS = (
    (
        _form(
            r"\b(?:what|who|whom|whose|when|where|why|which|how|tell me|information|info|latest|news|find out|look up"
            r"|learn|explain|list of|research|popular|recommend\w*)\b"
        ),
        "Search the web for information on any topic",
    ),
    (_form(r"\d.*?\b\d"), "Calculate numbers: add, subtract, multiply, divide"),
    (
        _form(
            r"\b(?:grep|awk|sed|bash|shell|terminal|command line|docker|git|npm|pip|make|scripts?|logs?|run|install"
            r"|execute|csv|pdf|zip|convert|extract)\b"
        ),
        "Execute a shell command in the terminal",
    ),
    (
        _form(
            r"\b[\w-]+\.[a-z]{1,4}\b|\b(?:files?|code|function|class|module|bug|refactor|implement|html|css|python"
            r"|javascript|typescript)\b"
        ),
        "Create a new file or edit an existing file",
    ),
    (
        _form(r"https?://|\bwww\.|\b(?:websites?|web ?pages?|browser|sites?|cite|sources?|articles?|portal|log ?in)\b"),
        "Open a web page and read its content",
    ),
    (
        _form(r"\b(?:upload\w*|share|sharing|shar(?:e)?able|link (?:to|for|that))\b"),
        "Upload a file and return a link for sharing",
    ),
    (
        _form(r"\b(?:connect\w*|integrat\w*|authori[sz]e|link my|hook up)\b"),
        "Search for apps and integrations that can be connected",
    ),
)
"""Forms of a question, and the general tool that serves them where no special one does."""

HINT_TEXTS = tuple(text for _, text in HINTS)


@dataclass(frozen=True, eq=False)
class Fit:
    """How a question fits the tools of a block; each vector has an entry for each tool.

    `score` compares tools with each other (standard deviations); `cosine` is each tool's similarity with the
    question or its closest clause; `words` is its BM25 score for the whole question; `kinship` is that of the
    block's tools with each other; `general` are the tools that serve the question's form, best first; `requisites`
    are those that each tool needs beside it; `closest` is the best trained similarity of any tool.
    """

    score: Vector
    cosine: Vector
    words: Vector
    kinship: Matrix
    general: tuple[int, ...] = ()
    requisites: tuple[tuple[int, ...], ...] = ()
    closest: float = 0.0

    @cached_property
    def order(self) -> tuple[int, ...]:
        """Indices of the tools, best first; the earlier one where two are equal."""
        return tuple((-self.score).argsort(kind="stable").tolist())

    @cached_property
    def broad_order(self) -> tuple[int, ...]:
        """The same, but behind the best few those come forward that are general, or belong to the best.

        Those that are far behind are left out.
        """
        import numpy as np

        seeds = self._seeds
        weights = np.maximum(self.score[seeds], 0.0)
        kin = weights @ self.kinship[seeds] / max(float(weights.sum()), 1e-9)
        blended = (self.score + KIN_WEIGHT * kin).round(6)
        blended[list(self.general)] += GENERAL_BONUS
        first = self._completed(seeds)
        rest = [index for index in self.order if index not in first]
        order = [*first, *sorted(rest, key=lambda index: (-blended[index], index))]
        least = LEAST_SHARE * float(self.score.max())
        return tuple(index for place, index in enumerate(order) if place < SURE or blended[index] >= least)

    @property
    def _seeds(self) -> list[int]:
        """The best tools, without the last ones where they only share a word with the question."""
        best = list(self.order[:SEEDS])
        least = SEED_SHARE * float(self.cosine[best].max())
        return [index for place, index in enumerate(best) if place < SURE_SEEDS or self.cosine[index] >= least]

    def _completed(self, seeds: Sequence[int]) -> list[int]:
        """*seeds*, behind each of the first of them what it needs."""
        found: dict[int, None] = {}
        for place, seed in enumerate(seeds):
            found.setdefault(seed)
            if place < SEEDS_COMPLETED and self.requisites:
                found.update(dict.fromkeys(self.requisites[seed]))
        return list(found)

    @cached_property
    def says_something(self) -> bool:
        """Whether the question tells what the user wants, unlike a greeting."""
        return bool(self.words.any()) or float(self.cosine.max()) >= TELLING_COSINE

    def near(self, called: Iterable[int], sent: Iterable[int]) -> list[int]:
        """Indices of the tools: those that fit what was asked, and belong to the *called* ones, first.

        What was *sent* counts for no more: the whole block is read afresh, whatever stays in it.
        """
        import numpy as np

        weights = np.zeros(len(self.score))
        weights[list(called)] = 1.0
        asked = list(self.order[:ASKED])
        weights[asked] += ASKED_WEIGHT
        wanted = OWN_WEIGHT * _standard(self.score.clip(min=0.0)) + _standard(weights @ self.kinship)
        if self.requisites:
            for index in {*asked, *called}:
                wanted[list(self.requisites[index])] += NEED_BONUS
        rounded = wanted.round(6)
        places = {index: place for place, index in enumerate(sent)}
        return sorted(range(len(rounded)), key=lambda index: (-rounded[index], places.get(index, len(places)), index))


def joined(fits: Sequence[Fit]) -> Fit:
    """The last of *fits* (one at least), where a tool is as good as it was for the question that it fits best."""
    import numpy as np

    return replace(fits[-1], score=np.max([fit.score for fit in fits], axis=0)) if len(fits) > 1 else fits[-1]


class Lexicon:
    """BM25 over the words of a block of tools."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._size = len(tools)
        self._impacts = _impacts([_weights(tool) for tool in tools])

    def score(self, text: str) -> Vector:
        """The BM25 score of every tool for *text*."""
        return self._sum(dict.fromkeys(terms(text), 1.0))

    def meant(self, text: str) -> Vector:
        """The same for the words that *text*'s phrases stand for, but for those that it has itself."""
        own = frozenset(terms(text))
        return self._sum({term: weight for term, weight in packaged().meant(text).items() if term not in own})

    def _sum(self, weights: Mapping[str, float]) -> Vector:
        import numpy as np

        scores = np.zeros(self._size)
        for term, weight in weights.items():
            if term in self._impacts:
                places, impacts = self._impacts[term]
                scores[places] += weight * impacts
        return scores


def _weights(tool: Tool) -> Counter[str]:
    """The words of a tool with how much each counts."""
    weights: Counter[str] = Counter()
    texts = [(name_of(tool) or "", NAME_WEIGHT), (description_of(tool), TEXT_WEIGHT)]
    for name, description in argument_texts(tool):
        texts += [(name, TEXT_WEIGHT), (description, ARGUMENT_WEIGHT)]
    for text, weight in texts:
        for term in terms(text):
            weights[term] += weight  # type: ignore[assignment]
    return weights


def _impacts(documents: Sequence[Mapping[str, float]]) -> dict[str, tuple[NDArray[np.intp], Vector]]:
    """Term -> (the tools that have it, its share of their score)."""
    import numpy as np

    lengths = np.array([sum(document.values()) for document in documents])
    norms = SATURATION * (1 - LENGTH_NORM + LENGTH_NORM * lengths / max(float(lengths.mean()), 1e-9))
    places: dict[str, list[int]] = {}
    for index, document in enumerate(documents):
        for term in document:
            places.setdefault(term, []).append(index)
    impacts = {}
    for term, found in places.items():
        where = np.array(found)
        counts = np.array([documents[index][term] for index in found])
        rarity = math.log(1 + (len(documents) - len(found) + 0.5) / (len(found) + 0.5))
        impacts[term] = where, rarity * counts * (SATURATION + 1) / (counts + norms[where])
    return impacts


def query_texts(question: str) -> tuple[str, ...]:
    """What is embedded of a question: the whole (its two ends, if long), that without quotations, its clauses."""
    whole = trim(question)
    plain = unquoted(whole)
    return (whole, *parts(question)) if plain == whole else (whole, plain, *parts(question))


def fit(
    question: str,
    lexicon: Lexicon,
    cosines: NDArray[np.float32],
    matches: NDArray[np.float32],
    hint_cosines: NDArray[np.float32],
    kinship: Matrix,
    requisites: tuple[tuple[int, ...], ...] = (),
) -> Fit:
    """Score every tool for *question*.

    *cosines* has a row for each of `query_texts(question)`, and so have *matches*, the trained similarities;
    *hint_cosines* has one for each of `HINT_TEXTS`. Their columns are the tools.
    """
    import numpy as np

    texts = query_texts(question)
    lexical = [lexicon.score(text) for text in texts]
    meant = [MEANT_WEIGHT * _standard(lexicon.meant(text)) for text in texts]
    trust = [UNREAD_SHARE + (1 - UNREAD_SHARE) * latin_share(text) for text in texts]
    likes = [share * _standard(_alike(*rows)) for share, *rows in zip(trust, cosines, matches, strict=True)]
    scores = [_joined(like, words) + more for like, words, more in zip(likes, lexical, meant, strict=True)]
    total = scores[0] + PART_WEIGHT * _best(scores[1:]) if len(scores) > 1 else scores[0]
    general: list[int] = []
    for (form, text), cosine in zip(HINTS, hint_cosines, strict=True):
        if form.search(texts[0]):
            served = _blend(cosine, lexicon.score(text))
            total = total + HINT_WEIGHT * served.clip(min=0)
            general += _most(served, cosine)
    near, closest = _best(list(cosines)), float(np.max(matches, initial=0.0).round(6))
    return Fit(total.round(6), near, lexical[0], kinship, tuple(dict.fromkeys(general)), requisites, closest)


def fit_by_words(question: str, lexicon: Lexicon, kinship: Matrix, requisites: tuple[tuple[int, ...], ...] = ()) -> Fit:
    """The same by words alone, where there's no time for vectors; `Fit.cosine` is by the share of the best's words."""
    lexical = [lexicon.score(text) for text in query_texts(question)]
    total = _standard(lexical[0])
    if len(lexical) > 1:
        total = total + PART_WEIGHT * _best([_standard(words) for words in lexical[1:]])
    best = _best(lexical)
    near = WORDS_COSINE * best / max(float(best.max(initial=0.0)), 1e-9)
    return Fit(total.round(6), near, lexical[0], kinship, (), requisites)


def _most(served: Vector, cosine: NDArray[np.floating]) -> list[int]:
    """The tools that serve a form best, if they are close to it."""
    best: list[int] = (-served.round(6)).argsort(kind="stable")[:GENERAL_TOOLS].tolist()
    return [index for index in best if cosine[index] >= GENERAL_COSINE]


def _best(rows: Sequence[NDArray[np.floating]]) -> Vector:
    import numpy as np

    return np.asarray(np.max(rows, axis=0), dtype=np.float64)


def _alike(cosine: NDArray[np.floating], match: NDArray[np.floating]) -> Vector:
    return (1 - MATCHED_SHARE) * _standard(cosine) + MATCHED_SHARE * _standard(match)


def _blend(cosine: NDArray[np.floating], words: Vector) -> Vector:
    return _joined(_standard(cosine), words)


def _joined(like: Vector, words: Vector) -> Vector:
    """*like* in standard deviations or less, with the scores of words."""
    return MEANING_SHARE * like + (1 - MEANING_SHARE) * _standard(words)


def _standard(values: NDArray[np.floating]) -> Vector:
    """*values* in standard deviations from their mean; zeros where they're all the same."""
    import numpy as np

    wide = np.asarray(values, dtype=np.float64)
    deviation = float(wide.std())
    return (wide - wide.mean()) / deviation if deviation > 1e-9 else np.zeros(len(wide))

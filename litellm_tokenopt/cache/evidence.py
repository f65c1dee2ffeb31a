"""What is known of one entry: how its answer did for other questions, and what a further question needs therefore.

After vCache (Schroeder et al., arXiv 2502.03771), which learns a similarity threshold for each entry from outcomes,
within the user's bound on wrong answers. Two things are other here. The confidence is the verifier's, in log-odds
above its line (`Pair.margin`), so that an entry without outcomes is served just as calibrated. And in place of a
logistic fit, which one more wrong answer may steepen, outcomes are weighed so that they count one way only: a wrong
answer speaks against all that is less sure, a right one for all that is surer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from ..request import digest
from .intervals import surely_above
from .normalise import normalise
from .verifier import Judgement

Outcome: TypeAlias = Literal["same", "different", "unknown"]
"""Whether two answers, or two questions, come to the same."""

REACH = 1.0
"""Log-odds over which what an outcome says of others, on its far side, falls to 1/e."""
PRIOR_CHECKS = 20.0
"""Calibration counts as much as so many outcomes."""
LOOSEST = 1.0
"""Log-odds below the line to which good outcomes may take an entry, where no rule doubts the pair."""
MOST_WRONG, MOST_RIGHT = 16, 48
RETIRED_WRONG = 3
ANY_SCALE = "any"
"""Of an outcome on the line, wherever that is."""
OLD_SCALE = "old"
"""Of outcomes that were kept without their scale."""
_LIMIT = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A question asked and an entry whose answer may be given to it.

    `question` is a digest; `margin` the log-odds by which the verifier is surer than it must be; `doubted` where a
    rule objects that may be wrong. Margins compare within one `scale` (`scale_of`).
    """

    entry_key: str
    question: str
    margin: float
    doubted: bool
    scale: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """One question that an entry's answer was tried on, by its digest, and whether that was right."""

    question: str
    margin: float
    same: bool
    scale: str = ""


Observations: TypeAlias = tuple[Observation, ...]


def question_digest(scope: str, question: str) -> str:
    """What *question* is remembered by."""
    return digest(scope, normalise(question))[:16]


def log_odds(probability: float) -> float:
    clipped = min(1.0 - _LIMIT, max(_LIMIT, probability))
    return math.log(clipped / (1.0 - clipped))


def margin_of(judged: Judgement, similarity: float, threshold: float) -> float | None:
    """How much surer than needed a pair is, in log-odds; None for one that no confidence can help.

    Where nobody was asked for a confidence, it's told by the similarity.
    """
    if judged.confidence is not None and judged.least is not None:
        return log_odds(judged.confidence) - log_odds(judged.least)
    return log_odds(similarity) - log_odds(threshold) if judged.objection is None else None


def scale_of(judged: Judgement, threshold: float) -> str:
    """What the margin of a pair was measured with: margins on another scale say nothing of it."""
    return f"similarity {threshold}" if judged.confidence is None else judged.scale


def added(known: Observations, new: Observation) -> Observations:
    """*known* with *new*, the only one of its question; of many, the newest right and the surest wrong ones stay.

    An answer that was wrong for a question before speaks as far as it did then. Wrong ones of other scales go first.
    """
    if not new.same:
        before = [one for one in known if one.question == new.question and not one.same]
        new = replace(new, margin=max([new.margin, *(one.margin for one in before if one.scale == new.scale)]))
    others = [one for one in known if one.question != new.question]
    right = [one for one in (*others, new) if one.same][-MOST_RIGHT:]
    wrong = [one for one in (*others, new) if not one.same]
    wrong.sort(key=lambda one: (one.scale != new.scale, -one.margin))
    return (*wrong[:MOST_WRONG], *right)


def wrong_probability(known: Iterable[Observation], margin: float, max_wrong_rate: float, tightening: float) -> float:
    """The probability that an entry's answer is wrong for a pair of this *margin*, given what is *known*.

    Without outcomes it's *max_wrong_rate* on the line, which stands *tightening* above the calibrated one, and falls
    with the odds of the margin. Never falls with a wrong outcome more, and never rises with a right one more.
    """
    odds = log_odds(max_wrong_rate) - (margin - tightening)
    wrong = right = 0.0
    for one in known:
        beyond = margin - one.margin
        if one.same:
            right += math.exp(min(0.0, beyond) / REACH)
        else:
            wrong += math.exp(-max(0.0, beyond) / REACH)
    return (PRIOR_CHECKS / (1.0 + math.exp(min(700.0, -odds))) + wrong) / (PRIOR_CHECKS + wrong + right)


def may_serve(pair: Pair, judged: Judgement, known: Observations, max_wrong_rate: float, tightening: float) -> bool:
    """Whether what was observed lets the entry's answer be given; the verifier's word where nothing was.

    What came of this very pair holds whoever measures it; what came of others tells of it on its own scale only.
    """
    tried = next((one.same for one in known if one.question == pair.question), None)
    if tried is not None:
        return tried
    comparable = [one for one in known if one.scale in (pair.scale, ANY_SCALE)]
    if not comparable and not tightening:
        return judged.objection is None
    if pair.margin < (0.0 if pair.doubted else -LOOSEST):
        return False
    return wrong_probability(comparable, pair.margin, max_wrong_rate, tightening) <= max_wrong_rate


def retired(known: Observations, max_wrong_rate: float) -> bool:
    """Whether an entry was wrong for so many questions that it had better go."""
    wrong = sum(not one.same for one in known)
    return wrong >= RETIRED_WRONG and surely_above(max_wrong_rate, wrong, len(known))


def written(known: Observations) -> str:
    """*known* as text, for a store."""
    kept = [[one.question, round(one.margin, 3), int(one.same), one.scale] for one in known]
    return json.dumps(kept, separators=(",", ":"))


def read_observations(text: str) -> Observations:
    """What `written` wrote; nothing for what it didn't."""
    try:
        return tuple(
            Observation(str(question), float(margin), bool(same), str(scale))
            for question, margin, same, scale in ([*one, OLD_SCALE][:4] for one in json.loads(text))
        )
    except (ValueError, TypeError):
        return ()

"""Measures what the pair model's logits mean: ``python -m litellm_tokenopt.evaluation.calibration``.

On questions that were held out of training, for each allowed share of wrong answers the limits are chosen that serve
the most. Writes ``models/weights/pairs.json``. ``pairs_unseen.jsonl`` and ``pairs_domains.jsonl`` guide nothing: what
is served of them and wrong is told by ``python -m litellm_tokenopt.evaluation.curve`` with their paths.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import math
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cache.normalise import normalise
from ..cache.verifier import DOUBTS, signs_of
from ..models.build import build_embedder, build_pair_model
from ..models.pairs import CALIBRATION
from ..models.training.rewording import reword
from ..settings import Settings

DATA = Path(__file__).parents[1] / "models" / "training" / "data"
HELDOUT, EVERYDAY = DATA / "pairs_heldout.jsonl", DATA / "pairs_everyday.jsonl"
WRONG_RATES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
LIGHT = 2
"""Light rewordings of each question."""

LEAST_BELIEVED = 1 / 3
"""The probability that a pair which no rule objects to must have at least."""

STEPS = 60
"""Limits that are tried for each of the two kinds of pairs."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair of questions: whether both ask the same, their cosine, the rules' objection, the model's logit.

    `signs` are the rules', see `Signs`.
    """

    same: bool
    similarity: float
    objection: str | None
    logit: float
    signs: frozenset[str] = frozenset()


def read_pairs(path: Path) -> list[tuple[str, str, bool]]:
    """The pairs of every group in *path*: rewordings with each other, and the question with each look-alike.

    Each question also comes as often again typed a little differently, since that is how most questions come again.
    """
    chance, pairs = random.Random(0), []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        same = [row["ask"], *row["same"]]
        pairs += [(a, b, True) for a, b in itertools.combinations(same, 2)]
        pairs += [(a, reword(a, chance), True) for a in same for _ in range(LIGHT)]
        pairs += [(row["ask"], other, False) for _, other in row["other"]]
    return pairs


async def judge(pairs: Sequence[tuple[str, str, bool]]) -> list[Judged]:
    """What rules and model say of each pair, with the models as they're served."""
    settings = Settings()
    embedder, model = build_embedder(settings.embedder), build_pair_model(settings.embedder)
    if model is None:
        raise SystemExit("the local packages are missing: pip install 'litellm-tokenopt[local]'")
    texts = sorted({normalise(text) for a, b, _ in pairs for text in (a, b)})
    vectors = dict(zip(texts, await embedder.embed(texts), strict=True))
    judged = []
    for a, b, same in pairs:
        first, second = normalise(a), normalise(b)
        (logit,) = await model.logits(first, [second])
        found = signs_of(a, b)
        cosine = float(vectors[first] @ vectors[second])
        judged.append(Judged(same, cosine, found.objection, logit, found.signs))
    return judged


def weigh(judged: Sequence[Judged]) -> dict[str, float]:
    """What each sign adds to the logits of doubted pairs, by logistic regression with a penalty."""
    doubted = [pair for pair in judged if pair.objection in DOUBTS]
    names = sorted({sign for pair in doubted for sign in pair.signs})
    inputs = np.array([(pair.logit, 1.0, *(sign in pair.signs for sign in names)) for pair in doubted], np.float64)
    wanted = np.array([float(pair.same) for pair in doubted])
    weights, ridge = np.zeros(inputs.shape[1]), np.array([1.0, 1e-6, *(1.0 for _ in names)])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-(inputs @ weights)))
        bend = (inputs.T * (chance * (1 - chance))) @ inputs + np.diag(ridge)
        weights -= np.linalg.solve(bend, inputs.T @ (chance - wanted) + ridge * weights)
    return {name: round(float(weight / weights[0]), 3) for name, weight in zip(names, weights[2:], strict=True)}


def weighed(judged: Sequence[Judged], weights: Mapping[str, float]) -> list[Judged]:
    """*judged* with the *weights* of their signs added to the logits."""
    return [replace(pair, logit=pair.logit + sum(weights.get(sign, 0.0) for sign in pair.signs)) for pair in judged]


def platt(judged: Sequence[Judged]) -> tuple[float, float]:
    """(slope, offset) of the logistic curve through the logits: J. Platt, Probabilistic Outputs for SVMs, 1999."""
    logits = np.array([pair.logit for pair in judged])
    wanted = np.array([float(pair.same) for pair in judged])
    slope, offset = 1.0, 0.0
    for _ in range(50):
        chance = 1 / (1 + np.exp(-(slope * logits + offset)))
        weight = chance * (1 - chance) + 1e-9
        gradient = np.array([((wanted - chance) * logits).sum(), (wanted - chance).sum()])
        mixed = (weight * logits).sum()
        hessian = np.array([[(weight * logits**2).sum(), mixed], [mixed, weight.sum()]])
        step = np.linalg.solve(hessian, gradient)
        slope, offset = slope + step[0], offset + step[1]
    return float(slope), float(offset)


def limits(
    every: Sequence[Judged], near: Sequence[Judged], wrong_rate: float, least: float = -math.inf
) -> dict[str, Any]:
    """The two limits that serve the most pairs that ask the same, while at most *wrong_rate* of the others pass.

    That of pairs without an objection is *least* at least, however few look-alikes the rules let through here. Served
    are shares of *every* pair that asks the same, wrong ones of the *near* look-alikes: those similar enough to be
    served at all, so that a set of nothing but near ones gets no more wrong answers.
    """
    others = sum(not pair.same for pair in near)
    served, wrong, free, doubted = _best_limits(near, wrong_rate * others, least)
    return {
        "wrong_rate": wrong_rate,
        "free": None if free == -math.inf else round(free, 4),
        "doubted": round(doubted, 4),
        "served": round(served / max(1, sum(pair.same for pair in every)), 4),
        "wrong": round(wrong / max(1, others), 4),
    }


def _best_limits(near: Sequence[Judged], most_wrong: float, least: float) -> tuple[int, int, float, float]:
    """(served, wrong, limit without an objection, limit of doubted ones) of those that serve the most."""
    free = [pair for pair in near if pair.objection is None]
    doubted = [pair for pair in near if pair.objection in DOUBTS]
    best = (-1, 0, math.inf, math.inf)
    tried = [limit for limit in (least, *_tried(free)) if limit >= least]
    for a, b in itertools.product(tried, _tried(doubted)[1:]):
        passed = [pair.same for pair in free if pair.logit >= a] + [pair.same for pair in doubted if pair.logit >= b]
        served, wrong = sum(passed), len(passed) - sum(passed)
        if wrong <= most_wrong and served > best[0]:
            best = (served, wrong, a, b)
    return best


def _tried(pairs: Sequence[Judged]) -> list[float]:
    logits: NDArray[np.float64] = _quantiles([pair.logit for pair in pairs if not pair.same])
    return [-math.inf, *(float(value) + 1e-3 for value in logits)]


def _quantiles(values: Sequence[float]) -> NDArray[np.float64]:
    """The larger half more finely than the rest, since limits lie there."""
    ordered = np.sort(np.asarray(values, np.float64))[::-1]
    return ordered[np.unique(np.geomspace(1, max(1, len(ordered)), STEPS).astype(int) - 1)] if len(ordered) else ordered


def main(arguments: Sequence[str]) -> int:
    """Judge, calibrate, print a table, write the file."""
    parser = argparse.ArgumentParser(prog="litellm_tokenopt.evaluation.calibration", description=__doc__)
    parser.add_argument("--pairs", type=Path, nargs="+", default=[HELDOUT, EVERYDAY])
    parser.add_argument("--output", type=Path, default=CALIBRATION)
    options = parser.parse_args(arguments)
    facts = calibrated(asyncio.run(judge([pair for path in options.pairs for pair in read_pairs(path)])))
    for row in facts["limits"]:
        print(json.dumps(row))
    options.output.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    print(f"written: {options.output}")
    return 0


def calibrated(told: Sequence[Judged]) -> dict[str, Any]:
    """What the file holds: the curve, the signs' weights, and the limits of each allowed share."""
    threshold = Settings().cache.threshold
    weights = weigh([pair for pair in told if pair.similarity >= threshold])
    every = weighed(told, weights)
    near = [pair for pair in every if pair.similarity >= threshold]
    slope, offset = platt(near)
    least = (math.log(LEAST_BELIEVED / (1 - LEAST_BELIEVED)) - offset) / slope
    return {
        "slope": round(slope, 4),
        "offset": round(offset, 4),
        "pairs": {"same": sum(pair.same for pair in every), "different": sum(not pair.same for pair in every)},
        "similarity_from": threshold,
        "weights": weights,
        "limits": [limits(every, near, rate, least) for rate in WRONG_RATES],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

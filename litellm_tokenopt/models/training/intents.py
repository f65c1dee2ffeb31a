"""Trains the classifiers of intents: ``python -m litellm_tokenopt.models.training.intents``, about 5 minutes.

What is printed is measured on families of tasks that the classifiers were fitted without, by class; ``--report``
prints it and writes nothing. Needs the packaged embedder, and scikit-learn, which comes with sentence-transformers.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...settings import EmbedderSettings
from ...taxonomy import Taxonomy, read_taxonomy
from .. import minilm
from ..base import Embedder
from ..build import build_embedder
from ..intents import NEARNESS, WEIGHTS, features
from ..logistic import Logistic, save_logistic
from .intent_texts import PHRASES, WRITTEN, Text, training_texts

FOLDS = 5
PENALTY = 1 / 3
"""Of large weights (scikit-learn's 1/C)."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Features, shape (rows, features), the names of intents, and which each row is of, shape (rows, intents)."""

    texts: Sequence[Text]
    features: Matrix
    names: Sequence[str]
    labels: NDArray[np.bool_]

    @property
    def folds(self) -> NDArray[np.int64]:
        """Where each row belongs; rows of one family are together."""
        families = sorted({text.family for text in self.texts})
        random.Random(0).shuffle(families)
        place = {family: n % FOLDS for n, family in enumerate(families)}
        return np.array([place[text.family] for text in self.texts])


async def examples(embedder: Embedder, texts: Sequence[Text], taxonomy: Taxonomy) -> Examples:
    """*texts* as the classifiers are shown them."""
    vectors = await embedder.embed([text.text for text in texts])
    names = list(taxonomy.categories)
    labels = np.array([[name in text.intents for name in names] for text in texts])
    return Examples(texts, features([text.text for text in texts], vectors), names, labels)


def fit(told: Matrix, labels: NDArray[np.bool_], penalty: float = PENALTY) -> Logistic:
    """The classifier of one intent."""
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1 / penalty, max_iter=500).fit(csr_matrix(told), labels)
    return Logistic(model.coef_[0].astype(np.float64), float(model.intercept_[0]))


def unseen(kept: Examples) -> Matrix:
    """For each row the classifiers' sums, shape (rows, intents), from ones that were fitted without its family."""
    sums = np.zeros(kept.labels.shape)
    for fold in range(FOLDS):
        held = kept.folds == fold
        for column in range(len(kept.names)):
            head = fit(kept.features[~held], kept.labels[~held, column])
            sums[held, column] = kept.features[held] @ head.weights + head.bias
    return sums


def calibration(sums: Matrix, labels: NDArray[np.bool_]) -> Logistic:
    """Makes probabilities of sums (Platt, 1999): one slope and one bias for all intents."""
    return fit(sums.reshape(-1, 1), labels.reshape(-1), penalty=1e-6)


def calibrated(head: Logistic, by: Logistic) -> Logistic:
    return Logistic(head.weights * by.weights[0], head.bias * float(by.weights[0]) + by.bias)


def nearness(kept: Examples, size: int = 5) -> Logistic:
    """Tells from a text's similarity with the closest of *size* texts of a family whether it is of that family.

    A family stands for a category that a user adds with a few examples.
    """
    chance = random.Random(0)
    vectors = kept.features[:, : minilm.DIMENSIONS]
    families = np.array([text.family for text in kept.texts])
    written = [family for family in sorted(set(families)) if (families == family).sum() >= 3 * size]
    rows, labels = [], []
    for family in chance.sample(written, min(60, len(written))):
        inside = np.flatnonzero(families == family).tolist()
        shown = chance.sample(inside, size)
        intents = kept.texts[inside[0]].intents
        outside = [n for n, text in enumerate(kept.texts) if not set(text.intents) & set(intents)]
        for group, label in ((sorted(set(inside) - set(shown)), True), (chance.sample(outside, 300), False)):
            rows += (vectors[group] @ vectors[shown].T).max(axis=1).tolist()
            labels += [label] * len(group)
    return fit(np.array(rows).reshape(-1, 1), np.array(labels), penalty=1e-3)


def report(kept: Examples, sums: Matrix, by: Logistic) -> None:
    """Print how often the likeliest intent is one of a row's, for each class and kind of text."""
    chance = by.probabilities(sums.reshape(-1, 1)).reshape(sums.shape)
    best = sums.argmax(axis=1)
    right = kept.labels[np.arange(len(best)), best]
    kinds = {
        "written": [text.family.count("/") == 1 and text.kind == "request" for text in kept.texts],
        "made": [text.family.count("/") == 2 for text in kept.texts],
        "two tasks": [text.family.startswith(("pair", "mixed")) for text in kept.texts],
        "tools": [text.kind == "tool" for text in kept.texts],
    }
    first = np.array([text.intents[0] for text in kept.texts])
    print(f"{'':20}" + "".join(f"{kind:>11}" for kind in kinds))
    for name in (*kept.names, ""):
        shares = [right[np.array(of) & ((first == name) | (not name))] for of in kinds.values()]
        print(f"{name or 'all':20}" + "".join(f"{_mean(share):>11}" for share in shares))
    confidence = chance.max(axis=1)
    for least in (0.3, 0.5, 0.7, 0.9):
        sure = confidence >= least
        print(f"confidence ≥ {least}: {sure.mean():.2f} of the texts, right {right[sure].mean():.3f}")


def _mean(values: NDArray[Any]) -> str:
    return f"{values.mean():.3f}" if len(values) else "-"


async def _run(write: bool) -> None:
    kept = await examples(build_embedder(EmbedderSettings()), training_texts(), read_taxonomy())
    print(f"{len(kept.texts)} texts")
    sums = unseen(kept)
    by = calibration(sums, kept.labels)
    report(kept, sums, by)
    if not write:
        return
    heads = {name: calibrated(fit(kept.features, kept.labels[:, column]), by) for column, name in enumerate(kept.names)}
    data = hashlib.sha256(WRITTEN.read_bytes() + PHRASES.read_bytes()).hexdigest()
    save_logistic(WEIGHTS, {**heads, NEARNESS: nearness(kept)}, embedder=minilm.NAME, data_sha256=data)
    print(f"written: {WEIGHTS}")


def main(arguments: Sequence[str]) -> int:
    """Train, report, and write the weights."""
    parser = argparse.ArgumentParser(prog="litellm_tokenopt.models.training.intents", description=__doc__)
    parser.add_argument("--report", action="store_true", help="write no weights")
    asyncio.run(_run(not parser.parse_args(arguments).report))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

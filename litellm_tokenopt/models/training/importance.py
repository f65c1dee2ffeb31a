"""Trains the classifier of words: ``python -m litellm_tokenopt.models.training.importance``, about half a minute.

`data/answerable.jsonl` holds texts in which whatever a question could ask for stands in double brackets. What is
printed is measured on texts that the classifier was fitted without; ``--report`` prints it and writes nothing. Needs
the packaged embedder, and scikit-learn, which comes with sentence-transformers.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...settings import EmbedderSettings
from .. import minilm
from ..build import packaged_embedder
from ..importance import HEAD, WEIGHTS, Span, WordGraph, features, load_words, windows
from ..logistic import Logistic, save_logistic

DATA = Path(__file__).parent / "data" / "answerable.jsonl"
FOLDS = 5
PENALTY = 5.0
"""Of large weights (scikit-learn's 1/C)."""

_WORD = re.compile(r"\S+")


def read_marked(marked: str) -> tuple[str, list[Span]]:
    """(the text without its brackets, where the bracketed pieces stand in it)."""
    text, spans, start = "", list[Span](), 0
    for part in re.split(r"(\[\[|\]\])", marked):
        if part == "[[":
            start = len(text)
        elif part == "]]":
            spans.append((start, len(text)))
        else:
            text += part
    return text, spans


def example(graph: WordGraph, marked: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The features of a text's words, and which of them are within brackets."""
    text, spans = read_marked(marked)
    words = [match.span() for match in _WORD.finditer(text)]
    rows = np.vstack([features(graph, *window) for window in windows(text, words)])
    return rows, np.array([any(a < end and b > start for start, end in spans) for a, b in words])


def fit(rows: NDArray[np.float32], labels: NDArray[np.bool_]) -> Logistic:
    """The classifier of words."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1 / PENALTY, max_iter=1_000).fit(rows, labels)
    return Logistic(model.coef_[0].astype(np.float64), float(model.intercept_[0]))


def unseen_area(examples: Sequence[tuple[NDArray[np.float32], NDArray[np.bool_]]]) -> float:
    """The area under the curve, for each text from a classifier that was fitted without it."""
    from sklearn.metrics import roc_auc_score

    scores = np.empty(sum(len(labels) for _, labels in examples))
    place = np.repeat(np.arange(len(examples)) % FOLDS, [len(labels) for _, labels in examples])
    rows, labels = np.vstack([rows for rows, _ in examples]), np.concatenate([labels for _, labels in examples])
    for fold in range(FOLDS):
        held = place == fold
        scores[held] = fit(rows[~held], labels[~held]).probabilities(rows[held])
    return float(roc_auc_score(labels, scores))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="litellm_tokenopt.models.training.importance", description=__doc__)
    parser.add_argument("--report", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    graph = load_words(packaged_embedder(EmbedderSettings()).exported())
    data = DATA.read_bytes()
    examples = [example(graph, json.loads(line)["text"]) for line in data.decode().splitlines()]
    words, answers = sum(len(labels) for _, labels in examples), sum(int(labels.sum()) for _, labels in examples)
    print(f"{len(examples)} texts, {words:,} words, {answers:,} of them answers; area {unseen_area(examples):.3f}")
    if not options.report:
        head = fit(np.vstack([rows for rows, _ in examples]), np.concatenate([labels for _, labels in examples]))
        save_logistic(WEIGHTS, {HEAD: head}, embedder=minilm.NAME, data_sha256=hashlib.sha256(data).hexdigest())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

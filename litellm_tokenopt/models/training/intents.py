"""Trains the network of intents: ``python -m litellm_tokenopt.models.training.intents``, about 5 minutes.

What is printed is measured, by class, on families of tasks that the network was fitted without, and on the queries in
``data/intents_heldout.jsonl`` and ``data/intents_blind.jsonl``, which were never trained on (of the latter also by the
way in which they are asked). ``--report`` prints it and writes nothing; ``--heldout``
only measures the packaged network on the held-out queries. Needs the packaged embedder, and torch and scikit-learn,
which come with sentence-transformers.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...settings import EmbedderSettings
from ...taxonomy import Taxonomy, read_taxonomy
from .. import minilm
from ..base import Embedder
from ..build import build_embedder
from ..intent_network import BUCKETS, WEIGHTS, IntentNetwork, Layers, buckets, calibrated, odds, save_network
from ..intents import IntentModel
from ..logistic import Logistic
from .intent_report import Told, print_report, print_shares, told_of
from .intent_texts import BLIND, FOLDS, HELDOUT, PAIR, PHRASES, WRITTEN, Text, read_written, training_texts

NETWORKS = 3
"""So many are trained from different seeds, and joined to one."""

UNITS = 256
ROUNDS = 30
BATCH = 256
RATE, WORDS_RATE = 3e-3, 4e-2
DECAY = 1e-3
SCALE = 5.0
"""Vectors are as long when they are shown to the network: it learns faster."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Texts with their vectors and words, and which intents each is of, shape (rows, intents)."""

    texts: Sequence[Text]
    vectors: NDArray[np.float32]
    words: Sequence[Sequence[int]]
    names: Sequence[str]
    labels: NDArray[np.bool_]

    def rows(self, which: NDArray[np.int64]) -> Examples:
        """Some of them, by their places."""
        return replace(
            self, texts=[self.texts[at] for at in which], words=[self.words[at] for at in which],
            vectors=self.vectors[which], labels=self.labels[which],
        )  # fmt: skip


async def examples(embedder: Embedder, texts: Sequence[Text], taxonomy: Taxonomy) -> Examples:
    """*texts* as the network is shown them."""
    vectors = await embedder.embed([text.text for text in texts])
    names = list(taxonomy.categories)
    labels = np.array([[name in text.intents for name in names] for text in texts])
    return Examples(texts, vectors, [buckets(text.text) for text in texts], names, labels)


class Network(torch.nn.Module):
    """What becomes `Layers`, with parts left out at random while it learns."""

    def __init__(self, dimensions: int, intents: int) -> None:
        super().__init__()
        self.hidden = torch.nn.Linear(dimensions, UNITS)
        self.out = torch.nn.Linear(UNITS, intents)
        self.words = torch.nn.Embedding(BUCKETS + 1, intents, padding_idx=BUCKETS)
        torch.nn.init.zeros_(self.words.weight)

    def forward(self, vectors: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        inner = torch.relu(self.hidden(torch.nn.functional.dropout(vectors * SCALE, 0.1, self.training)))
        told = self.out(torch.nn.functional.dropout(inner, 0.5, self.training))
        kept = torch.nn.functional.dropout(torch.ones(words.shape), 0.35, self.training)
        count = (words < BUCKETS).sum(dim=1, keepdim=True).clamp(min=1)
        return torch.as_tensor(told + (self.words(words) * kept.unsqueeze(2)).sum(dim=1) / count**0.5)

    def layers(self) -> Layers:
        hidden, bias, out, out_bias, words = (
            weights.detach().numpy().astype(np.float32)
            for weights in (
                self.hidden.weight * SCALE, self.hidden.bias, self.out.weight, self.out.bias, self.words.weight[:-1],
            )
        )  # fmt: skip
        return Layers(hidden=hidden.T, hidden_bias=bias, out=out.T, out_bias=out_bias, words=words)


def fit(kept: Examples, seed: int = 0) -> Layers:
    """A network that learnt *kept*."""
    torch.set_num_threads(1)  # so small a network only waits for further ones
    torch.manual_seed(seed)
    order = torch.Generator().manual_seed(seed)
    network = Network(kept.vectors.shape[1], len(kept.names))
    groups: list[dict[str, Any]] = [
        {"params": [*network.hidden.parameters(), *network.out.parameters()]},
        {"params": network.words.parameters(), "lr": WORDS_RATE},
    ]
    learning = torch.optim.AdamW(groups, lr=RATE, weight_decay=DECAY)
    slowing = torch.optim.lr_scheduler.CosineAnnealingLR(learning, ROUNDS * -(-len(kept.texts) // BATCH))
    vectors, words = torch.from_numpy(kept.vectors.astype(np.float32)), padded(kept.words)
    labels = torch.from_numpy(kept.labels.astype(np.float32))
    for _ in range(ROUNDS):
        for rows in torch.randperm(len(kept.texts), generator=order).split(BATCH):  # type: ignore[no-untyped-call]
            loss = _loss(network(vectors[rows], words[rows]), labels[rows])
            learning.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            learning.step()
            slowing.step()
    return network.eval().layers()


def padded(words: Sequence[Sequence[int]]) -> torch.Tensor:
    """The `buckets` of each text, filled up to the longest's length with `BUCKETS`."""
    rows = [torch.tensor(found, dtype=torch.long) for found in words]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=BUCKETS)


def _loss(told: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Which intent it is of all (of several, each counts its part), and of each by itself whether it is one."""
    parts = labels / labels.sum(dim=1, keepdim=True).clamp(min=1)
    best = -(parts * torch.log_softmax(told, dim=1)).sum(dim=1)
    each = torch.nn.functional.binary_cross_entropy_with_logits(told, labels, reduction="none").sum(dim=1)
    return (best + each / 2).mean()


def joined(networks: Sequence[Layers]) -> Layers:
    """One whose sums are the mean of theirs."""
    count = len(networks)
    return Layers(
        hidden=np.hstack([each.hidden for each in networks]),
        hidden_bias=np.hstack([each.hidden_bias for each in networks]),
        out=np.vstack([each.out / np.float32(count) for each in networks]),
        out_bias=np.mean([each.out_bias for each in networks], axis=0),
        words=np.mean([each.words for each in networks], axis=0),
    )


def unseen(kept: Examples) -> Matrix:
    """For each row the sums, shape (rows, intents), of a network that was fitted without its family."""
    sums = np.zeros(kept.labels.shape)
    folds = np.array([text.fold for text in kept.texts])
    for fold in range(FOLDS):
        held = kept.rows(np.flatnonzero(folds == fold))
        layers = fit(kept.rows(np.flatnonzero(folds != fold)))
        sums[folds == fold] = layers.sums(held.vectors, held.words)
    return sums


def calibration(sums: Matrix, labels: NDArray[np.bool_]) -> Matrix:
    """Makes probabilities of sums: weights that all intents share, and a bias for each, shape (intents, 3)."""
    from sklearn.linear_model import LogisticRegression

    rows, intents = labels.shape
    shared = np.stack([sums.reshape(-1), odds(sums).reshape(-1)], axis=1)
    own = np.tile(np.eye(intents), (rows, 1))
    model = LogisticRegression(C=1.0, max_iter=500).fit(np.hstack([shared, own]), labels.reshape(-1))
    weights, bias = model.coef_[0], float(model.intercept_[0])
    return np.array([[weights[0], weights[1], weights[2 + intent] + bias] for intent in range(intents)])


def nearness(kept: Examples, size: int = 5) -> Logistic:
    """Tells from a text's similarity with the closest of *size* texts of a family whether it is of that family.

    A family stands for a category that a user adds with a few examples.
    """
    from sklearn.linear_model import LogisticRegression

    chance = random.Random(0)
    families = np.array([text.family for text in kept.texts])
    written = [family for family in sorted(set(families)) if (families == family).sum() >= 3 * size]
    rows, labels = [], []
    for family in chance.sample(written, min(60, len(written))):
        inside = np.flatnonzero(families == family).tolist()
        shown = chance.sample(inside, size)
        intents = kept.texts[inside[0]].intents
        outside = [n for n, text in enumerate(kept.texts) if not set(text.intents) & set(intents)]
        for group, label in ((sorted(set(inside) - set(shown)), True), (chance.sample(outside, 300), False)):
            rows += (kept.vectors[group] @ kept.vectors[shown].T).max(axis=1).tolist()
            labels += [label] * len(group)
    model = LogisticRegression(C=1e3, max_iter=500).fit(np.array(rows).reshape(-1, 1), np.array(labels))
    return Logistic(model.coef_[0].astype(np.float64), float(model.intercept_[0]))


def told_unseen(kept: Examples, sums: Matrix, by: Matrix) -> dict[str, Told]:
    """What is measured on families of their own, for each kind of text."""
    told = told_of(kept.texts, kept.names, calibrated(sums, by))
    by_hand = {text.text for text in read_written() if text.intents}
    kinds = {
        "requests written one by one": [text.kind == "request" and text.text in by_hand for text in kept.texts],
        "requests for two things": [len(text.intents) > 1 and text.text in by_hand for text in kept.texts],
        "descriptions of tools": [text.kind == "tool" for text in kept.texts],
    }
    return {kind: told.of(np.array(rows)) for kind, rows in kinds.items()}


def is_written(text: Text) -> bool:
    """Whether *text* was not put together from phrases."""
    return text.family.count("/") == 1 and not text.family.startswith(PAIR)


async def measure_heldout(embedder: Embedder, taxonomy: Taxonomy) -> None:
    """Print how the packaged network does on the held-out queries, as users meet it."""
    model = IntentModel(embedder, taxonomy)
    for title, path in (("held-out queries", HELDOUT), ("queries from other domains", BLIND)):
        texts = read_written(path)
        told = told_of(texts, model.names, await model.probabilities([text.text for text in texts]))
        print_report(title, told)
    print_shares(told.right[told.first != ""], [text.family for text in texts if text.intents])


async def _train(embedder: Embedder, taxonomy: Taxonomy, write: bool) -> None:
    kept = await examples(embedder, training_texts(), taxonomy)
    sums = unseen(kept)
    plain = np.array([is_written(text) for text in kept.texts])
    by = calibration(sums[plain], kept.labels[plain])
    for kind, told in told_unseen(kept, sums, by).items():
        print_report(f"unseen families: {kind}", told)
    if not write:
        return
    layers = joined([fit(kept, seed) for seed in range(NETWORKS)])
    network = IntentNetwork(names=tuple(kept.names), layers=layers, calibration=by, near=nearness(kept))
    data = hashlib.sha256(WRITTEN.read_bytes() + PHRASES.read_bytes()).hexdigest()
    save_network(WEIGHTS, network, embedder=minilm.NAME, data_sha256=data)
    print(f"written: {WEIGHTS}")


async def _run(train: bool, write: bool) -> None:
    embedder, taxonomy = build_embedder(EmbedderSettings()), read_taxonomy()
    if train:
        await _train(embedder, taxonomy, write)
    await measure_heldout(embedder, taxonomy)


def main(arguments: Sequence[str]) -> int:
    """Train, report, and write the weights."""
    parser = argparse.ArgumentParser(prog="litellm_tokenopt.models.training.intents", description=__doc__)
    parser.add_argument("--report", action="store_true", help="write no weights")
    parser.add_argument("--heldout", action="store_true", help="train nothing, measure the packaged weights")
    options = parser.parse_args(arguments)
    asyncio.run(_run(not options.heldout, not options.report))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

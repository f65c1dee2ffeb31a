"""Trains what sorts questions by kind: ``python -m litellm_tokenopt.cache.kind_training [--report]``.

Reads ``models/training/data/kinds.jsonl``, whose texts hold alternatives (``Flip a coin{| for me}``), the questions of
``in_passing.jsonl`` that hinge on nothing, and those of the verifier's training data that no rule thinks unstable;
writes ``models/weights/kinds.json``. ``--report`` writes
nothing, and prints how the packaged weights do, with the rules, on ``kinds_heldout.jsonl`` and on the verifier's
held-out questions. Needs the packaged embedder.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from ..models import minilm
from ..models.base import Embedder
from ..models.build import build_embedder
from ..models.logistic import save_logistic
from ..settings import EmbedderSettings
from .kinds import KINDS, Kind, sure_kind
from .normalise import normalise
from .sorting import LEAST_KIND, WEIGHTS, Sorter, features
from .training import DATA, IN_PASSING, Examples, fit, read_rows, unseen, variants

ROWS, HELD_OUT = "kinds.jsonl", "kinds_heldout.jsonl"
PAIRS = tuple(f"pairs_{name}.jsonl" for name in ("support", "software", "knowledge", "life", "enterprise", "logic"))
PAIRS_HELD_OUT = "pairs_heldout.jsonl"
_DOUBTFUL = re.compile(
    r"\b(?:my|our|me|i|we|now|today|yesterday|tomorrow|tonight|this|last|next|latest|current|write|draft|name|names|"
    r"ideas?|price|weather|open|book|rent|order|cancel|delete|send|forward|request)\b",
    re.IGNORECASE,
)
_ORDINARY = re.compile(
    r"(?:how (?:do|can|to|does)|can i|could i|may i|do i|should i|must i|what happens|what do i|why|where (?:can|do)|"
    r"is it|i (?:want|need|would like|can't|lost|forgot|don't)|please|the|set|cancel|freeze|change|move|remove|add|"
    r"turn)\b"
    r"(?! (?:is|was) my\b)",
    re.IGNORECASE,
)


def training_rows() -> Iterator[tuple[int, str, Kind]]:
    """(group, question, kind): a row's variants are one group."""
    rows = read_rows(ROWS)
    for group, row in enumerate(rows):
        yield from ((group, text, row["kind"]) for text in variants(row["text"], group))
    fixed = [row["ask"] for row in read_rows(IN_PASSING) if row.get("hinges") == 0]
    for group, text in enumerate(fixed, len(rows)):
        if sure_kind(text) is None:
            yield group, text, "stable"
    asked = [row["ask"] for name in PAIRS for row in read_rows(name)]
    for group, text in enumerate(asked, len(rows) + len(fixed)):
        if sure_kind(text) is None and (_ORDINARY.match(text) or not _DOUBTFUL.search(text)):
            yield group, text, "stable"


async def examples(embedder: Embedder, rows: Sequence[tuple[int, str, Kind]], kind: Kind) -> Examples:
    """Examples of *kind* against all others."""
    vectors = await embedder.embed([normalise(text) for _, text, _ in rows])
    told = [features(text, vector) for (_, text, _), vector in zip(rows, vectors, strict=True)]
    return Examples(
        np.array(told), np.array([named == kind for *_, named in rows]), np.array([group for group, *_ in rows])
    )


async def train() -> None:
    embedder, rows = build_embedder(EmbedderSettings()), list(training_rows())
    heads = {}
    for kind in KINDS[1:]:
        found = await examples(embedder, rows, kind)
        chance = unseen(found) >= LEAST_KIND
        print(
            f"{kind:10} of {int(found.labels.sum())} found unseen {chance[found.labels].mean():.3f}, "
            f"others taken for it {chance[~found.labels].mean():.4f}, of {len(rows)} rows"
        )
        heads[str(kind)] = fit(found)
    data = b"".join((DATA / name).read_bytes() for name in (ROWS, IN_PASSING, *PAIRS))
    save_logistic(WEIGHTS, heads, embedder=minilm.NAME, data_sha256=hashlib.sha256(data).hexdigest())


async def report(embedder: Embedder) -> dict[str, dict[str, float]]:
    """Precision and recall by kind on the held-out questions, and under ``ordinary`` the share of the verifier's
    held-out questions that is taken for anything but stable."""
    sorter = Sorter(embedder)
    pairs = [(row["kind"], await sorter.kind(row["text"])) for row in read_rows(HELD_OUT)]
    said = Counter(pairs)
    scores = {}
    for kind in KINDS:
        right = said[kind, kind]
        called, are = (
            sum(n for (_, k), n in said.items() if k == kind),
            sum(n for (k, _), n in said.items() if k == kind),
        )
        scores[str(kind)] = {"precision": right / max(called, 1), "recall": right / max(are, 1), "questions": are}
    ordinary = [row["ask"] for row in read_rows(PAIRS_HELD_OUT)]
    skipped = [text for text in ordinary if await sorter.kind(text) != "stable"]
    scores["ordinary"] = {"not_stable": len(skipped) / len(ordinary), "questions": len(ordinary)}
    return scores


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="litellm_tokenopt.cache.kind_training", description=__doc__)
    parser.add_argument("--report", action="store_true", help="only say how the packaged weights do")
    if not parser.parse_args(arguments).report:
        asyncio.run(train())
    for name, values in asyncio.run(report(build_embedder(EmbedderSettings()))).items():
        print(f"{name:10}", "  ".join(f"{key} {value:.3f}".removesuffix(".000") for key, value in values.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

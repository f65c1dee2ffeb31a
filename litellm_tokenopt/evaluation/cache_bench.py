"""What a look-up in the answer cache takes: ``python -m litellm_tokenopt.evaluation.cache_bench --entries 10000``.

Fills an embedded Redis with answers to generated questions, all of one scope (so that each is compared with all), and
times the cache stage on literal repeats, on rewordings and on new questions, whole and by part. Beyond `EMBEDDED`
answers, which the look-ups ask for, the others stand around these with vectors that no model made: 100,000 embeddings
would take longer than all the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from ..cache.build import build_flights, build_store, build_verifier
from ..cache.indexes import LARGE_ENTRIES
from ..cache.manager import SemanticCacheManager
from ..cache.normalise import normalise
from ..cache.scope import scope_of
from ..cache.stage import CacheStage
from ..cache.stores import AnswerStore, Entry, Hit
from ..cache.verifier import Judgement, Verifier
from ..models.base import Embedder
from ..models.build import build_embedder
from ..pipeline import Pipeline
from ..redis.embedded import FOLDER_VARIABLE
from ..redis.pool import RedisPool
from ..request import ChatRequest
from ..settings import Settings
from ..tokens import RequestCounter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")

KINDS = ("exact", "semantic", "miss")
PARTS = ("whole", "processor", "exact key", "embed", "search", "verify")
"""``processor`` is this process's time on its processors, which a busy machine lengthens less than the clock's."""

EMBEDDED = 10_000
NEAR = 0.9
"""The cosine of a vector that no model made with the embedding that it stands by: such an entry may be a candidate."""

BATCH = 64
SETTLE_SECONDS = 1.0

_ACTIONS = (
    "cancel renew export restore archive share print translate transfer upgrade rename duplicate schedule encrypt "
    "merge publish import unlock review delete"
).split()
_THINGS = (
    "invoice subscription password report contract passport playlist garden lease database recipe calendar mortgage "
    "newsletter spreadsheet prescription timetable backup warranty visa scholarship podcast voucher mailbox portfolio "
    "blueprint survey payslip logbook catalogue"
).split()
_OWNERS = (
    "dentist landlord teacher cousin accountant plumber neighbour supplier library gym hotel airline bakery museum "
    "florist tailor band club choir courier bank embassy insurer hospital farm bookshop studio agency team office"
).split()
_PLACES = (
    "Lisbon Oslo Nairobi Lima Quebec Osaka Perth Krakow Bergen Havana Tunis Zagreb Malmo Porto Turin Leeds Basel Ghent"
).split()


@dataclass(slots=True)
class Clock:
    """Milliseconds that the parts of each look-up took."""

    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def timed(self, part: str, work: Awaitable[T]) -> T:
        begun = time.perf_counter()
        try:
            return await work
        finally:
            self.took[part].append((time.perf_counter() - begun) * 1000)


class TimedEmbedder:
    def __init__(self, inner: Embedder, clock: Clock) -> None:
        self._inner, self._clock = inner, clock
        self.name, self.dimensions = inner.name, inner.dimensions

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return await self._clock.timed("embed", self._inner.embed(texts))

    def close(self) -> None:
        self._inner.close()


class TimedVerifier:
    def __init__(self, inner: Verifier, clock: Clock) -> None:
        self._inner, self._clock = inner, clock

    async def judge(self, asked: str, stored: str) -> Judgement:
        return await self._clock.timed("verify", self._inner.judge(asked, stored))

    async def likeness(self, one: str, other: str) -> float | None:
        return await self._clock.timed("verify", self._inner.likeness(one, other))

    async def ready(self) -> None:
        await self._inner.ready()

    def close(self) -> None:
        self._inner.close()


class TimedStore:
    """The two look-ups of a store timed; all else is the store's own."""

    def __init__(self, inner: AnswerStore, clock: Clock) -> None:
        self._inner, self._clock = inner, clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def get_exact(self, key: str) -> Entry | None:
        return await self._clock.timed("exact key", self._inner.get_exact(key))

    async def search(self, scope: str, vector: NDArray[np.float32], k: int, threshold: float) -> list[Hit]:
        return await self._clock.timed("search", self._inner.search(scope, vector, k, threshold))


def questions(count: int) -> list[tuple[str, str]]:
    """(question, the same in other words), *count* of them, in an order that is always the same."""
    every = list(itertools.product(_ACTIONS, _THINGS, _OWNERS, _PLACES))
    chosen = random.Random(0).sample(every, min(count, len(every)))
    return [
        (f"How do I {a} the {t} from my {o} in {p}?", f"How can I {a} the {t} from my {o} in {p}, please?")
        for a, t, o, p in chosen
    ]


class Bench:
    """A cache of *entries* answers on an embedded Redis of its own."""

    def __init__(self, entries: int) -> None:
        self.clock = Clock()
        self.settings = Settings.model_validate(
            {"redis": {"url": "embedded", "embedded_max_memory_mb": 64 + entries // 100, "timeout_seconds": 5}}
        )
        self.pool = RedisPool(self.settings.redis)
        self._embedder = build_embedder(self.settings.embedder)
        self.store = build_store(self.settings, self.pool, self._embedder)
        self._manager = SemanticCacheManager(
            self.settings.cache,
            TimedStore(self.store, self.clock),
            TimedEmbedder(self._embedder, self.clock),
            TimedVerifier(build_verifier(self.settings), self.clock),
        )
        stage = CacheStage(self._manager, build_flights(self.settings, self.pool))
        self._pipeline = Pipeline([stage], counter=RequestCounter, budget_seconds=60)

    async def vectors(self, asked: Sequence[str]) -> NDArray[np.float32]:
        """The questions' embeddings, shape (questions, dimensions)."""
        return await self._embedder.embed([normalise(one) for one in asked])

    async def put(self, asked: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Store an answer to each question, to be found by its vector."""
        await asyncio.gather(*(self._put(one, vector) for one, vector in zip(asked, vectors, strict=True)))

    async def settle(self, entries: int) -> None:
        """Wait until the answers are searched by the index that so many get: a process looks when it starts."""
        kind = "hnsw" if entries > LARGE_ENTRIES else "flat"
        (vector,) = await self.vectors(["Which index is there?"])
        while True:
            await self.store.search("", vector, 1, 1.0)
            indexes = (await self.store.health())["indexes"]
            if [(index["algorithm"], index["built"]) for index in indexes] == [(kind, True)]:
                return
            await asyncio.sleep(SETTLE_SECONDS)

    async def ask(self, question: str) -> str:
        """Ask once; why it was answered or not."""
        begun = time.process_time()
        outcome = await self.clock.timed("whole", self._pipeline.before(_request(question)))
        self.clock.took["processor"].append((time.process_time() - begun) * 1000)
        self._pipeline.abandon(outcome)
        return outcome.steps[0].verdict.reason

    async def _put(self, question: str, vector: NDArray[np.float32]) -> None:
        scope = scope_of(_request(question), self.settings.cache, self._embedder.name).id
        text = f"An answer of the usual length to: {question} " + "It has several sentences. " * 20
        entry = Entry(
            key=self._manager.key(question, scope), scope=scope, question=question, text=text, finish="stop",
            payload={"choices": [{"message": {"content": text}}]}, created=time.time(), model="bench",
        )  # fmt: skip
        await self.store.put(entry, vector, 3600)


def _request(question: str) -> ChatRequest:
    return ChatRequest(model="bench", messages=({"role": "user", "content": question},))


async def run(entries: int, lookups: int, progress: Callable[[int], object]) -> dict[str, Any]:
    """The figures by kind of look-up (`KINDS`) and part (`PARTS`): p50 and p95 in milliseconds, calls a look-up.

    Beside the parts stand the ``reasons`` that the stage gave. *progress* is told of every batch that was stored.
    """
    asked = questions(entries + lookups)
    stored, others = asked[:entries], asked[entries:]
    filling, bench = Bench(entries), Bench(entries)
    try:
        await _fill(filling, [question for question, _ in stored], progress)
        await bench.settle(entries)
        chosen = random.Random(1).sample(stored[:EMBEDDED], min(lookups, entries, EMBEDDED))
        kinds: Mapping[str, list[str]] = {
            "exact": [question for question, _ in chosen],
            "semantic": [other for _, other in chosen],
            "miss": [f"{question} I mean the {n}th one." for n, (question, _) in enumerate(others)],
        }
        found: dict[str, Any] = {"entries": entries}
        for kind, texts in kinds.items():
            await bench.ask(f"A first question, to warm up for {kind}")
            bench.clock.took.clear()
            reasons = [await bench.ask(text) for text in texts]
            found[kind] = _figures(bench.clock.took, len(texts))
            found[kind]["reasons"] = {reason: reasons.count(reason) for reason in sorted(set(reasons))}
    finally:
        await bench.pool.aclose()
        await filling.pool.aclose()
    return found


async def _fill(bench: Bench, asked: Sequence[str], progress: Callable[[int], object]) -> None:
    """Store an answer to each question, those beyond `EMBEDDED` around the others' vectors."""
    import numpy as np

    chance = np.random.default_rng(0)
    known: list[NDArray[np.float32]] = []
    for start in range(0, len(asked), BATCH):
        batch = asked[start : start + BATCH]
        if start < EMBEDDED:
            vectors = await bench.vectors(batch)
            known.append(vectors)
        else:
            vectors = _around(known[chance.integers(len(known))][: len(batch)], chance)
        await bench.put(batch, vectors)
        progress(len(batch))


def _around(vectors: NDArray[np.float32], chance: np.random.Generator) -> NDArray[np.float32]:
    """Unit vectors with a cosine of `NEAR` to *vectors*."""
    import numpy as np

    noise = chance.standard_normal(vectors.shape).astype(np.float32)
    noise -= (noise * vectors).sum(1, keepdims=True) * vectors
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    return np.asarray(NEAR * vectors + (1 - NEAR**2) ** 0.5 * noise, np.float32)


def _figures(took: Mapping[str, Sequence[float]], lookups: int) -> dict[str, Any]:
    return {part: _summary(took[part], lookups) for part in PARTS if took.get(part)}


def _summary(times: Sequence[float], lookups: int) -> dict[str, float]:
    ordered = sorted(times)
    at = {"p50": ordered[len(ordered) // 2], "p95": ordered[int(len(ordered) * 0.95)]}
    return {**{name: round(value, 2) for name, value in at.items()}, "calls": round(len(times) / lookups, 2)}


def show(found: Mapping[str, Any]) -> None:
    """The figures as a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table("", *PARTS, title=f"A look-up among {found['entries']:,} answers: milliseconds, p50 / p95")
    for kind in KINDS:
        cells = [found[kind].get(part) for part in PARTS]
        table.add_row(kind, *(f"{cell['p50']:.1f} / {cell['p95']:.1f}" if cell else "" for cell in cells))
    console = Console(width=max(100, Console().width))
    console.print(table)


def main(arguments: Sequence[str]) -> int:
    """Fill, time, print."""
    from rich.console import Console
    from rich.progress import Progress

    parser = argparse.ArgumentParser(prog="litellm_tokenopt.evaluation.cache_bench", description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--lookups", type=int, default=300, help="of each kind")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tokenopt-bench-") as folder, Progress(console=Console(stderr=True)) as bar:
        os.environ[FOLDER_VARIABLE] = folder
        task = bar.add_task("storing answers", total=options.entries)
        found = asyncio.run(run(options.entries, options.lookups, lambda more: bar.advance(task, more)))
    print(json.dumps(found)) if options.json else show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

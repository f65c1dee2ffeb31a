"""The pair model, served: the probability that two questions ask the same."""

from __future__ import annotations

import bisect
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import ModelUnavailable
from ..request import digest
from . import minilm
from .export import PAIR_GRAPH
from .files import PAIR_WEIGHTS, sha256_of
from .once import Once
from .onnx import OnnxEmbedder, load_session, load_tokenizer
from .pair_input import pair_inputs
from .workers import Workers

CALIBRATION = PAIR_WEIGHTS.with_suffix(".json")
MAX_TOKENS = 256
SMALL_CHARS = 200
"""Two questions of so many characters together, about 50 tokens, are compared in 4 ms."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The logits from which on a pair counts as the same, for one allowed share of wrong answers.

    `free` is for pairs that no rule objects to (-inf: they needn't be compared at all), `doubted` for those with an
    objection that may be no more than another wording.
    """

    free: float
    doubted: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What logits mean: `slope` and `offset` give a probability, `limits` belong to the `wrong_rates` (ascending).

    A wrong rate is the share of near look-alikes (another meaning) that would be served, measured on questions
    that the model was not trained on. `weights` are what the rules' signs add to the logits of doubted pairs, `model`
    is a digest of the model that all this was measured with.
    """

    slope: float
    offset: float
    wrong_rates: tuple[float, ...]
    limits: tuple[Limits, ...]
    weights: Mapping[str, float] = field(default_factory=dict)
    model: str = ""

    def weight(self, signs: Iterable[str]) -> float:
        """What *signs* add to a logit."""
        return sum(self.weights.get(sign, 0.0) for sign in signs)

    def probability(self, logit: float) -> float:
        """The probability that both ask the same."""
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, self.slope * logit + self.offset))))

    def limits_for(self, wrong_rate: float) -> Limits:
        """What pairs must reach so that at most *wrong_rate* of the look-alikes do."""
        at = bisect.bisect_right(self.wrong_rates, wrong_rate)
        return self.limits[at - 1] if at else Limits(math.inf, math.inf)


@lru_cache(maxsize=1)
def calibration() -> Calibration:
    """The packaged calibration. A limit of null in the file stands for -inf."""
    facts = json.loads(CALIBRATION.read_text(encoding="utf-8"))
    rows = sorted(facts["limits"], key=lambda row: row["wrong_rate"])
    limits = tuple(Limits(-math.inf if row["free"] is None else row["free"], row["doubted"]) for row in rows)
    rates = tuple(row["wrong_rate"] for row in rows)
    model = digest(minilm.WEIGHTS_SHA256, sha256_of(PAIR_WEIGHTS))
    return Calibration(facts["slope"], facts["offset"], rates, limits, facts["weights"], model)


@dataclass(frozen=True, slots=True)
class PairGraph:
    """The loaded export."""

    session: Any
    tokenizer: Any

    def logit(self, first: str, second: str) -> float:
        """The logit of "both ask the same", the same in either order."""
        a, b = sorted(self.tokenizer.encode(text).ids for text in (first, second))
        inputs = pair_inputs([(a[1:-1], b[1:-1])], a[0], a[-1])
        return float(self.session.run(["logit"], inputs)[0][0])


class PairModel:
    """Compares questions with the export that belongs to *embedder*."""

    def __init__(self, embedder: OnnxEmbedder) -> None:
        self._embedder = embedder
        self._graph = Once(self._load)
        self._workers = Workers(2, "tokenopt-pairs")

    async def logits(self, asked: str, others: Sequence[str]) -> list[float]:
        """The logit of each of *others* asking the same as *asked*. Raises `ModelUnavailable`."""
        graph = await self._graph.get()
        return [await self._logit(graph, asked, other) for other in others]

    async def _logit(self, graph: PairGraph, asked: str, other: str) -> float:
        run = self._workers.run_small if len(asked) + len(other) <= SMALL_CHARS else self._workers.run
        return await run(graph.logit, asked, other)

    async def ready(self) -> None:
        """Wait, however long, until the model is loaded. Raises `ModelUnavailable`."""
        await self._graph.get()

    def close(self) -> None:
        """Let go of the model and its threads. It can be used again."""
        self._workers.close()
        self._graph.forget()

    def _load(self) -> PairGraph:
        folder = self._embedder.exported()
        try:
            return load_pairs(folder)
        except Exception as error:
            raise ModelUnavailable(f"the pair model in {folder} can't be loaded: {error}") from error


def load_pairs(folder: Path) -> PairGraph:
    """The pair model of the export in *folder*."""
    return PairGraph(load_session(folder / PAIR_GRAPH), load_tokenizer(folder, MAX_TOKENS))

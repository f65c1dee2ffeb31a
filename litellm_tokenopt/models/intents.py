"""Which kinds of tasks a text is about: trained classifiers over its vector and its words.

A category that no classifier knows is told by how close the text comes to the category's description and examples.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ..lexical import terms
from ..taxonomy import Taxonomy
from .base import Embedder
from .logistic import WEIGHTS_FOLDER, load_logistic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .logistic import Logistic

    Matrix = NDArray[np.float64]

WEIGHTS = WEIGHTS_FOLDER / "intents.json"
NEARNESS = ".nearness"
"""Name of the classifier that tells from a text's similarity with the closest example whether it is of its category."""

BUCKETS = 4_096
"""Words are counted by a hash of so many values."""

WORDS_WEIGHT = 1.0
"""Length of the part of a text's features that its words give; that of its vector is 1."""

MAX_CHARS = 2_000
"""Longer texts are read from both their ends."""


@dataclass(frozen=True, slots=True)
class Intent:
    """How likely a text is of each category, 0 to 1; it may be of several, or of none."""

    all: Mapping[str, float]

    @property
    def category(self) -> str:
        """The likeliest; the first of the taxonomy where two are equal."""
        return max(self.all, key=lambda name: self.all[name])

    @property
    def confidence(self) -> float:
        """How likely the text is of that category."""
        return self.all[self.category]


class IntentModel:
    """Sorts texts into the categories of *taxonomy*. Loads nothing before its first text."""

    def __init__(self, embedder: Embedder, taxonomy: Taxonomy) -> None:
        self._embedder = embedder
        self._taxonomy = taxonomy
        self._examples = [(name, text) for name, kind in taxonomy.categories.items() for text in kind.texts]

    @property
    def names(self) -> tuple[str, ...]:
        """The categories, in the order of the taxonomy."""
        return tuple(self._taxonomy.categories)

    async def classify(self, texts: Sequence[str]) -> list[Intent]:
        """The intents of *texts*. Raises `ModelUnavailable`."""
        rows = await self.probabilities(texts)
        return [Intent(dict(zip(self.names, map(float, row), strict=True))) for row in rows]

    async def probabilities(self, texts: Sequence[str]) -> Matrix:
        """The same as numbers, shape (texts, categories). Raises `ModelUnavailable`."""
        import numpy as np

        heads = self._heads
        shown = [shortened(text) for text in texts]
        vectors = await self._embedder.embed(shown)
        examples = await self._embedder.embed([text for _, text in self._examples])
        cosines = np.asarray(vectors @ examples.T, np.float64)
        near = heads[NEARNESS].probabilities(cosines.reshape(-1, 1)).reshape(cosines.shape)
        told = features(shown, vectors)
        columns = []
        for name in self.names:
            own = near[:, [at for at, (category, _) in enumerate(self._examples) if category == name]].max(axis=1)
            columns.append(np.maximum(own, heads[name].probabilities(told)) if name in heads else own)
        return np.stack(columns, axis=1)

    @cached_property
    def _heads(self) -> dict[str, Logistic]:
        return load_logistic(WEIGHTS, self._embedder.name)


def shortened(text: str) -> str:
    """*text*, or its two ends where it is very long."""
    return text if len(text) <= MAX_CHARS else f"{text[: MAX_CHARS // 2]} {text[-MAX_CHARS // 2 :]}"


def features(texts: Sequence[str], vectors: NDArray[np.float32]) -> Matrix:
    """What the classifiers are shown, shape (texts, dimensions + `BUCKETS`): the vector, then which words there are."""
    import numpy as np

    words = np.zeros((len(texts), BUCKETS))
    for row, text in enumerate(texts):
        buckets = {zlib.crc32(word.encode()) % BUCKETS for word in terms(text)}
        if buckets:
            words[row, sorted(buckets)] = WORDS_WEIGHT / len(buckets) ** 0.5
    return np.hstack([vectors.astype(np.float64), words])

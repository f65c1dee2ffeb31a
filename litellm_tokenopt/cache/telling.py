"""Tells by the embedder what rules can't: whether a last turn stands alone, and whether a clause is small talk."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..errors import ModelUnavailable
from ..models.base import Embedder
from ..models.logistic import WEIGHTS_FOLDER, Logistic, load_logistic
from .normalise import normalise
from .standing import LastTurn, features, points_back

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

WEIGHTS = WEIGHTS_FOLDER / "conversations.json"
STANDING, SMALL_TALK = "standing", "small_talk"
VECTOR_SCALE = 5.0
"""What vectors are multiplied by, so that the penalty on weights treats them like the other features."""
LEAST_STANDING = 0.5
LEAST_SMALL_TALK = 0.6


class Teller:
    """Answers by trained classifiers on *embedder*'s vectors; `ready` is False where they were trained on another's.

    The questions raise `UnavailableError` when the embedder can't be had.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    @property
    def ready(self) -> bool:
        return bool(self._heads)

    async def stands_alone(self, turn: LastTurn, history: Sequence[str]) -> bool:
        """Whether *turn* asks what it would ask without *history*, the texts before it."""
        if not self.ready or points_back(turn.core):
            return False
        vector = (await self._embedder.embed([normalise(turn.core)]))[0]
        told = _joined(features(turn, history), vector)
        return self._heads[STANDING].probability(told) >= LEAST_STANDING

    async def small_talk(self, clauses: Sequence[str]) -> bool:
        """Whether all *clauses* are small talk."""
        if not clauses:
            return True
        if not self.ready:
            return False
        vectors = await self._embedder.embed(clauses)
        head = self._heads[SMALL_TALK]
        return all(head.probability(_joined([], vector)) >= LEAST_SMALL_TALK for vector in vectors)

    @cached_property
    def _heads(self) -> dict[str, Logistic]:
        try:
            return load_logistic(WEIGHTS, self._embedder.name)
        except ModelUnavailable as error:
            logger.info("conversations share answers only with the very same history: %s", error)
            return {}


def _joined(told: Sequence[float], vector: NDArray[np.float32]) -> NDArray[np.float64]:
    import numpy as np

    joined: Any = np.concatenate([np.array(told, np.float64), vector.astype(np.float64) * VECTOR_SCALE])
    return np.asarray(joined, np.float64)

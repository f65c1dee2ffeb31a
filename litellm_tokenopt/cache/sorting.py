"""Sorts questions by whether their answers may be given again: by rules, and by a trained classifier."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..errors import ModelUnavailable, UnavailableError
from ..models.base import Embedder
from ..models.logistic import WEIGHTS_FOLDER, Logistic, load_logistic
from ..models.workers import meanwhile
from ..request import Message, last_question
from .kinds import KINDS, Kind, hints, sure_kind, surely_stable
from .normalise import normalise
from .reading import read
from .standing import points_back, split_turn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

WEIGHTS = WEIGHTS_FOLDER / "kinds.json"
VECTOR_SCALE = 5.0
"""What vectors are multiplied by, so that the penalty on weights treats them like the other features."""

LEAST_KIND = 0.6
"""How likely a question must be of a kind that isn't stable to be taken for one."""

MAX_CHARS = 1_000
"""Longer questions are sorted by rules alone."""


class Sorter:
    """Tells a question's kind. Where *embedder* isn't the one that was trained on, or fails, rules alone tell it."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def kind(self, question: str) -> Kind:
        sure = sure_kind(question)
        if sure is not None:
            return sure
        if len(question) > MAX_CHARS or not self._heads or surely_stable(question):
            return "stable"
        meanwhile(hints, question)
        meanwhile(read, question)  # for the rules, which come next
        try:
            vector = (await self._embedder.embed([normalise(question)]))[0]
        except UnavailableError:
            return "stable"
        return likely_kind(self._heads, features(question, vector))

    async def kind_of_last(self, messages: Sequence[Message]) -> Kind:
        """The kind of the last user turn of *messages*; where it leans on earlier ones, which rules alone can tell."""
        question = last_question(messages)
        if not any(message.get("role") == "assistant" for message in messages):
            return await self.kind(question)
        core = split_turn(question).core
        return sure_kind(core) or "stable" if points_back(core) else await self.kind(core)

    @cached_property
    def _heads(self) -> dict[str, Logistic]:
        try:
            return load_logistic(WEIGHTS, self._embedder.name)
        except ModelUnavailable as error:
            logger.info("questions are sorted by rules alone: %s", error)
            return {}


def likely_kind(heads: dict[str, Logistic], told: NDArray[np.float64]) -> Kind:
    """The likeliest kind of a question with the features *told*; stable where none is likely enough."""
    chances = {kind: heads[kind].probability(told) for kind in KINDS if kind in heads}
    best = max(chances, key=lambda kind: chances[kind])
    return best if chances[best] >= LEAST_KIND else "stable"


def features(question: str, vector: NDArray[np.float32]) -> NDArray[np.float64]:
    """What the classifiers read, shape (hints + dimensions,)."""
    import numpy as np

    joined: Any = np.concatenate([np.array(hints(question)), vector.astype(np.float64) * VECTOR_SCALE])
    return np.asarray(joined, np.float64)

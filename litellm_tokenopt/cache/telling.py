"""Tells by the embedder what rules can't: whether a last turn stands alone, and whether a clause is small talk."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..errors import ModelUnavailable
from ..memo import Memo
from ..models.base import Embedder
from ..models.logistic import WEIGHTS_FOLDER, Logistic, load_logistic
from .asides import talk_signs
from .chatter import is_talk
from .facts import asks_advice, question_signs, statement_signs
from .lasting import is_circumstance
from .normalise import normalise
from .situation import Clause
from .standing import LastTurn, features, points_back

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

WEIGHTS = WEIGHTS_FOLDER / "conversations.json"
STANDING, SMALL_TALK, HINGES, FACT, RESTATED = "standing", "small_talk", "hinges", "fact", "restated"
VECTOR_SCALE = 5.0
"""What vectors are multiplied by, so that the penalty on weights treats them like the other features."""
LEAST_STANDING = 0.5
LEAST_STANDING_FIXED, MOST_FIXED = 0.1, 0.05
"""Less will do for a question that hinges on nothing, up to the second: "what is a tort?"."""
LEAST_AHEAD, LEAST_TOLD = 0.1, 0.35
"""How much likelier a clause must be small talk than to tell a fact, and how likely a fact never is small talk."""
LEAST_HINGING, LEAST_FACT, LEAST_BOTH = 0.35, 0.2, 1.0
"""How likely a question must hinge on facts, a statement be one, and what both must come to, for it to count."""
LEAST_HINGING_SURELY = 0.15
"""How likely it must, for what rules know for a fact to count."""


class Teller:
    """Answers by trained classifiers on *embedder*'s vectors; `ready` is False where they were trained on another's.

    The questions raise `UnavailableError` when the embedder can't be had.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._facts: Memo[str, float] = Memo(max_entries=20_000)
        self._talk: Memo[Clause, float] = Memo(max_entries=20_000)

    @property
    def ready(self) -> bool:
        return bool(self._heads)

    async def stands_alone(self, turn: LastTurn, history: Sequence[str]) -> bool:
        """Whether *turn* asks what it would ask without *history*, the texts before it, but for facts told there."""
        if not self.ready or points_back(turn.core):
            return False
        vector = (await self._embedder.embed([normalise(turn.core)]))[0]
        alone = self._heads[STANDING].probability(_joined(features(turn, history), vector))
        if alone >= LEAST_STANDING:
            return True
        return alone >= LEAST_STANDING_FIXED and self._hinges(turn.core, vector) < MOST_FIXED

    async def small_talk(self, clauses: Sequence[Clause], least: Sequence[float | None]) -> list[bool]:
        """Of each of *clauses* whether it is small talk, as likely as *least* says (None: never), and no fact."""
        asked = [clause for clause, sure in zip(clauses, least, strict=True) if sure is not None]
        if not (asked and self.ready):
            return [False] * len(clauses)
        chances = dict(zip(asked, await self._idle(asked), strict=True))
        return [sure is not None and chances[clause] >= sure for clause, sure in zip(clauses, least, strict=True)]

    async def facts(self, turn: LastTurn, statements: Sequence[str]) -> tuple[str, ...]:
        """Those of *statements* that the answer to *turn* may depend on."""
        if not statements:
            return ()
        vector = (await self._embedder.embed([normalise(turn.core)]))[0]
        hinges = self._hinges(turn.core, vector)
        if hinges < LEAST_HINGING_SURELY:
            return ()
        if hinges < LEAST_HINGING:
            return tuple(filter(is_circumstance, statements))
        if asks_advice(turn.core):
            return tuple(text for text in statements if not is_talk(text))
        least = max(LEAST_FACT, LEAST_BOTH - hinges)
        chances = await self._chances(statements)
        return tuple(text for text, chance in zip(statements, chances, strict=True) if chance >= least)

    def restated(self, signs: Sequence[float]) -> float:
        """How likely two turns with *signs* (`restated.restating_signs`) say the same."""
        import numpy as np

        return self._heads[RESTATED].probability(np.array(signs, np.float64))

    async def _idle(self, clauses: Sequence[Clause]) -> list[float]:
        """How likely each of *clauses* is small talk; 0 where it's about as likely a fact of the user's. Remembered."""
        new = [clause for clause in dict.fromkeys(clauses) if clause not in self._talk]
        if new:
            texts, head = [clause.text for clause in new], self._heads[SMALL_TALK]
            vectors, facts = await self._embedder.embed(texts), await self._chances(texts)
            for clause, vector, fact in zip(new, vectors, facts, strict=True):
                chance = head.probability(_joined(talk_signs(clause), vector))
                told = clause.by != "a" and (fact >= LEAST_TOLD or chance < fact + LEAST_AHEAD)
                self._talk.put(clause, 0.0 if told else chance)
        return [self._talk.get(clause) or 0.0 for clause in clauses]

    def _hinges(self, core: str, vector: NDArray[np.float32]) -> float:
        """How likely the answer to *core* hinges on who asks."""
        return self._heads[HINGES].probability(_joined(question_signs(core), vector))

    async def _chances(self, statements: Sequence[str]) -> list[float]:
        """How likely each of *statements* tells a fact; remembered, as a conversation sends its turns again."""
        new = [text for text in dict.fromkeys(statements) if text not in self._facts]
        if new:
            head = self._heads[FACT]
            for text, vector in zip(new, await self._embedder.embed(new), strict=True):
                sure = is_circumstance(text)
                self._facts.put(text, 1.0 if sure else head.probability(_joined(statement_signs(text), vector)))
        return [self._facts.get(text) or 0.0 for text in statements]

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

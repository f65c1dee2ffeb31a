"""Second looks, off the requests' path: was a hit right, and would a refused answer have been?"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TypeAlias

from ..background import Background
from ..request import Reply, digest
from ..settings import CacheSettings
from .agreement import AnswerComparer
from .cacheable import reply_refusal
from .evidence import Outcome, Pair
from .judge import Judge
from .learner import Learner
from .manager import Lookup, Near

logger = logging.getLogger(__name__)

Followup: TypeAlias = Callable[[Reply], Awaitable[str | None]]

GREY = 3.0
"""Log-odds below the line within which a refused pair is worth a second look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckHit:
    """The follow-up of a hit: compares the model's reply, which the client doesn't wait for, with what was given.

    Where they differ, the fresh reply is stored (*storing*) for the question that got the other.
    """

    looks: SecondLooks
    pair: Pair
    question: str
    cached: str
    storing: Followup | None

    async def __call__(self, reply: Reply) -> str | None:
        outcome = await self.looks.compared(self.question, self.cached, reply)
        await self.looks.learner.checked(self.pair, outcome)
        return await self.storing(reply) if outcome == "different" and self.storing is not None else None

    def abandon(self) -> None:
        """Nothing is lost by a check that isn't made."""


class SecondLooks:
    """Chooses what gets a second look, and learns from it.

    A share ``shadow_fraction`` of the semantic hits is drawn by a hash over the pair and the number of the hit, so that
    each hit is as likely to be checked. A question that was refused near the line goes to the model anyway: its answer
    is compared too (*chores*), which costs no call; *judge*, if there is one, is asked about the questions (*calls*).
    """

    def __init__(
        self,
        settings: CacheSettings,
        learner: Learner,
        comparer: AnswerComparer,
        judge: Judge | None,
        *,
        calls: Background,
        chores: Background,
    ) -> None:
        self.learner = learner
        self._settings = settings
        self._comparer = comparer
        self._calls = calls
        self._chores = chores
        self._judge = judge
        self._numbers = count()

    def of_hit(self, found: Lookup, question: str, storing: Followup | None) -> CheckHit | None:
        """The check of a hit, if it's drawn."""
        if found.pair is None or found.entry is None or not self._drawn(found.pair):
            return None
        return CheckHit(looks=self, pair=found.pair, question=question, cached=found.entry.text, storing=storing)

    def of_miss(self, found: Lookup, question: str) -> Callable[[Reply], None] | None:
        """What to do with the model's reply to a refused question besides storing it."""
        near = found.near
        if near is None or not in_doubt(near.pair) or not self._settings.shadow_fraction:
            return None
        return partial(self._look_at, question, near, self._drawn(near.pair))

    def judge(self, found: Lookup, question: str) -> None:
        """Have the judge asked about a question that was refused near the line, if there is a judge."""
        near = found.near
        if self._judge is not None and near is not None and in_doubt(near.pair):
            self._calls.submit(partial(self._judged, self._judge, question, near))

    async def compared(self, question: str, cached: str, reply: Reply) -> Outcome:
        """What the cached answer and the model's reply come to. Raises what comparing raises."""
        if reply_refusal(reply, self._settings.max_answer_bytes) is not None:
            return "unknown"
        return await self._comparer.compare(question, cached, reply.text)

    def _look_at(self, question: str, near: Near, drawn: bool, reply: Reply) -> None:
        self._chores.submit(partial(self._explored, question, near, drawn, reply))

    async def _explored(self, question: str, near: Near, drawn: bool, reply: Reply) -> None:
        outcome = await self.compared(question, near.entry.text, reply)
        await self.learner.explored(near.pair, outcome, drawn=drawn)

    async def _judged(self, judge: Judge, question: str, near: Near) -> None:
        try:
            outcome = await judge.questions(question, near.entry.question)
        except Exception:
            await self.learner.judged(near.pair, "unknown")
            raise
        await self.learner.judged(near.pair, outcome)

    def _drawn(self, pair: Pair) -> bool:
        if not self._settings.shadow_fraction:
            return False
        drawn = int(digest(pair.entry_key, pair.question, str(next(self._numbers)))[:13], 16)
        return drawn < self._settings.shadow_fraction * 16**13


def in_doubt(pair: Pair) -> bool:
    """Whether a refused *pair* is near enough to the line to be looked at again."""
    return pair.margin >= -GREY

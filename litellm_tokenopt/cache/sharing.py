"""Who asks the model, and who waits for the answer that somebody else is getting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..stage import Answer, Decision, Keep, Verdict, Wait

if TYPE_CHECKING:
    from .flights import Flights
    from .storing import StoreReply

ROUNDS = 2
"""A call that brought nothing is followed by one more; if that fails too, everybody goes on by himself."""

LOOK_SECONDS = 1.0
"""How long a leader looks whether the answer has come in the meantime: in a crowd the store may be slow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A miss, and the calls under way for its `key`: it leads one, or waits for one.

    `storing` is the miss's follow-up; who has none has no answer to give to others, but may wait for theirs. `stored`
    looks for the answer once more.
    """

    flights: Flights
    key: str
    miss: Keep
    storing: StoreReply | None
    stored: Callable[[], Awaitable[Answer | None]]

    async def decision(self) -> Verdict:
        """Whether to go on, or to wait."""
        if self.storing is None and not self.flights.under_way(self.key):
            return self.miss
        return await self._lead() or Wait(self._waited, self.flights.seconds)

    async def _waited(self) -> Decision:
        now = asyncio.get_running_loop().time
        until = now() + self.flights.seconds
        for _ in range(ROUNDS):
            ending = await self.flights.wait(self.key, until - now())
            if ending in ("refused", "overdue"):
                break
            answer = await self.stored() if ending == "stored" else None
            decision = answer or await self._lead()
            if decision is not None:
                return decision
        return self.miss

    async def _lead(self) -> Decision | None:
        """The decision of who leads: he looks once more, since an answer may have come in the meantime."""
        flight = await self.flights.start(self.key) if self.storing is not None else None
        if flight is None or self.storing is None:
            return None
        try:
            answer = await self._looked()
        except BaseException:
            flight.ended("lost")
            raise
        if answer is not None:
            flight.ended("stored")
            return answer
        return replace(self.miss, then=replace(self.storing, flight=flight))

    async def _looked(self) -> Answer | None:
        """What `stored` finds in time; whoever leads has a request to send, and no more to lose than a model call."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await self.stored()
        except TimeoutError:
            return None

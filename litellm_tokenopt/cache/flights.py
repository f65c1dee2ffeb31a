"""Single flight: of identical questions asked at once, the first asks the model, and the others wait for its answer.

After Go's ``singleflight``, across event-loop tasks by futures and across processes by a lock that its holder keeps
renewing: that of a process which has died runs out soon.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from ..errors import UnavailableError

logger = logging.getLogger(__name__)

Ending: TypeAlias = Literal["stored", "refused", "lost", "overdue"]
"""How a flight ended: its answer was stored, or may not be; there was none; or it takes too long."""

REFUSED = "refused"
REFUSED_SECONDS = 1.0
"""So long other processes can read that an answer wasn't to be stored: longer than they pause between looks."""

LEASE_SECONDS, RENEW_SECONDS = 2.5, 0.5
"""So long other processes wait for one that has died, and so often one that lives says so."""

TAKE_SECONDS = 1.0
"""So long who is first in this process waits to hear whether he is in all."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.01, 0.2


class SharedLocks(Protocol):
    """What `Flights` needs of locks between processes, see `litellm_tokenopt.redis.locks.RedisLocks`."""

    async def take(self, key: str, token: str, seconds: float) -> bool: ...
    async def renew(self, key: str, token: str, seconds: float) -> bool: ...
    async def holder(self, key: str) -> str | None: ...
    async def release(self, key: str, token: str) -> None: ...
    async def replace(self, key: str, token: str, note: str, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Flight:
    """A model call that others wait for, until whoever makes it says how it `ended` (or its time is over)."""

    key: str
    token: str
    landed: asyncio.Future[Ending]
    flights: Flights

    def ended(self, ending: Ending) -> None:
        """Let the others go on. Only the first time counts."""
        self.flights.land(self, ending)


class Flights:
    """The calls under way, by key, each for at most *seconds*; in this process, and with *locks* in others too.

    It belongs to the event loop that uses it first. Where the locks can't be had, every process is on its own.
    """

    def __init__(self, seconds: float, locks: SharedLocks | None = None) -> None:
        self.seconds = seconds
        self._locks = locks
        self._landings: dict[str, asyncio.Future[Ending]] = {}
        self._led: dict[str, Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def under_way(self, key: str) -> bool:
        """Whether somebody in this process makes, or waits for, the call."""
        return key in self._landings

    async def start(self, key: str) -> Flight | None:
        """The flight of who is first to ask, and has to say how it ended; None for the others, who may `wait`."""
        if key in self._landings:
            return None
        loop = asyncio.get_running_loop()
        flight = Flight(key, secrets.token_hex(8), loop.create_future(), self)
        self._landings[key] = flight.landed
        try:
            first = await self._first(flight)
        except BaseException:
            self._finish(flight, "lost")
            raise
        if first:
            self._led[key] = flight
            clock = loop.call_later(self.seconds, self._finish, flight, "overdue")
            flight.landed.add_done_callback(lambda _: clock.cancel())
            if self._locks is not None:
                self._begin(self._hold(self._locks, flight))
            return flight
        self._begin(self._watch(flight))
        return None

    async def wait(self, key: str, seconds: float) -> Ending:
        """How the call under way ends; ``overdue`` where it hasn't within *seconds*."""
        landed = self._landings.get(key)
        if landed is None:
            return "stored"
        await asyncio.wait([landed], timeout=seconds)
        return landed.result() if landed.done() else "overdue"

    def land(self, flight: Flight, ending: Ending) -> None:
        """End *flight* here at once, and soon for other processes."""
        if not flight.landed.done():
            self._finish(flight, ending)
            if self._locks is not None:
                self._begin(self._tell(self._locks, flight, ending))

    async def aclose(self) -> None:
        """Let everybody who waits for this process go on."""
        for flight in list(self._led.values()):
            self.land(flight, "lost")
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _first(self, flight: Flight) -> bool:
        if self._locks is None:
            return True
        try:
            async with asyncio.timeout(TAKE_SECONDS):
                return await self._locks.take(flight.key, flight.token, LEASE_SECONDS)
        except (UnavailableError, TimeoutError) as error:
            logger.debug("identical calls of other processes are not waited for: %s", error or "too late")
            return True

    async def _hold(self, locks: SharedLocks, flight: Flight) -> None:
        """Keep the lock of *flight* until it ends."""
        held = True
        while held and not (await asyncio.wait([flight.landed], timeout=RENEW_SECONDS))[0]:
            try:
                held = await locks.renew(flight.key, flight.token, LEASE_SECONDS)
            except UnavailableError as error:
                logger.debug("other processes may take this one for dead: %s", error)

    async def _watch(self, flight: Flight) -> None:
        """Wait for another process's call, for all in this one."""
        ending: Ending = "overdue"
        try:
            async with asyncio.timeout(self.seconds):
                ending = await self._seen_to_end(flight.key)
        except TimeoutError:
            logger.debug("no answer from another process: too late")
        except UnavailableError as error:
            logger.debug("no answer from another process: %s", error)
            ending = "lost"
        finally:
            self._finish(flight, ending)

    async def _seen_to_end(self, key: str) -> Ending:
        assert self._locks is not None
        now = asyncio.get_running_loop().time
        pause, heard = FIRST_PAUSE_SECONDS, now()
        while True:
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
            try:
                holder = await self._locks.holder(key)
            except UnavailableError:
                if now() > heard + LEASE_SECONDS:
                    raise
                continue  # a busy server; whoever leads is at work all the same
            heard = now()
            if holder is None:
                return "stored"  # or lost: whoever waits looks
            if holder == REFUSED:
                return "refused"

    async def _tell(self, locks: SharedLocks, flight: Flight, ending: Ending) -> None:
        try:
            if ending == "refused":
                await locks.replace(flight.key, flight.token, REFUSED, REFUSED_SECONDS)
            else:
                await locks.release(flight.key, flight.token)
        except UnavailableError as error:
            logger.debug("other processes wait until the lock runs out: %s", error)

    def _finish(self, flight: Flight, ending: Ending) -> None:
        if self._landings.get(flight.key) is flight.landed:
            del self._landings[flight.key]
        if self._led.get(flight.key) is flight:
            del self._led[flight.key]
        if not flight.landed.done():
            flight.landed.set_result(ending)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

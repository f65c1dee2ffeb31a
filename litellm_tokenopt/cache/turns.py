"""Turns at what can't be done any faster by more at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from ..models.workers import alone


class Turns:
    """At most *at_once* at a time in one event loop; the others wait in the order in which they came."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
        self._here: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """To be entered for the time of one's turn; who came when nobody had or awaited one is `alone`."""
        loop = asyncio.get_running_loop()
        others = self._here.get(loop, 0)
        self._here[loop] = others + 1
        try:
            async with self._turns.setdefault(loop, asyncio.Semaphore(self._at_once)):
                with alone(not others):
                    yield
        finally:
            self._here[loop] -= 1

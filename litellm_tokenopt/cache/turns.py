"""Turns at what can't be done any faster by more at once."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary


class Turns:
    """At most *at_once* at a time in one event loop; the others wait in the order in which they came."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._here: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    def turn(self) -> asyncio.Semaphore:
        """To be entered for the time of one's turn."""
        loop = asyncio.get_running_loop()
        if loop not in self._here:
            self._here[loop] = asyncio.Semaphore(self._at_once)
        return self._here[loop]

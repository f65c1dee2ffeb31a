"""The event loop of the program's own calls, for those that the plugin makes of LiteLLM itself.

LiteLLM's worker for logs, its clients and a Router's limits belong to one event loop: called from two at once, it loses
logs ("bound to a different event loop").
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

LOOK_SECONDS = 0.5
"""How often a loop is looked at, while it has work of ours: whether it still runs."""


class LoopEnded(Exception):
    """The loop stopped before the work in it came to its end."""


class CallersLoop:
    """Remembers where the last async call came from, and runs work there."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._held_up: set[asyncio.AbstractEventLoop] = set()

    def note(self) -> None:
        """An async call comes from the running loop."""
        self._loop = asyncio.get_running_loop()

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """Meanwhile the running loop, if this thread has one, can't work: a sync call makes it wait."""
        loop = _running()
        if loop is None:
            yield
            return
        self._held_up.add(loop)
        try:
            yield
        finally:
            self._held_up.discard(loop)

    async def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What comes of *work*, in the callers' loop; where that doesn't run till then, in the running one."""
        loop = self._loop
        if loop is None or not loop.is_running() or loop in self._held_up or loop is asyncio.get_running_loop():
            return await work()
        try:
            return await _run_in(loop, work())
        except LoopEnded:
            return await work()


async def _run_in(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    try:
        done = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))
    except RuntimeError:  # it has just been closed
        work.close()
        raise LoopEnded from None
    try:
        while not done.done() and loop.is_running():
            await asyncio.wait({done}, timeout=LOOK_SECONDS)
    finally:
        if not done.done() and not loop.is_closed():
            done.cancel()
    if not done.done() or done.cancelled():
        raise LoopEnded
    return done.result()


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None

"""Turns at look-ups."""

from __future__ import annotations

import asyncio
import threading

from litellm_tokenopt.cache.turns import Turns
from litellm_tokenopt.models.workers import Workers


async def test_of_a_crowd_the_first_alone_works_in_the_event_loop() -> None:
    """Who comes while others have a turn works in threads; when all have gone, the next one is alone again."""
    turns, workers, leave = Turns(2), Workers(1, "test"), asyncio.Event()

    async def is_here() -> bool:
        async with turns.turn():
            found = await workers.run_small(threading.get_ident) == threading.get_ident()
            await leave.wait()
            return found

    crowd = [asyncio.create_task(is_here()) for _ in range(5)]
    await asyncio.sleep(0.01)
    leave.set()
    try:
        assert await asyncio.gather(*crowd) == [True, False, False, False, False]
        assert await is_here()
    finally:
        workers.close()


async def test_so_many_at_once() -> None:
    """The others wait, in the order in which they came."""
    turns, at_work, most, order = Turns(2), 0, 0, []

    async def take(n: int) -> None:
        nonlocal at_work, most
        async with turns.turn():
            at_work, most = at_work + 1, max(most, at_work + 1)
            await asyncio.sleep(0)
            order.append(n)
            at_work -= 1

    await asyncio.gather(*map(take, range(6)))
    assert (most, order) == (2, list(range(6)))

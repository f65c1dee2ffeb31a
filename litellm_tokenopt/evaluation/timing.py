"""How long work of a stage takes: on the clock, on the processors, and what the event loop waits for it."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

PARTS = ("wall", "cpu", "loop")

TICK_SECONDS = 0.001


async def timed(work: Callable[[], Awaitable[object]]) -> dict[str, float]:
    """Milliseconds that *work* took (`PARTS`)."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(TICK_SECONDS)
            longest = max(longest, time.perf_counter() - begun - TICK_SECONDS)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    wall, cpu = time.perf_counter(), time.process_time()
    await work()
    took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    await asyncio.sleep(2 * TICK_SECONDS)
    watching.cancel()
    return {part: round(1000 * seconds, 2) for part, seconds in {**took, "loop": longest}.items()}


def medians(took: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each part (`PARTS`) the median, of several times."""
    return {part: statistics.median(one[part] for one in took) for part in PARTS}


def shown(what: str, rows: Mapping[str, Mapping[str, float]]) -> str:
    """Milliseconds of *rows* as lines, under a head that says of *what* they are."""
    head = f"{what}, milliseconds"
    width = 4 + max(map(len, (head, *rows)))
    lines = (name.ljust(width) + "".join(f"{took[part]:9.1f}" for part in PARTS) for name, took in rows.items())
    return "\n".join((head.ljust(width) + "".join(part.rjust(9) for part in PARTS), *lines))

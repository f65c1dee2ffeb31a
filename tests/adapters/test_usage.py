"""The use of tools is counted."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from support.agent import question
from support.entry_points import ENTRY_POINTS, read

from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.settings import RedisSettings
from litellm_tokenopt.tools.learning import UsageStore


@pytest.mark.parametrize("call", ENTRY_POINTS)
def test_it_is_counted_in_every_api_without_the_cache_too(call: str, server: Any, loop: Any, switch_on: Any) -> None:
    """What counts it waits for the model's reply, which LiteLLM hands to a cache."""
    prefix = f"usage-{time.time_ns()}"
    switch_on(redis={"url": "embedded", "prefix": prefix}, cache={"enabled": False})

    async def ask() -> None:
        await read(ENTRY_POINTS[call](question(), server))

    async def counted() -> dict[str, Any]:
        pool = RedisPool(RedisSettings(url="embedded", timeout_seconds=5))
        try:
            for _ in range(400):
                if counts := await UsageStore(pool, prefix).counts():
                    return counts
                await asyncio.sleep(0.05)
            return {}
        finally:
            await pool.aclose()

    if call[0] == "a" or call.startswith(("messages", "Router.a")):
        loop.run(ask())
    else:
        asyncio.run(ask())
    ((_, tools),) = loop.run(counted()).items()
    assert all(count.chosen == 1 for count in tools.values())

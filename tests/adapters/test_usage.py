"""The use of tools is counted."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from support import entry_points
from support.agent import question
from support.entry_points import ENTRY_POINTS, read

from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.settings import RedisSettings
from litellm_tokenopt.tools.learning import UsageStore


def not_stored(form: Any) -> Any:
    return lambda *given: {**form(*given), "cache": {"no-store": True}}


UNSTORED = ("completion", "acompletion, stream", "responses, stream", "messages")


@pytest.mark.parametrize(
    ("call", "store"), [*((call, True) for call in ENTRY_POINTS), *((call, False) for call in UNSTORED)]
)
def test_it_is_counted_in_every_api_without_the_cache_too(
    call: str, store: bool, server: Any, loop: Any, switch_on: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts it waits for the model's reply, which LiteLLM hands to a cache unless that must not be stored."""
    if not store:
        for form in ("chat", "anthropic", "responses", "routed"):
            monkeypatch.setattr(entry_points, form, not_stored(getattr(entry_points, form)))
    prefix = f"usage-{time.time_ns()}"
    switch_on(redis={"url": "embedded", "prefix": prefix}, cache={"enabled": False})

    async def ask() -> None:
        await read(ENTRY_POINTS[call](question(), server))

    async def counted() -> dict[str, Any]:
        pool = RedisPool(RedisSettings(url="embedded", timeout_seconds=5))
        try:
            for _ in range(200):
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

"""The use of tools is counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support import entry_points
from support.agent import question
from support.entry_points import ENTRY_POINTS, read

from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.settings import RedisSettings
from litellm_tokenopt.tools.learning import UsageStore

REDIS = {"url": "embedded", "prefix": "usage-of-each-api", "timeout_seconds": 5}
"""Where no other test counts; vectors of the prompt's sections stay from test to test."""


@asynccontextmanager
async def opened() -> AsyncIterator[RedisPool]:
    pool = RedisPool(RedisSettings.model_validate(REDIS))
    try:
        yield pool
    finally:
        await pool.aclose()


async def forget_counts() -> None:
    async def run(client: Any) -> None:
        async for key in client.scan_iter(match=f"{REDIS['prefix']}:usage:*"):
            await client.delete(key)

    async with opened() as pool:
        await pool.call(run)


async def counted() -> dict[str, Any]:
    async with opened() as pool:
        for _ in range(200):
            if counts := await UsageStore(pool, str(REDIS["prefix"])).counts():
                return counts
            await asyncio.sleep(0.05)
    return {}


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
    loop.run(forget_counts())
    switch_on(redis=REDIS, cache={"enabled": False})

    async def ask() -> None:
        await read(ENTRY_POINTS[call](question(), server))

    if call[0] == "a" or call.startswith(("messages", "Router.a")):
        loop.run(ask())
    else:
        asyncio.run(ask())
    ((_, tools),) = loop.run(counted()).items()
    assert {count.chosen for count in tools.values()} == {1}

"""A master that its sentinel replaces when it dies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from support.servers import PASSWORD, Guarded

from litellm_tokenopt.errors import RedisUnavailable
from litellm_tokenopt.optimizer import open_cache
from litellm_tokenopt.redis.embedded import ServerParts


@pytest.fixture
def guarded(parts: ServerParts) -> Iterator[Guarded]:
    servers = Guarded(parts)
    yield servers
    servers.stop()


async def test_answers_outlive_their_master(guarded: Guarded) -> None:
    """After the failover the answer is given again, for the same words and for like ones, and new ones are stored."""
    redis = {"url": guarded.url, "breaker_seconds": 0.2, "breaker_failures": 2}
    question, reworded = "How do I reset my password?", "How can I reset my password?"
    async with open_cache({"redis": redis}) as cache, open_cache({"redis": redis}) as other:
        await cache.store(question, "Open Settings.", scope="shop")
        assert (await other.check(reworded, scope="shop")).reason == "semantic"
        assert PASSWORD not in str(await cache.health())
        guarded.master.kill()
        deadline = time.monotonic() + 20
        while not await answered(other, question):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
        assert guarded.replica.ask("ROLE")[0] == b"master"
        assert (await other.check(reworded, scope="shop")).reason == "semantic"
        await other.store("Where is my parcel?", "On its way.", scope="shop")
        assert (await cache.check("Where is my parcel?", scope="shop")).entry is not None


async def answered(cache: object, question: str) -> bool:
    """Whether Redis answers *question*: what is in this process doesn't count."""
    store = cache.answers._shared  # type: ignore[attr-defined]
    key = cache.key(question, "shop")  # type: ignore[attr-defined]
    try:
        return await store.get_exact(key) is not None
    except RedisUnavailable:
        return False

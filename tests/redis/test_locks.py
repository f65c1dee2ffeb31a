"""Locks in Redis: one holder, for a limited time; who lost it can't take it from another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from litellm_tokenopt.redis.locks import RedisLocks
from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.settings import RedisSettings


@pytest.fixture
async def locks() -> AsyncIterator[RedisLocks]:
    pool = RedisPool(RedisSettings(url="embedded", timeout_seconds=5))
    await pool.call(lambda client: client.flushall())
    yield RedisLocks(pool, "test:")
    await pool.aclose()


async def test_the_first_holds_it(locks: RedisLocks) -> None:
    """A second taker is refused until the first lets go."""
    assert await locks.take("k", "one", 60)
    assert not await locks.take("k", "two", 60)
    assert await locks.holder("k") == "one"
    await locks.release("k", "one")
    assert await locks.holder("k") is None
    assert await locks.take("k", "two", 60)


async def test_it_runs_out(locks: RedisLocks) -> None:
    """A holder that died holds nothing up for longer than it said, and can't harm the next one."""
    assert await locks.take("k", "one", 0.02)
    await asyncio.sleep(0.1)
    assert await locks.take("k", "two", 60)
    await locks.release("k", "one")
    await locks.replace("k", "one", "note", 60)
    assert await locks.holder("k") == "two"


async def test_it_is_renewed(locks: RedisLocks) -> None:
    """A holder that lives may keep it; one that lost it learns so, and takes nothing from the next."""
    assert await locks.take("k", "one", 0.2)
    assert await locks.renew("k", "one", 60)
    await asyncio.sleep(0.3)
    assert not await locks.take("k", "two", 60)
    await locks.release("k", "one")
    assert not await locks.renew("k", "one", 60)
    assert await locks.take("k", "two", 60)
    assert not await locks.renew("k", "one", 60)


async def test_a_note_in_its_place(locks: RedisLocks) -> None:
    """The holder may leave a word behind, for a while."""
    assert await locks.take("k", "one", 60)
    await locks.replace("k", "one", "refused", 60)
    assert await locks.holder("k") == "refused"
    assert not await locks.take("k", "two", 60)

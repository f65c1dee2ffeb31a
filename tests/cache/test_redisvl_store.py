"""The Redis store's own duties: unreadable entries, a lost index, workers that start together, time to live."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from litellm_tokenopt.cache.catalogue import Catalogue
from litellm_tokenopt.cache.redisvl_store import RedisAnswerStore
from litellm_tokenopt.cache.scope import FORMAT_VERSION
from litellm_tokenopt.cache.stores import Selection
from litellm_tokenopt.errors import RedisUnavailable
from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.settings import RedisSettings

VECTOR = np.eye(64, dtype=np.float32)[0]


async def keys(pool: RedisPool) -> list[bytes]:
    return sorted(await pool.call(lambda client: client.keys("*")))


async def test_unreadable_entry_is_dropped(
    pool: RedisPool, redis_store: RedisAnswerStore, make: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    """Bytes that can't be read are a miss, both ways, and are removed."""
    entry = make.entry(key="k")
    for find in (lambda: redis_store.get_exact("k"), lambda: redis_store.search("s1", VECTOR, 5, 0.5)):
        await redis_store.put(entry, VECTOR, 60)
        (name,) = await keys(pool)
        await pool.call(lambda client, name=name: client.hset(name, "entry", b"\x00not zlib"))
        with caplog.at_level(logging.WARNING):
            assert not await find()
        assert await keys(pool) == []
    assert "unreadable" in caplog.text


async def test_entry_under_a_wrong_key_is_a_miss(
    pool: RedisPool, redis_store: RedisAnswerStore, make: SimpleNamespace
) -> None:
    """An entry copied to another key is not taken for that key's."""
    await redis_store.put(make.entry(key="k"), None, 60)
    (name,) = await keys(pool)
    await pool.call(lambda client: client.copy(name, name + b"2"))
    assert await redis_store.get_exact("k2") is None


async def test_lost_index_is_made_again(pool: RedisPool, redis_store: RedisAnswerStore, make: SimpleNamespace) -> None:
    """After the server was emptied searches miss, and find what is stored from then on."""
    await redis_store.put(make.entry(key="a"), VECTOR, 60)
    index = f"test:answer:v{FORMAT_VERSION}:word-counts:64:flat"
    await pool.call(lambda client: client.execute_command("FT.DROPINDEX", index))
    await pool.call(lambda client: client.flushall())
    assert await redis_store.search("s1", VECTOR, 5, 0.5) == []
    await redis_store.put(make.entry(key="b"), VECTOR, 60)
    assert [hit.entry.key for hit in await redis_store.search("s1", VECTOR, 5, 0.5)] == ["b"]


async def test_workers_may_start_together(pool: RedisPool, make: SimpleNamespace) -> None:
    """Many stores that find no index at the same moment all work."""
    stores = [RedisAnswerStore(pool, "test", "word-counts") for _ in range(8)]
    await asyncio.gather(*(s.put(make.entry(key=f"k{n}"), VECTOR, 60) for n, s in enumerate(stores)))
    assert len(await stores[0].search("s1", VECTOR, 20, 0.5)) == 8


async def test_time_to_live_is_not_renewed(
    pool: RedisPool, redis_store: RedisAnswerStore, make: SimpleNamespace
) -> None:
    """Hits leave an entry's time to live as it is."""
    await redis_store.put(make.entry(key="k"), VECTOR, 60)
    (name,) = await keys(pool)
    before = await pool.call(lambda client: client.pexpiretime(name))
    await redis_store.get_exact("k")
    await redis_store.search("s1", VECTOR, 5, 0.5)
    assert await pool.call(lambda client: client.pexpiretime(name)) == before > 0


async def test_what_goes_by_itself_shields_nothing_from_removal(
    pool: RedisPool, redis_store: RedisAnswerStore, make: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All answers meant are gone, though some expire between being found and being removed, page by page."""
    found = Catalogue.some

    async def and_some_expire(self: Catalogue, *asked: Any) -> list[str]:
        names = await found(self, *asked)
        await pool.call(lambda client: client.delete("none", *names[::5]))
        return names

    monkeypatch.setattr(Catalogue, "some", and_some_expire)
    monkeypatch.setattr("litellm_tokenopt.cache.redisvl_store.BATCH", 10)
    await asyncio.gather(*(redis_store.put(make.entry(key=f"k{n}"), None, 60) for n in range(45)))
    assert await redis_store.remove(Selection()) == 36
    assert await redis_store.select(Selection(), 100) == []


async def test_embedders_do_not_meet(pool: RedisPool, make: SimpleNamespace) -> None:
    """Stores of different embedders share neither keys nor vectors, though one's name begins the other's."""
    one, other = RedisAnswerStore(pool, "test", "mini"), RedisAnswerStore(pool, "test", "mini:large")
    await one.put(make.entry(key="k"), VECTOR, 60)
    assert await other.get_exact("k") is None
    assert await other.search("s1", VECTOR, 5, 0.5) == []
    await other.put(make.entry(key="k2"), VECTOR, 60)
    assert [hit.entry.key for hit in await one.search("s1", VECTOR, 5, 0.5)] == ["k"]


async def test_absent_redis_says_so(make: SimpleNamespace) -> None:
    """Without a server every method but health raises our error."""
    store = RedisAnswerStore(RedisPool(RedisSettings(url="unix:///nowhere/redis.sock")), "test", "m")
    for call in (
        store.get_exact("k"), store.search("s", VECTOR, 5, 0.5), store.put(make.entry(), None, 60), store.drop("k"),
    ):  # fmt: skip
        with pytest.raises(RedisUnavailable):
            await call
    assert (await store.health())["reachable"] is False


async def test_the_oldest_entries_beyond_the_limit_go(pool: RedisPool, make: SimpleNamespace) -> None:
    """A server that evicts nothing does not grow without end; what is newest stays, and is found."""
    store = RedisAnswerStore(pool, "test", "x", max_entries=20)
    for n in range(50):
        await store.put(make.entry(key=f"k{n}", created=float(n)), VECTOR, 60)
    there = [n for n in range(50) if await store.get_exact(f"k{n}") is not None]
    assert there == list(range(30, 50))


async def test_a_full_server_that_evicts_nothing_costs_no_answer(
    pool: RedisPool, redis_store: RedisAnswerStore, make: SimpleNamespace
) -> None:
    """What is stored there is still found; what doesn't fit is refused with advice, and the server not left alone."""
    await redis_store.put(make.entry(key="k"), VECTOR, 60)
    policy = await pool.call(lambda client: client.config_get("maxmemory*"))
    try:
        await pool.call(lambda client: client.config_set("maxmemory-policy", "noeviction"))
        await pool.call(lambda client: client.config_set("maxmemory", 1))
        for n in range(8):
            with pytest.raises(RedisUnavailable, match="is full"):
                await redis_store.put(make.entry(key=f"more {n}"), VECTOR, 60)
        assert await redis_store.get_exact("k") is not None
        assert await redis_store.search("s1", VECTOR, 1, 0.5)
    finally:
        await pool.call(lambda client: client.config_set("maxmemory", policy["maxmemory"]))
        await pool.call(lambda client: client.config_set("maxmemory-policy", policy["maxmemory-policy"]))

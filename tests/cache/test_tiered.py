"""Memory in front of Redis: at once in this process, alone when Redis is away."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from litellm_tokenopt.cache.memory import MemoryAnswerStore
from litellm_tokenopt.cache.redisvl_store import RedisAnswerStore
from litellm_tokenopt.cache.stores import Entry, Selection
from litellm_tokenopt.cache.tiered import ASK_SECONDS, LATE_ENTRIES, TieredAnswerStore
from litellm_tokenopt.errors import RedisUnavailable
from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.settings import RedisSettings

VECTOR = np.eye(64, dtype=np.float32)[0]


def absent() -> RedisAnswerStore:
    return RedisAnswerStore(RedisPool(RedisSettings(url="unix:///nowhere/redis.sock")), "test", "m")


async def test_hit_before_redis_has_it(redis_store: RedisAnswerStore, make: SimpleNamespace) -> None:
    """While the write to Redis is under way the same request hits already."""
    store, entry = TieredAnswerStore(MemoryAnswerStore(10), redis_store), make.entry()
    writing = asyncio.create_task(store.put(entry, VECTOR, 60))
    await asyncio.sleep(0)
    assert not writing.done()
    assert await store.get_exact(entry.key) == entry
    await writing


async def test_other_workers_find_it(redis_store: RedisAnswerStore, make: SimpleNamespace) -> None:
    """What one process stored another finds, by key and by vector."""
    one, other = (TieredAnswerStore(MemoryAnswerStore(10), redis_store) for _ in range(2))
    entry = make.entry()
    await one.put(entry, VECTOR, 60)
    assert await other.get_exact(entry.key) == entry
    assert [hit.entry for hit in await other.search("s1", VECTOR, 5, 0.9)] == [entry]


async def test_what_was_found_is_there_when_redis_goes(make: SimpleNamespace, redis_store: RedisAnswerStore) -> None:
    """A hit found in Redis is kept in process, so its repeat is found without Redis."""
    memory, entry = MemoryAnswerStore(10), make.entry()
    await redis_store.put(entry, VECTOR, 60)
    assert await TieredAnswerStore(memory, redis_store).get_exact(entry.key) == entry
    assert await TieredAnswerStore(memory, absent()).get_exact(entry.key) == entry


async def test_memory_is_short_while_redis_is_there(
    redis_store: RedisAnswerStore, make: SimpleNamespace, clock: Any
) -> None:
    """The local copy lives a minute at most, and no longer than the entry."""
    memory = MemoryAnswerStore(10, clock)
    store = TieredAnswerStore(memory, redis_store, local_seconds=3600)
    await store.put(make.entry(key="long"), None, 3600)
    await store.put(make.entry(key="short"), None, 5)
    clock.seconds += 6
    assert (memory.peek("long") is not None, memory.peek("short")) == (True, None)
    clock.seconds += 55
    assert memory.peek("long") is None
    assert await store.get_exact("long")


async def test_alone_without_redis(make: SimpleNamespace, clock: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Without Redis memory answers by key and by vector for the whole time to live; said once."""
    store, entry = TieredAnswerStore(MemoryAnswerStore(10, clock), absent()), make.entry()
    with caplog.at_level(logging.WARNING, logger="litellm_tokenopt.cache.tiered"):
        await store.put(entry, VECTOR, 3600)
        clock.seconds += 3000
        assert await store.get_exact(entry.key) == entry
        assert [hit.entry for hit in await store.search("s1", VECTOR, 5, 0.9)] == [entry]
        await store.drop(entry.key)
        assert await store.get_exact(entry.key) is None
    assert [r.name for r in caplog.records].count("litellm_tokenopt.cache.tiered") == 1
    assert (await store.health())["reachable"] is False


class Busy(RedisAnswerStore):
    """A Redis that has no time for writes while it is *busy*."""

    busy = True

    async def put(self, entry: Entry, vector: Any, ttl_seconds: float, since: str | None = None) -> str | None:
        if self.busy:
            raise RedisUnavailable("gave no answer within 0.5 s")
        return await super().put(entry, vector, ttl_seconds, since)


async def test_a_late_write_is_made_up_for(pool: RedisPool, make: SimpleNamespace, clock: Any) -> None:
    """What Redis was too slow for is written beside the next entries, for the time it has left; counted until then."""
    shared = Busy(pool, "test", "m")
    store, other = TieredAnswerStore(MemoryAnswerStore(10), shared, clock=clock), RedisAnswerStore(pool, "test", "m")
    late, short = make.entry(key="late"), make.entry(key="short")
    await store.put(late, None, 60)
    await store.put(late, VECTOR, 60)
    await store.put(short, VECTOR, 5)
    assert (await store.health())["memory"]["late"] == 2
    clock.seconds += 10
    shared.busy = False
    await store.put(make.entry(key="next"), None, 60)
    assert [await other.get_exact(key) for key in ("late", "short")] == [late, None]
    assert [hit.entry for hit in await other.search("s1", VECTOR, 5, 0.9)] == [late]
    assert (await store.health())["memory"]["late"] == 0


async def test_a_late_write_brings_nothing_back(pool: RedisPool, make: SimpleNamespace, clock: Any) -> None:
    """What was dropped here, removed by another process, or stored anew by one, is not overwritten later."""
    shared, other = Busy(pool, "test", "m"), RedisAnswerStore(pool, "test", "m")
    await shared.get_exact("nothing")
    store = TieredAnswerStore(MemoryAnswerStore(10), shared, clock=clock)
    for key in ("dropped", "anew"):
        await store.put(make.entry(key=key), VECTOR, 60)
    await store.drop("dropped")
    newer = make.entry(key="anew", text="newer")
    await other.put(newer, VECTOR, 60)
    shared.busy = False
    await store.put(make.entry(key="next"), None, 60)
    assert [await other.get_exact(key) for key in ("dropped", "anew")] == [None, newer]
    shared.busy = True
    await store.put(make.entry(key="removed"), VECTOR, 60)
    await other.remove(Selection(key="removed"))
    shared.busy = False
    await store.put(make.entry(key="next"), None, 60)
    assert await other.get_exact("removed") is None


@pytest.mark.parametrize("elsewhere", [True, False])
async def test_what_goes_while_it_is_written_late_stays_away(
    pool: RedisPool, make: SimpleNamespace, clock: Any, elsewhere: bool
) -> None:
    """An entry that is removed, here or by another process, while Redis makes up for it is taken out again."""
    other = RedisAnswerStore(pool, "test", "m")

    class Crossed(Busy):
        async def put(self, entry: Entry, vector: Any, ttl_seconds: float, since: str | None = None) -> str | None:
            if not self.busy and entry.key == "late":
                await (other if elsewhere else store).remove(Selection(key="late"))
            return await super().put(entry, vector, ttl_seconds, since)

    shared = Crossed(pool, "test", "m")
    store = TieredAnswerStore(MemoryAnswerStore(10), shared, clock=clock)
    await store.get_exact("late")
    await store.put(make.entry(key="late"), VECTOR, 60)
    shared.busy = False
    await store.put(make.entry(key="next"), None, 60)
    assert await other.get_exact("late") is None


async def test_no_more_wait_than_are_kept(make: SimpleNamespace) -> None:
    """Of many that Redis didn't take the last wait."""
    store = TieredAnswerStore(MemoryAnswerStore(1000), absent())
    for number in range(LATE_ENTRIES + 5):
        await store.put(make.entry(key=str(number)), None, 60)
    assert (await store.health())["memory"]["late"] == LATE_ENTRIES


async def test_removal_reaches_other_workers(pool: RedisPool, make: SimpleNamespace, clock: Any) -> None:
    """What one worker removes another forgets with its next look-up in Redis, at the latest after `ASK_SECONDS`."""
    one, other = (
        TieredAnswerStore(MemoryAnswerStore(10), RedisAnswerStore(pool, "test", "m"), clock=clock) for _ in range(2)
    )
    for key in "abc":
        await other.put(make.entry(key=key, tags=("old",)), VECTOR, 3600)
    assert await other.get_exact("a")
    assert await one.remove(Selection(tag="old")) == 3
    assert await one.get_exact("a") is None
    assert await other.get_exact("a"), "its own copy, for a few seconds"
    assert await other.get_exact("unknown") is None
    assert await other.get_exact("a") is None
    await other.put(make.entry(key="b", tags=("old",)), VECTOR, 3600)
    assert await other.get_exact("b")
    await one.remove(Selection(key="b"))
    clock.seconds += ASK_SECONDS
    assert await other.get_exact("b") is None


async def test_an_emptied_redis_empties_memory(pool: RedisPool, make: SimpleNamespace, clock: Any) -> None:
    """Removing works also after the server forgot that anything was ever removed."""
    store = TieredAnswerStore(MemoryAnswerStore(10), RedisAnswerStore(pool, "test", "m"), clock=clock)
    await store.remove(Selection())
    assert await store.get_exact("a") is None
    await store.put(make.entry(key="a"), None, 60)
    await pool.call(lambda client: client.flushall())
    assert await store.get_exact("other") is None
    assert await store.get_exact("a") is None


async def test_removing_without_redis_says_so(make: SimpleNamespace) -> None:
    """This process forgets the entries, and the caller is told that others may not have."""
    store = TieredAnswerStore(MemoryAnswerStore(10), absent())
    await store.put(make.entry(key="a"), None, 60)
    for work in (store.remove(Selection()), store.select(Selection(), 1), store.holdings()):
        with pytest.raises(RedisUnavailable):
            await work
    assert await store.get_exact("a") is None

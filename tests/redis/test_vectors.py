"""Embeddings' bytes in Redis."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from litellm_tokenopt.errors import RedisUnavailable
from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.redis.vectors import RedisVectorStore


async def test_values_come_back_in_the_order_of_the_keys(pool: RedisPool) -> None:
    """Missing ones are None, and any byte is kept."""
    store = RedisVectorStore(pool, "tokenopt", "mini", 60)
    items = {"a": os.urandom(1536), "b": b"\x00\xff\r\n"}
    await store.put_many(items)
    assert await store.get_many(["b", "missing", "a"]) == [items["b"], None, items["a"]]


async def test_entries_are_named_after_the_embedder_and_expire(pool: RedisPool) -> None:
    """The key says prefix and embedder, and the TTL is set."""
    await RedisVectorStore(pool, "tokenopt", "mini", 60).put_many({"a": b"1"})
    assert await RedisVectorStore(pool, "tokenopt", "other", 60).get_many(["a"]) == [None]
    assert 0 < await pool.call(lambda client: client.ttl("tokenopt:emb:mini:a")) <= 60


async def test_nothing_asked_costs_no_call(pool: RedisPool) -> None:
    """Empty lists don't reach the server: a closed pool doesn't matter."""
    await pool.aclose()
    store = RedisVectorStore(pool, "tokenopt", "mini", 60)
    await store.put_many({})
    assert await store.get_many([]) == []


async def test_an_absent_server_is_our_error(tcp_server: Any) -> None:
    """Callers have one error to expect."""
    from litellm_tokenopt.settings import RedisSettings

    pool = RedisPool(RedisSettings(url=tcp_server.url, timeout_seconds=0.2))
    store = RedisVectorStore(pool, "tokenopt", "mini", 60)
    await store.put_many({"a": b"1"})
    os.kill(tcp_server.process.pid, signal.SIGKILL)
    with pytest.raises(RedisUnavailable):
        await store.get_many(["a"])
    await pool.aclose()

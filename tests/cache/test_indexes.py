"""Which vector index is used, and how one takes another's place."""

from __future__ import annotations

import asyncio
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from litellm_tokenopt.cache.fields import SCOPE, VECTOR, vector_bytes
from litellm_tokenopt.cache.indexes import GROWN_SECONDS, LOOK_AGAIN_SECONDS, VectorIndexes, facts_of
from litellm_tokenopt.cache.redisvl_store import RedisAnswerStore
from litellm_tokenopt.cache.scope import FORMAT_VERSION
from litellm_tokenopt.redis.pool import RedisPool

VECTORS = np.eye(64, dtype=np.float32)
BEGIN = f"test:answer:v{FORMAT_VERSION}:m:"


async def used(pool: RedisPool) -> str:
    """The kind of index that searches go to."""
    found = await pool.call(lambda client: facts_of(client, f"{BEGIN}64"))
    return found.name.rpartition(":")[2] if found else ""


async def indexes(pool: RedisPool) -> set[str]:
    names = await pool.call(lambda client: client.execute_command("FT._LIST"))
    return {name.decode() for name in names}


async def settle(pool: RedisPool, clock: Any, *, large: int = 5, choice: Any = "auto") -> None:
    """Start a process, which asks for its index until it's there."""
    made = VectorIndexes(pool, BEGIN, choice, large, clock)
    for _ in range(50):
        await made.ready(64)
        clock.seconds += LOOK_AGAIN_SECONDS
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(("choice", "kind"), [("auto", "flat"), ("flat", "flat"), ("hnsw", "hnsw")])
async def test_first_index(pool: RedisPool, make: SimpleNamespace, choice: Any, kind: str) -> None:
    """An empty store begins with a flat index, unless another kind is asked for; either finds what was stored."""
    store = RedisAnswerStore(pool, "test", "m", index=choice)
    for n in range(20):
        await store.put(make.entry(key=f"k{n}"), VECTORS[n], 60)
    assert await used(pool) == kind
    assert [hit.entry.key for hit in await store.search("s1", VECTORS[7], 1, 0.9)] == ["k7"]


async def test_a_large_flat_index_becomes_hnsw(pool: RedisPool, make: SimpleNamespace, clock: Any) -> None:
    """At a start with many entries a new index is built, used by running processes too, and the old one goes."""
    running = RedisAnswerStore(pool, "test", "m")
    for n in range(5):
        await running.put(make.entry(key=f"k{n}"), VECTORS[n], 60)
    await settle(pool, clock)
    assert await used(pool) == "flat"
    await running.put(make.entry(key="k5"), VECTORS[5], 60)
    await settle(pool, clock)
    assert await used(pool) == "hnsw"
    assert f"{BEGIN}64:flat" not in await indexes(pool)
    assert [hit.entry.key for hit in await running.search("s1", VECTORS[2], 1, 0.9)] == ["k2"]
    await running.put(make.entry(key="k6"), VECTORS[6], 60)
    assert [hit.entry.key for hit in await running.search("s1", VECTORS[6], 1, 0.9)] == ["k6"]
    await settle(pool, clock, large=1_000)
    assert await used(pool) == "hnsw", "auto does not go back"
    await settle(pool, clock, choice="flat")
    assert await used(pool) == "flat"


async def test_an_index_that_grew_large_becomes_hnsw(pool: RedisPool, make: SimpleNamespace, clock: Any) -> None:
    """A process that goes on running sees it, in time."""
    store, made = RedisAnswerStore(pool, "test", "m"), VectorIndexes(pool, BEGIN, "auto", 5, clock)
    await made.ready(64)
    for n in range(10):
        await store.put(make.entry(key=f"k{n}"), VECTORS[n], 60)
    await made.ready(64)
    assert await used(pool) == "flat"
    clock.seconds += GROWN_SECONDS
    for _ in range(50):
        await made.ready(64)
        clock.seconds += LOOK_AGAIN_SECONDS
        await asyncio.sleep(0.01)
    assert await used(pool) == "hnsw"


async def test_an_index_that_was_begun_is_ended(pool: RedisPool, make: SimpleNamespace, clock: Any) -> None:
    """Where answers went while the new index was being built, it takes the old one's place all the same."""
    store = RedisAnswerStore(pool, "test", "m")
    await store.put(make.entry(key="k0"), VECTORS[0], 60)
    fields = (SCOPE, "TAG", VECTOR, "VECTOR", "HNSW", 6, "TYPE", "FLOAT32", "DIM", 64, "DISTANCE_METRIC", "COSINE")
    begin = ("FT.CREATE", f"{BEGIN}64:hnsw", "PREFIX", 1, BEGIN, "SCHEMA", *fields)
    await pool.call(lambda client: client.execute_command(*begin))
    await settle(pool, clock)
    assert await indexes(pool) == {f"{BEGIN}64:hnsw"}
    assert [hit.entry.key for hit in await store.search("s1", VECTORS[0], 1, 0.9)] == ["k0"]


async def test_a_large_index_is_not_compared_one_by_one(pool: RedisPool, clock: Any) -> None:
    """The server walks its graph where most of an index is of one scope, and finds what is nearest."""
    await VectorIndexes(pool, BEGIN, "hnsw", clock=clock).ready(64)
    vectors = np.random.default_rng(0).standard_normal((6_000, 64)).astype(np.float32)
    await pool.call(partial(_put_all, vectors))

    knn = ("@scope:{s1}=>[KNN 1 @vector $v]", "NOCONTENT", "DIALECT", "2", "PARAMS", "2", "v")

    async def find(row: int, *command: str) -> Any:
        words = (*command, *knn, vector_bytes(vectors[row]))
        return await pool.call(lambda client: client.execute_command(*words))

    assert "Batches number" in str(await find(0, "FT.PROFILE", f"{BEGIN}64", "SEARCH", "QUERY"))
    rows = range(0, len(vectors), 60)
    found = [(await find(row, "FT.SEARCH", f"{BEGIN}64"))[1] for row in rows]
    assert found == [f"{BEGIN}{row}".encode() for row in rows]


async def _put_all(vectors: NDArray[np.float32], client: Any) -> None:
    async with client.pipeline(transaction=False) as pipeline:
        for row, vector in enumerate(vectors):
            pipeline.hset(f"{BEGIN}{row}", mapping={SCOPE: "s1", VECTOR: vector_bytes(vector)})
        await pipeline.execute()


async def test_processes_that_start_together_agree(pool: RedisPool, make: SimpleNamespace, clock: Any) -> None:
    """Many processes that find a large flat index at once end up with one index that holds everything."""
    store = RedisAnswerStore(pool, "test", "m")
    for n in range(10):
        await store.put(make.entry(key=f"k{n}"), VECTORS[n], 60)
    await asyncio.gather(*(settle(pool, clock) for _ in range(5)))
    assert {name for name in await indexes(pool) if name.startswith(BEGIN)} == {f"{BEGIN}64:hnsw"}
    assert len(await store.search("s1", VECTORS[3], 5, 0.9)) == 1


async def test_health_tells_of_the_index(pool: RedisPool, make: SimpleNamespace) -> None:
    """Its algorithm, dimensions, answers and memory; one that isn't what its name says stands out."""
    store = RedisAnswerStore(pool, "test", "m")
    assert (await store.health())["indexes"] == []
    for n in range(3):
        await store.put(make.entry(key=f"k{n}"), VECTORS[n], 60)
    (index,) = (await store.health())["indexes"]
    assert (index["algorithm"], index["dimensions"], index["documents"]) == ("flat", 64, 3)
    assert index["as_named"]
    assert index["memory_bytes"] > 0
    begin = index["name"].removesuffix("64:flat")
    fields = ("ON", "HASH", "PREFIX", "1", begin, "SCHEMA", "vector", "VECTOR", "FLAT", "6", "TYPE", "FLOAT32")
    wrong = ("FT.CREATE", f"{begin}8:flat", *fields, "DIM", "16", "DISTANCE_METRIC", "COSINE")
    await pool.call(lambda client: client.execute_command(*wrong))
    assert [index["as_named"] for index in (await store.health())["indexes"]] == [True, False]

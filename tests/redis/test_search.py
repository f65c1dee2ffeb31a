"""Vector search through RedisVL on the pool's client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from redisvl.index import AsyncSearchIndex
from redisvl.query import VectorQuery, VectorRangeQuery
from redisvl.query.filter import Tag

from litellm_tokenopt.redis.embedded import FOLDER_VARIABLE
from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.settings import RedisSettings

DIMENSIONS = 384


def vectors(count: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    raw = np.random.default_rng(7).standard_normal((count, DIMENSIONS)).astype(np.float32)
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


def index_on(client: Any) -> AsyncSearchIndex:
    vector = {"dims": DIMENSIONS, "algorithm": "flat", "distance_metric": "cosine", "datatype": "float32"}
    fields = [{"name": "scope", "type": "tag"}, {"name": "vector", "type": "vector", "attrs": vector}]
    schema = {"index": {"name": "test", "prefix": "test", "storage_type": "hash"}, "fields": fields}
    return AsyncSearchIndex.from_dict(schema, redis_client=client)


async def load(index: AsyncSearchIndex, rows: Any, first: int = 0) -> None:
    entries = [{"id": str(i), "scope": f"s{i % 2}", "vector": row.tobytes()} for i, row in enumerate(rows, start=first)]
    await index.load(entries, id_field="id")


async def test_nearest_neighbours_within_a_scope(pool: RedisPool) -> None:
    """KNN and range queries of RedisVL find the entry itself, with fields and distance, and respect the filter."""
    rows = vectors(50)

    async def search(client: Any) -> tuple[Any, Any]:
        index = index_on(client)
        await index.create(overwrite=True)
        await load(index, rows)
        asked = {"vector": rows[4].tobytes(), "vector_field_name": "vector", "return_fields": ["scope"]}
        scope = Tag("scope") == "s0"
        nearest = await index.query(VectorQuery(**asked, num_results=3, filter_expression=scope))
        near = await index.query(VectorRangeQuery(**asked, distance_threshold=0.1, filter_expression=scope))
        return nearest, near

    nearest, near = await pool.call(search)
    assert [row["scope"] for row in nearest] == ["s0"] * 3
    assert nearest[0]["id"] == near[0]["id"] == "test:4"
    assert float(nearest[0]["vector_distance"]) == pytest.approx(0, abs=1e-5)
    assert len(near) == 1


async def test_a_full_server_lets_the_oldest_go_and_finds_the_newest(
    parts: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eviction keeps the index true: as many documents as entries, writes go on, the last entry is found.

    So too with the least memory that can be set, which is raised to what an index needs."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    pool = RedisPool(RedisSettings(url="embedded", embedded_max_memory_mb=1, timeout_seconds=5))
    rows = vectors(4_000)
    index = index_on(await pool.client())
    await pool.call(lambda _: index.create())
    for first in range(0, len(rows), 250):
        await pool.call(lambda _, first=first: load(index, rows[first : first + 250], first))
    query = VectorQuery(vector=rows[-1].tobytes(), vector_field_name="vector", num_results=1)
    assert (await pool.call(lambda _: index.query(query)))[0]["id"] == "test:3999"
    info = await pool.call(lambda _: index.info())
    assert 100 < int(info["num_docs"]) == await pool.call(lambda client: client.dbsize()) < 4_000
    await pool.aclose()

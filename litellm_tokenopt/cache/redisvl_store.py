"""Answers in Redis, found by key or by vector."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import json
import logging
import re
import zlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..redis.pool import RedisPool
from .scope import FORMAT_VERSION
from .stores import Entry, Hit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from redis.asyncio import Redis
    from redisvl.index import AsyncSearchIndex

logger = logging.getLogger(__name__)

SCOPE, VECTOR, ENTRY = "scope", "vector", "entry"
COMPRESSION_LEVEL = 1


class RedisAnswerStore:
    """One hash per answer, under ``{prefix}:answer:…``, that one vector index covers.

    Composes `AsyncSearchIndex`: RedisVL's `SemanticCache` connects in its constructor, and a hit renews its TTL.
    An entry that can't be read is a miss, and is dropped. Raises `RedisUnavailable`.
    """

    def __init__(self, pool: RedisPool, prefix: str, embedder_name: str) -> None:
        self._pool = pool
        # No colon within: one index's prefix must not begin another's. (The scope holds the name as it is.)
        plain_name = re.sub(r"[^\w.-]", "_", embedder_name)
        self._begin = f"{prefix}:answer:v{FORMAT_VERSION}:{plain_name}:"
        self._dimensions_ready: set[int] = set()

    async def get_exact(self, key: str) -> Entry | None:
        name = self._name(key)
        data = await self._pool.call(lambda client: _fetch(client, name))
        return await self._read_or_drop(key, data)

    async def search(self, scope: str, vector: NDArray[np.float32], k: int, threshold: float) -> list[Hit]:
        await self._ready(len(vector))

        async def find(client: Redis) -> list[tuple[str, float, bytes | None]]:
            return await self._nearest(client, scope, vector, k)

        hits = []
        for key, similarity, data in await self._pool.call(find):
            if similarity >= threshold:
                entry = await self._read_or_drop(key, data)
                if entry is not None and entry.scope == scope:
                    hits.append(Hit(entry, similarity))
        return hits

    async def put(self, entry: Entry, vector: NDArray[np.float32] | None, ttl_seconds: float) -> None:
        fields: dict[Any, Any] = {SCOPE: entry.scope, ENTRY: _pack(entry)}
        if vector is not None:
            await self._ready(len(vector))
            fields[VECTOR] = vector.astype("<f4").tobytes()
        name = self._name(entry.key)

        async def store(client: Redis) -> None:
            # One transaction: an entry without its TTL would stay for ever.
            async with client.pipeline(transaction=True) as pipeline:
                pipeline.delete(name)
                pipeline.hset(name, mapping=fields)
                pipeline.pexpire(name, max(1, round(ttl_seconds * 1000)))
                await pipeline.execute()

        await self._pool.call(store)

    async def drop(self, key: str) -> None:
        name = self._name(key)

        async def remove(client: Redis) -> None:
            await client.delete(name)

        await self._pool.call(remove)

    async def health(self) -> Mapping[str, Any]:
        return {"store": "redis", **await self._pool.health()}

    def _name(self, key: str) -> str:
        return self._begin + key

    async def _read_or_drop(self, key: str, data: bytes | None) -> Entry | None:
        if data is None:
            return None
        entry = _unpack(key, data)
        if entry is None:
            logger.warning("dropped an unreadable answer from Redis (key %s)", key)
            await self.drop(key)
        return entry

    async def _ready(self, dimensions: int) -> None:
        """See to it that the index for vectors of so many *dimensions* is there; once a process."""
        if dimensions in self._dimensions_ready:
            return
        # RedisVL takes half a second to import: not on the event loop.
        await asyncio.to_thread(importlib.import_module, "redisvl.index")
        await self._pool.call(lambda client: _create(self._index(client, dimensions)))
        self._dimensions_ready.add(dimensions)

    async def _nearest(
        self, client: Redis, scope: str, vector: NDArray[np.float32], k: int
    ) -> list[tuple[str, float, bytes | None]]:
        """(key, cosine, stored bytes) of the *k* nearest of *scope*."""
        from redisvl.exceptions import RedisVLError
        from redisvl.query import VectorQuery
        from redisvl.query.filter import Tag

        query = VectorQuery(
            vector=vector.astype("<f4").tobytes(),
            vector_field_name=VECTOR,
            filter_expression=Tag(SCOPE) == scope,
            num_results=k,
        )
        index = self._index(client, len(vector))
        try:
            rows = await index.query(query)
        except RedisVLError as error:
            if not _index_is_missing(error):
                raise
            # The server was emptied or restarted.
            await _create(index)
            return []
        names = [str(row["id"]) for row in rows]
        stored = await _fetch_all(client, names)
        return [
            (name.removeprefix(self._begin), 1.0 - float(row["vector_distance"]), data)
            for name, row, data in zip(names, rows, stored, strict=True)
        ]

    def _index(self, client: Redis, dimensions: int) -> AsyncSearchIndex:
        from redisvl.index import AsyncSearchIndex
        from redisvl.schema import IndexSchema

        vector = {"dims": dimensions, "algorithm": "flat", "datatype": "float32", "distance_metric": "cosine"}
        schema = IndexSchema.from_dict(
            {
                "index": {"name": f"{self._begin}{dimensions}", "prefix": self._begin, "storage_type": "hash"},
                "fields": [{"name": SCOPE, "type": "tag"}, {"name": VECTOR, "type": "vector", "attrs": vector}],
            }
        )
        return AsyncSearchIndex(schema, redis_client=client)


async def _fetch(client: Redis, name: str) -> bytes | None:
    found: Any = await client.hget(name, ENTRY)
    return bytes(found) if found is not None else None


async def _fetch_all(client: Redis, names: Iterable[str]) -> list[bytes | None]:
    async with client.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.hget(name, ENTRY)
        return list(await pipeline.execute())


async def _create(index: AsyncSearchIndex) -> None:
    """Create *index* unless it's there, or another worker creates it at the same moment."""
    from redisvl.exceptions import RedisVLError

    try:
        await index.create()
    except RedisVLError:
        if not await index.exists():
            raise


def _index_is_missing(error: BaseException) -> bool:
    """Whether a search failed for want of its index; servers word it differently."""
    cause: BaseException | None = error
    while cause is not None:
        text = str(cause).lower()
        if "no such index" in text or "unknown index" in text or ("index" in text and "not found" in text):
            return True
        cause = cause.__cause__
    return False


def _pack(entry: Entry) -> bytes:
    kept = {field.name: getattr(entry, field.name) for field in dataclasses.fields(entry)}
    return zlib.compress(json.dumps(kept, separators=(",", ":")).encode("ascii"), COMPRESSION_LEVEL)


def _unpack(key: str, data: bytes) -> Entry | None:
    """The entry packed in *data*; None when it isn't one, or not that of *key*."""
    try:
        entry = Entry(**json.loads(zlib.decompress(data)))
    except (zlib.error, ValueError, TypeError):
        return None
    return entry if entry.key == key and isinstance(entry.payload, dict) else None

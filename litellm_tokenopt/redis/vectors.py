"""Embeddings in Redis, so that workers and restarts share what was embedded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .pool import RedisPool

if TYPE_CHECKING:
    from redis.asyncio import Redis


class RedisVectorStore:
    """Vectors' bytes under ``{prefix}:emb:{name}:{key}``, each for *ttl_seconds*.

    *name* is the embedder's: vectors of different models never mix. Both methods raise `RedisUnavailable`.
    """

    def __init__(self, pool: RedisPool, prefix: str, name: str, ttl_seconds: int) -> None:
        self._pool = pool
        self._begin = f"{prefix}:emb:{name}:"
        self._ttl_seconds = ttl_seconds

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The value of each key, None where there is none; one round trip."""
        if not keys:
            return []
        names = [self._begin + key for key in keys]

        async def load(client: Redis) -> list[bytes | None]:
            # No MGET: in a cluster the keys are in different places.
            async with client.pipeline(transaction=False) as pipeline:
                for name in names:
                    pipeline.get(name)
                return list(await pipeline.execute())

        return await self._pool.call(load)

    async def put_many(self, items: Mapping[str, bytes]) -> None:
        """Store every value; one round trip."""
        if not items:
            return

        async def store(client: Redis) -> None:
            async with client.pipeline(transaction=False) as pipeline:
                for key, value in items.items():
                    pipeline.set(self._begin + key, value, ex=self._ttl_seconds)
                await pipeline.execute()

        await self._pool.call(store)

"""Texts in Redis that are written once, by whoever comes first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .pool import RedisPool

if TYPE_CHECKING:
    from redis.asyncio import Redis


class RedisTexts:
    """Texts under ``{begin}{key}``, each for *ttl_seconds* from when it was written. Raises `RedisUnavailable`."""

    def __init__(self, pool: RedisPool, begin: str, ttl_seconds: int) -> None:
        self._pool = pool
        self._begin = begin
        self._ttl_seconds = ttl_seconds

    async def get_many(self, keys: Sequence[str]) -> list[str | None]:
        """The text of each key, None where there is none; one round trip."""
        if not keys:
            return []

        async def load(client: Redis) -> list[str | None]:
            # No MGET: in a cluster the keys are in different places.
            async with client.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.get(self._begin + key)
                return [None if one is None else _text(one) for one in await pipeline.execute()]

        return await self._pool.call(load)

    async def first(self, key: str, text: str) -> str:
        """The text that was put under *key* first: *text*, if there was none."""
        name = self._begin + key

        async def put(client: Redis) -> str:
            async with client.pipeline(transaction=False) as pipeline:
                pipeline.set(name, text, nx=True, ex=self._ttl_seconds)
                pipeline.get(name)
                _, there = await pipeline.execute()
            return text if there is None else _text(there)

        return await self._pool.call(put)


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

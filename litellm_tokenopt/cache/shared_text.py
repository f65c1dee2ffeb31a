"""A text that several processes change, each change upon the last."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, cast

from ..errors import RedisUnavailable
from ..redis.pool import RedisPool

if TYPE_CHECKING:
    from redis.asyncio import Redis

TRIES = 20
_FIELD = "text"
# A hash that has expired meanwhile must not come back: it would never expire again.
_REPLACE_FIELD = """
if ARGV[4] == '1' and redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""


class SharedText(Protocol):
    """One text, empty at first. Both methods raise `UnavailableError`."""

    async def read(self) -> str: ...

    async def change(self, change: Callable[[str], str]) -> str:
        """Put what *change* makes of the text in its place, and give that. It may be called more than once."""
        ...


class MemoryText:
    """A text of this process."""

    def __init__(self) -> None:
        self._text = ""
        self._lock = threading.Lock()

    async def read(self) -> str:
        return self._text

    async def change(self, change: Callable[[str], str]) -> str:
        with self._lock:
            self._text = change(self._text)
            return self._text


class RedisText:
    """A text in Redis, under *name*."""

    def __init__(self, pool: RedisPool, name: str) -> None:
        self._pool = pool
        self._name = name

    async def read(self) -> str:
        async def work(client: Redis) -> str:
            return await _field(client, self._name, _FIELD)

        return await self._pool.call(work)

    async def change(self, change: Callable[[str], str]) -> str:
        async def work(client: Redis) -> str:
            text = await _changed(client, self._name, _FIELD, change, only_existing=False)
            assert text is not None
            return text

        return await self._pool.call(work)


async def change_field(client: Redis, name: str, field: str, change: Callable[[str], str]) -> str | None:
    """Put what *change* makes of a field of the hash *name* in its place; None where there is no such hash."""
    return await _changed(client, name, field, change, only_existing=True)


async def _changed(
    client: Redis, name: str, field: str, change: Callable[[str], str], *, only_existing: bool
) -> str | None:
    for _ in range(TRIES):
        before = await _field(client, name, field)
        after = change(before)
        arguments = (field, before, after, str(int(only_existing)))
        if await client.eval(_REPLACE_FIELD, 1, name, *arguments):
            return after
        if only_existing and not await client.exists(name):
            return None
    raise RedisUnavailable(f"{name} was changed by others {TRIES} times in a row")


async def _field(client: Redis, name: str, field: str) -> str:
    data = await cast(Awaitable[bytes | None], client.hget(name, field))
    return (data or b"").decode("utf-8", "replace")

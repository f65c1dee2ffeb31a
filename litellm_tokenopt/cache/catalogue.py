"""Finding answers in Redis by what is written on them, for people who look after the cache."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import RedisUnavailable
from ..redis.pool import RedisPool
from .fields import CREATED, MODEL, SEPARATOR, SIZE, TAGS, TENANT, query_of
from .indexes import create, facts_of
from .stores import Holdings, Selection

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redisvl.index import AsyncSearchIndex

Dated: TypeAlias = tuple[float, str]
"""When an answer was stored, in Unix seconds, and its hash's name."""

BUILD_SECONDS = 30.0
POLL_SECONDS = 0.02


class Catalogue:
    """An index of tenants, tags, models and times over the hashes whose names start with *begin*.

    It's made when it's first asked for: an answer that nobody looks after costs nothing here. Raises
    `RedisUnavailable`, also while a large store is being read for the first time.
    """

    def __init__(self, pool: RedisPool, begin: str) -> None:
        self._pool = pool
        self._begin = begin
        self._name = f"{begin}catalogue"

    async def newest(self, selection: Selection, count: int) -> list[Dated]:
        """At most *count* of the hashes that are meant (a key in *selection* is not looked at), newest first."""
        return await self._dated(selection, count, "DESC")

    async def oldest(self, count: int) -> list[Dated]:
        """At most *count* hashes, oldest first."""
        return await self._dated(Selection(), count, "ASC")

    async def count(self) -> int:
        """How many hashes there are."""
        (total, *_) = await self._ask("FT.SEARCH", self._name, "*", "LIMIT", 0, 0, "DIALECT", 2)
        return int(total)

    async def some(self, selection: Selection, count: int) -> list[str]:
        """The names of at most *count* hashes that are meant, in the index's own order, which costs no sorting."""
        command = ("FT.SEARCH", self._name, query_of(selection), "NOCONTENT", "LIMIT", 0, count, "DIALECT", 2)
        answer = await self._ask(*command)
        return [name.decode() for name in answer[1:]]

    async def _dated(self, selection: Selection, count: int, order: str) -> list[Dated]:
        command = ("FT.SEARCH", self._name, query_of(selection), "RETURN", 1, CREATED, "SORTBY", CREATED, order)
        answer = await self._ask(*command, "LIMIT", 0, count, "DIALECT", 2)
        # A hash that has just expired has no fields.
        return [
            (float(fields[1]), name.decode()) for name, fields in zip(answer[1::2], answer[2::2], strict=True) if fields
        ]

    async def holdings(self) -> list[Holdings]:
        """What is kept, by model."""
        reducers = (("COUNT", "entries"), ("SUM", SIZE), ("MIN", CREATED), ("MAX", CREATED))
        command: list[Any] = ["FT.AGGREGATE", self._name, "*", "GROUPBY", 1, f"@{MODEL}"]
        for (reducer, field), name in zip(reducers, ("entries", "bytes", "oldest", "newest"), strict=True):
            arguments = () if reducer == "COUNT" else (f"@{field}",)
            command += ["REDUCE", reducer, len(arguments), *arguments, "AS", name]
        rows = await self._ask(*command, "LIMIT", 0, 10_000)
        return [_holdings(dict(zip(row[::2], row[1::2], strict=True))) for row in rows[1:]]

    async def _ask(self, *command: Any) -> Any:
        await self._ready()

        async def run(client: Any) -> Any:
            return await client.execute_command(*command)

        return await self._pool.call(run, at=self._begin)

    async def _ready(self) -> None:
        await asyncio.to_thread(importlib.import_module, "redisvl.index")
        found = await self._pool.call(lambda client: facts_of(client, self._name), at=self._begin)
        if found is None:
            await self._pool.call(lambda client: create(self._index(client)), at=self._begin)
        elif found.built:
            return
        await _until(BUILD_SECONDS, self._built)

    async def _built(self) -> bool:
        found = await self._pool.call(lambda client: facts_of(client, self._name), at=self._begin)
        return found is not None and found.built

    def _index(self, client: Redis) -> AsyncSearchIndex:
        from redisvl.index import AsyncSearchIndex
        from redisvl.schema import IndexSchema

        exact = {"separator": SEPARATOR, "case_sensitive": True}
        tags = [{"name": name, "type": "tag", "attrs": exact} for name in (TENANT, TAGS, MODEL)]
        created = {"name": CREATED, "type": "numeric", "attrs": {"sortable": True}}
        schema = IndexSchema.from_dict(
            {
                "index": {"name": self._name, "prefix": self._begin, "storage_type": "hash"},
                "fields": [*tags, created, {"name": SIZE, "type": "numeric"}],
            }
        )
        return AsyncSearchIndex(schema, redis_client=client)


async def _until(seconds: float, holds: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(round(seconds / POLL_SECONDS)):
        if await holds():
            return
        await asyncio.sleep(POLL_SECONDS)
    raise RedisUnavailable("Redis still reads the answers that it holds: ask again in a minute")


def _holdings(row: Mapping[bytes, Any]) -> Holdings:
    return Holdings(
        model=(row[MODEL.encode()] or b"").decode("utf-8", "replace"),
        entries=int(row[b"entries"]),
        bytes=int(float(row[b"bytes"])),
        oldest=float(row[b"oldest"]),
        newest=float(row[b"newest"]),
    )

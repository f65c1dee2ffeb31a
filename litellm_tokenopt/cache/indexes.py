"""The vector indexes of the answers in Redis: exact while they are small, approximate when they are large."""

from __future__ import annotations

import asyncio
import importlib
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..redis.pool import RedisPool
from .fields import SCOPE, VECTOR

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redisvl.index import AsyncSearchIndex

logger = logging.getLogger(__name__)

Kind: TypeAlias = Literal["flat", "hnsw"]
Choice: TypeAlias = Literal["auto", "flat", "hnsw"]

LARGE_ENTRIES = 8_000
LOOK_AGAIN_SECONDS = 10.0
GROWN_SECONDS = 600.0
"""How often a process looks whether the index has become a large one."""
_ATTRIBUTES: Mapping[Kind, Mapping[str, Any]] = {
    "flat": {"algorithm": "flat"},
    # With more neighbours, RediSearch compares one by one in an index of less than 30,000.
    "hnsw": {"algorithm": "hnsw", "m": 10, "ef_construction": 200, "ef_runtime": 64},
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the server says of an index; `built` is false while it still reads what was there before it."""

    name: str
    documents: int
    built: bool
    algorithm: str
    dimensions: int
    memory_bytes: int

    @property
    def as_named(self) -> bool:
        """Whether it has the dimensions and the algorithm that its name says."""
        return self.name.endswith(f":{self.dimensions}:{self.algorithm}")


class VectorIndexes:
    """One index for each number of dimensions, of the kind that *choice* names.

    ``auto`` is FLAT (exact), and HNSW once there are more than *large* entries when a process looks: at its start, and
    every `GROWN_SECONDS`. Searches go to an alias, so that a new index is built beside the old one and takes its place
    in one step, for every process.
    """

    def __init__(
        self,
        pool: RedisPool,
        begin: str,
        choice: Choice = "auto",
        large: int = LARGE_ENTRIES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._begin = begin
        self._choice = choice
        self._large = large
        self._clock = clock
        self._look_at: dict[int, float] = {}

    async def ready(self, dimensions: int) -> None:
        """See to it that there is the right index for vectors of so many *dimensions*; mostly known already."""
        if self._clock() < self._look_at.get(dimensions, 0.0):
            return
        # RedisVL takes half a second to import: not on the event loop.
        await asyncio.to_thread(importlib.import_module, "redisvl.index")
        settled = await self._pool.call(lambda client: self._settle(client, dimensions), at=self._begin)
        self._look_at[dimensions] = self._clock() + (GROWN_SECONDS if settled else LOOK_AGAIN_SECONDS)

    def alias(self, dimensions: int) -> str:
        """What searches for vectors of so many *dimensions* go to."""
        return f"{self._begin}{dimensions}"

    async def restore(self, client: Redis, dimensions: int) -> None:
        """Make the index again: the server was emptied or restarted."""
        await self._settle(client, dimensions)

    async def found(self) -> list[Facts]:
        """What the server says of each of these indexes that is there."""

        async def look(client: Any) -> list[Facts]:
            names = [name.decode() for name in await client.execute_command("FT._LIST")]
            ours = [n for n in sorted(names) if re.fullmatch(r"\d+:(flat|hnsw)", n.removeprefix(self._begin))]
            return [facts for name in ours if (facts := await facts_of(client, name)) is not None]

        return await self._pool.call(look, at=self._begin)

    async def _settle(self, client: Redis, dimensions: int) -> bool:
        """Take a step towards the right index; whether it's the one in use."""
        alias = self.alias(dimensions)
        current = await facts_of(client, alias)
        # One that was begun is ended, though answers have gone since: else it would be filled for nobody.
        begun = await facts_of(client, f"{alias}:hnsw") is not None
        kind = self._kind(current, begun)
        name = f"{alias}:{kind}"
        if current is not None and current.name == name:
            return True
        await create(self._index(client, name, dimensions, kind))
        if current is None:
            await client.ft(name).aliasupdate(alias)
            return True
        return await _replace(client, alias, current.name, name)

    def _kind(self, current: Facts | None, begun: bool) -> Kind:
        if self._choice != "auto":
            return self._choice
        return "hnsw" if begun or (current is not None and current.documents > self._large) else "flat"

    def _index(self, client: Redis, name: str, dimensions: int, kind: Kind) -> AsyncSearchIndex:
        from redisvl.index import AsyncSearchIndex
        from redisvl.schema import IndexSchema

        attributes = {"dims": dimensions, "datatype": "float32", "distance_metric": "cosine", **_ATTRIBUTES[kind]}
        schema = IndexSchema.from_dict(
            {
                "index": {"name": name, "prefix": self._begin, "storage_type": "hash"},
                "fields": [{"name": SCOPE, "type": "tag"}, {"name": VECTOR, "type": "vector", "attrs": attributes}],
            }
        )
        return AsyncSearchIndex(schema, redis_client=client)


async def _replace(client: Redis, alias: str, old: str, new: str) -> bool:
    """Put *new* in the place of *old* if it's built; whether that is so."""
    found = await facts_of(client, new)
    if found is None or not found.built:
        return False
    await client.ft(new).aliasupdate(alias)
    await _drop(client, old)
    logger.info("answers are searched by the index %s now (%d entries)", new, found.documents)
    return True


async def _drop(client: Redis, name: str) -> None:
    """Drop the index *name*, unless another worker has done so at the same moment; what it covers stays."""
    from redis.exceptions import ResponseError

    try:
        await client.ft(name).dropindex(delete_documents=False)
    except ResponseError as error:
        if not is_missing(error):
            raise


async def create(index: AsyncSearchIndex) -> None:
    """Create *index* unless it's there, or another worker creates it at the same moment."""
    from redisvl.exceptions import RedisVLError

    try:
        await index.create()
    except RedisVLError:
        if not await index.exists():
            raise


async def facts_of(client: Any, name: str) -> Facts | None:
    """What the server says of the index or alias *name*; None where there is none."""
    from redis.exceptions import ResponseError

    try:
        answer: Any = await client.execute_command("FT.INFO", name)
    except ResponseError as error:
        if is_missing(error):
            return None
        raise
    values = dict(zip(answer[::2], answer[1::2], strict=True))
    vector = next((field for field in map(_by_name, values[b"attributes"]) if b"dim" in field), {})
    return Facts(
        name=values[b"index_name"].decode(),
        documents=int(float(values[b"num_docs"])),
        built=not int(values.get(b"indexing", 0)),
        algorithm=vector.get(b"algorithm", b"").decode().lower(),
        dimensions=int(vector.get(b"dim", 0)),
        memory_bytes=round(float(values.get(b"vector_index_sz_mb", 0)) * 2**20),
    )


def _by_name(pairs: list[Any]) -> dict[bytes, Any]:
    """A flat list of names and values as a mapping; flags at its end, which have no value, aside."""
    return dict(zip(pairs[::2], pairs[1::2], strict=False))


def is_missing(error: BaseException) -> bool:
    """Whether a command failed for want of its index; servers word it differently."""
    cause: BaseException | None = error
    while cause is not None:
        text = str(cause).lower()
        if "no such index" in text or "unknown index" in text or ("index" in text and "not found" in text):
            return True
        cause = cause.__cause__
    return False

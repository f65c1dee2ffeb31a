"""Usage of tools counted in Redis, and the lessons published from it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import RedisUnavailable
from ..memo import Memo
from ..redis.pool import RedisPool
from ..request import ChatRequest, Reply
from .lessons import NOTHING, Lessons, Snapshot, learn
from .usage import Counts, Event, counts_of, field_of, label_of, position_of

if TYPE_CHECKING:
    from redis.asyncio import Redis

SEEN_SECONDS = 7 * 86_400
"""How long an event is known as counted; a session that is resumed later counts again."""

REFRESH_SECONDS = 60.0
"""How often a worker looks for a new snapshot."""

VALID_AFTER_SECONDS = 3 * REFRESH_SECONDS
"""A snapshot counts so long after its publication."""

KEPT_SNAPSHOTS = 20

SEEN_IN_PROCESS = 50_000

logger = logging.getLogger(__name__)

_COUNT = """
local counted = {}
for i = 3, #ARGV, 2 do
  if redis.call('SET', ARGV[1] .. ARGV[i], 1, 'NX', 'EX', ARGV[2]) then
    redis.call('HINCRBY', KEYS[1], ARGV[i + 1], 1)
    counted[#counted + 1] = (i - 1) / 2
  end
end
return counted
"""

_MARK = "t:"
"""Before a tenant's name in a key's braces, which must not be empty to count."""

Observe = Callable[[Sequence[Event]], None]


class UsageStore:
    """Counts under ``{prefix}:usage:…``, snapshots under ``{prefix}:lessons``. All methods raise `RedisUnavailable`."""

    def __init__(self, pool: RedisPool, prefix: str) -> None:
        self._pool = pool
        self.prefix = prefix
        self._counts = f"{prefix}:usage:counts:"
        self._seen = f"{prefix}:usage:seen:"
        self._snapshots = f"{prefix}:lessons"

    async def count(self, tenant: str, events: Sequence[Event]) -> list[Event]:
        """Count *events*, each once whoever reports it; those that were new."""
        pairs = [text for event in events for text in (event.key, field_of(event))]

        async def run(client: Redis) -> Any:
            # In a cluster, what one script touches is together where the names have the same part in braces.
            place = f"{{{_MARK}{tenant}}}"
            return await client.eval(_COUNT, 1, self._counts + place, f"{self._seen}{place}:", SEEN_SECONDS, *pairs)

        return [events[place - 1] for place in await self._pool.call(run)]

    async def counts(self) -> dict[str, dict[str, Counts]]:
        """Tenant → tool → counts."""

        async def run(client: Redis) -> dict[str, dict[str, Counts]]:
            found = {}
            async for key in client.scan_iter(match=self._counts + "*", count=500):
                fields: Any = await client.hgetall(key)
                tenant = key.decode().removeprefix(self._counts + "{" + _MARK).removesuffix("}")
                found[tenant] = counts_of({name.decode(): int(count) for name, count in fields.items()})
            return dict(sorted(found.items()))

        return await self._pool.call(run)

    async def snapshots(self) -> list[Snapshot]:
        """The snapshots that are kept, oldest first."""

        async def run(client: Redis) -> list[bytes]:
            found: Any = await client.hvals(self._snapshots)
            return list(found)

        return sorted((Snapshot.from_json(text) for text in await self._pool.call(run)), key=lambda one: one.version)

    async def publish(self, now: float) -> Snapshot:
        """Make a snapshot from the counts; it counts from `VALID_AFTER_SECONDS` after *now* on."""
        known, counts = await self.snapshots(), await self.counts()
        last = known[-1] if known else Snapshot(version=0, valid_from=0.0, tenants={})
        tenants = {
            tenant: learn(counts.get(tenant, {}), last.tenants.get(tenant, NOTHING))
            for tenant in sorted({*counts, *last.tenants})
        }
        snapshot = Snapshot(version=last.version + 1, valid_from=now + VALID_AFTER_SECONDS, tenants=tenants)
        outdated = [one.version for one in known[: -(KEPT_SNAPSHOTS - 1)]]

        async def run(client: Redis) -> None:
            await client.hset(self._snapshots, str(snapshot.version), snapshot.to_json())
            if outdated:
                await client.hdel(self._snapshots, *map(str, outdated))

        await self._pool.call(run)
        return snapshot


@dataclass(frozen=True, slots=True)
class CountUsage:
    """Counts once the model has replied, off the request's path."""

    learning: Learning
    tenant: str
    events: tuple[Event, ...]

    async def __call__(self, reply: Reply) -> None:
        await self.learning.count(self.tenant, self.events)

    def abandon(self) -> None:
        """The next turn shows the same events again."""


class Learning:
    """Hands out the lessons that count now, and counts what requests show.

    *version* pins a snapshot; None: the newest that counts. *canary_fraction* of the sessions get full schemas, for
    comparison. *observe* is told of what was counted.
    """

    def __init__(
        self, store: UsageStore, *, canary_fraction: float, version: int | None = None, observe: Observe | None = None
    ) -> None:
        self._store = store
        self._canary_fraction = canary_fraction
        self._version = version
        self._observe = observe
        self._snapshots: list[Snapshot] = []
        self._due = 0.0
        self._seen: Memo[str, bool] = Memo(SEEN_IN_PROCESS)

    async def lessons(self, request: ChatRequest) -> Lessons:
        """The lessons for the request's tenant; none where Redis doesn't answer, and none was read before."""
        now = time.time()
        if now >= self._due:
            self._due = now + REFRESH_SECONDS
            try:
                self._snapshots = await self._store.snapshots()
            except RedisUnavailable as error:
                logger.info("lessons about tools can't be read: %s", error)
        snapshot = self._current(now)
        return snapshot.tenants.get(label_of(request.tenant), NOTHING) if snapshot else NOTHING

    def _current(self, now: float) -> Snapshot | None:
        if self._version is not None:
            return next((one for one in self._snapshots if one.version == self._version), None)
        return next((one for one in reversed(self._snapshots) if one.valid_from <= now), None)

    def is_canary(self, session: str) -> bool:
        """Whether a session gets full schemas, for comparison."""
        return position_of(session) < self._canary_fraction

    def followup(self, request: ChatRequest, events: Sequence[Event]) -> CountUsage | None:
        """What counts those of *events* that this process hasn't counted; None where there are none."""
        new = tuple(event for event in events if event.key not in self._seen)
        return CountUsage(self, label_of(request.tenant), new) if new else None

    async def count(self, tenant: str, events: Sequence[Event]) -> None:
        """Count *events*; where Redis doesn't answer, the session's next turn tries again."""
        try:
            counted = await self._store.count(tenant, events)
        except RedisUnavailable as error:
            logger.info("usage of tools can't be counted: %s", error)
            return
        for event in events:
            self._seen.put(event.key, True)
        if self._observe is not None and counted:
            self._observe(counted)


def as_rows(counts: dict[str, dict[str, Counts]]) -> list[dict[str, Any]]:
    """One row a tenant and tool, most called first."""
    rows = [
        {"tenant": tenant, "tool": tool, **{name: getattr(count, name) for name in Counts.__slots__}}
        for tenant, tools in counts.items()
        for tool, count in tools.items()
    ]
    return sorted(rows, key=lambda row: (row["tenant"], -int(str(row["called"])), row["tool"]))


def described(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as plain values."""
    values: dict[str, Any] = json.loads(snapshot.to_json())
    return values

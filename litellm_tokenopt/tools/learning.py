"""Usage of tools counted in Redis, and the lessons published from it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import RedisUnavailable
from ..memo import Memo
from ..redis.locks import RedisLocks
from ..redis.pool import RedisPool
from ..request import ChatRequest, Reply
from .lessons import NOTHING, Lessons, Snapshot, learn
from .usage import Counts, Event, counts_of, field_of, label_of, position_of, session_of

if TYPE_CHECKING:
    from redis.asyncio import Redis

SEEN_SECONDS = 7 * 86_400
"""How long an event is known as counted; a session that is resumed later counts again."""

REFRESH_SECONDS = 60.0
"""How often a worker looks for a new snapshot."""

VALID_AFTER_SECONDS = 3 * REFRESH_SECONDS
"""A snapshot counts so long after its publication."""

KEPT_SNAPSHOTS = 20

SESSION_SECONDS = 86_400
"""How long a session goes by the snapshot that counted at its first turn."""

PUBLISHING_SECONDS = 60.0
"""How long one worker may take to publish before another may."""

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

FIRST = Snapshot(version=0, valid_from=0.0, tenants={})
"""What counts before anything was published."""


class UsageStore:
    """Counts under ``{prefix}:usage:…``, snapshots under ``{prefix}:lessons``. All methods raise `RedisUnavailable`."""

    def __init__(self, pool: RedisPool, prefix: str) -> None:
        self._pool = pool
        self.prefix = prefix
        self._counts = f"{prefix}:usage:counts:"
        self._seen = f"{prefix}:usage:seen:"
        self._snapshots = f"{prefix}:lessons"
        self._sessions = f"{prefix}:lessons:session:"
        self._locks = RedisLocks(pool, f"{prefix}:lessons:")

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
        known = await self.snapshots()
        return await self._put(await self._learned(known, now), known)

    async def publish_rarely(self, now: float, seconds: float) -> Snapshot | None:
        """`publish`, by one worker alone, at most every so many *seconds*, and only what differs from the last one."""
        token = uuid.uuid4().hex
        if not await self._locks.take("publish", token, PUBLISHING_SECONDS):
            return None
        known = await self.snapshots()
        last = known[-1] if known else FIRST
        wait = last.valid_from - VALID_AFTER_SECONDS + seconds - now
        snapshot = await self._learned(known, now) if wait <= 0 else last
        changes = _told(snapshot) != _told(last)
        if changes:
            await self._put(snapshot, known)
        await self._locks.replace("publish", token, "done", wait if wait > 0 else seconds)
        return snapshot if changes else None

    async def version_of(self, session: str, version: int) -> int:
        """The snapshot that *session* goes by: for a day *version*, if this is the first that anybody sees of it."""

        async def run(client: Redis) -> int:
            key = self._sessions + session
            if await client.set(key, version, nx=True, ex=SESSION_SECONDS):
                return version
            return int(await client.get(key) or version)

        return await self._pool.call(run)

    async def _learned(self, known: Sequence[Snapshot], now: float) -> Snapshot:
        """The snapshot that the counts make after those that are *known*."""
        counts, last = await self.counts(), known[-1] if known else FIRST
        tenants = {
            tenant: learn(counts.get(tenant, {}), last.tenants.get(tenant, NOTHING))
            for tenant in sorted({*counts, *last.tenants})
        }
        return Snapshot(version=last.version + 1, valid_from=now + VALID_AFTER_SECONDS, tenants=tenants)

    async def _put(self, snapshot: Snapshot, known: Sequence[Snapshot]) -> Snapshot:
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
        await self.count()

    async def count(self) -> None:
        """Count, and publish what is learned if that is due."""
        await self.learning.count(self.tenant, self.events)
        await self.learning.publish()

    def abandon(self) -> None:
        """The next turn shows the same events again."""


class Learning:
    """Hands out the lessons that count now, and counts what requests show.

    *version* pins a snapshot; None: the newest that counts at a session's first turn. *canary_fraction* of the
    sessions get full schemas, for comparison. *publish_seconds* lie between two publications; 0: there are none.
    *observe* is told of what was counted.
    """

    def __init__(
        self,
        store: UsageStore,
        *,
        canary_fraction: float,
        version: int | None = None,
        publish_seconds: float = 0.0,
        observe: Observe | None = None,
    ) -> None:
        self._store = store
        self._canary_fraction = canary_fraction
        self._version = version
        self._observe = observe
        self._snapshots: list[Snapshot] = []
        self._due = 0.0
        self._publish_seconds = publish_seconds
        self._publish_due = 0.0
        self._versions: Memo[str, int] = Memo(SEEN_IN_PROCESS)
        self._seen: Memo[str, bool] = Memo(SEEN_IN_PROCESS)
        self._counting: set[asyncio.Task[None]] = set()

    async def lessons(self, request: ChatRequest) -> Lessons:
        """The lessons for the request's tenant; none where Redis doesn't answer, and none was read before."""
        now = time.time()
        if now >= self._due:
            self._due = now + REFRESH_SECONDS
            try:
                self._snapshots = await self._store.snapshots()
            except RedisUnavailable as error:
                logger.info("lessons about tools can't be read: %s", error)
        snapshot = await self._snapshot(session_of(request), now)
        return snapshot.tenants.get(label_of(request.tenant), NOTHING)

    async def publish(self) -> None:
        """Publish lessons if that is due; off a request's path."""
        now = time.time()
        if not self._publish_seconds or now < self._publish_due:
            return
        self._publish_due = now + REFRESH_SECONDS
        try:
            published = await self._store.publish_rarely(now, self._publish_seconds)
        except RedisUnavailable as error:
            logger.info("lessons about tools can't be published: %s", error)
            return
        if published is not None:
            logger.info("lessons about tools published: version %s", published.version)

    async def _snapshot(self, session: str, now: float) -> Snapshot:
        """What counts for *session*: what counted at its first turn, so that it keeps its cached prefix."""
        if self._version is not None:
            return self._numbered(self._version) or FIRST
        current = next((one for one in reversed(self._snapshots) if one.valid_from <= now), FIRST)
        version = self._versions.get(session)
        if version is None:
            try:
                version = await self._store.version_of(session, current.version)
            except RedisUnavailable:
                return current
            self._versions.put(session, version)
        return FIRST if version == 0 else self._numbered(version) or current

    def _numbered(self, version: int) -> Snapshot | None:
        return next((one for one in self._snapshots if one.version == version), None)

    def is_canary(self, session: str) -> bool:
        """Whether a session gets full schemas, for comparison."""
        return position_of(session) < self._canary_fraction

    def followup(self, request: ChatRequest, events: Sequence[Event]) -> CountUsage | None:
        """What counts those of *events* that this process hasn't counted; None where there are none."""
        new = tuple(event for event in events if event.key not in self._seen)
        return CountUsage(self, label_of(request.tenant), new) if new else None

    def count_soon(self, followup: CountUsage) -> None:
        """Count beside the request, where nobody will hand over the model's reply."""
        task = asyncio.get_running_loop().create_task(followup.count())
        self._counting.add(task)
        task.add_done_callback(self._counting.discard)

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


def _told(snapshot: Snapshot) -> dict[str, Lessons]:
    """The lessons that say something."""
    return {tenant: lessons for tenant, lessons in snapshot.tenants.items() if lessons != NOTHING}


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

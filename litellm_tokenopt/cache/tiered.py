"""A store that workers share, with this process's own memory in front of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import UnavailableError
from .memory import MemoryAnswerStore
from .stores import Entry, Hit, Holdings, Selection, SharedAnswerStore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

LOCAL_SECONDS = 60.0
ASK_SECONDS = 5.0
LATE_ENTRIES, LATE_AT_ONCE = 64, 2
"""So many entries wait for a second chance to be written to Redis; so many get one beside each write that succeeds."""


@dataclass(frozen=True, slots=True)
class _Late:
    """An entry that Redis did not take in time, when its own time is over, and the stamp that `put` got."""

    entry: Entry
    vector: NDArray[np.float32] | None
    until: float
    since: str


class TieredAnswerStore:
    """What this process stored or found last is found in its memory at once, the rest in *shared*.

    While *shared* is out of reach, *memory* does everything; said in the log once each time. What it didn't take then
    is written beside later entries, unless it was removed meanwhile; `health` counts what still waits (``late``).

    What is removed (`remove`) is gone at once in *shared* and in the process that removes it. Another process forgets
    its own copies with the next look-up that asks *shared*: one in `ASK_SECONDS` does in any case. While *shared*
    can't be reached, nobody learns of anything. *clock* gives seconds.
    """

    def __init__(
        self,
        memory: MemoryAnswerStore,
        shared: SharedAnswerStore,
        local_seconds: float = LOCAL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._memory = memory
        self._shared = shared
        self._local_seconds = min(local_seconds, LOCAL_SECONDS)
        self._clock = clock
        self._ask_at = 0.0
        self._generation = shared.generation
        self._alone = False
        self._late: dict[str, _Late] = {}

    async def get_exact(self, key: str) -> Entry | None:
        local = self._memory.peek(key)
        if local is not None and self._clock() < self._ask_at:
            return local
        self._ask_at = self._clock() + ASK_SECONDS
        try:
            entry = await self._shared.get_exact(key)
        except UnavailableError as error:
            self._failed(error)
            return local
        self._forget_removed()
        self._alone = False
        return self._kept(entry) if entry is not None else self._memory.peek(key)

    async def get_noted(self, key: str) -> Hit | None:
        try:
            hit = await self._shared.get_noted(key)
        except UnavailableError as error:
            self._failed(error)
            return await self._memory.get_noted(key)
        self._alone = False
        return hit

    def _kept(self, entry: Entry) -> Entry:
        """*entry*, found in Redis, for `local_seconds` in this process too: Redis may be away when it's asked again."""
        if self._memory.peek(entry.key) is None:
            self._memory.keep(entry, None, self._local_seconds)
        return entry

    async def search(self, scope: str, vector: NDArray[np.float32], k: int, threshold: float) -> list[Hit]:
        try:
            hits = await self._shared.search(scope, vector, k, threshold)
        except UnavailableError as error:
            self._failed(error)
            return await self._memory.search(scope, vector, k, threshold)
        self._alone = False
        return hits

    def stamp(self, key: str) -> str:
        return self._shared.stamp(key)

    async def put(
        self, entry: Entry, vector: NDArray[np.float32] | None, ttl_seconds: float, since: str | None = None
    ) -> str | None:
        # First and without a pause: the same request may come again while Redis is being written.
        self._memory.keep(entry, vector, min(ttl_seconds, self._local_seconds))
        self._late.pop(entry.key, None)
        try:
            stamp = await self._shared.put(entry, vector, ttl_seconds, since)
        except UnavailableError as error:
            self._failed(error)
            self._memory.keep(entry, vector, ttl_seconds)
            since = self.stamp(entry.key) if since is None else since
            self._late[entry.key] = _Late(entry, vector, self._clock() + ttl_seconds, since)
            while len(self._late) > LATE_ENTRIES:
                del self._late[next(iter(self._late))]
            return since
        self._alone = False
        if stamp is None:
            await self._memory.drop(entry.key)
        await self._catch_up()
        return stamp

    async def _catch_up(self) -> None:
        """Write some of what is late."""
        try:
            for late in list(self._late.values())[:LATE_AT_ONCE]:
                await self._write(late)
        except UnavailableError as error:
            self._failed(error)

    async def _write(self, late: _Late) -> None:
        """Write *late* as if it came now, unless it was removed, or another process has stored an answer since.

        What is removed here, or stored anew, while it's being written is taken out again: a miss is no harm.
        """
        key, left = late.entry.key, late.until - self._clock()
        found = await self._shared.get_exact(key) if left > 0 else None
        self._forget_removed()
        if left > 0 and found in (None, late.entry) and self._late.get(key) is late:
            await self._shared.put(late.entry, late.vector, left, late.since)
            if self._late.get(key) is not late:
                await self._shared.drop(key)
        if self._late.get(key) is late:
            del self._late[key]

    async def note(self, key: str, change: Callable[[str], str]) -> str | None:
        try:
            return await self._shared.note(key, change)
        except UnavailableError as error:
            self._failed(error)
            return await self._memory.note(key, change)

    async def drop(self, key: str) -> None:
        await self._memory.drop(key)
        self._late.pop(key, None)
        try:
            await self._shared.drop(key)
        except UnavailableError as error:
            self._failed(error)

    async def select(self, selection: Selection, limit: int) -> list[Entry]:
        return await self._shared.select(selection, limit)

    async def remove(self, selection: Selection) -> int:
        """`AnswerStore.remove`; this process forgets the entries also when *shared* can't be reached."""
        await self._memory.remove(selection)
        self._late = {key: late for key, late in self._late.items() if not selection.holds(late.entry)}
        return await self._shared.remove(selection)

    async def holdings(self) -> list[Holdings]:
        return await self._shared.holdings()

    async def health(self) -> Mapping[str, Any]:
        memory = {**await self._memory.health(), "late": len(self._late)}
        return {**await self._shared.health(), "memory": memory}

    def _forget_removed(self) -> None:
        if self._shared.generation != self._generation:
            self._generation = self._shared.generation
            self._memory.clear()
            self._late.clear()

    def _failed(self, error: UnavailableError) -> None:
        if not self._alone:
            logger.warning("answers are kept in this process alone for now: %s", error)
        self._alone = True

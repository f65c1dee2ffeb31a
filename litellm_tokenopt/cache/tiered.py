"""A store that workers share, with this process's own memory in front of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
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


class TieredAnswerStore:
    """What this process stored or found last is found in its memory at once, the rest in *shared*.

    While *shared* is out of reach, *memory* does everything; said in the log once each time.

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

    async def put(self, entry: Entry, vector: NDArray[np.float32] | None, ttl_seconds: float) -> None:
        # First and without a pause: the same request may come again while Redis is being written.
        self._memory.keep(entry, vector, min(ttl_seconds, self._local_seconds))
        try:
            await self._shared.put(entry, vector, ttl_seconds)
        except UnavailableError as error:
            self._failed(error)
            self._memory.keep(entry, vector, ttl_seconds)
        else:
            self._alone = False

    async def note(self, key: str, change: Callable[[str], str]) -> str | None:
        try:
            return await self._shared.note(key, change)
        except UnavailableError as error:
            self._failed(error)
            return await self._memory.note(key, change)

    async def drop(self, key: str) -> None:
        await self._memory.drop(key)
        try:
            await self._shared.drop(key)
        except UnavailableError as error:
            self._failed(error)

    async def select(self, selection: Selection, limit: int) -> list[Entry]:
        return await self._shared.select(selection, limit)

    async def remove(self, selection: Selection) -> int:
        """`AnswerStore.remove`; this process forgets the entries also when *shared* can't be reached."""
        await self._memory.remove(selection)
        return await self._shared.remove(selection)

    async def holdings(self) -> list[Holdings]:
        return await self._shared.holdings()

    async def health(self) -> Mapping[str, Any]:
        return {**await self._shared.health(), "memory": dict(await self._memory.health())}

    def _forget_removed(self) -> None:
        if self._shared.generation != self._generation:
            self._generation = self._shared.generation
            self._memory.clear()

    def _failed(self, error: UnavailableError) -> None:
        if not self._alone:
            logger.warning("answers are kept in this process alone for now: %s", error)
        self._alone = True

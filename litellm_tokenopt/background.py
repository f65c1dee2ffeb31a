"""Work beside requests, within bounds."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

RUNNING, WAITING = 4, 64
CLOSE_SECONDS = 5.0


class Background:
    """Runs work in the event loop of who hands it in: at most *running* at once, *waiting* in line.

    Not more than *per_minute* is taken in any minute; what is beyond these bounds is dropped. What work raises goes
    to *failed* and no further. *clock* gives seconds.
    """

    def __init__(
        self,
        per_minute: int,
        failed: Callable[[BaseException], None],
        *,
        running: int = RUNNING,
        waiting: int = WAITING,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_minute = per_minute
        self._failed = failed
        self._running = running
        self._waiting = waiting
        self._clock = clock
        self._taken: deque[float] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns: asyncio.Semaphore | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def submit(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Take *work* in, to be started soon; False where it's dropped. Needs a running event loop."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # at first, and after a fork: the parent's tasks are not ours
            self._loop, self._tasks, self._turns = loop, set(), asyncio.Semaphore(self._running)
        if self._closed or len(self._tasks) >= self._running + self._waiting or not self._may_take():
            return False
        task = loop.create_task(self._run(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def idle(self) -> None:
        """Wait until nothing runs or waits."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """Cancel what runs and waits; nothing is taken in afterwards."""
        self._closed = True
        tasks = [task for task in self._tasks if task.get_loop() is asyncio.get_running_loop()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_SECONDS)

    def _may_take(self) -> bool:
        now = self._clock()
        while self._taken and now - self._taken[0] >= 60.0:
            self._taken.popleft()
        if len(self._taken) >= self._per_minute:
            return False
        self._taken.append(now)
        return True

    async def _run(self, work: Callable[[], Awaitable[None]]) -> None:
        assert self._turns is not None
        async with self._turns:
            try:
                await work()
            except Exception as error:
                logger.debug("background work failed", exc_info=True)
                self._failed(error)

"""Threads for a model's work, which start with the first job and end when they're told to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

BEGUN_SECONDS = 0.001
"""By then a job has begun: before, the event loop's own work would keep the interpreter from its thread."""

P = ParamSpec("P")
T = TypeVar("T")


class Workers:
    """At most *threads* threads called *name*. Usable from several event loops and threads."""

    def __init__(self, threads: int, name: str) -> None:
        self._threads = threads
        self._name = name
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start *work*."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix=self._name)
            return self._pool.submit(work, *args, **kwargs)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What *work* returns; the event loop stays free."""
        return await asyncio.wrap_future(self.submit(work, *args, **kwargs))

    def close(self) -> None:
        """Wait for the jobs that run, drop those that wait, and end the threads. A later job starts them again."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)


def meanwhile(work: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Have *work*, which remembers what it finds, done on the event loop while a thread is at the caller's next job."""
    asyncio.get_running_loop().call_later(BEGUN_SECONDS, partial(work, *args, **kwargs))

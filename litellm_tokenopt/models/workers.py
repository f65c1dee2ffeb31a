"""Threads for a model's work, which start with the first job and end when they're told to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import ParamSpec, TypeVar

BEGUN_SECONDS = 0.001
"""By then a job has begun: before, the event loop's own work would keep the interpreter from its thread."""

_alone: ContextVar[bool] = ContextVar("tokenopt_alone", default=False)

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def alone(is_so: bool) -> Iterator[None]:
    """Say whether, at first, nobody else in the event loop asks for what is done in this block."""
    token = _alone.set(is_so)
    try:
        yield
    finally:
        _alone.reset(token)


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

    async def run_small(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`run` for *work* of less than 5 ms: done at once for who is `alone`, as the way to a thread takes longer.

        A crowd uses all threads.
        """
        if not _alone.get():
            return await self.run(work, *args, **kwargs)
        await asyncio.sleep(0)  # what is to be done in the event loop goes first
        return work(*args, **kwargs)

    def close(self) -> None:
        """Wait for the jobs that run, drop those that wait, and end the threads. A later job starts them again."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)


def meanwhile(work: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Have *work*, which remembers what it finds, done on the event loop while a thread, or Redis, is at work."""
    asyncio.get_running_loop().call_later(BEGUN_SECONDS, partial(work, *args, **kwargs))

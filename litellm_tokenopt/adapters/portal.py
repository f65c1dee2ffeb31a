"""The one event loop in which an installed optimizer lives.

Redis connections belong to a loop, while callers come from many (or from none): so the optimizer runs in a thread
with a loop of its own, where sync and async callers alike hand in work. A caller's own loop stays free.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Portal:
    """Runs coroutines in a background loop, first in, first started; started at first use and again after a fork."""

    def __init__(self, name: str = "tokenopt") -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start *work* and return at once. What is submitted earlier is started earlier."""
        return asyncio.run_coroutine_threadsafe(work, self._running_loop())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for *work*, from a thread that is not the portal's own."""
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a sync call from inside the portal's loop would wait for itself")
        return self.submit(work).result()

    async def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for *work* from any event loop. Cancelling the waiter cancels the work."""
        return await asyncio.wrap_future(self.submit(work))

    @property
    def started(self) -> bool:
        return self._loop is not None and self._pid == os.getpid()

    def stop(self, *, timeout_seconds: float = 5.0) -> None:
        """Cancel what still runs and end the thread. Does nothing when it never started."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None or self._pid != os.getpid():
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout_seconds)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._pid != os.getpid():
                self._loop = asyncio.new_event_loop()
                self._pid = os.getpid()
                self._thread = threading.Thread(target=_serve, args=(self._loop,), name=self._name, daemon=True)
                self._thread.start()
            return self._loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

"""The one event loop in which an installed optimizer lives.

Redis connections belong to a loop, while callers come from many (or from none): so the optimizer runs in a thread
with a loop of its own, where sync and async callers alike hand in work. A caller's own loop stays free.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from ..errors import UnavailableError

T = TypeVar("T")


class PortalClosed(UnavailableError):
    """The work was not done, or not to its end, since the plugin is being switched off."""


class Portal:
    """Runs coroutines in a background loop, first in, first started; started at first use and again after a fork.

    Once closed, it takes no more work.
    """

    def __init__(self, name: str = "tokenopt") -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start *work* and return at once. What is submitted earlier is started earlier. Raises `PortalClosed`."""
        with self._lock:
            if not self._closed:
                return asyncio.run_coroutine_threadsafe(work, self._running_loop())
        work.close()
        raise PortalClosed("the plugin has been switched off")

    def post(self, callback: Callable[[], object]) -> None:
        """Have the loop call *callback* soon, where it runs. Takes no lock: a finalizer may use it, at any point."""
        loop = self._loop
        if loop is not None and self._pid == os.getpid():
            with suppress(RuntimeError):  # it has just been closed
                loop.call_soon_threadsafe(callback)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for *work*, from a thread that is not the portal's own. Raises `PortalClosed`."""
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a sync call from inside the portal's loop would wait for itself")
        submitted = self.submit(work)
        try:
            return submitted.result()
        except concurrent.futures.CancelledError:
            raise PortalClosed("the plugin was switched off meanwhile") from None
        except KeyboardInterrupt:
            submitted.cancel()
            raise

    async def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for *work* from any event loop. Cancelling the waiter cancels the work. Raises `PortalClosed`."""
        return await self.result(self.submit(work))

    async def result(self, submitted: concurrent.futures.Future[T]) -> T:
        """What comes of work that was submitted; else as `wait`."""
        try:
            return await asyncio.wrap_future(submitted)
        except asyncio.CancelledError:
            waiter = asyncio.current_task()
            if not self._closed or (waiter is not None and waiter.cancelling()):
                raise
        raise PortalClosed("the plugin was switched off meanwhile")

    def close(self, last: Callable[[], Coroutine[Any, Any, None]], *, timeout_seconds: float = 30.0) -> None:
        """Cancel what still runs, do *last* where anything ever ran, and end the thread."""
        with self._lock:
            self._closed = True
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None or self._pid != os.getpid():
            return
        try:
            asyncio.run_coroutine_threadsafe(_finish(last), loop).result(timeout_seconds)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(timeout_seconds)

    def stop(self) -> None:
        """Take no more work and end the loop, whatever still runs in it; doesn't wait for that."""
        with self._lock:
            self._closed = True
            if self._loop is not None and self._pid == os.getpid():
                self._loop.call_soon_threadsafe(self._loop.stop)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        """The loop; asked for with the lock held."""
        # Closed: an interrupt that arises in the loop ends it, and goes to whoever waited.
        if self._loop is None or self._loop.is_closed() or self._pid != os.getpid():
            self._loop = asyncio.new_event_loop()
            self._pid = os.getpid()
            self._thread = threading.Thread(target=_serve, args=(self._loop,), name=self._name, daemon=True)
            self._thread.start()
        return self._loop


async def _finish(last: Callable[[], Coroutine[Any, Any, None]]) -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await last()


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

"""A value that is made once, off the event loop, however many wait for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from ..errors import ModelUnavailable

T = TypeVar("T")


class Once(Generic[T]):
    """Makes its value in a daemon thread when it's first asked for; a failure is kept and told to everybody.

    Waiting takes no thread, and giving up waiting (a time budget) doesn't stop the making.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._future: Future[T] | None = None

    async def get(self) -> T:
        """The value; raises `ModelUnavailable` where it can't be made."""
        future = self._started()
        if not future.done():
            await asyncio.wrap_future(_follower(future))
        return _result(future)

    def wait(self) -> T:
        """The value, for callers outside an event loop."""
        return _result(self._started())

    def _started(self) -> Future[T]:
        with self._lock:
            if self._future is None:
                self._future = Future()
                threading.Thread(target=self._run, args=(self._future,), name="tokenopt-load", daemon=True).start()
            return self._future

    def _run(self, future: Future[T]) -> None:
        try:
            future.set_result(self._make())
        except BaseException as error:
            future.set_exception(error)


def _follower(future: Future[T]) -> Future[None]:
    """A future of one waiter, done when *future* is. Cancelling it leaves *future* and the other waiters alone."""
    follower: Future[None] = Future()

    def finish(_: Future[T]) -> None:
        if follower.set_running_or_notify_cancel():
            follower.set_result(None)

    future.add_done_callback(finish)
    return follower


def _result(future: Future[T]) -> T:
    try:
        return future.result()
    except ModelUnavailable as error:
        raise ModelUnavailable(str(error)) from error.__cause__

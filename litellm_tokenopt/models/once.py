"""A value that is made once, off the event loop, however many wait for it."""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

from ..errors import ModelLoading, ModelUnavailable

T = TypeVar("T")

RETRY_SECONDS = 300.0
EXIT_SECONDS = 5.0

logger = logging.getLogger(__name__)


class Once(Generic[T]):
    """Makes its value in a daemon thread when it's first asked for.

    A failure is logged, kept, and told to everybody for *retry_seconds*; who asks then starts it again. Waiting takes
    no thread, and giving up waiting (a time budget) doesn't stop the making.
    """

    def __init__(self, make: Callable[[], T], retry_seconds: float = RETRY_SECONDS) -> None:
        self._make = make
        self._retry_seconds = retry_seconds
        self._lock = threading.Lock()
        self._future: Future[T] | None = None
        self._begun = self._ended = 0.0

    async def get(self, patience_seconds: float | None = None) -> T:
        """The value; raises `ModelUnavailable` where it can't be made, `ModelLoading` where the patience ends first.

        *patience_seconds* run from the making's begin, whoever began it: who comes later doesn't wait at all.
        """
        future = self._started()
        if not future.done():
            left = None if patience_seconds is None else self._begun + patience_seconds - time.monotonic()
            try:
                async with asyncio.timeout(left):
                    await asyncio.wrap_future(_follower(future))
            except TimeoutError:
                raise ModelLoading("the model is still being loaded") from None
        return _result(future)

    def wait(self) -> T:
        """The value, for callers outside an event loop."""
        return _result(self._started())

    def forget(self) -> None:
        """Let go of the value: who asks then has it made again."""
        with self._lock:
            self._future = None

    def _started(self) -> Future[T]:
        with self._lock:
            if self._future is None or self._is_to_be_retried(self._future):
                self._future, self._begun = Future(), time.monotonic()
                # A thread inside a C++ library at the interpreter's end would take the process down.
                atexit.register(self._wait_a_little)
                threading.Thread(target=self._run, args=(self._future,), name="tokenopt-load", daemon=True).start()
            return self._future

    def _is_to_be_retried(self, future: Future[T]) -> bool:
        failed = future.done() and future.exception() is not None
        return failed and time.monotonic() >= self._ended + self._retry_seconds

    def _run(self, future: Future[T]) -> None:
        try:
            value = self._make()
        except BaseException as error:
            self._ended = time.monotonic()
            logger.warning("%s (requests pass on without it; tried again in %g s)", error, self._retry_seconds)
            future.set_exception(error)
        else:
            future.set_result(value)
        atexit.unregister(self._wait_a_little)

    def _wait_a_little(self) -> None:
        if self._future is not None:
            wait([self._future], EXIT_SECONDS)


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

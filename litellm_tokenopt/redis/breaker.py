"""A circuit breaker: leaves a failing server alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal


class CircuitBreaker:
    """Closed until *failures* failures in a row, then open for *seconds*, then half open: one trial call decides.

    In a row means one after the other: of calls that run at the same time one failure counts, however many they are.

    Ask `allow` before a call, and report its end with exactly one of `success`, `failure` or `release`.
    """

    def __init__(self, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = failures
        self._seconds = seconds
        self._clock = clock
        self._failures_in_row = 0
        self._failed_at = float("-inf")
        self._opened_at: float | None = None
        self._trial_running = False

    @property
    def state(self) -> Literal["closed", "open", "half_open"]:
        if self._opened_at is None:
            return "closed"
        return "half_open" if self.seconds_left == 0 else "open"

    @property
    def seconds_left(self) -> float:
        """Until a trial call is allowed; 0 when calls or a trial are."""
        return 0.0 if self._opened_at is None else max(0.0, self._opened_at + self._seconds - self._clock())

    @property
    def now(self) -> float:
        """When it is, for `failure`."""
        return self._clock()

    def allow(self) -> bool:
        """Whether a call may be made now; half open, the first to ask gets the trial."""
        if self.state == "closed":
            return True
        if self.state == "open" or self._trial_running:
            return False
        self._trial_running = True
        return True

    def success(self) -> bool:
        """The server answered. True when this closed the breaker."""
        was_open = self._opened_at is not None
        self._failures_in_row, self._opened_at, self._trial_running = 0, None, False
        return was_open

    def failure(self, began: float) -> bool:
        """The server did not answer a call that *began* at a time by `now`. True when this opened the breaker.

        A closed one learns nothing new from a call that had begun before the last failure.
        """
        if self.state == "closed" and began < self._failed_at:
            return False
        self._failed_at = self._clock()
        self._failures_in_row += 1
        self._trial_running = False
        if self.state == "open" or (self.state == "closed" and self._failures_in_row < self._limit):
            return False
        self._opened_at = self._clock()
        return True

    def release(self) -> None:
        """The call ended without saying anything about the server (cancelled): the trial goes to the next caller."""
        self._trial_running = False

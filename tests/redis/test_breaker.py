"""The circuit breaker's states."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_tokenopt.redis.breaker import CircuitBreaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock, failures: int = 3) -> CircuitBreaker:
    breaker = CircuitBreaker(failures, 10.0, clock)
    for _ in range(failures):
        assert breaker.allow()
        breaker.failure(math.inf)
    return breaker


def test_it_opens_at_the_last_of_n_failures_in_a_row() -> None:
    """N - 1 failures keep it closed, the n-th opens it and says so."""
    breaker = CircuitBreaker(3, 10.0, Clock())
    assert [breaker.failure(math.inf) for _ in range(3)] == [False, False, True]
    assert breaker.state == "open"
    assert not breaker.allow()


def test_a_success_between_failures_starts_the_count_anew() -> None:
    """Only failures in a row count."""
    breaker = CircuitBreaker(2, 10.0, Clock())
    breaker.failure(math.inf)
    assert not breaker.success()
    assert not breaker.failure(math.inf)
    assert breaker.state == "closed"


def test_after_its_time_one_trial_is_allowed() -> None:
    """Half open, the first to ask may call and the others wait for what comes of it."""
    clock = Clock()
    breaker = opened(clock)
    clock.now = 9.9
    assert not breaker.allow()
    clock.now = 10.0
    assert breaker.state == "half_open"
    assert [breaker.allow(), breaker.allow()] == [True, False]


def test_a_trial_that_succeeds_closes_it() -> None:
    """One answer is enough."""
    clock = Clock()
    breaker = opened(clock)
    clock.now = 10.0
    assert breaker.allow()
    assert breaker.success()
    assert breaker.state == "closed"
    assert breaker.allow()


def test_a_trial_that_fails_opens_it_for_the_whole_time_again() -> None:
    """The time counts from the trial's failure."""
    clock = Clock()
    breaker = opened(clock)
    clock.now = 12.0
    assert breaker.allow()
    assert breaker.failure(math.inf)
    assert breaker.seconds_left == 10.0


def test_a_cancelled_trial_passes_to_the_next_caller() -> None:
    """A call that says nothing about the server doesn't keep the breaker half open for good."""
    clock = Clock()
    breaker = opened(clock)
    clock.now = 10.0
    assert breaker.allow()
    breaker.release()
    assert breaker.allow()


def test_late_failures_do_not_lengthen_the_pause() -> None:
    """Calls that were under way when it opened end without moving its clock."""
    clock = Clock()
    breaker = opened(clock)
    clock.now = 4.0
    assert not breaker.failure(math.inf)
    assert breaker.seconds_left == 6.0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(["success", "failure", "release"]), st.floats(0, 30)), max_size=40))
def test_it_never_shuts_for_good(steps: list[str | float]) -> None:
    """Whatever happened, a call is allowed once its time has passed and no trial is under way."""
    clock = Clock()
    breaker = CircuitBreaker(2, 10.0, clock)
    for step in steps:
        if isinstance(step, float):
            clock.now += step
        elif breaker.allow():
            breaker.failure(clock.now) if step == "failure" else getattr(breaker, step)()
    clock.now += 10.0
    assert breaker.allow()


def test_failures_at_the_same_time_count_once() -> None:
    """A burst of calls that end together without an answer is one failure; those that begin later are others."""
    clock = Clock()
    breaker = CircuitBreaker(3, 10.0, clock)
    for wave in range(3):
        began = clock.now
        clock.now += 1.0
        opened = [breaker.failure(began) for _ in range(50)]
        assert opened.count(True) == (wave == 2)

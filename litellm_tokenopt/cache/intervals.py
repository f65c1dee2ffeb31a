"""Confidence intervals of a share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

LEVEL = 0.95
_HALVINGS = 50
_TERMS, _PRECISION, _TINY = 500, 1e-14, 1e-300


@dataclass(frozen=True, slots=True)
class Interval:
    """The bounds of a share, in [0, 1]."""

    lower: float
    upper: float


def exact_interval(hits: int, trials: int, level: float = LEVEL) -> Interval:
    """Where the share behind *hits* of *trials* lies, at least *level* of the time (Clopper and Pearson, 1934).

    (0, 1) where nothing was tried.
    """
    if trials == 0:
        return Interval(0.0, 1.0)
    tail = (1.0 - level) / 2
    lower = 0.0 if hits == 0 else _share_where(lambda share: at_most(hits - 1, trials, share), 1.0 - tail)
    upper = 1.0 if hits == trials else _share_where(lambda share: at_most(hits, trials, share), tail)
    return Interval(lower, upper)


def surely_above(share: float, hits: int, trials: int) -> bool:
    """Whether `exact_interval` lies above *share*; costs a fiftieth of it."""
    return hits > 0 and 1.0 - at_most(hits - 1, trials, share) < (1.0 - LEVEL) / 2


def surely_within(share: float, hits: int, trials: int) -> bool:
    """Whether `exact_interval` lies at or below *share*; costs a fiftieth of it."""
    return trials > 0 and at_most(hits, trials, share) <= (1.0 - LEVEL) / 2


def at_most(hits: int, trials: int, share: float) -> float:
    """The probability of *hits* or fewer in *trials* of probability *share*; an incomplete beta function."""
    if hits >= trials or share <= 0.0:
        return 1.0
    if share >= 1.0:
        return 0.0
    a, b, x = float(trials - hits), hits + 1.0, 1.0 - share
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )  # fmt: skip
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(a, b, x) / a
    return 1.0 - front * _fraction(b, a, 1.0 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, _TERMS):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0)),
        ):
            d = 1.0 / _away_from_zero(1.0 + step * d)
            c = _away_from_zero(1.0 + step / c)
            value *= c * d
        if abs(c * d - 1.0) < _PRECISION:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _share_where(falling: Callable[[float], float], value: float) -> float:
    """Where *falling*, a function on [0, 1], comes down to *value*."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > value else (low, middle)
    return (low + high) / 2

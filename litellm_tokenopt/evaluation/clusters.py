"""Ratios over sessions, with bounds that don't take the requests of one session for independent witnesses.

A ratio is a sum over sessions by another. Its variance is the jackknife's, a session left out each time, which holds
with few of them too (MacKinnon, Nielsen and Webb, "Fast and reliable jackknife and bootstrap methods for cluster-robust
inference", 2023); its bounds are Student's. A share of events gets Wilson's bounds at the number of trials that the
variance is worth (Franco, Little, Louis and Slud, "Comparative Study of Confidence Intervals for Proportions in Complex
Sample Surveys", 2019), so that none or all of them has bounds too. Those of a difference are made of both sides' (Zou
and Donner, "Construction of confidence limits about effect measures", 2008).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeAlias

Bounds: TypeAlias = tuple[float, float]
Parts: TypeAlias = tuple[float, float]
"""What was counted in one session, and of how much."""

MIN_SESSIONS = 10
"""With fewer on a side there are no bounds: what a few sessions vary by says little of how all do."""

TAIL = 0.975
POWER = 0.8
"""How probably so many sessions more would tell a difference like the one seen."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A ratio over so many sessions, with 95 % bounds; None: too few sessions for any."""

    value: float
    sessions: int
    bounds: Bounds | None


def estimate(parts: Sequence[Parts], *, events: bool) -> Estimate | None:
    """The ratio of what was counted, which is never negative; None where there was nothing to count.

    *events*: it's the share of trials that were hits.
    """
    counted = [part for part in parts if part[1]]
    size, total = len(counted), sum(of for _, of in counted)
    if not size:
        return None
    value = sum(count for count, _ in counted) / total
    if size < MIN_SESSIONS:
        return Estimate(value, size, None)
    without = [(value * total - count) / (total - of) for count, of in counted]
    variance = (size - 1) / size * sum((other - value) ** 2 for other in without)
    width = student(size - 1)
    if events:
        worth = value * (1 - value) / variance if variance and 0 < value < 1 else size
        return Estimate(value, size, wilson(value, min(worth, total), width))
    half = width * math.sqrt(variance)
    return Estimate(value, size, (max(0.0, value - half), value + half))


def difference(base: Estimate, tried: Estimate) -> Bounds | None:
    """The 95 % bounds of how much more *tried* is than *base*; None where either has none."""
    if base.bounds is None or tried.bounds is None:
        return None
    apart = tried.value - base.value
    below = math.hypot(tried.value - tried.bounds[0], base.bounds[1] - base.value)
    above = math.hypot(tried.bounds[1] - tried.value, base.value - base.bounds[0])
    return apart - below, apart + above


def sessions_to_tell(base: Estimate, tried: Estimate) -> int | None:
    """About how many sessions more, of both sides, would tell the difference that is seen now; None: no number would.

    Bounds narrow with the root of the sessions.
    """
    apart, bounds = tried.value - base.value, difference(base, tried)
    if bounds is None or not apart:
        return None
    half = apart - bounds[0] if apart > 0 else bounds[1] - apart
    normal = NormalDist()
    wanted = (half / abs(apart) * (1 + normal.inv_cdf(POWER) / normal.inv_cdf(TAIL))) ** 2
    return max(0, math.ceil((wanted - 1) * (base.sessions + tried.sessions)))


def wilson(share: float, trials: float, width: float) -> Bounds:
    """Where the share behind *share* of so many *trials* lies (Wilson, 1927), within *width* standard deviations."""
    spread = width * width / trials
    middle = (share + spread / 2) / (1 + spread)
    half = width / (1 + spread) * math.sqrt(share * (1 - share) / trials + spread / (4 * trials))
    return max(0.0, middle - half), min(1.0, middle + half)


def student(freedom: int) -> float:
    """Student's t that 97.5 % don't exceed (Abramowitz and Stegun, 26.7.5); to a thousandth from 5 degrees on."""
    z = NormalDist().inv_cdf(TAIL)
    terms: tuple[float, ...] = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    found = z
    for power, term in enumerate(terms, start=1):
        found += term / math.pow(freedom, power)
    return found

"""Both sides of an experiment, compared: tokens saved by session (bootstrap), hits of the cache (Wilson)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from .observation import Observation

Bounds: TypeAlias = tuple[float, float]

SAMPLES = 2_000
Z = 1.959964
"""Of a normal distribution, 95 % lie within so many standard deviations."""
_HITS = ("exact", "semantic")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmLine:
    """One side: its requests and sessions, the percentage of tokens saved and of look-ups that hit, with 95 % bounds.

    Sessions count alike, however long: the requests of one are no independent witnesses.
    """

    arm: str
    sessions: int
    requests: int
    saved_percent: float
    saved_bounds: Bounds
    hit_percent: float
    hit_bounds: Bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """The sides, and by how many points the tried one saves more than the base, with its 95 % bounds."""

    arms: tuple[ArmLine, ...]
    difference: float
    difference_bounds: Bounds


def compare(observations: Sequence[Observation]) -> Experiment | None:
    """The experiment in *observations*; None where not both sides have been seen."""
    sides = {arm: [seen for seen in observations if seen.arm == arm] for arm in ("base", "tried")}
    if not all(sides.values()):
        return None
    shares = {arm: _by_session(seen) for arm, seen in sides.items()}
    drawn = {arm: _means(values, seed) for seed, (arm, values) in enumerate(shares.items())}
    lines = tuple(_line(arm, sides[arm], shares[arm], drawn[arm]) for arm in sides)
    apart = [tried - base for base, tried in zip(drawn["base"], drawn["tried"], strict=True)]
    return Experiment(
        arms=lines, difference=lines[1].saved_percent - lines[0].saved_percent, difference_bounds=_middle(apart)
    )


def wilson(hits: int, trials: int) -> Bounds:
    """Where the share behind *hits* of *trials* lies, 95 % of the time (Wilson, 1927); (0, 1) where none was tried."""
    if not trials:
        return 0.0, 1.0
    share, spread = hits / trials, Z * Z / trials
    middle = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * math.sqrt(share * (1 - share) / trials + spread / (4 * trials))
    return max(0.0, middle - half), min(1.0, middle + half)


def _line(arm: str, seen: Sequence[Observation], shares: Sequence[float], drawn: Sequence[float]) -> ArmLine:
    looked = [one for one in seen if one.cache != "skip"]
    hits = sum(one.cache in _HITS for one in looked)
    low, high = wilson(hits, len(looked))
    return ArmLine(
        arm=arm, sessions=len(shares), requests=len(seen), saved_percent=sum(shares) / len(shares),
        saved_bounds=_middle(drawn), hit_percent=100 * hits / len(looked) if looked else 0.0,
        hit_bounds=(100 * low, 100 * high),
    )  # fmt: skip


def _by_session(seen: Sequence[Observation]) -> list[float]:
    """The percentage of its tokens that each session was saved."""
    totals: dict[str, tuple[int, int]] = {}
    for one in seen:
        before, after = totals.get(one.session, (0, 0))
        totals[one.session] = (before + one.tokens_before, after + one.tokens_after)
    return [_percent(totals, session) for session in totals]


def _percent(totals: Mapping[str, tuple[int, int]], session: str) -> float:
    before, after = totals[session]
    return 100 * (1 - after / before) if before else 0.0


def _means(values: Sequence[float], seed: int) -> list[float]:
    """Means of samples drawn from *values* with replacement; the same each time."""
    import numpy as np

    chance = np.random.default_rng(seed)
    picks = chance.integers(0, len(values), (SAMPLES, len(values)))
    means: list[float] = np.array(values)[picks].mean(axis=1).tolist()
    return means


def _middle(drawn: Sequence[float]) -> Bounds:
    """The bounds of the 95 % in the middle."""
    ordered = sorted(drawn)
    cut = int(0.025 * len(ordered))
    return ordered[cut], ordered[-1 - cut]

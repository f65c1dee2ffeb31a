"""How the hits that were checked came out, and how much stricter the cache has become for it.

The share of wrong hits is estimated from checks alone, which draw hits at random. What people report is not drawn at
random: it's counted apart, and tells of its entry only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .evidence import Outcome
from .intervals import Interval, exact_interval, surely_above, surely_within

STEP = 0.5
"""Log-odds of confidence that one level asks more than the one below."""
MOST_LEVELS = 16
WINDOW_DAYS = 30
_WORDS: tuple[Outcome, ...] = ("same", "different", "unknown")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many checks came to what."""

    same: int = 0
    different: int = 0
    unknown: int = 0

    def plus(self, outcome: Outcome) -> Counts:
        return replace(self, **{outcome: getattr(self, outcome) + 1})

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.same + other.same, self.different + other.different, self.unknown + other.unknown)

    @property
    def told(self) -> int:
        """How many could be told."""
        return self.same + self.different

    @property
    def wrong_rate(self) -> float | None:
        """The share of wrong ones among those that could be told; None without any."""
        return self.different / self.told if self.told else None

    @property
    def interval(self) -> Interval:
        """Where the wrong rate lies, at least 95 % of the time."""
        return exact_interval(self.different, self.told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Checks by Unix day; the level, and the checks since it was reached.

    `served` are checks of hits; `lower` those and what would be hits one level lower. `right` and `wrong` count what
    people reported.
    """

    days: Mapping[int, Counts] = field(default_factory=dict)
    level: int = 0
    served: Counts = Counts()
    lower: Counts = Counts()
    right: int = 0
    wrong: int = 0

    @property
    def tightening(self) -> float:
        """Log-odds of confidence that a hit needs beyond the calibrated line."""
        return self.level * STEP

    @property
    def recent(self) -> Counts:
        """All checks of hits of the last `WINDOW_DAYS`."""
        return sum(self.days.values(), Counts())


def checked(tally: Tally, outcome: Outcome, day: int, max_wrong_rate: float) -> Tally:
    """*tally* after the check of one hit on the Unix *day*."""
    days = {one: counts for one, counts in tally.days.items() if one > day - WINDOW_DAYS}
    days[day] = days.get(day, Counts()).plus(outcome)
    counted = replace(tally, days=days, served=tally.served.plus(outcome), lower=tally.lower.plus(outcome))
    return settled(counted, max_wrong_rate)


def explored(tally: Tally, outcome: Outcome, max_wrong_rate: float) -> Tally:
    """*tally* after the check of what would have been a hit one level lower."""
    return settled(replace(tally, lower=tally.lower.plus(outcome)), max_wrong_rate)


def settled(tally: Tally, max_wrong_rate: float) -> Tally:
    """One level up where hits are surely too often wrong; one down where even those below are surely not."""
    served, lower = tally.served, tally.lower
    if surely_above(max_wrong_rate, served.different, served.told):
        return _at(tally, min(MOST_LEVELS, tally.level + 1))
    if tally.level and surely_within(max_wrong_rate, lower.different, lower.told):
        return _at(tally, tally.level - 1)
    return tally


def reported(tally: Tally, same: bool) -> Tally:
    """*tally* after somebody has said whether an answer was right."""
    return replace(tally, right=tally.right + same, wrong=tally.wrong + (not same))


def _at(tally: Tally, level: int) -> Tally:
    return replace(tally, level=level, served=Counts(), lower=Counts())


def written(tally: Tally) -> str:
    """*tally* as text, for a store."""
    days = {str(day): _listed(counts) for day, counts in tally.days.items()}
    return json.dumps(
        {
            "days": days, "level": tally.level, "served": _listed(tally.served), "lower": _listed(tally.lower),
            "right": tally.right, "wrong": tally.wrong,
        }
    )  # fmt: skip


def read_tally(text: str) -> Tally:
    """What `written` wrote; an empty one for what it didn't."""
    try:
        raw = json.loads(text)
        return Tally(
            days={int(day): Counts(*map(int, counts)) for day, counts in raw["days"].items()},
            level=max(0, min(MOST_LEVELS, int(raw["level"]))),
            served=Counts(*map(int, raw["served"])), lower=Counts(*map(int, raw["lower"])),
            right=int(raw["right"]), wrong=int(raw["wrong"]),
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError):
        return Tally()


def _listed(counts: Counts) -> list[int]:
    return [getattr(counts, word) for word in _WORDS]

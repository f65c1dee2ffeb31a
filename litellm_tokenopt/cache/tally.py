"""How the hits that were checked came out, and how much stricter the cache has become for it.

The share of wrong hits is estimated from checks alone, which draw hits at random. What people report is not drawn at
random: it's counted apart, and tells of its entry only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .evidence import Outcome
from .intervals import Interval, exact_interval, surely_above, surely_within

STEP = 0.5
"""Log-odds of confidence that one level asks more than the one below."""
MOST_LEVELS = 16
WINDOW_DAYS = 30
MOST_SCALES = 8
"""Of so many verifiers, those heard of last, checks are counted."""
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
    """Checks by Unix day; the level, and the checks since it was reached by `evidence.scale_of` their pairs.

    `served` are checks of hits; `lower` those and what would be hits one level lower. `right` and `wrong` count what
    people reported.
    """

    days: Mapping[int, Counts] = field(default_factory=dict)
    level: int = 0
    served: Mapping[str, Counts] = field(default_factory=dict)
    lower: Mapping[str, Counts] = field(default_factory=dict)
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


def checked(tally: Tally, outcome: Outcome, day: int, max_wrong_rate: float, scale: str = "") -> Tally:
    """*tally* after the check of one hit on the Unix *day*."""
    days = {one: counts for one, counts in tally.days.items() if one > day - WINDOW_DAYS}
    days[day] = days.get(day, Counts()).plus(outcome)
    served, lower = (_counted(counts, scale, outcome) for counts in (tally.served, tally.lower))
    return settled(replace(tally, days=days, served=served, lower=lower), max_wrong_rate, scale)


def explored(tally: Tally, outcome: Outcome, max_wrong_rate: float, scale: str = "") -> Tally:
    """*tally* after the check of what would have been a hit one level lower."""
    return settled(replace(tally, lower=_counted(tally.lower, scale, outcome)), max_wrong_rate, scale)


def settled(tally: Tally, max_wrong_rate: float, scale: str) -> Tally:
    """One level up where hits are surely too often wrong; one down where even those below are surely not.

    Only what was measured on one *scale* speaks: a verifier's good record neither loosens nor excuses the next one.
    """
    served, lower = (counts.get(scale, Counts()) for counts in (tally.served, tally.lower))
    if surely_above(max_wrong_rate, served.different, served.told):
        return _at(tally, min(MOST_LEVELS, tally.level + 1))
    if tally.level and surely_within(max_wrong_rate, lower.different, lower.told):
        return _at(tally, tally.level - 1)
    return tally


def reported(tally: Tally, same: bool) -> Tally:
    """*tally* after somebody has said whether an answer was right."""
    return replace(tally, right=tally.right + same, wrong=tally.wrong + (not same))


def _at(tally: Tally, level: int) -> Tally:
    return replace(tally, level=level, served={}, lower={})


def _counted(counts: Mapping[str, Counts], scale: str, outcome: Outcome) -> Mapping[str, Counts]:
    """*counts* with one more on *scale*; those of the latest `MOST_SCALES` stay."""
    others = [(one, known) for one, known in counts.items() if one != scale][1 - MOST_SCALES :]
    return {**dict(others), scale: counts.get(scale, Counts()).plus(outcome)}


def written(tally: Tally) -> str:
    """*tally* as text, for a store."""
    return json.dumps(
        {
            "days": _listed(tally.days), "level": tally.level,
            "served": _listed(tally.served), "lower": _listed(tally.lower),
            "right": tally.right, "wrong": tally.wrong,
        }
    )  # fmt: skip


def read_tally(text: str) -> Tally:
    """What `written` wrote; an empty one for what it didn't."""
    try:
        raw = json.loads(text)
        return Tally(
            days={int(day): counts for day, counts in _read(raw["days"]).items()},
            level=max(0, min(MOST_LEVELS, int(raw["level"]))),
            served=_read(raw["served"]), lower=_read(raw["lower"]),
            right=int(raw["right"]), wrong=int(raw["wrong"]),
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError):
        return Tally()


def _listed(by_name: Mapping[Any, Counts]) -> dict[str, list[int]]:
    return {str(name): [getattr(counts, word) for word in _WORDS] for name, counts in by_name.items()}


def _read(raw: Any) -> dict[str, Counts]:
    """What `_listed` made; nothing of the counts that earlier versions kept for all scales together."""
    return {} if isinstance(raw, list) else {name: Counts(*map(int, counts)) for name, counts in raw.items()}

"""What is learned from usage, published rarely: which tools rank higher, and which keep their full schema.

A change of what is sent costs running sessions their cached prefix, so lessons change only with a published
`Snapshot`. It counts from a moment after its publication, by when every worker has read it: all decide alike.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .usage import Counts

PRIOR = 0.3
"""What the most used tool gains in rank, in standard deviations of the ranking's scores."""

MIN_CALLS = 5
"""A tool called less often gains nothing."""

MIN_COMPRESSED_CALLS, MIN_FULL_CALLS = 20, 10
"""Calls with either schema from which on failures are compared."""

MIN_HARM, SIGNIFICANT_Z = 0.05, 2.33
"""By how much, and how surely (one-sided, 1 %), more calls must fail with the compressed schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """For one tenant: tool → gain in rank, and the tools that are sent with their full schema."""

    priors: Mapping[str, float] = field(default_factory=dict)
    full: frozenset[str] = frozenset()


NOTHING = Lessons()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Lessons by tenant; they count from `valid_from` (seconds since the epoch)."""

    version: int
    valid_from: float
    tenants: Mapping[str, Lessons]

    def to_json(self) -> str:
        tenants = {
            tenant: {"priors": dict(lessons.priors), "full": sorted(lessons.full)}
            for tenant, lessons in self.tenants.items()
        }
        return json.dumps({"version": self.version, "valid_from": self.valid_from, "tenants": tenants})

    @classmethod
    def from_json(cls, text: str | bytes) -> Snapshot:
        values: dict[str, Any] = json.loads(text)
        tenants = {
            tenant: Lessons(priors=lessons["priors"], full=frozenset(lessons["full"]))
            for tenant, lessons in values["tenants"].items()
        }
        return cls(version=values["version"], valid_from=values["valid_from"], tenants=tenants)


def learn(counts: Mapping[str, Counts], before: Lessons = NOTHING) -> Lessons:
    """Lessons from one tenant's usage; a tool that had its full schema *before* keeps it."""
    most = max((count.called for count in counts.values()), default=0)
    priors = {
        tool: round(PRIOR * math.log1p(count.called) / math.log1p(most), 3)
        for tool, count in counts.items()
        if count.called >= MIN_CALLS
    }
    harmed = {tool for tool, count in counts.items() if is_harmed(count)}
    return Lessons(priors=priors, full=before.full | harmed)


def is_harmed(count: Counts) -> bool:
    """Whether clearly more calls fail with the compressed schema than with the full one (two proportions' z-test)."""
    short_calls, short_failed = count.called - count.full_called, count.failed - count.full_failed
    if short_calls < MIN_COMPRESSED_CALLS or count.full_called < MIN_FULL_CALLS:
        return False
    harm = short_failed / short_calls - count.full_failed / count.full_called
    pooled = count.failed / count.called
    deviation = math.sqrt(pooled * (1 - pooled) * (1 / short_calls + 1 / count.full_called))
    return harm >= MIN_HARM and deviation > 0 and harm / deviation >= SIGNIFICANT_Z

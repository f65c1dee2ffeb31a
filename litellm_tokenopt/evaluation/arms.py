"""Both sides of an experiment, or of a holdout, compared by session: cheaper, quicker, as good?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

from .clusters import MIN_SESSIONS, Estimate, Parts, difference, estimate, sessions_to_tell
from .observation import Observation

Unit: TypeAlias = Literal["%", "$", "ms", "s", ""]
Verdict: TypeAlias = Literal["better", "worse", "unclear", "few", "alone"]

HOLDOUT = "holdout"
_HITS = ("exact", "semantic")


@dataclass(frozen=True, slots=True)
class Measure:
    """Something to compare: `parts` of one session's requests are what is counted, and of how much.

    Percentages are ratios from 0 to 1. `events`: it's a share of requests.
    """

    name: str
    unit: Unit
    more_is_better: bool
    parts: Callable[[Sequence[Observation]], Parts]
    events: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One measure of both sides, and by how much the tried one is above the base, with its 95 % bounds.

    `verdict`: is the tried side better, worse, unclear as yet, are there too few sessions, or does one side have it
    alone (the other's is None then)? `more_sessions` is about how many more, of both sides, it would take to tell; None
    where no number would, or none is needed.
    """

    measure: str
    unit: Unit
    base: Estimate | None
    tried: Estimate | None
    more_is_better: bool
    difference: float | None
    bounds: tuple[float, float] | None
    verdict: Verdict
    more_sessions: int | None


@dataclass(frozen=True, slots=True)
class Side:
    """What was seen of one side."""

    name: str
    sessions: int
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """An experiment: its sides, base first, and their measures. `summary` says in words what they come to."""

    name: str
    sides: tuple[Side, Side]
    lines: tuple[Line, ...]
    summary: str


def experiments(observations: Sequence[Observation]) -> tuple[Experiment, ...]:
    """Every experiment that the *observations* were part of, and the holdout, where sessions were left alone."""
    named = sorted({seen.experiment for seen in observations if seen.experiment})
    found = [_experiment(name, *_arms(observations, name)) for name in named]
    alone = [seen for seen in observations if seen.mode == "holdout"]
    optimised = [seen for seen in observations if seen.mode == "on" and seen.session]
    if alone:
        found.append(_experiment(HOLDOUT, ("left alone", alone), ("optimised", optimised)))
    return tuple(found)


_Seen: TypeAlias = tuple[str, Sequence[Observation]]


def _arms(observations: Iterable[Observation], name: str) -> Iterator[_Seen]:
    """Both sides of the experiment *name*."""
    part = [seen for seen in observations if seen.experiment == name]
    return ((arm, [seen for seen in part if seen.arm == arm]) for arm in ("base", "tried"))


def _experiment(name: str, base: _Seen, tried: _Seen) -> Experiment:
    sides = (_Sessions(*base), _Sessions(*tried))
    lines = tuple(filter(None, (_line(measure, *sides) for measure in MEASURES)))
    return Experiment(
        name=name, sides=(sides[0].side, sides[1].side), lines=lines, summary=_summary(tried[0], sides, lines)
    )


class _Sessions:
    """One side's requests, session by session."""

    def __init__(self, name: str, seen: Sequence[Observation]) -> None:
        sessions: dict[str, list[Observation]] = {}
        for one in seen:
            sessions.setdefault(one.session, []).append(one)
        self.side = Side(name, len(sessions), len(seen))
        self._sessions = list(sessions.values())

    def estimate(self, measure: Measure) -> Estimate | None:
        return estimate([measure.parts(session) for session in self._sessions], events=measure.events)


def _line(measure: Measure, one: _Sessions, other: _Sessions) -> Line | None:
    base, tried = one.estimate(measure), other.estimate(measure)
    line = partial(
        Line, measure=measure.name, unit=measure.unit, base=base, tried=tried, more_is_better=measure.more_is_better
    )
    if base is None and tried is None:
        return None
    if base is None or tried is None:
        return line(difference=None, bounds=None, verdict="alone", more_sessions=None)
    bounds = difference(base, tried)
    verdict = _verdict(bounds, more_is_better=measure.more_is_better)
    more = sessions_to_tell(base, tried) if verdict == "unclear" else None
    return line(difference=tried.value - base.value, bounds=bounds, verdict=verdict, more_sessions=more)


def _verdict(bounds: tuple[float, float] | None, *, more_is_better: bool) -> Verdict:
    if bounds is None:
        return "few"
    if bounds[0] <= 0 <= bounds[1]:
        return "unclear"
    return "better" if (bounds[0] > 0) == more_is_better else "worse"


def _summary(tried: str, sides: Sequence[_Sessions], lines: Sequence[Line]) -> str:
    lacking = [one.side for one in sides if one.side.sessions < MIN_SESSIONS]
    if lacking:
        seen = " and ".join(f"{side.sessions} on side {side.name!r}" for side in lacking)
        return f"Too few sessions to say anything: {seen}; each side needs {MIN_SESSIONS}."
    words = {"better": "better in", "worse": "worse in", "unclear": "no telling yet in", "few": "too few sessions for"}
    parts = [
        f"{words[verdict]} {', '.join(names)}"
        for verdict in words
        if (names := [line.measure for line in lines if line.verdict == verdict])
    ]
    return f"Side {tried!r}: {'; '.join(parts)}."


def _mean(read: Callable[[Observation], float | None]) -> Callable[[Sequence[Observation]], Parts]:
    """Of the requests that have what is *read*, the mean."""

    def parts(session: Sequence[Observation]) -> Parts:
        values = [value for value in map(read, session) if value is not None]
        return sum(values), len(values)

    return parts


def _saved(session: Sequence[Observation]) -> Parts:
    before = sum(seen.tokens_before for seen in session)
    return before - sum(seen.tokens_after for seen in session), before


def _hit(seen: Observation) -> float | None:
    return None if seen.cache == "skip" else float(seen.cache in _HITS)


def _asked(seen: Observation) -> float | None:
    return None if seen.asked is None else float(seen.asked > 0)


def _stage_failed(seen: Observation) -> float:
    return float(any(stage.reason.startswith("error:") for stage in seen.stages))


MEASURES = (
    Measure("tokens saved", "%", True, _saved),
    Measure("1,000 requests", "$", False, _mean(lambda seen: None if seen.usd is None else 1000 * seen.usd)),
    Measure("requests a session", "", False, lambda session: (len(session), 1)),
    Measure("time added", "ms", False, _mean(lambda seen: seen.ms)),
    Measure("time until answered", "s", False, _mean(lambda seen: seen.seconds)),
    Measure("facts kept", "%", True, _mean(lambda seen: seen.kept_facts)),
    Measure("asked back", "%", False, _mean(_asked), events=True),
    Measure("failed requests", "%", False, _mean(lambda seen: seen.failed), events=True),
    Measure("failed stages", "%", False, _mean(_stage_failed), events=True),
    Measure("cache hits", "%", True, _mean(_hit), events=True),
)
"""What is compared; shares are of requests, facts are those of passages that are compressed. Where the model asks back
for what was left out, leaving it out was wrong."""

"""What a run of traffic amounts to: tokens, time and money, stage by stage, and whether anything was lost."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from .arms import Experiment, experiments
from .observation import Observation, StageSeen
from .pricing import Bill


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLine:
    """One stage over all requests that came to it; `acted` counts those that it changed or answered."""

    stage: str
    requests: int
    acted: int
    tokens_before: int
    tokens_after: int
    tokens_saved: int
    saved_percent: float
    ms_p50: float
    ms_p95: float
    reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheLine:
    """Look-ups by result; `skip` counts requests that the cache passed over."""

    exact: int
    semantic: int
    miss: int
    skip: int
    hit_percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PassagesLine:
    """Passages that were to be compressed: `taken`, or `refused` and left whole, as they would have lost too much.

    Of the requests with any taken: what share of facts (and of words) the worst of their passages kept, on average and
    least of all, and the mean ratio of tokens. All are shares from 0 to 1.
    """

    taken: int
    refused: int
    facts_mean: float
    facts_least: float
    words_mean: float
    ratio_mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """The bill of the traffic as it came in, and of what the model had to answer, at *model*'s prices."""

    model: str
    before: Bill
    after: Bill
    saved_percent: float
    saved_percent_with_prompt_cache: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What must not be lost: facts and tools that the answers need, and the answers themselves.

    `answers_total` counts the answers that came from the cache, `facts_total` each fact of each request that held it
    and reached the model, `tools_total` likewise.
    """

    facts_found: int
    facts_total: int
    tools_found: int
    tools_total: int
    answers_wrong: int
    answers_total: int
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A run of traffic. Averages are over all requests: one answered from the cache sent 0 tokens."""

    title: str
    requests: int
    requests_at_model: int
    tokens_before: int
    tokens_after: int
    saved_percent: float
    average_before: float
    average_after: float
    added_ms_p50: float
    added_ms_p95: float
    cache: CacheLine
    stages: tuple[StageLine, ...]
    money: Money | None = None
    checks: Checks | None = None
    notes: tuple[str, ...] = ()
    passages: PassagesLine | None = None
    experiments: tuple[Experiment, ...] = ()


def report_of(
    observations: Sequence[Observation],
    *,
    title: str,
    money: Money | None = None,
    checks: Checks | None = None,
    notes: Iterable[str] = (),
) -> Report:
    """Add up what was done to each request."""
    before = sum(seen.tokens_before for seen in observations)
    after = sum(seen.tokens_after for seen in observations)
    times = [seen.ms for seen in observations]
    count = len(observations)
    cache = _cache_line(observations)
    return Report(
        title=title,
        requests=count,
        requests_at_model=count - cache.exact - cache.semantic,
        tokens_before=before,
        tokens_after=after,
        saved_percent=saved(before, after),
        average_before=_ratio(before, count),
        average_after=_ratio(after, count),
        added_ms_p50=percentile(times, 50),
        added_ms_p95=percentile(times, 95),
        cache=cache,
        stages=tuple(_stage_lines(observations)),
        money=money,
        checks=checks,
        notes=tuple(notes),
        passages=_passages_line(observations),
        experiments=experiments(observations),
    )


def money_of(model: str, before: Bill, after: Bill) -> Money:
    """Two bills, compared."""
    return Money(
        model=model,
        before=before,
        after=after,
        saved_percent=saved(before.usd, after.usd),
        saved_percent_with_prompt_cache=saved(before.usd_with_prompt_cache, after.usd_with_prompt_cache),
    )


def to_json(report: Report) -> str:
    """The report as JSON text; keys are the fields' names."""
    return json.dumps(asdict(report), indent=2, ensure_ascii=False)


def percentile(values: Sequence[float], percent: float) -> float:
    """The least value that *percent* of the values don't exceed (nearest rank), to the microsecond; 0 for none."""
    if not values:
        return 0.0
    rank = max(1, math.ceil(len(values) * percent / 100))
    return round(sorted(values)[rank - 1], 3)


def saved(before: float, after: float) -> float:
    """How many percent less *after* is."""
    return round(100 * (before - after) / before, 2) if before else 0.0


def _ratio(total: float, count: int) -> float:
    return round(total / count, 1) if count else 0.0


def _cache_line(observations: Sequence[Observation]) -> CacheLine:
    words = Counter(seen.cache for seen in observations)
    hits = words["exact"] + words["semantic"]
    return CacheLine(
        exact=words["exact"],
        semantic=words["semantic"],
        miss=words["miss"],
        skip=words["skip"],
        hit_percent=round(100 * hits / len(observations), 2) if observations else 0.0,
    )


def _passages_line(observations: Iterable[Observation]) -> PassagesLine | None:
    found = [stage.passages for seen in observations for stage in seen.stages if stage.passages is not None]
    if not found:
        return None
    facts, words, ratios = (
        [share for one in found if (share := getattr(one, name)) is not None]
        for name in ("kept_facts", "kept_words", "ratio")
    )
    return PassagesLine(
        taken=sum(one.taken for one in found), refused=sum(one.refused for one in found),
        facts_mean=_mean(facts), facts_least=min(facts, default=1.0), words_mean=_mean(words), ratio_mean=_mean(ratios),
    )  # fmt: skip


def _mean(shares: Sequence[float]) -> float:
    """The mean of what passages kept: all where none lost anything."""
    return round(sum(shares) / len(shares), 3) if shares else 1.0


def _stage_lines(observations: Iterable[Observation]) -> Iterable[StageLine]:
    """A line for each stage, in the order in which the stages run."""
    seen: dict[str, list[StageSeen]] = {}
    for observation in observations:
        for stage in observation.stages:
            seen.setdefault(stage.stage, []).append(stage)
    return (_stage_line(name, steps) for name, steps in seen.items())


def _stage_line(name: str, steps: Sequence[StageSeen]) -> StageLine:
    before = sum(step.tokens_before for step in steps)
    after = sum(step.tokens_after for step in steps)
    times = [step.ms for step in steps]
    return StageLine(
        stage=name,
        requests=len(steps),
        acted=sum(step.verdict != "keep" for step in steps),
        tokens_before=before,
        tokens_after=after,
        tokens_saved=before - after,
        saved_percent=saved(before, after),
        ms_p50=percentile(times, 50),
        ms_p95=percentile(times, 95),
        reasons=dict(sorted(Counter(step.reason for step in steps).items(), key=lambda item: (-item[1], item[0]))),
    )

"""Count and measure `Outcome`s."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Meter, Observation

from ..own import tools_of
from ..pipeline import Outcome, Step
from ..request import tool_name
from . import facts, names

if TYPE_CHECKING:
    from ..cache.tally import Tally

MAX_MODELS = 50
MAX_REASONS = 100
MAX_TOOLS = 200


class Capped:
    """Lets the first *limit* distinct values through; the rest become ``other``."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, value: str) -> str:
        if value in self._seen:
            return value
        with self._lock:
            if len(self._seen) < self._limit:
                self._seen.add(value)
        return value if value in self._seen else names.OTHER


class Meters:
    """The instruments of one meter; see `names.METRICS`.

    *redis_up*, *checks* and *memory* (bytes) are asked at each export; None: not known.
    """

    def __init__(
        self,
        meter: Meter,
        redis_up: Callable[[], bool | None],
        checks: Callable[[], Tally | None],
        memory: Callable[[], int | None],
    ) -> None:
        self._counters = {one.name: _counter(meter, one) for one in names.METRICS if one.kind == "counter"}
        self._histograms = {one.name: _histogram(meter, one) for one in names.METRICS if one.kind == "histogram"}
        self._redis_up = redis_up
        self._checks = checks
        self._memory = memory
        _gauge(meter, names.REDIS_UP, self._observe_redis)
        _gauge(meter, names.WRONG_RATE, self._observe_wrong_rate)
        _gauge(meter, names.TIGHTENING, self._observe_tightening)
        _gauge(meter, names.CONTEXT_MEMORY, self._observe_memory)
        self._model = Capped(MAX_MODELS)
        self._reason = Capped(MAX_REASONS)
        self._tool = Capped(MAX_TOOLS)

    def record(self, outcome: Outcome, *, surface: str, model: str, error: str | None) -> None:
        shared = {names.MODEL: self._model(model), names.SURFACE: surface, names.MODE: outcome.mode, **_arm(outcome)}
        self._count(names.REQUESTS, 1, {**shared, names.OUTCOME: facts.outcome_word(outcome, error)})
        self._count(names.BEFORE, outcome.tokens_before, shared)
        self._count(names.AFTER, outcome.tokens_after, shared)
        self._count(names.SAVED, max(0, outcome.tokens_saved), shared)
        self._measure(names.REQUEST_TOKENS, outcome.tokens_before, {**shared, names.POINT: "before"})
        self._measure(names.REQUEST_TOKENS, outcome.tokens_after, {**shared, names.POINT: "after"})
        self._measure(names.DURATION, outcome.seconds, shared)
        for step in outcome.steps:
            self._record_step(step, shared)
        for tool in tools_of(outcome.offers):
            self._count(names.OFFERED, 1, {**shared, names.TOOL: self._reason(tool_name(tool) or "")})
        self._record_cache(outcome, shared)
        self._record_savings(outcome, shared)
        if error is not None:
            self.record_error("optimize", error)

    def record_store(self, outcome: Outcome, said: str) -> None:
        """Count what a follow-up *said* of the reply to *outcome*'s request."""
        result = facts.store_result(said)
        request = outcome.original
        self._count(names.CACHE_STORES, 1,
            {
                names.MODEL: self._model(request.model), names.SURFACE: request.surface, names.MODE: outcome.mode,
                names.CACHE_RESULT: result.result, names.REASON: self._reason(result.reason) if result.reason else "",
            },
        )  # fmt: skip
        if result.result == "error":
            self.record_error("store", result.reason)

    def record_check(self, kind: str, outcome: str) -> None:
        """Count an outcome of a shadow check, or of another *kind* of opinion (judge, report)."""
        if kind == "shadow":
            self._count(names.SHADOW_CHECKS, 1, {names.OUTCOME: outcome})
        else:
            self._count(names.SECOND_OPINIONS, 1, {names.CHECK: kind, names.OUTCOME: outcome})

    def record_check_tokens(self, kind: str, tokens: int) -> None:
        self._count(names.CHECK_TOKENS, tokens, {names.CHECK: kind})

    def record_summary(self, result: str) -> None:
        """Count a summary by what came of it: ``made``, ``refused:…`` with why, ``failed``."""
        outcome, _, reason = result.partition(":")
        self._count(names.SUMMARIES, 1, {names.OUTCOME: outcome, names.REASON: reason})

    def record_summary_tokens(self, tokens: int) -> None:
        self._count(names.SUMMARY_TOKENS, tokens)

    def record_error(self, where: str, error: str) -> None:
        self._count(names.ERRORS, 1, {names.STAGE: where, names.ERROR_TYPE: self._reason(error)})

    def record_asked(self, outcome: Outcome, tool: str, became: str) -> None:
        self._count(names.ASKED, 1, {names.TOOL: self._reason(tool), names.OUTCOME: became, **_arm(outcome)})

    def record_tool(self, tool: str, what: str) -> None:
        self._count(names.TOOLS, 1, {names.TOOL: self._tool(tool), names.USE: what})

    def _count(self, metric: names.Metric, amount: float, attributes: Mapping[str, str] | None = None) -> None:
        self._counters[metric.name].add(amount, attributes)

    def _measure(self, metric: names.Metric, amount: float, attributes: Mapping[str, str]) -> None:
        self._histograms[metric.name].record(amount, attributes)

    def _observe_redis(self, _: CallbackOptions) -> Iterable[Observation]:
        up = self._redis_up()
        return [] if up is None else [Observation(int(up))]

    def _observe_wrong_rate(self, _: CallbackOptions) -> Iterable[Observation]:
        known = self._checks()
        rate = known.recent.wrong_rate if known is not None else None
        if known is None or rate is None:
            return
        interval = known.recent.interval
        for bound, value in (("observed", rate), ("lower", interval.lower), ("upper", interval.upper)):
            yield Observation(value, {names.BOUND: bound})

    def _observe_tightening(self, _: CallbackOptions) -> Iterable[Observation]:
        known = self._checks()
        return [] if known is None else [Observation(known.tightening)]

    def _observe_memory(self, _: CallbackOptions) -> Iterable[Observation]:
        known = self._memory()
        return [] if known is None else [Observation(known)]

    def _record_step(self, step: Step, shared: dict[str, str]) -> None:
        attributes = {**shared, names.STAGE: step.stage}
        self._count(names.STAGE_BEFORE, step.tokens_before, attributes)
        self._count(names.STAGE_AFTER, step.tokens_after, attributes)
        self._count(names.STAGE_SAVED, max(0, step.tokens_saved), attributes)
        self._measure(
            names.STAGE_DURATION, step.seconds, {names.STAGE: step.stage, names.VERDICT: facts.verdict_word(step)}
        )
        self._record_compression(step, shared)
        if step.stage == facts.CONTEXT_STAGE:
            self._record_context(step, shared)
        error = facts.error_type(step)
        if error is not None:
            self.record_error(step.stage, error)

    def _record_compression(self, step: Step, shared: dict[str, str]) -> None:
        """What the prompt's stages tell: tokens beyond its budget, and a request's passages."""
        detail = step.verdict.detail
        self._count(names.BEYOND, int(detail.get("beyond_budget", 0)), shared)
        for outcome, key in (("taken", "squeezed"), ("refused", "squeeze_refused")):
            if count := detail.get(key):
                self._count(names.COMPRESSIONS, int(count), {**shared, names.OUTCOME: outcome})
        if (kept := detail.get("kept_facts")) is not None:
            self._measure(names.KEPT, float(kept), shared)

    def _record_context(self, step: Step, shared: dict[str, str]) -> None:
        """What `context.stage` tells of a request's conversation."""
        detail = step.verdict.detail
        self._measure(names.CONTEXT_TOKENS, step.tokens_before, {**shared, names.POINT: "before"})
        self._measure(names.CONTEXT_TOKENS, step.tokens_after, {**shared, names.POINT: "after"})
        self._count(names.CONTEXT_REQUESTS, 1, {**shared, names.REASON: self._reason(step.verdict.reason)})
        for outcome, key in (("cut", "messages_cut"), ("condensed", "condensed"), ("recalled", "recalled")):
            if count := detail.get(key):
                self._count(names.CONTEXT_MESSAGES, int(count), {**shared, names.OUTCOME: outcome})
        if step.verdict.reason == "cut":
            for level in ("critical", "important", "background"):
                self._count(names.CONTEXT_LEVELS, int(detail.get(level, 0)), {**shared, names.LEVEL: level})

    def _record_savings(self, outcome: Outcome, shared: dict[str, str]) -> None:
        saved = outcome.savings
        if saved is not None:
            self._count(names.SAVED_COST, saved.usd or 0.0, shared)
            self._count(names.SAVED_TIME, saved.seconds, shared)
            self._count(names.SAVED_OUTPUT, saved.output_tokens, shared)

    def _record_cache(self, outcome: Outcome, shared: dict[str, str]) -> None:
        cache = facts.cache_result(outcome)
        if cache is not None:
            reason = self._reason(cache.reason) if cache.reason else ""
            self._count(names.CACHE_REQUESTS, 1, {**shared, names.CACHE_RESULT: cache.result, names.REASON: reason})


def _arm(outcome: Outcome) -> dict[str, str]:
    """The request's side of an experiment, as an attribute."""
    arm = facts.arm(outcome)
    return {} if arm is None else {names.ARM: arm}


def _counter(meter: Meter, metric: names.Metric) -> Counter:
    return meter.create_counter(metric.name, metric.unit, metric.description)


def _gauge(meter: Meter, metric: names.Metric, observe: Callable[[CallbackOptions], Iterable[Observation]]) -> None:
    meter.create_observable_gauge(metric.name, [observe], metric.unit, metric.description)


def _histogram(meter: Meter, metric: names.Metric) -> Histogram:
    return meter.create_histogram(
        metric.name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=metric.buckets
    )

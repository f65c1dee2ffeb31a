"""Count and measure `Outcome`s."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
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
        self._requests = _counter(meter, names.REQUESTS)
        self._before = _counter(meter, names.BEFORE)
        self._after = _counter(meter, names.AFTER)
        self._saved = _counter(meter, names.SAVED)
        self._stage_before = _counter(meter, names.STAGE_BEFORE)
        self._stage_after = _counter(meter, names.STAGE_AFTER)
        self._stage_saved = _counter(meter, names.STAGE_SAVED)
        self._cache_requests = _counter(meter, names.CACHE_REQUESTS)
        self._cache_stores = _counter(meter, names.CACHE_STORES)
        self._shadow_checks = _counter(meter, names.SHADOW_CHECKS)
        self._opinions = _counter(meter, names.SECOND_OPINIONS)
        self._check_tokens = _counter(meter, names.CHECK_TOKENS)
        self._saved_cost = _counter(meter, names.SAVED_COST)
        self._saved_time = _counter(meter, names.SAVED_TIME)
        self._saved_output = _counter(meter, names.SAVED_OUTPUT)
        self._errors = _counter(meter, names.ERRORS)
        self._asked = _counter(meter, names.ASKED)
        self._offered = _counter(meter, names.OFFERED)
        self._tools = _counter(meter, names.TOOLS)
        self._request_tokens = _histogram(meter, names.REQUEST_TOKENS)
        self._duration = _histogram(meter, names.DURATION)
        self._stage_duration = _histogram(meter, names.STAGE_DURATION)
        self._compressions = _counter(meter, names.COMPRESSIONS)
        self._kept = _histogram(meter, names.KEPT)
        self._context_tokens = _histogram(meter, names.CONTEXT_TOKENS)
        self._context_requests = _counter(meter, names.CONTEXT_REQUESTS)
        self._context_levels = _counter(meter, names.CONTEXT_LEVELS)
        self._context_messages = _counter(meter, names.CONTEXT_MESSAGES)
        self._summaries = _counter(meter, names.SUMMARIES)
        self._summary_tokens = _counter(meter, names.SUMMARY_TOKENS)
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
        shared = {names.MODEL: self._model(model), names.SURFACE: surface, names.MODE: outcome.mode}
        if outcome.arm is not None:
            shared[names.ARM] = outcome.arm
        self._requests.add(1, {**shared, names.OUTCOME: facts.outcome_word(outcome, error)})
        self._before.add(outcome.tokens_before, shared)
        self._after.add(outcome.tokens_after, shared)
        self._saved.add(max(0, outcome.tokens_saved), shared)
        self._request_tokens.record(outcome.tokens_before, {**shared, names.POINT: "before"})
        self._request_tokens.record(outcome.tokens_after, {**shared, names.POINT: "after"})
        self._duration.record(outcome.seconds, shared)
        for step in outcome.steps:
            self._record_step(step, shared)
        for tool in tools_of(outcome.offers):
            self._offered.add(1, {**shared, names.TOOL: self._reason(tool_name(tool) or "")})
        self._record_cache(outcome, shared)
        self._record_savings(outcome, shared)
        if error is not None:
            self.record_error("optimize", error)

    def record_store(self, outcome: Outcome, said: str) -> None:
        """Count what a follow-up *said* of the reply to *outcome*'s request."""
        result = facts.store_result(said)
        request = outcome.original
        self._cache_stores.add(
            1,
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
            self._shadow_checks.add(1, {names.OUTCOME: outcome})
        else:
            self._opinions.add(1, {names.CHECK: kind, names.OUTCOME: outcome})

    def record_check_tokens(self, kind: str, tokens: int) -> None:
        self._check_tokens.add(tokens, {names.CHECK: kind})

    def record_summary(self, result: str) -> None:
        """Count a summary by what came of it: ``made``, ``refused:…`` with why, ``failed``."""
        outcome, _, reason = result.partition(":")
        self._summaries.add(1, {names.OUTCOME: outcome, names.REASON: reason})

    def record_summary_tokens(self, tokens: int) -> None:
        self._summary_tokens.add(tokens)

    def record_error(self, where: str, error: str) -> None:
        self._errors.add(1, {names.STAGE: where, names.ERROR_TYPE: self._reason(error)})

    def record_asked(self, tool: str) -> None:
        self._asked.add(1, {names.TOOL: self._reason(tool)})

    def record_tool(self, tool: str, what: str) -> None:
        self._tools.add(1, {names.TOOL: self._tool(tool), names.USE: what})

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
        self._stage_before.add(step.tokens_before, attributes)
        self._stage_after.add(step.tokens_after, attributes)
        self._stage_saved.add(max(0, step.tokens_saved), attributes)
        self._stage_duration.record(step.seconds, {names.STAGE: step.stage, names.VERDICT: facts.verdict_word(step)})
        self._record_compression(step, shared)
        if step.stage == facts.CONTEXT_STAGE:
            self._record_context(step, shared)
        error = facts.error_type(step)
        if error is not None:
            self.record_error(step.stage, error)

    def _record_compression(self, step: Step, shared: dict[str, str]) -> None:
        """What `prompt.squeezing` tells of a request's passages."""
        detail = step.verdict.detail
        for outcome, key in (("taken", "squeezed"), ("refused", "squeeze_refused")):
            if count := detail.get(key):
                self._compressions.add(int(count), {**shared, names.OUTCOME: outcome})
        if (kept := detail.get("kept_facts")) is not None:
            self._kept.record(float(kept), shared)

    def _record_context(self, step: Step, shared: dict[str, str]) -> None:
        """What `context.stage` tells of a request's conversation."""
        detail = step.verdict.detail
        self._context_tokens.record(step.tokens_before, {**shared, names.POINT: "before"})
        self._context_tokens.record(step.tokens_after, {**shared, names.POINT: "after"})
        self._context_requests.add(1, {**shared, names.REASON: self._reason(step.verdict.reason)})
        for outcome, key in (("cut", "messages_cut"), ("condensed", "condensed"), ("recalled", "recalled")):
            if count := detail.get(key):
                self._context_messages.add(int(count), {**shared, names.OUTCOME: outcome})
        if step.verdict.reason == "cut":
            for level in ("critical", "important", "background"):
                self._context_levels.add(int(detail.get(level, 0)), {**shared, names.LEVEL: level})

    def _record_savings(self, outcome: Outcome, shared: dict[str, str]) -> None:
        saved = outcome.savings
        if saved is not None:
            self._saved_cost.add(saved.usd or 0.0, shared)
            self._saved_time.add(saved.seconds, shared)
            self._saved_output.add(saved.output_tokens, shared)

    def _record_cache(self, outcome: Outcome, shared: dict[str, str]) -> None:
        cache = facts.cache_result(outcome)
        if cache is not None:
            reason = self._reason(cache.reason) if cache.reason else ""
            self._cache_requests.add(1, {**shared, names.CACHE_RESULT: cache.result, names.REASON: reason})


def _counter(meter: Meter, metric: names.Metric) -> Counter:
    return meter.create_counter(metric.name, metric.unit, metric.description)


def _gauge(meter: Meter, metric: names.Metric, observe: Callable[[CallbackOptions], Iterable[Observation]]) -> None:
    meter.create_observable_gauge(metric.name, [observe], metric.unit, metric.description)


def _histogram(meter: Meter, metric: names.Metric) -> Histogram:
    return meter.create_histogram(
        metric.name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=metric.buckets
    )

"""Write an `Outcome` down as spans, after the fact."""

from __future__ import annotations

from dataclasses import dataclass

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.util.types import AttributeValue

from ..pipeline import Outcome, Split, Step, Trace
from . import facts, names

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied:
    """An attempt to have a request answered, begun and ended in nanoseconds since the epoch.

    `usd` is its price, if that is known; `error` the type of the error that it ended in.
    """

    started_ns: int
    ended_ns: int
    usd: float | None = None
    error: str | None = None


def write_spans(
    tracer: Tracer,
    outcome: Outcome,
    *,
    started_ns: int,
    surface: str,
    model: str,
    parent: Span | Context | None,
    error: str | None,
) -> Trace | None:
    """One span for *outcome*, and below it one for each stage; *started_ns* is nanoseconds since the epoch.

    What happens later to the request is written where it's returned; None where nobody records.
    """
    span = tracer.start_span(names.SPAN_OPTIMIZE, context=_context(parent), start_time=started_ns)
    if not span.is_recording():
        return None
    span.set_attributes(
        {names.OPERATION: "chat", names.MODEL: model, names.SURFACE: surface, names.MODE: outcome.mode}
        | _split_attributes(outcome.split)
        | _outcome_attributes(outcome, error)
    )
    if error is not None:
        span.set_status(Status(StatusCode.ERROR, error))
    _write_stages(tracer, span, outcome, started_ns)
    span.end(end_time=started_ns + _ns(outcome.seconds))
    return tracer, set_span_in_context(NonRecordingSpan(span.get_span_context()))


def write_reply(trace: Trace, reply: Replied) -> None:
    """One span for an attempt to have a request answered."""
    tracer, below = trace
    span = tracer.start_span(names.SPAN_REPLY, context=below, start_time=reply.started_ns)
    if reply.usd is not None:
        span.set_attribute(names.USD, reply.usd)
    if reply.error is not None:
        span.set_attribute(names.ERROR_TYPE, reply.error)
        span.set_status(Status(StatusCode.ERROR, reply.error))
    span.end(end_time=reply.ended_ns)


def write_asked(trace: Trace, tool: str) -> None:
    """One span, of no length, for a call of our *tool* by the model."""
    tracer, below = trace
    tracer.start_span(names.SPAN_ASKED, context=below, attributes={names.TOOL: tool}).end()


def _split_attributes(split: Split | None) -> dict[str, AttributeValue]:
    if split is None:
        return {}
    found = {names.SESSION: split.session, names.EXPERIMENT: split.experiment, names.ARM: split.arm}
    return {name: value for name, value in found.items() if value}


def _context(parent: Span | Context | None) -> Context | None:
    return set_span_in_context(parent) if isinstance(parent, Span) else parent


def _ns(seconds: float) -> int:
    return int(seconds * NANOSECONDS)


def _outcome_attributes(outcome: Outcome, error: str | None) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {
        names.OUTCOME: facts.outcome_word(outcome, error),
        names.TOKENS_BEFORE: outcome.tokens_before,
        names.TOKENS_AFTER: outcome.tokens_after,
        names.TOKENS_SAVED: outcome.tokens_saved,
        names.CACHE_HIT: facts.cache_hit(outcome) is not None,
    }
    cache = facts.cache_result(outcome)
    if cache is not None:
        attributes[names.CACHE_RESULT] = cache.result
    similarity = facts.similarity(outcome)
    if similarity is not None:
        attributes[names.CACHE_SIMILARITY] = similarity
    if outcome.savings is not None and outcome.savings.usd is not None:
        attributes[names.SAVED_COST.name] = outcome.savings.usd
    if error is not None:
        attributes[names.ERROR_TYPE] = error
    return attributes


def _write_stages(tracer: Tracer, span: Span, outcome: Outcome, started_ns: int) -> None:
    context = set_span_in_context(span)
    # The pipeline counts the request's tokens first: what the stages didn't take was taken before them.
    begun = max(0.0, outcome.seconds - sum(step.seconds for step in outcome.steps))
    for step in outcome.steps:
        ended = begun + step.seconds
        _write_stage(tracer, context, step, started_ns + _ns(begun), started_ns + _ns(ended))
        begun = ended


def _write_stage(tracer: Tracer, context: Context, step: Step, start_ns: int, end_ns: int) -> None:
    name = names.SPAN_STAGE_PREFIX + step.stage
    span = tracer.start_span(name, context=context, start_time=start_ns, attributes=_stage_attributes(step))
    error = facts.error_type(step)
    if error is not None:
        span.set_attribute(names.ERROR_TYPE, error)
        span.set_status(Status(StatusCode.ERROR, error))
    span.end(end_time=end_ns)


def _stage_attributes(step: Step) -> dict[str, AttributeValue]:
    return {
        names.STAGE: step.stage,
        names.VERDICT: facts.verdict_word(step),
        names.REASON: step.verdict.reason,
        names.TOKENS_BEFORE: step.tokens_before,
        names.TOKENS_AFTER: step.tokens_after,
        names.TOKENS_SAVED: step.tokens_saved,
        names.SECONDS: step.seconds,
        **{names.DETAIL_PREFIX + key: value for key, value in step.verdict.detail.items()},
    }

"""What was done to one request, whether the pipeline says it or a trace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..optimizer import session_of
from ..pipeline import Outcome, Step
from ..telemetry import names
from ..telemetry.facts import cache_result, verdict_word


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSeen:
    """One stage's work on one request; `verdict` is keep, change or answer."""

    stage: str
    verdict: str
    reason: str
    tokens_before: int
    tokens_after: int
    ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One request: its tokens, the milliseconds that the stages took, and how the cache look-up ended.

    `cache` is exact, semantic, miss or skip; `arm` the side of an experiment, and `session` a digest, where one ran.
    """

    tokens_before: int
    tokens_after: int
    ms: float
    cache: str
    stages: tuple[StageSeen, ...] = ()
    arm: str = ""
    session: str = ""


_CACHE_WORDS = {
    "hit.exact": "exact",
    "hit.shared": "exact",
    "hit.semantic": "semantic",
    "miss": "miss",
    "rejected": "miss",
}


def from_outcome(outcome: Outcome) -> Observation:
    """What the pipeline says of a request."""
    found = cache_result(outcome)
    return Observation(
        tokens_before=outcome.tokens_before,
        tokens_after=outcome.tokens_after,
        ms=outcome.seconds * 1000,
        cache=_CACHE_WORDS.get(found.result if found else "", "skip"),
        stages=tuple(map(_stage_of_step, outcome.steps)),
        arm=outcome.arm or "",
        session=session_of(outcome.original) if outcome.arm else "",
    )


def from_spans(spans: Iterable[Mapping[str, Any]]) -> list[Observation]:
    """What a trace says of its requests, oldest first; *spans* as `Collector.spans` gives them."""
    children: dict[str, list[Mapping[str, Any]]] = {}
    roots: list[Mapping[str, Any]] = []
    for span in sorted(spans, key=lambda span: (span["start_ns"], span["end_ns"])):
        if span["name"] == names.SPAN_OPTIMIZE:
            roots.append(span)
        elif span["name"].startswith(names.SPAN_STAGE_PREFIX):
            children.setdefault(span["parent_span_id"], []).append(span)
    return [_from_span(root, children.get(root["span_id"], ())) for root in roots]


def _stage_of_step(step: Step) -> StageSeen:
    return StageSeen(
        stage=step.stage,
        verdict=verdict_word(step),
        reason=step.verdict.reason,
        tokens_before=step.tokens_before,
        tokens_after=step.tokens_after,
        ms=step.seconds * 1000,
    )


def _from_span(span: Mapping[str, Any], stages: Sequence[Mapping[str, Any]]) -> Observation:
    attributes = span["attributes"]
    return Observation(
        tokens_before=int(attributes[names.TOKENS_BEFORE]),
        tokens_after=int(attributes[names.TOKENS_AFTER]),
        ms=(span["end_ns"] - span["start_ns"]) / 1e6,
        cache=_CACHE_WORDS.get(str(attributes.get(names.CACHE_RESULT)), "skip"),
        stages=tuple(_stage_of_attributes(stage["attributes"]) for stage in stages),
    )


def _stage_of_attributes(attributes: Mapping[str, Any]) -> StageSeen:
    return StageSeen(
        stage=str(attributes[names.STAGE]),
        verdict=str(attributes[names.VERDICT]),
        reason=str(attributes[names.REASON]),
        tokens_before=int(attributes[names.TOKENS_BEFORE]),
        tokens_after=int(attributes[names.TOKENS_AFTER]),
        ms=float(attributes[names.SECONDS]) * 1000,
    )

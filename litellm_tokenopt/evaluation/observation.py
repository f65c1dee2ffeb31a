"""What was done to one request, whether the pipeline says it or a trace."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..pipeline import Outcome, Split, Step
from ..stage import Detail
from ..telemetry import names
from ..telemetry.facts import cache_result, verdict_word


@dataclass(frozen=True, slots=True, kw_only=True)
class Passages:
    """A request's passages to compress: how many were, and how many stay whole as they would lose too much.

    Of those that were: the least share of facts and of words (the cosine of their counts) that one kept, and the ratio
    of their tokens on average; None where there are none.
    """

    taken: int
    refused: int
    kept_facts: float | None = None
    kept_words: float | None = None
    ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSeen:
    """One stage's work on one request; `verdict` is keep, change or answer."""

    stage: str
    verdict: str
    reason: str
    tokens_before: int
    tokens_after: int
    ms: float
    passages: Passages | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One request: its tokens, the milliseconds that the stages took, and how the cache look-up ended.

    `cache` is exact, semantic, miss or skip. Where sessions are split, `session` stands for the request's, and `arm` is
    its side of the `experiment`. What came of the model's reply is None where it isn't known: its price in `usd`, the
    `seconds` until it had ended, whether it `failed`, and how often the model `asked` for what had been left out.
    """

    tokens_before: int
    tokens_after: int
    ms: float
    cache: str
    stages: tuple[StageSeen, ...] = ()
    mode: str = "on"
    experiment: str = ""
    arm: str = ""
    session: str = ""
    usd: float | None = None
    seconds: float | None = None
    failed: bool | None = None
    asked: int | None = None

    @property
    def kept_facts(self) -> float | None:
        """The least share of its facts that one of its compressed passages kept."""
        kept = [stage.passages.kept_facts for stage in self.stages if stage.passages is not None]
        return min((share for share in kept if share is not None), default=None)


_CACHE_WORDS = {
    "hit.exact": "exact",
    "hit.shared": "exact",
    "hit.semantic": "semantic",
    "miss": "miss",
    "rejected": "miss",
}


def from_outcome(outcome: Outcome, usd: float | None = None) -> Observation:
    """What the pipeline says of a request, which costs *usd* where that's known."""
    found = cache_result(outcome)
    split = outcome.split or Split(session="")
    return Observation(
        tokens_before=outcome.tokens_before,
        tokens_after=outcome.tokens_after,
        ms=outcome.seconds * 1000,
        cache=_CACHE_WORDS.get(found.result if found else "", "skip"),
        stages=tuple(map(_stage_of_step, outcome.steps)),
        mode=outcome.mode,
        experiment=split.experiment,
        arm=split.arm or "",
        session=split.session,
        usd=usd,
    )


def from_spans(spans: Iterable[Mapping[str, Any]], since_ns: int = 0) -> list[Observation]:
    """What a trace says of its requests that came after *since_ns*, oldest first; *spans* as `Collector.spans` gives
    them, in any order. A span that is there twice counts once.
    """
    seen: dict[str, tuple[int, Observation]] = {}
    below: dict[str, _Below] = {}
    for span in spans:
        if span["start_ns"] < since_ns:
            continue
        if span["name"] == names.SPAN_OPTIMIZE:
            seen[span["span_id"]] = (span["start_ns"], _from_span(span))
        else:
            below.setdefault(span["parent_span_id"], _Below()).take(span)
    ordered = sorted(seen.items(), key=lambda item: item[1][0])
    return [below.pop(id, _Below()).beside(one) for id, (_, one) in ordered]


class _Below:
    """What stands below a request's span, by span: its stages, attempts at a reply, and calls of our own tools."""

    __slots__ = ("_asked", "_attempts", "_stages")

    def __init__(self) -> None:
        self._stages: dict[str, tuple[int, StageSeen]] = {}
        self._attempts: dict[str, tuple[int, int, float | None, bool]] = {}
        self._asked: set[str] = set()

    def take(self, span: Mapping[str, Any]) -> None:
        name, id, attributes = span["name"], span["span_id"], span["attributes"]
        if name.startswith(names.SPAN_STAGE_PREFIX):
            self._stages[id] = (span["start_ns"], _stage_of_attributes(attributes))
        elif name == names.SPAN_REPLY:
            failed = names.ERROR_TYPE in attributes
            self._attempts[id] = (span["start_ns"], span["end_ns"], attributes.get(names.USD), failed)
        elif name == names.SPAN_ASKED:
            self._asked.add(id)

    def beside(self, request: Observation) -> Observation:
        """*request* with all of this."""
        stages = tuple(stage for _, stage in sorted(self._stages.values(), key=lambda item: item[0]))
        return replace(request, stages=stages, **self._reply())

    def _reply(self) -> dict[str, Any]:
        """What came of the reply; of several attempts the last says whether it failed, and all of them cost."""
        if not self._attempts:
            return {}
        attempts = sorted(self._attempts.values(), key=lambda attempt: attempt[:2])
        prices = [usd for _, _, usd, _ in attempts if usd is not None]
        return {
            "usd": sum(prices) if prices else None,
            "seconds": (max(end for _, end, _, _ in attempts) - attempts[0][0]) / 1e9,
            "failed": attempts[-1][3],
            "asked": len(self._asked),
        }


def _stage_of_step(step: Step) -> StageSeen:
    return StageSeen(
        stage=step.stage,
        verdict=verdict_word(step),
        reason=step.verdict.reason,
        tokens_before=step.tokens_before,
        tokens_after=step.tokens_after,
        ms=step.seconds * 1000,
        passages=_passages(step.verdict.detail),
    )


def _passages(detail: Detail) -> Passages | None:
    """What a stage's *detail* says of passages."""
    if "squeezed" not in detail:
        return None
    shares = {name: detail.get(name) for name in ("kept_facts", "kept_words", "ratio")}
    return Passages(
        taken=int(detail["squeezed"]), refused=int(detail["squeeze_refused"]),
        **{name: None if share is None else float(share) for name, share in shares.items()},
    )  # fmt: skip


def _from_span(span: Mapping[str, Any]) -> Observation:
    attributes = span["attributes"]
    return Observation(
        tokens_before=int(attributes[names.TOKENS_BEFORE]),
        tokens_after=int(attributes[names.TOKENS_AFTER]),
        ms=(span["end_ns"] - span["start_ns"]) / 1e6,
        cache=_CACHE_WORDS.get(str(attributes.get(names.CACHE_RESULT)), "skip"),
        mode=str(attributes[names.MODE]),
        experiment=sys.intern(str(attributes.get(names.EXPERIMENT, ""))),
        arm=sys.intern(str(attributes.get(names.ARM, ""))),
        session=sys.intern(str(attributes.get(names.SESSION, ""))),
    )


def _stage_of_attributes(attributes: Mapping[str, Any]) -> StageSeen:
    return StageSeen(
        stage=sys.intern(str(attributes[names.STAGE])),
        verdict=sys.intern(str(attributes[names.VERDICT])),
        reason=sys.intern(str(attributes[names.REASON])),
        tokens_before=int(attributes[names.TOKENS_BEFORE]),
        tokens_after=int(attributes[names.TOKENS_AFTER]),
        ms=float(attributes[names.SECONDS]) * 1000,
        passages=_passages(
            {k.removeprefix(names.DETAIL_PREFIX): v for k, v in attributes.items() if k.startswith(names.DETAIL_PREFIX)}
        ),
    )

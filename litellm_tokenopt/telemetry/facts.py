"""What an `Outcome` says, in the words of traces, metrics and headers."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias

from ..pipeline import Outcome, Step
from ..stage import Answer, Change

CACHE_STAGE = "cache"
CONTEXT_STAGE = "context"
ERROR_PREFIX = "error:"

VerdictWord: TypeAlias = Literal["keep", "change", "answer"]
CacheHit: TypeAlias = Literal["exact", "semantic"]

_FAMILIES = {
    "miss": "miss",
    "reject": "rejected",
    "rejected": "rejected",
    "veto": "rejected",
    "vetoed": "rejected",
    "unverified": "rejected",
    "skip": "skipped",
    "skipped": "skipped",
    "error": "error",
}
_REASON = re.compile(rf"({'|'.join(sorted(_FAMILIES, reverse=True))})(?:[:._/ -](.*))?", re.DOTALL)


class CacheResult(NamedTuple):
    """How a look-up ended (hit.exact, hit.semantic, hit.shared, miss, rejected, skipped, error); why, if said."""

    result: str
    reason: str


def verdict_word(step: Step) -> VerdictWord:
    match step.verdict:
        case Answer():
            return "answer"
        case Change():
            return "change"
    return "keep"


def error_type(step: Step) -> str | None:
    """The type of the error that a stage failed with, or got over (its detail's ``error``); None when all went well."""
    reason = step.verdict.reason
    if reason.startswith(ERROR_PREFIX):
        return reason.removeprefix(ERROR_PREFIX)
    error = step.verdict.detail.get("error")
    return error if isinstance(error, str) else None


def cache_step(outcome: Outcome) -> Step | None:
    return next((step for step in outcome.steps if step.stage == CACHE_STAGE), None)


def cache_hit(outcome: Outcome) -> CacheHit | None:
    """Which kind of hit answered the request; None when none did."""
    step = cache_step(outcome)
    if step is None or not isinstance(step.verdict, Answer):
        return None
    return "semantic" if "semantic" in step.verdict.reason else "exact"


def cache_result(outcome: Outcome) -> CacheResult | None:
    """How the cache look-up ended; None when no cache took part.

    A kept request's reason is read as a family and what follows it: ``miss``, ``veto:numbers`` (or ``rejected:…``),
    ``skip:temperature``, ``error:TimeoutError``. Any other reason means that the cache was passed over.
    """
    step = cache_step(outcome)
    if step is None:
        return None
    hit = cache_hit(outcome)
    if hit is not None:
        return CacheResult("hit.shared" if step.verdict.reason == "shared" else f"hit.{hit}", "")
    error = error_type(step)
    if error is not None:
        return CacheResult("error", error)
    return _read(step.verdict.reason)


def store_result(said: str) -> CacheResult:
    """What a follow-up said of a reply (stored, skipped, error), and why."""
    return CacheResult("stored", "") if said == "stored" else _read(said)


def _read(reason: str) -> CacheResult:
    match = _REASON.fullmatch(reason)
    return CacheResult("skipped", reason) if match is None else CacheResult(_FAMILIES[match[1]], match[2] or "")


def similarity(outcome: Outcome) -> float | None:
    """The cosine similarity that the cache reports, if it compared at all."""
    step = cache_step(outcome)
    value = step.verdict.detail.get("similarity") if step else None
    return float(value) if isinstance(value, (int, float)) else None


def cache_key(outcome: Outcome) -> str | None:
    """The key of the entry that answered, if one did."""
    step = cache_step(outcome)
    value = step.verdict.detail.get("key") if step and isinstance(step.verdict, Answer) else None
    return value if isinstance(value, str) else None


def arm(outcome: Outcome) -> str | None:
    """The request's side of an experiment (base or tried), where one runs."""
    return outcome.split.arm if outcome.split is not None else None


def outcome_word(outcome: Outcome, error: str | None = None) -> Literal["error", "answered", "changed", "unchanged"]:
    """What became of a request."""
    if error is not None:
        return "error"
    if outcome.reply is not None:
        return "answered"
    return "changed" if any(isinstance(step.verdict, Change) for step in outcome.steps) else "unchanged"

"""What a caller is told about a request: in its metadata and in response headers."""

from __future__ import annotations

from typing import Any

from ..pipeline import Outcome, Step
from . import facts

HEADER_PREFIX = "x-tokenopt-"


def summary(outcome: Outcome) -> dict[str, Any]:
    """`outcome` as JSON values; times are in milliseconds. ``similarity`` is there when the cache compared, and
    ``cache_key`` when it answered.

    ``arm`` is the side of an experiment, where one runs. What an answer from the cache saved is in ``saved_usd`` (where
    the model has a price), ``saved_seconds`` and ``saved_output_tokens``. In any mode but ``on`` the tokens are those
    that would have been sent.

    ``{"mode": "on", "tokens_before": 900, "tokens_after": 300, "tokens_saved": 600,
    "cache_hit": None | "exact" | "semantic",
    "stages": {"tools": {"reason": …, "tokens_before": …, "tokens_after": …, "ms": …}}, "ms": 4.2}``
    """
    return {
        "mode": outcome.mode,
        "tokens_before": outcome.tokens_before,
        "tokens_after": outcome.tokens_after,
        "tokens_saved": outcome.tokens_saved,
        "cache_hit": facts.cache_hit(outcome),
        "stages": {step.stage: _stage(step) for step in outcome.steps},
        "ms": _ms(outcome.seconds),
        **_known(outcome),
        **_saved(outcome),
    }


def headers(outcome: Outcome) -> dict[str, str]:
    """The ``x-tokenopt-*`` response headers of `outcome`.

    ``-stages`` lists the stages that changed or answered the request (``none``: nothing did); ``-cache`` is
    ``exact``, ``semantic``, ``miss`` or ``skip``; ``-similarity`` is there when the cache compared,
    ``-arm`` where an experiment runs, ``-cache-key`` (to report an answer by), ``-saved-usd``, ``-saved-seconds`` and
    ``-saved-output-tokens`` when it answered, and ``-mode`` when it isn't ``on``.
    """
    values = {
        "tokens-before": str(outcome.tokens_before),
        "tokens-after": str(outcome.tokens_after),
        "tokens-saved": str(outcome.tokens_saved),
        "stages": ",".join(s.stage for s in outcome.steps if facts.verdict_word(s) != "keep") or "none",
        "cache": _cache_word(outcome),
        "ms": str(_ms(outcome.seconds)),
        **{name: f"{value:.4f}" if isinstance(value, float) else value for name, value in _known(outcome).items()},
        **{name: f"{value:.8f}".rstrip("0").rstrip(".") for name, value in _saved(outcome).items()},
        **({} if outcome.mode == "on" else {"mode": outcome.mode}),
    }
    return {HEADER_PREFIX + name.replace("_", "-"): value for name, value in values.items()}


def _known(outcome: Outcome) -> dict[str, float | str]:
    """What is told only of some requests."""
    similarity, key, arm = facts.similarity(outcome), facts.cache_key(outcome), facts.arm(outcome)
    return {
        **({} if similarity is None else {"similarity": round(similarity, 4)}),
        **({} if key is None else {"cache_key": key}),
        **({} if arm is None else {"arm": arm}),
    }


def _saved(outcome: Outcome) -> dict[str, float | int]:
    saved = outcome.savings
    if saved is None:
        return {}
    values: dict[str, float | int] = {
        "saved_seconds": round(saved.seconds, 3), "saved_output_tokens": saved.output_tokens,
    }  # fmt: skip
    return values if saved.usd is None else {**values, "saved_usd": round(saved.usd, 8)}


def _stage(step: Step) -> dict[str, Any]:
    return {
        "reason": step.verdict.reason,
        "tokens_before": step.tokens_before,
        "tokens_after": step.tokens_after,
        "ms": _ms(step.seconds),
    }


def _cache_word(outcome: Outcome) -> str:
    hit = facts.cache_hit(outcome)
    if hit is not None:
        return hit
    cache = facts.cache_result(outcome)
    return "miss" if cache is not None and cache.result in ("miss", "rejected") else "skip"


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)

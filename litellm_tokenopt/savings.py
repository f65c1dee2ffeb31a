"""What an answer from the cache saves: tokens, dollars and seconds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from .stage import Answer

MODEL_SECONDS = "model_seconds"
"""The detail of an `Answer` that says how long the model took when it was asked."""

Price: TypeAlias = Callable[[str], tuple[float, float] | None]
"""US dollars per input token and per output token of a model; None where they aren't known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRates:
    """What a provider takes for a token that it reads from its prompt cache, and for one that it hasn't seen there
    yet, as shares of the input price."""

    read: float = 0.1
    write: float = 1.25

    @property
    def rewrite(self) -> float:
        """What it costs more to send a token anew than to have it read again."""
        return max(0.0, self.write - self.read)


USUAL_RATES = CacheRates()
"""Those of a cache whose reads are cheap and writes dear: with them what was sent is seldom changed."""

Rates: TypeAlias = Callable[[str], CacheRates]
"""The rates of a model."""


def usual_rates(_: str) -> CacheRates:
    """For a model of which nothing is known."""
    return USUAL_RATES


def most_careful(rates: Iterable[CacheRates]) -> CacheRates:
    """Those of *rates* by which it pays last to send anew what was sent: then it pays by each of them.

    That hangs on one figure, how often a token is read for the price of writing it once.
    """
    return max(rates, key=lambda one: (one.write / one.read if one.read else math.inf, one.write, one.read))


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """What wasn't spent on one request. `usd` is at list prices, None for a model without; `seconds` are at least 0."""

    input_tokens: int
    output_tokens: int
    usd: float | None
    seconds: float


def savings_of(answer: Answer, models: Sequence[str], *, tokens: int, seconds: float, price: Price) -> Savings:
    """What *answer* saved on a request of so many input *tokens*, having taken *seconds* itself.

    Where the answer names no model with a price, the cheapest of *models*, which may have been asked, holds.
    """
    payload = answer.reply.payload
    output = _output_tokens(payload)
    prices = price(str(payload.get("model") or "")) or min(filter(None, map(price, models)), default=None)
    took = answer.detail.get(MODEL_SECONDS, 0.0)
    return Savings(
        input_tokens=tokens,
        output_tokens=output,
        usd=None if prices is None else prices[0] * tokens + prices[1] * output,
        seconds=max(0.0, float(took) - seconds),
    )


def _output_tokens(payload: Mapping[str, Any]) -> int:
    """What the API counted, or the cache in its place; 0 where nobody did."""
    usage = payload.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    counted = usage.get("completion_tokens", usage.get("output_tokens"))
    return counted if isinstance(counted, int) else 0

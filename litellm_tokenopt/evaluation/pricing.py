"""What request bodies cost at a provider, without and with its prompt cache."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..adapters.pricing import Prices, prices_of
from .bodies import Body, pieces
from .prompt_cache import PromptCache, Reading

__all__ = ["Bill", "Prices", "bill_of", "prices_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Requests with their tokens, and their price in US dollars without and with the provider's prompt cache.

    `cached_tokens` are the input tokens that the prompt cache holds already.
    """

    requests: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    usd: float
    usd_with_prompt_cache: float


def prices_with_cache(bodies: Iterable[Body], prices: Prices) -> list[float]:
    """What the input of each of *bodies* costs in US dollars with the provider's prompt cache, sent in this order."""
    cache = PromptCache()
    return [_price(cache.read(pieces(body)), prices) for body in bodies]


def _price(reading: Reading, prices: Prices) -> float:
    return prices.cached_read * reading.cached + prices.cache_write * (reading.tokens - reading.cached)


def bill_of(bodies: Iterable[Body], prices: Prices, *, output_tokens: int = 0) -> Bill:
    """The bill for *bodies*, sent in this order by one account, and for the tokens of all their answers."""
    cache = PromptCache()
    readings = [cache.read(pieces(body)) for body in bodies]
    tokens = sum(reading.tokens for reading in readings)
    cached = sum(reading.cached for reading in readings)
    output = prices.output * output_tokens
    return Bill(
        requests=len(readings),
        input_tokens=tokens,
        cached_tokens=cached,
        output_tokens=output_tokens,
        usd=prices.input * tokens + output,
        usd_with_prompt_cache=sum(_price(reading, prices) for reading in readings) + output,
    )

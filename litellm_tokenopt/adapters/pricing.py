"""Prices from LiteLLM's price map."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from ..savings import USUAL_RATES, CacheRates


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """US dollars per token: input, input read from and written to the provider's prompt cache, and output."""

    input: float
    cached_read: float
    cache_write: float
    output: float


def prices_of(model: str) -> Prices:
    """The prices of *model*, from the map that ships with LiteLLM (nothing is downloaded).

    Where the map names no price for reading or writing the prompt cache, the input price holds. Raises
    `InputError` for a model without prices.
    """
    entry = _entry(model)
    price = entry.get("input_cost_per_token")
    if price is None:
        raise InputError(f"model {model!r}: LiteLLM's price map has no input price for it; name another with --model")
    return Prices(
        input=float(price),
        cached_read=float(entry.get("cache_read_input_token_cost") or price),
        cache_write=float(entry.get("cache_creation_input_token_cost") or price),
        output=float(entry.get("output_cost_per_token") or 0.0),
    )


def list_price(model: str) -> tuple[float, float] | None:
    """US dollars per input and per output token of *model*, as far as LiteLLM's price map knows."""
    entry = _entry(model)
    price = entry.get("input_cost_per_token")
    return None if price is None else (float(price), float(entry.get("output_cost_per_token") or 0.0))


def cache_rates(model: str) -> CacheRates:
    """What *model*'s provider takes for the use of its prompt cache; without one every token costs the same.

    For a model without prices: what is usual.
    """
    entry = _entry(model)
    price = float(entry.get("input_cost_per_token") or 0.0)
    if not price:
        return USUAL_RATES
    read, write = (entry.get(f"cache_{name}_input_token_cost") or price for name in ("read", "creation"))
    return CacheRates(read=float(read) / price, write=float(write) / price)


def _entry(model: str) -> Mapping[str, Any]:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    bare = model.rpartition("/")[2]
    entry = litellm.model_cost.get(model) or litellm.model_cost.get(bare)
    return entry if isinstance(entry, Mapping) else {}

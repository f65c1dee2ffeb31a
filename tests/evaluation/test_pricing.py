"""What requests cost."""

from __future__ import annotations

from typing import Any

import pytest

from litellm_tokenopt.adapters.pricing import cache_rates
from litellm_tokenopt.errors import InputError
from litellm_tokenopt.evaluation.bodies import count_body, pieces
from litellm_tokenopt.evaluation.pricing import Prices, bill_of, prices_of
from litellm_tokenopt.savings import CacheRates

PRICES = Prices(input=1.0, cached_read=0.1, cache_write=1.25, output=4.0)
LONG = "Pennine expects to clear the cages at Carlisle by the end of next week. " * 150


def body(*questions: str, system: str = LONG) -> dict[str, Any]:
    return {
        "model": "m",
        "tools": [{"type": "function", "function": {"name": "get_order"}}],
        "messages": [{"role": "system", "content": system}, *({"role": "user", "content": q} for q in questions)],
    }


def test_without_a_shared_prefix_all_is_written() -> None:
    """Two requests that begin differently are both paid in full, at the write price."""
    bodies = [body("a"), body("a", system="x " + LONG)]
    bill = bill_of(bodies, PRICES)
    tokens = sum(map(count_body, bodies))
    tools = pieces(bodies[0])[0].tokens
    assert (bill.requests, bill.input_tokens, bill.cached_tokens) == (2, tokens, 0)
    assert tools < 1024  # too short a prefix to be cached
    assert bill.usd == pytest.approx(tokens)
    assert bill.usd_with_prompt_cache == pytest.approx(1.25 * tokens)


def test_a_returning_prefix_is_read() -> None:
    """A second turn pays the read price for the first, and the write price for what it adds."""
    bodies = [body("a"), body("a", "b")]
    bill = bill_of(bodies, PRICES, output_tokens=10)
    first, second = map(count_body, bodies)
    assert bill.cached_tokens == first
    assert bill.usd == pytest.approx(first + second + 40)
    assert bill.usd_with_prompt_cache == pytest.approx(1.25 * second + 0.1 * first + 40)


def test_short_prefixes_are_not_cached() -> None:
    """Below 1,024 tokens a provider caches nothing."""
    assert bill_of([body("a", system="short")] * 2, PRICES).cached_tokens == 0


def test_the_three_apis_are_read_alike() -> None:
    """The same request counts about the same in each API's form."""
    chat = body("Where is it?")
    tool = {"type": "function", "name": "get_order"}
    user = [{"role": "user", "content": "Where is it?"}]
    responses = {"tools": [tool], "instructions": LONG, "input": user}
    messages = {"tools": [tool], "system": LONG, "messages": user}
    assert count_body(responses) == count_body(messages) == pytest.approx(count_body(chat), abs=6)


def test_prices_come_from_litellm() -> None:
    """Prices are dollars per token; without a write price the input price holds."""
    prices = prices_of("gpt-4o")
    assert 0 < prices.cached_read < prices.input == prices.cache_write < prices.output
    assert prices_of("openai/gpt-4o") == prices
    claude = prices_of("claude-sonnet-4-5")
    assert claude.cache_write == pytest.approx(1.25 * claude.input)


def test_an_unknown_model_is_a_clear_error() -> None:
    """A model without a price is named."""
    with pytest.raises(InputError, match="no-such-model"):
        prices_of("no-such-model")


def test_rates_of_a_cache_are_shares_of_the_input_price() -> None:
    """Reads and writes as LiteLLM's price map has them; what is usual for a model that it doesn't know."""
    assert cache_rates("openai/gpt-4o") == CacheRates(read=0.5, write=1.0)
    assert cache_rates("claude-sonnet-4-5").rewrite == pytest.approx(1.15)
    assert cache_rates("a-model-of-our-own") == CacheRates()

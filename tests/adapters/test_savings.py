"""What a hit saves is told to the caller, at LiteLLM's own prices."""

from __future__ import annotations

import litellm
import pytest
from support.agent import question

from litellm_tokenopt.adapters.pricing import list_price
from litellm_tokenopt.telemetry.summary import headers


def test_a_hit_says_what_it_saved(server, on, log):
    """Dollars by the price map, the model's output tokens, and its time."""
    asked = question()
    for _ in range(2):
        response = litellm.completion(
            model="openai/gpt-4o", messages=[{"role": "user", "content": asked}], api_base=server.base_url,
            api_key="none",
        )  # fmt: skip
    log.wait(lambda calls: any(call["hit"] for call in calls))
    told = next(call["tokenopt"] for call in log.calls if call["hit"])
    price = list_price("gpt-4o")
    output = response.usage.completion_tokens
    assert told["saved_output_tokens"] == output > 0
    assert told["saved_usd"] == pytest.approx(price[0] * told["tokens_before"] + price[1] * output, abs=1e-7)
    assert told["saved_seconds"] >= 0
    paid = next(call["tokenopt"] for call in log.calls if not call["hit"])
    assert "saved_usd" not in paid
    assert list_price("nobody/knows-this") is None


def test_headers_of_a_hit(server, on):
    """The same figures are in the response headers."""
    asked, kwargs = question(), {"model": "gpt-4o"}
    request = {**kwargs, "messages": [{"role": "user", "content": asked}]}
    payload = {
        "model": "gpt-4o", "usage": {"completion_tokens": 4},
        "choices": [{"message": {"role": "assistant", "content": "By post."}, "finish_reason": "stop"}],
    }  # fmt: skip

    async def twice():
        optimizer = on.optimizer
        await optimizer.after(await optimizer.before(request), payload)
        return await optimizer.before(request)

    told = headers(on.portal.run(twice()))
    assert float(told["x-tokenopt-saved-usd"]) > 0
    assert told["x-tokenopt-saved-output-tokens"] == "4"
    assert "x-tokenopt-saved-seconds" in told

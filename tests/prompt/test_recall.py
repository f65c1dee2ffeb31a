"""Sections that were left out can be read when the model asks for them."""

from __future__ import annotations

from collections.abc import Callable

from litellm_tokenopt.own import Asked
from litellm_tokenopt.prompt import PromptStage
from litellm_tokenopt.recall import NAME
from litellm_tokenopt.request import ChatRequest, text_of, tool_name
from litellm_tokenopt.stage import Change

TOOL = {"type": "function", "function": {"name": "list_orders", "parameters": {"type": "object"}}}


async def test_a_query_brings_the_section(make_stage: Callable[..., PromptStage], prompt: str) -> None:
    """The section comes as it was written; a query that fits nothing brings nothing."""
    messages = ({"role": "system", "content": prompt}, {"role": "user", "content": "Who approves a refund of 250 GBP?"})
    request = ChatRequest(model="m", messages=messages, tools=(TOOL,), own_tools=True)
    verdict = await make_stage()(request)
    assert isinstance(verdict, Change)
    (offer,) = verdict.offers
    assert tool_name(offer.tool) == NAME
    warranty = "Tents have a warranty of three years, zips of one year"
    assert warranty not in text_of(verdict.request.messages[0]["content"])
    found = await offer.answer(Asked(original=request, sent=verdict.request, arguments={"query": "warranty of zips"}))
    assert found is not None
    assert warranty in found.text
    assert await offer.answer(Asked(original=request, sent=request, arguments={"query": "xylophone"})) is None
    assert await offer.answer(Asked(original=request, sent=request, arguments={"id": "m1"})) is None

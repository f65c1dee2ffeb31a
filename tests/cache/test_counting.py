"""Answers whose provider counted no tokens are kept with a count."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from litellm_tokenopt.cache.counting import with_usage

ZEROS = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "completion_tokens_details": {"text_tokens": 0}}


@pytest.mark.parametrize("usage", [{}, {"usage": None}, {"usage": ZEROS}])
@pytest.mark.parametrize("surface", ["chat", "messages", "responses"])
async def test_counted_where_the_provider_did_not(make: SimpleNamespace, surface: Any, usage: dict[str, Any]) -> None:
    """Both counts are there, by the names of the API that was asked, and their sum where that has one."""
    reply = make.reply(text="Dublin is the capital.", payload={"id": "r1", **usage})
    kept = await with_usage(make.request("What is the capital of Ireland?", surface=surface), reply)
    assert (kept.text, kept.payload["id"]) == (reply.text, "r1")
    sent, said, *total = kept.payload["usage"].values()
    assert 7 <= sent <= 20
    assert said == 6
    assert total == ([] if surface == "messages" else [sent + said])
    assert ("prompt_tokens" in kept.payload["usage"]) == (surface == "chat")


async def test_the_provider_counts_first(make: SimpleNamespace) -> None:
    """What it counted stays, whatever it is."""
    reply = make.reply(payload={"usage": {"prompt_tokens": 0, "completion_tokens": 3}})
    assert await with_usage(make.request("Who?"), reply) is reply

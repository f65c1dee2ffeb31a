"""What is never looked up, and what is never stored."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from litellm_tokenopt.cache.cacheable import lookup_refusal, reply_refusal, time_bound
from litellm_tokenopt.request import ChatRequest, Controls


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("bypass", {"controls": Controls(bypass=True)}),
        ("mock", {"controls": Controls(mocked=True)}),
        ("server_state", {"options": {"previous_response_id": "resp_1"}}),
        ("server_state", {"options": {"conversation": {"id": "conv_1"}}}),
        ("server_state", {"options": {"prompt": {"id": "pmpt_1"}}}),
        ("no_question", {"messages": ({"role": "system", "content": "x"},)}),
        ("no_question", {"messages": ({"role": "user", "content": " \n"},)}),
        ("no_question", {"messages": ({"role": "user", "content": None},)}),
        ("several_answers", {"options": {"n": 2}}),
        ("live_tool", {"tools": ({"type": "web_search"},)}),
        ("live_tool", {"options": {"web_search_options": {}}}),
        ("time_bound", {"messages": ({"role": "user", "content": "What's the weather in Oslo?"},)}),
        (None, {"options": {"n": 1}}),
        (None, {"options": {"n": None}}),
    ],
)
def test_lookup(reason: str | None, changes: dict[str, Any], make: SimpleNamespace) -> None:
    """Each kind of request that the cache has nothing to do with has its reason."""
    request: ChatRequest = make.request()
    assert lookup_refusal(request.with_(**changes)) == reason


@pytest.mark.parametrize(
    "question",
    [
        "What day is it today?", "Who is the current president?", "What's the latest version?", "Bitcoin price now",
        "Any news on the merger?", "What's the exchange rate for euros?", "What happened last week?",
        "Is it open right now?", "Who won two days ago?",
    ],
)  # fmt: skip
def test_time_bound(question: str) -> None:
    """Questions whose answer changes with time are known by their words."""
    assert time_bound(question)


@pytest.mark.parametrize(
    "question",
    ["How do I open a current account?", "How does electric current flow?", "Who won the 1998 cup?", "What is snow?"],
)
def test_timeless(question: str) -> None:
    """Words that only look like time don't count."""
    assert not time_bound(question)


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("tool_calls", {"has_tool_calls": True}), ("tool_calls", {"finish": "tool_calls", "has_tool_calls": True}),
        ("unfinished", {"finish": "length"}), ("unfinished", {"finish": "content_filter"}),
        ("unfinished", {"finish": None}), (None, {}), (None, {"finish": "end_turn"}),
        ("empty", {"text": " "}), ("too_long", {"payload": {"text": "x" * 2000}}),
    ],
)  # fmt: skip
def test_reply(reason: str | None, changes: dict[str, Any], make: SimpleNamespace) -> None:
    """Only whole, plain answers of a fair size are stored."""
    assert reply_refusal(make.reply(**changes), 1000) == reason

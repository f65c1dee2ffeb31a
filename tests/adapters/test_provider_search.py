"""With ``tools.search: provider``, what is left out is found by the provider's own search, on the wire."""

from __future__ import annotations

import asyncio

import litellm
import pytest
from support.agent import TOOLS
from support.entry_points import ANTHROPIC, anthropic, chat, responses

import litellm_tokenopt
from litellm_tokenopt.adapters.searching import provider_search
from litellm_tokenopt.rounds import name_of
from litellm_tokenopt.tokens import count_tools

SEARCHING = "openai/gpt-5.4"
NAMES = [tool["function"]["name"] for tool in TOOLS]
SEARCH_TYPES = ("tool_search_tool_bm25_20251119", "tool_search")
AT_OPENAI = ("aresponses", "responses")
knows = pytest.mark.skipif(not hasattr(litellm, "supports_tool_search"), reason="this LiteLLM knows of no tool search")

CALLS = {
    "completion": lambda q, s: litellm.completion(model=ANTHROPIC, **{**chat(q, s), "api_base": s.url}),
    "acompletion": lambda q, s: litellm.acompletion(model=ANTHROPIC, **{**chat(q, s), "api_base": s.url}),
    "acompletion, stream": lambda q, s: litellm.acompletion(
        model=ANTHROPIC, stream=True, **{**chat(q, s), "api_base": s.url}
    ),
    "anthropic_messages": lambda q, s: litellm.anthropic_messages(**anthropic(q, s, ANTHROPIC)),
    "aresponses": lambda q, s: litellm.aresponses(**responses(q, s, SEARCHING)),
    "responses": lambda q, s: litellm.responses(**responses(q, s, SEARCHING)),
    "aresponses, on Anthropic": lambda q, s: litellm.aresponses(**responses(q, s, ANTHROPIC)),
}
ELSEWHERE = {
    "acompletion, on OpenAI": lambda q, s: litellm.acompletion(model=SEARCHING, **chat(q, s)),
    "anthropic_messages, on OpenAI": lambda q, s: litellm.anthropic_messages(**anthropic(q, s, SEARCHING)),
    "aresponses, a model without": lambda q, s: litellm.aresponses(**responses(q, s, "openai/gpt-4o")),
}


@pytest.fixture(scope="module", autouse=True)
def off_afterwards():
    """The plugin stays on from test to test here: its models are loaded once."""
    yield
    litellm_tokenopt.disable()


@pytest.fixture(scope="module")
def searching(redis_server, off_afterwards):
    settings = {"redis": {"url": "embedded"}, "time_budget_seconds": 60, "tools": {"search": "provider"}}
    return litellm_tokenopt.enable(settings).plugin


async def read(result):
    result = await result if asyncio.iscoroutine(result) else result
    if hasattr(result, "__aiter__"):
        async for _ in result:
            pass


def search_of(name):
    return SEARCH_TYPES[name in AT_OPENAI]


def sent(loop, server, call, asked):
    """The tools that reach the server."""
    if call is CALLS["completion"] or call is CALLS["responses"]:
        call(asked, server)
    else:
        loop.run(read_later(call, asked, server))
    return server.bodies[-1]["tools"]


async def read_later(call, asked, server):
    await read(call(asked, server))


@knows
@pytest.mark.parametrize("name", CALLS)
def test_every_tool_is_sent_most_of_them_deferred(name, loop, server, searching):
    """A few tools are in the context, the others marked, in their order; the provider's search stands behind them."""
    tools = sent(loop, server, CALLS[name], f"Which courier delivers my order ({name})")
    assert [tool["type"] for tool in tools if tool.get("type") in SEARCH_TYPES] == [search_of(name)]
    own = [tool for tool in tools if name_of(tool) in NAMES]
    assert [name_of(tool) for tool in own] == NAMES
    loaded = [tool for tool in own if not tool.get("defer_loading")]
    assert 0 < len(loaded) <= 10
    assert not any(name_of(tool) == "tokenopt_find_tools" for tool in tools)


@knows
@pytest.mark.parametrize("name", ELSEWHERE)
def test_where_there_is_none_ours_is_offered(name, loop, server, searching):
    """Models and APIs without a search for tools get ours, and fewer tools."""
    tools = sent(loop, server, ELSEWHERE[name], f"Play some quiet music, please ({name})")
    assert any(name_of(tool) == "tokenopt_find_tools" for tool in tools)
    assert not any("defer_loading" in tool for tool in tools)


ABSENT = ["azure/gpt-5.4", "bedrock/anthropic.claude-opus-4-6-v1", "vertex_ai/claude-opus-4-6", "gemini/gemini-2.5-pro"]


@pytest.mark.parametrize("model", [*ABSENT, "claude-nobody-knows", "openai/gpt-5.4", None])
def test_only_a_search_that_can_be_reached_counts(model):
    """The same models at other providers have none that LiteLLM takes our request to; unknown names are no error."""
    assert provider_search({"model": model}, "chat") is None


def test_it_is_said_once_that_ours_stands_in(loop, server, searching, caplog):
    """A setting that can't be had is a warning, not one a request."""
    searching._say._said.clear()
    with caplog.at_level("WARNING", "litellm_tokenopt"):
        for number in range(2):
            loop.run(read(litellm.acompletion(model="openai/gpt-4o", **chat(f"Which courier? ({number})", server))))
    (said,) = [record.message for record in caplog.records if "tool search" in record.message]
    assert "gpt-4o" in said
    assert "tokenopt_find_tools" in said


@knows
def test_what_is_deferred_costs_nothing_and_counts_as_saved(loop, server, searching, monkeypatch):
    """Tokens of deferred tools aren't in what was sent, as they aren't in the context."""
    calls = []  # the plugin forgets a call when LiteLLM does
    add = searching.calls.add
    monkeypatch.setattr(searching.calls, "add", lambda kwargs, call: (calls.append(call), add(kwargs, call)))
    asked = {**chat("Play some quiet music, please (counted)", server), "api_base": server.url, "metadata": {}}
    loop.run(read(litellm.acompletion(model=ANTHROPIC, **asked)))
    (call,) = calls
    step = next(step for step in call.outcome.steps if step.stage == "tools")
    assert step.verdict.reason == "deferred"
    in_context = [t for t in call.outcome.request.tools if not t.get("defer_loading") and name_of(t) in NAMES]
    assert len(in_context) <= 10
    other = [t for t in call.outcome.request.tools if name_of(t) not in NAMES]
    assert step.tokens_saved > 0.8 * count_tools(TOOLS)
    assert count_tools(call.outcome.request.tools) == count_tools(in_context) + count_tools(other)


@knows
def test_a_session_keeps_its_tools_whatever_is_found(loop, server, searching):
    """What the search found and the model called is in the history: the tool block stays the same, byte for byte."""
    given = anthropic("Play some quiet music, please (session)", server, ANTHROPIC)
    loop.run(read(litellm.anthropic_messages(**given)))
    first = server.bodies[-1]["tools"]
    found = next(tool["name"] for tool in first if tool.get("defer_loading"))
    reference = {"type": "tool_search_tool_search_result", "tool_references": [
        {"type": "tool_reference", "tool_name": found}
    ]}  # fmt: skip
    searched = [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "tool_search_tool_bm25", "input": {"query": "more"}},
        {"type": "tool_search_tool_result", "tool_use_id": "srvtoolu_1", "content": reference},
        {"type": "tool_use", "id": "toolu_1", "name": found, "input": {}},
    ]
    result = [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "done"}]
    turns = [*given["messages"], {"role": "assistant", "content": searched}, {"role": "user", "content": result}]
    loop.run(read(litellm.anthropic_messages(**{**given, "messages": turns})))
    assert server.bodies[-1]["tools"] == first
    plain = [turns[0], {"role": "assistant", "content": searched[2:]}, turns[2]]
    loop.run(read(litellm.anthropic_messages(**{**given, "messages": plain})))
    assert not next(tool for tool in server.bodies[-1]["tools"] if tool.get("name") == found).get("defer_loading")

"""A tool whose calls fail once its schema is short gets its full one back, all by itself."""

from __future__ import annotations

import time
import uuid

import litellm
import pytest
from support.agent import PROMPT, TOOLS

from litellm_tokenopt.tools import learning

OPENAI = "openai/gpt-4o"
ORDER = next(tool for tool in TOOLS if tool["function"]["name"] == "get_order")


def sent_order(server):
    return next(tool for tool in server.bodies[-1]["tools"] if tool["function"]["name"] == "get_order")


@pytest.fixture
def at_once(monkeypatch):
    """Workers look for lessons at each request, and published ones count from then on."""
    monkeypatch.setattr(learning, "REFRESH_SECONDS", 0.0)
    monkeypatch.setattr(learning, "VALID_AFTER_SECONDS", 0.0)


def turns_with_calls(asked, result):
    """The session's next turn: the tool was called ten times, each time with the same *result*."""
    calls = [
        {
            "id": f"call_{n}",
            "type": "function",
            "function": {"name": "get_order", "arguments": f'{{"order_id": "{n}"}}'},
        }
        for n in range(10)
    ]
    results = [{"role": "tool", "tool_call_id": f"call_{n}", "content": result} for n in range(10)]
    return [*asked, {"role": "assistant", "content": None, "tool_calls": calls}, *results]


def test_a_tool_that_fails_when_short_comes_in_full_again(loop, server, switch_on, at_once):
    """Canary sessions, with full schemas, show that it's the short one that fails."""
    prefix = f"rollback-{uuid.uuid4().hex[:8]}"
    redis = {"url": "embedded", "prefix": prefix, "timeout_seconds": 5}
    # So often that the test sees it, so rarely that what was seen first isn't published alone.
    plugin = switch_on(redis=redis, tools={"canary_fraction": 0.5, "publish_hours": 0.5 / 3600})

    def ask(messages):
        given = {"messages": messages, "tools": TOOLS, "api_base": server.base_url, "api_key": "none"}
        loop.run(litellm.acompletion(model=OPENAI, **given))
        return sent_order(server) == ORDER

    def opened(number):
        question = f"Please look up order {number} and tell me its state"
        return [{"role": "system", "content": PROMPT}, {"role": "user", "content": question}]

    seen = {True: 0, False: 0}
    for number in range(40):
        is_full = ask(opened(number))
        ask(turns_with_calls(opened(number), "ok" if is_full else "Error: invalid arguments"))
        seen[is_full] += 1
        if min(seen.values()) >= 3:
            break
    assert min(seen.values()) >= 3

    def published():
        stored = plugin.portal.run(store.snapshots())
        return bool(stored) and any("get_order" in lessons.full for lessons in stored[-1].tenants.values())

    store = learning.UsageStore(plugin.optimizer.parts.pool, prefix)
    until = time.monotonic() + 30
    number = 1000
    while not published() and time.monotonic() < until:
        ask(opened(number := number + 1))
    assert published()
    assert all(ask(opened(number)) for number in range(2000, 2006))

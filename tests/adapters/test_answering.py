"""The model asks for tools left out, in every entry point: callers get the last reply, and nothing of this."""

from __future__ import annotations

import asyncio
import json

import litellm
import pytest
from support.agent import TOOLS, question
from support.entry_points import ENTRY_POINTS, NOT_KEPT, piece, read

import litellm_tokenopt
from litellm_tokenopt.evaluation.script import script_of
from litellm_tokenopt.optimizer import NO_MORE_ROUNDS, NOT_CALLED_YET
from litellm_tokenopt.rounds import name_of
from litellm_tokenopt.telemetry.recorder import Recorder

SETTINGS = {"redis": {"url": "embedded"}, "time_budget_seconds": 60}
CALLS = {**ENTRY_POINTS, **NOT_KEPT}
CONVERTED = [c for c in CALLS if c.startswith(("messages, on OpenAI", "aresponses, on Anthropic"))]
"""LiteLLM answers these by another API."""
FIND = "tokenopt_find_tools"
WANTED = TOOLS[-1]["function"]["name"]
CALL = {"name": FIND, "arguments": {"query": f"I need {WANTED}"}}


@pytest.fixture(scope="module", autouse=True)
def off_afterwards():
    """The plugin stays on from test to test here: what they ask differs, and its models are loaded once."""
    yield
    litellm_tokenopt.disable()


@pytest.fixture(scope="module")
def plugin(redis_server, off_afterwards):
    return litellm_tokenopt.enable(SETTINGS)


@pytest.fixture
def on(plugin, log):
    litellm.callbacks.append(log)
    return plugin


@pytest.fixture
def script(server):
    """Have the model server answer a question with these replies."""

    def put(asked, *replies):
        server.model.script = {**server.model.script, **script_of({asked: list(replies)})}

    yield put
    server.model.script = {}


def tool_names(body):
    # LiteLLM makes a provider-side tool, which has no name, of a tool that is called "web_search".
    return [name_of(tool) or tool["type"] for tool in body["tools"]]


async def everything(result):
    """(the reply's text, all that the caller gets as one text)."""
    while asyncio.iscoroutine(result) or asyncio.isfuture(result):
        result = await result
    if hasattr(result, "__anext__"):
        events = [event async for event in result]
    elif hasattr(result, "__next__"):
        events = list(result)
    else:
        try:
            text, _ = await read(result)
        except AttributeError:  # a reply with calls has no text to read
            text = None
        return text or "", str(result)
    return "".join(map(piece, events)), str(events)


def ask(loop, call, asked, server):
    """Ask from a thread without a loop, or from the application's loop."""
    if call[0] == "a" or call.startswith(("messages", "Router.a")):
        return loop.run(_ask(call, asked, server))
    return asyncio.run(everything(CALLS[call](asked, server)))


async def _ask(call, asked, server):
    return await everything(CALLS[call](asked, server))


@pytest.mark.parametrize("call", CALLS)
def test_found_tools_are_sent_and_the_caller_gets_the_last_reply(call, server, loop, on, log, script):
    """The second request is the first with the call, its answer and the tool that was wanted; the reply is stored."""
    asked, seen = question(), len(server.bodies)
    script(asked, {"calls": [CALL]}, "It is done.")
    text, shown = ask(loop, call, asked, server)
    first, second = server.bodies[seen:]
    assert text == "It is done."
    assert "tokenopt_" not in shown
    assert FIND in tool_names(first)
    assert WANTED not in tool_names(first)
    assert tool_names(second)[: len(first["tools"])] == tool_names(first)
    assert WANTED in tool_names(second)
    assert f"- {WANTED}" in json.dumps(second.get("messages") or second.get("input"))
    if call in NOT_KEPT:
        return
    again, _ = ask(loop, call, asked, server)
    assert again == text
    assert len(server.bodies) == seen + 2
    log.wait(lambda calls: any(not c["hit"] for c in calls) and any(c["hit"] for c in calls))


@pytest.mark.parametrize("call", CALLS)
def test_a_model_that_always_asks_comes_to_an_end(call, server, loop, on, script):
    """After three rounds our tool is gone; a call of it all the same is not for the caller."""
    asked, seen = question(), len(server.bodies)
    script(asked, {"content": "Hm.", "calls": [CALL]})
    text, shown = ask(loop, call, asked, server)
    bodies = server.bodies[seen:]
    assert [FIND in tool_names(body) for body in bodies] == [True, True, True, False]
    assert text.split() == ["Hm."] * 4 or text == "Hm." * 4
    assert "tokenopt_" not in shown
    assert "tool_use" not in shown
    assert "function_call_arguments" not in shown


@pytest.mark.parametrize("call", CALLS)
def test_calls_of_the_callers_tools_are_the_callers(call, server, loop, on, script):
    """A tool that was left out may be called by name; beside a call of ours it waits until that is answered."""
    asked, seen = question(), len(server.bodies)
    theirs = {"name": WANTED, "arguments": {"a": "b"}}
    script(asked, {"calls": [CALL, theirs]}, {"content": "Hm.", "calls": [theirs]})
    _, shown = ask(loop, call, asked, server)
    _, second = server.bodies[seen:]
    assert NOT_CALLED_YET in json.dumps(second)
    assert "Hm." in shown
    assert WANTED in shown
    assert "tokenopt_" not in shown
    assert NOT_CALLED_YET not in shown


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("call", [call for call in CALLS if "stream" in call])
def test_a_call_that_the_caller_has_seen_is_the_last_word(call, order, server, loop, on, script, monkeypatch):
    """Behind it ours is dropped, and counted; where the model calls both again and again, theirs come in the end."""
    told = []
    monkeypatch.setattr(
        Recorder, "record_asked", lambda _, __, names, became="answered": told.extend([became] * len(list(names)))
    )
    asked, seen = question(), len(server.bodies)
    script(asked, {"calls": [CALL, {"name": WANTED, "arguments": {"a": "b"}}][::order]})
    _, shown = ask(loop, call, asked, server)
    assert len(server.bodies) - seen == (4 if order == 1 else 1)
    assert WANTED in shown
    assert "tokenopt_" not in shown
    assert told == [*["answered"] * (3 if order == 1 else 0), "dropped"]


@pytest.mark.parametrize("call", CALLS)
def test_who_only_asks_gets_all_of_it(call, server, loop, on, script):
    """A model that says nothing but asks is told to answer, and then sent the request as it came in."""
    asked, seen = question(), len(server.bodies)
    script(asked, {"calls": [CALL]})
    _, shown = ask(loop, call, asked, server)
    bodies = server.bodies[seen:]
    assert NO_MORE_ROUNDS in json.dumps(bodies[4])
    assert "tokenopt_" not in shown
    if call not in CONVERTED:
        assert "tokenopt_" not in json.dumps(bodies[5])
        assert len(bodies[5]["tools"]) == len(TOOLS)


@pytest.mark.parametrize("call", [call for call in CALLS if "stream" not in call])
def test_token_counts_and_costs_are_those_of_all_rounds(call, server, loop, on, log, script):
    """What the caller is told, and what LiteLLM logs: one call, paid for in full."""
    asked, seen = question(), len(server.recorded)
    script(asked, {"calls": [CALL]}, "It is done.")
    result = run(loop, call, asked, server)
    rounds = server.recorded[seen:]
    usage = plain(result)["usage"]
    read_tokens = usage.get("prompt_tokens", usage.get("input_tokens"))
    written = usage.get("completion_tokens", usage.get("output_tokens"))
    apart = usage.get("cache_read_input_tokens", 0) if isinstance(result, dict) and "content" in result else 0
    assert read_tokens + apart == sum(entry.input_tokens for entry in rounds)
    assert written == sum(entry.output_tokens for entry in rounds)
    assert_logged(log, rounds)


@pytest.mark.parametrize("call", ["messages, stream", "aresponses, stream", "acompletion, on Anthropic, stream"])
def test_streams_tell_the_token_counts_of_all_rounds(call, server, loop, on, log, script):
    """In the last events, and in LiteLLM's log."""
    asked, seen = question(), len(server.recorded)
    script(asked, {"calls": [CALL]}, "It is done.")
    _, shown = ask(loop, call, asked, server)
    rounds = server.recorded[seen:]
    written = sum(entry.output_tokens for entry in rounds)
    assert call.startswith("acomp") or any(f"output_tokens{mark}{written}" in shown for mark in ("=", '": '))
    assert_logged(log, rounds)


def assert_logged(log, rounds):
    """LiteLLM logged one call, with the tokens of all *rounds* and a price."""
    tokens = sum(entry.input_tokens for entry in rounds), sum(entry.output_tokens for entry in rounds)
    log.wait(lambda calls: any(c["cost"] and c["tokens"] == tokens for c in calls))
    assert len({c["id"] for c in log.calls if c["cost"]}) == 1


def run(loop, call, asked, server):
    async def wait():
        result = CALLS[call](asked, server)
        while asyncio.iscoroutine(result) or asyncio.isfuture(result):
            result = await result
        return result

    sync = call[0] != "a" and not call.startswith(("messages", "Router.a"))
    return CALLS[call](asked, server) if sync else loop.run(wait())


def plain(result):
    return result if isinstance(result, dict) else result.model_dump()

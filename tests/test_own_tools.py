"""What was left out can be asked for: the model's call is answered from the request, and the request goes out again."""

from __future__ import annotations

import json

import pytest
from support.agent import ANTHROPIC_TOOLS, PROMPT, RESPONSES_TOOLS, TOOLS

from litellm_tokenopt import TokenOptimizer
from litellm_tokenopt.optimizer import NO_MORE_ROUNDS, NOT_CALLED_YET
from litellm_tokenopt.own import may_offer, read_arguments
from litellm_tokenopt.request import ChatRequest, Controls
from litellm_tokenopt.rounds import added, calls_in, name_of, without_own_calls
from litellm_tokenopt.tokens import count_text

ASKED = "What is the weather in Paris tomorrow?"
FIND, RECALL = "tokenopt_find_tools", "tokenopt_recall"
SETTINGS = {"redis": {"url": "memory"}, "cache": {"enabled": False}, "time_budget_seconds": 60}


@pytest.fixture
async def optimizer():
    async with TokenOptimizer({**SETTINGS, "max_rounds": 2}) as optimizer:
        yield optimizer


def request_of(surface):
    if surface == "responses":
        return {"model": "m", "instructions": PROMPT, "input": ASKED, "tools": RESPONSES_TOOLS}
    turn = [{"role": "user", "content": ASKED}]
    if surface == "messages":
        return {"model": "m", "system": PROMPT, "messages": turn, "tools": ANTHROPIC_TOOLS}
    return {"model": "m", "messages": [{"role": "system", "content": PROMPT}, *turn], "tools": TOOLS}


def reply_of(surface, *calls, text="Let me look."):
    """A reply in *surface*'s own form that says *text* and makes *calls*: (id, name, arguments)."""
    if surface == "messages":
        uses = [{"type": "tool_use", "id": i, "name": n, "input": a} for i, n, a in calls]
        return {"content": [{"type": "text", "text": text}, *uses], "stop_reason": "tool_use"}
    if surface == "responses":
        said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}
        made = [{"type": "function_call", "call_id": i, "name": n, "arguments": json.dumps(a)} for i, n, a in calls]
        return {"output": [said, *made], "status": "completed"}
    functions = [
        {"id": i, "type": "function", "function": {"name": n, "arguments": json.dumps(a)}} for i, n, a in calls
    ]
    message = {"role": "assistant", "content": text, "tool_calls": functions}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}


def names(kwargs):
    return [name_of(tool) for tool in kwargs["tools"]]


SURFACES = ["chat", "messages", "responses"]


@pytest.mark.parametrize("surface", SURFACES)
async def test_a_call_of_ours_is_answered_and_the_found_tools_are_sent(surface, optimizer):
    """The next request is the one before, the model's own reply, the answer to it, and the tools it wanted."""
    given = request_of(surface)
    outcome = await optimizer.before(given, surface, own_tools=True)
    sent = {**given, **outcome.changes}
    assert names(sent)[-2:] == [FIND, RECALL]
    assert outcome.tokens_after < outcome.tokens_before
    wanted = next(name for name in map(name_of, given["tools"]) if name not in names(sent))
    reply = reply_of(surface, ("c1", FIND, {"query": wanted}))
    changes = await optimizer.next_request(outcome, sent, reply)
    assert names(changes)[: len(names(sent))] == names(sent)
    assert wanted in names(changes)[len(names(sent)) :]
    tool = next(tool for tool in changes["tools"] if name_of(tool) == wanted)
    assert set(tool) <= set(next(tool for tool in given["tools"] if name_of(tool) == wanted))
    key = "input" if surface == "responses" else "messages"
    told = json.dumps(changes[key])
    assert wanted in told
    assert "Let me look." in told
    assert told.count('"c1"') == 2
    before = [{"role": "user", "content": ASKED}] if surface == "responses" else sent["messages"]
    assert changes[key][: len(before)] == before


async def test_found_tools_bring_what_the_instructions_say_of_them(optimizer):
    """A section about a tool that was left out comes when the tool is found."""
    given = request_of("chat")
    outcome = await optimizer.before(given, own_tools=True)
    wanted = next(name for name in map(name_of, given["tools"]) if name not in names(outcome.changes))
    told = f"\n\n## Use of {wanted}\n\nCall `{wanted}` with the code ZEBRA-9.\n\n## Last words\n\nBe kind.\n"
    given["messages"][0] = {"role": "system", "content": PROMPT + told}
    outcome = await optimizer.before(given, own_tools=True)
    sent = {**given, **outcome.changes}
    assert wanted not in names(sent)
    assert "ZEBRA-9" not in json.dumps(sent["messages"])
    changes = await optimizer.next_request(outcome, sent, reply_of("chat", ("c1", FIND, {"query": wanted})))
    assert "ZEBRA-9" in changes["messages"][-1]["content"]


@pytest.mark.parametrize("surface", SURFACES)
async def test_a_prompt_without_tools_can_be_asked_for_too(surface, optimizer):
    """Our tool is the only one then, and stays to the last round: providers want some where some were called."""
    given = {key: value for key, value in request_of(surface).items() if key != "tools"}
    outcome = await optimizer.before(given, surface, own_tools=True)
    sent = {**given, **outcome.changes}
    for number in (1, 2):
        assert names(sent) == [RECALL]
        reply = reply_of(surface, (f"c{number}", RECALL, {"query": "weather"}))
        sent = {**sent, **await optimizer.next_request(outcome, sent, reply)}
    assert names(sent) == [RECALL]


@pytest.mark.parametrize(
    "form", [{"response_format": {"type": "json_object"}}, {"tool_choice": "none"}, {"modalities": ["text", "audio"]}]
)
async def test_a_first_tool_is_not_given_where_it_may_be_in_the_way(form, optimizer):
    """Providers don't combine tools with a form of the answer."""
    given = {key: value for key, value in request_of("chat").items() if key != "tools"}
    outcome = await optimizer.before({**given, **form}, own_tools=True)
    assert outcome.tokens_after < outcome.tokens_before
    assert "tools" not in outcome.changes


@pytest.mark.parametrize("surface", SURFACES)
async def test_rounds_end(surface, optimizer):
    """After `max_rounds` our tool is gone; a reply that calls it all the same is the caller's, without the call."""
    sent = request_of(surface)
    outcome = await optimizer.before(sent, surface, own_tools=True)
    sent = {**sent, **outcome.changes}
    for number in (1, 2):
        assert FIND in names(sent)
        calls = [(f"c{number}{i}", FIND, {"query": "anything"}) for i in range(2)]
        sent = {**sent, **await optimizer.next_request(outcome, sent, reply_of(surface, *calls))}
    assert FIND not in names(sent)
    last = reply_of(surface, ("c", FIND, {}))
    assert await optimizer.next_request(outcome, sent, last) is None
    shown = without_own_calls(surface, last)
    assert calls_in(surface, shown) == ()
    assert "Let me look." in json.dumps(shown)
    assert "tool_use" not in json.dumps(shown)
    assert FIND not in json.dumps(shown)


@pytest.mark.parametrize("surface", SURFACES)
async def test_a_reply_of_nothing_but_a_call_is_no_answer(surface, optimizer):
    """Where the last round's reply only calls our tool, the model is told once to answer; then it gets all of it.

    What it calls then, nobody answers.
    """
    given = request_of(surface)
    sent = request_of(surface)
    outcome = await optimizer.before(sent, surface, own_tools=True)
    sent = {**sent, **outcome.changes}
    for number in (1, 2, 3):
        silent = without_text(surface, reply_of(surface, (f"c{number}", FIND, {"query": "anything"})))
        sent = {**sent, **await optimizer.next_request(outcome, sent, silent)}
    assert FIND not in names(sent)
    assert NO_MORE_ROUNDS in json.dumps(sent)
    sent = {**sent, **await optimizer.next_request(outcome, sent, silent)}
    assert sent == given
    assert await optimizer.next_request(outcome, sent, silent) is None


def without_text(surface, reply):
    """*reply* with its calls alone."""
    if surface == "messages":
        return {**reply, "content": reply["content"][1:]}
    if surface == "responses":
        return {**reply, "output": reply["output"][1:]}
    (choice,) = reply["choices"]
    return {"choices": [{**choice, "message": {**choice["message"], "content": None}}]}


@pytest.mark.parametrize("surface", SURFACES)
async def test_the_callers_tools_go_to_the_caller(surface, optimizer):
    """A call of a tool that was left out is for the caller."""
    given = request_of(surface)
    outcome = await optimizer.before(given, surface, own_tools=True)
    sent = {**given, **outcome.changes}
    left_out = next(name for name in map(name_of, given["tools"]) if name not in names(sent))
    alone = reply_of(surface, ("c1", left_out, {}))
    assert await optimizer.next_request(outcome, sent, alone) is None
    assert without_own_calls(surface, alone) == alone


@pytest.mark.parametrize("surface", SURFACES)
async def test_what_is_asked_for_is_read_first(surface, optimizer):
    """The model reads the answer to our call, and that the other call waits; in the end it is for the caller."""
    given = request_of(surface)
    outcome = await optimizer.before(given, surface, own_tools=True)
    sent = {**given, **outcome.changes}
    theirs = name_of(given["tools"][0])
    both = reply_of(surface, ("c0", theirs, {"a": 1}), ("c1", FIND, {"query": "x"}))
    for _ in range(2):
        sent = {**sent, **await optimizer.next_request(outcome, sent, both)}
    said = json.dumps(sent.get("messages") or sent.get("input"))
    assert said.count(NOT_CALLED_YET) == 2
    assert said.count("These tools are yours now") == 2
    assert await optimizer.next_request(outcome, sent, both) is None
    assert without_own_calls(surface, both) == reply_of(surface, ("c0", theirs, {"a": 1}))


async def test_beside_a_call_that_is_no_functions_ours_is_dropped(optimizer):
    """No text answers such a call: it's the caller's at once."""
    outcome = await optimizer.before(request_of("responses"), "responses", own_tools=True)
    sent = {**request_of("responses"), **outcome.changes}
    custom = {"type": "custom_tool_call", "call_id": "c0", "name": "edit", "input": "x"}
    both = reply_of("responses", ("c1", FIND, {"query": "x"}))
    both["output"].append(custom)
    assert await optimizer.next_request(outcome, sent, both) is None
    assert without_own_calls("responses", both)["output"][-1] == custom


@pytest.mark.parametrize("surface", SURFACES)
async def test_what_has_been_through_is_left_alone(surface, optimizer):
    """A request that holds a tool of ours passes a second time as it is."""
    given = request_of(surface)
    sent = {**given, **(await optimizer.before(given, surface, own_tools=True)).changes}
    again = await optimizer.before(sent, surface, own_tools=True)
    assert (again.mode, again.changes) == ("bypass", {})


@pytest.mark.parametrize("surface", SURFACES)
async def test_who_does_not_ask_for_it_gets_no_tool_of_ours(surface, optimizer):
    """Without `own_tools` the request holds the caller's tools alone."""
    outcome = await optimizer.before(request_of(surface), surface)
    assert FIND not in names(outcome.changes)


@pytest.mark.parametrize(
    ("free", "more"),
    [
        (True, {}), (True, {"tool_choice": "auto"}), (True, {"tool_choice": "required"}),
        (True, {"tool_choice": {"type": "any"}}), (True, {"options": {"n": 1}}),
        (False, {"tool_choice": "none"}), (False, {"tool_choice": {"type": "none"}}),
        (False, {"tool_choice": {"type": "function", "function": {"name": "a"}}}),
        (False, {"tool_choice": {"type": "tool", "name": "a"}}), (False, {"tool_choice": {"type": "allowed_tools"}}),
        (False, {"options": {"n": 2}}), (False, {"options": {"functions": [{"name": "a"}]}}),
        (False, {"controls": Controls(mocked=True)}),
    ],
)  # fmt: skip
def test_only_where_the_model_chooses_freely(free, more):
    """A forced, forbidden or old-style choice, several answers, or a mock leave no room for our tools."""
    assert may_offer(ChatRequest(model="m", messages=(), **more)) is free


@pytest.mark.parametrize("choice", ["none", {"type": "function", "function": {"name": "get_weather"}}])
async def test_the_block_is_the_same_where_the_choice_is_bound(optimizer, choice):
    """A turn that forbids calls, or forces one, has our tool too: what is cached behind the tools stays so."""
    given = request_of("chat")
    turns = [*given["messages"], {"role": "assistant", "content": "Rain."}, {"role": "user", "content": "And Rome?"}]
    free = await optimizer.before({**given, "messages": turns}, own_tools=True)
    bound = await optimizer.before({**given, "messages": turns, "tool_choice": choice}, own_tools=True)
    assert json.dumps(bound.changes["tools"]) == json.dumps(free.changes["tools"])
    assert FIND in names(bound.changes)


@pytest.mark.parametrize("surface", ["chat", "messages", "responses"])
async def test_no_tools_means_no_choice_of_tools(optimizer, surface):
    """Providers refuse a choice where there is nothing to choose from."""
    choice = {"type": "none"} if surface == "messages" else "none"
    given = {**request_of(surface), "tool_choice": choice, "parallel_tool_calls": False}
    given |= {"messages": given["messages"][-1:]} if surface == "chat" else {"system": "", "instructions": ""}
    outcome = await optimizer.before(given, surface, own_tools=True)
    assert outcome.changes["tools"] is None
    assert outcome.changes["tool_choice"] is None
    sent = outcome.applied(given)
    assert {"tools", "tool_choice", "parallel_tool_calls"}.isdisjoint(sent)
    assert sent["model"] == given["model"]


async def test_small_talk_gets_no_tools_in_library_use_either(optimizer):
    """Whoever sends what is decided: what is said needs none."""
    given = {**request_of("chat"), "messages": [{"role": "user", "content": "Thanks, that was great!"}]}
    assert "tools" not in (await optimizer.before(given)).applied(given)


@pytest.mark.parametrize("text", ["", "no json", "[1]", "null"])
def test_arguments_that_are_none_are_empty(text):
    """What a model writes wrongly costs nothing."""
    assert read_arguments(text) == {}


def test_token_counts_of_rounds_add_up():
    """Nested counts too; what only one reply says stays."""
    one = {"a": 1, "details": {"x": 2, "y": None}, "tier": "default"}
    assert added(one, {"a": 2, "details": {"x": 3, "y": 1}, "tier": "flex", "z": 4}) == {
        "a": 3, "details": {"x": 5, "y": 1}, "tier": "flex", "z": 4,
    }  # fmt: skip


async def test_turns_get_the_same_bytes(optimizer):
    """The tool block, ours included, stays the same while the selection does."""
    given = request_of("chat")
    first = await optimizer.before(given, own_tools=True)
    turns = [*given["messages"], {"role": "assistant", "content": "Rain."}, {"role": "user", "content": "Thanks!"}]
    later = await optimizer.before({**given, "messages": turns}, own_tools=True)
    assert json.dumps(first.changes["tools"]) == json.dumps(later.changes["tools"])
    assert count_text(json.dumps(first.changes["tools"][-1])) <= 300

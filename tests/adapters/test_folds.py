"""Streams of events with calls of our tools among others: what passes on, and how it is numbered."""

from __future__ import annotations

import json
from itertools import groupby
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from litellm_tokenopt.adapters.event_folds import MessagesFold, ResponsesFold
from litellm_tokenopt.rounds import said_in, without_own_calls

OWN = "tokenopt_find_tools"
PARTS = st.lists(st.sampled_from(["text", "thought", "theirs", "ours"]), max_size=6)
BLOCKS = {
    "text": {"type": "text", "text": ""},
    "thought": {"type": "thinking", "thinking": ""},
    "theirs": {"type": "tool_use", "id": "t", "name": "look_up", "input": {}},
    "ours": {"type": "tool_use", "id": "t", "name": OWN, "input": {}},
}
ITEMS = {
    "text": {"type": "message"},
    "thought": {"type": "reasoning"},
    "theirs": {"type": "function_call", "call_id": "c", "name": "look_up", "arguments": "{}"},
    "ours": {"type": "function_call", "call_id": "c", "name": OWN, "arguments": "{}"},
}


def sent(event):
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def blocks(parts, stop="tool_use", arguments="{}"):
    yield {"type": "message_start", "message": {"usage": {"input_tokens": 3}}}
    for index, part in enumerate(parts):
        yield {"type": "content_block_start", "index": index, "content_block": BLOCKS[part]}
        if part in ("ours", "theirs"):
            delta = {"type": "input_json_delta", "partial_json": arguments}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 2}}
    yield {"type": "message_stop"}


def items(parts):
    output = [{"id": f"{part}{index}", **ITEMS[part]} for index, part in enumerate(parts)]
    for index, item in enumerate(output):
        for kind in ("added", "done"):
            yield {"type": f"response.output_item.{kind}", "output_index": index, "item": item}
    yield {"type": "response.completed", "response": {"output": output, "usage": {"input_tokens": 3}}}


def passed(fold, rounds, events, wrap):
    """All that the caller gets of these *rounds*, the last of which ends it."""
    for n, parts in enumerate(rounds):
        for event in events(parts):
            yield from fold.feed(wrap(event))
        if fold.reply() is None or n == len(rounds) - 1:
            yield from fold.rest()
            return
        fold = fold.following()


def places(events, index):
    """The places of parts, in the order in which they first came."""
    return list(dict.fromkeys(event[index] for event in events if index in event))


@given(st.lists(PARTS, min_size=1, max_size=3))
def test_blocks_are_numbered_on_and_none_is_of_our_tools(rounds):
    """Over all rounds the caller's blocks count up from 0, and no call of ours is among them."""
    frames = list(passed(MessagesFold(), rounds, blocks, sent))
    assert OWN.encode() not in b"".join(frames)
    found = places([json.loads(frame.split(b"data: ")[1]) for frame in frames], "index")
    assert found == list(range(len(found)))


@given(st.lists(PARTS, min_size=1, max_size=3))
def test_items_are_numbered_on_and_none_is_of_our_tools(rounds):
    """So do the items of Responses."""
    wrapped = passed(ResponsesFold(), rounds, items, lambda event: SimpleNamespace(data=json.dumps(event)))
    events = [json.loads(event.data) for event in wrapped]
    assert OWN not in json.dumps(events)
    found = places(events, "output_index")
    assert found == list(range(len(found)))


@given(PARTS)
def test_the_end_of_a_stream_tells_what_has_passed(parts):
    """Where the model isn't asked again, the events' items are those of the finished response, and of a plain reply."""
    *_, end = items(parts)
    shown = [item["id"] for item in without_own_calls("responses", end["response"])["output"]]
    wrapped = passed(ResponsesFold(), [parts], items, lambda event: SimpleNamespace(data=json.dumps(event)))
    *events, completed = [json.loads(event.data) for event in wrapped]
    assert [item["id"] for item in completed["response"]["output"]] == shown
    assert sorted(event["item"]["id"] for event in events if event["type"].endswith("done")) == sorted(shown)


@given(PARTS)
def test_a_thought_goes_with_what_it_led_to(parts):
    """Providers refuse a thought by itself, and what has lost its thought: of ours both go, of others both stay."""
    *_, end = items(parts)
    stayed = {item["id"] for item in without_own_calls("responses", end["response"])["output"]}
    said = {item["id"] for item in said_in("responses", end["response"])}
    asks = "ours" in parts
    for thoughts, led_to in thought(item["id"] for item in end["response"]["output"]):
        assert stayed & led_to == {id for id in led_to if "ours" not in id}
        assert said & led_to == {id for id in led_to if "text" in id}
        assert stayed & thoughts == (thoughts if stayed & led_to or not asks else set())
        assert said & thoughts == (thoughts if said & led_to else set())


def thought(ids):
    """Each run of thoughts, and what follows it up to the next."""
    thoughts, led_to = set(), set()
    for is_thought, run in groupby(ids, lambda id: "thought" in id):
        if is_thought:
            yield thoughts, led_to
            thoughts, led_to = set(run), set()
        else:
            led_to = set(run)
    yield thoughts, led_to


def test_a_call_of_ours_that_was_cut_ends_the_stream_as_the_model_ended_it():
    """Where the model's tokens run out amid our call, the caller gets what was said, and why it ended."""
    fold = MessagesFold()
    events = blocks(["text", "ours"], stop="max_tokens", arguments='{"query": "ca')
    frames = [out for event in events for out in fold.feed(sent(event))]
    assert fold.reply() is None
    said = b"".join([*frames, *fold.rest()]).decode()
    assert OWN not in said
    assert '"stop_reason": "max_tokens"' in said
    assert said.rstrip().endswith('{"type": "message_stop"}')

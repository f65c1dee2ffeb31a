"""Every way into LiteLLM: the request arrives smaller, its repeat is answered without the model and logged as free."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Iterator

import litellm
import pytest
from support.agent import ANTHROPIC_TOOLS, PROMPT, RESPONSES_TOOLS, TOOLS, question

from litellm_tokenopt.tokens import count_text

# Imported before the plugin is switched on, as an application does.
from litellm import acompletion, batch_completion, completion  # isort: skip

OPENAI, ANTHROPIC = "openai/gpt-4o", "anthropic/claude-sonnet-4-5-20250929"


def chat(asked, server):
    messages = [{"role": "system", "content": PROMPT}, {"role": "user", "content": asked}]
    return {"messages": messages, "tools": TOOLS, "api_base": server.base_url, "api_key": "none"}


def anthropic(asked, server, model):
    base = server.url if model == ANTHROPIC else server.base_url
    return {
        "model": model, "system": PROMPT, "messages": [{"role": "user", "content": asked}], "tools": ANTHROPIC_TOOLS,
        "max_tokens": 100, "api_base": base, "api_key": "none",
    }  # fmt: skip


def responses(asked, server, model=OPENAI):
    base = server.url if model == ANTHROPIC else server.base_url
    given = {"model": model, "instructions": PROMPT, "input": asked, "tools": RESPONSES_TOOLS}
    return {**given, "api_base": base, "api_key": "none"}


def router(server, **more):
    deployment = {"model": OPENAI, "api_base": server.base_url, "api_key": "none"}
    return litellm.Router(model_list=[{"model_name": "agent", "litellm_params": deployment}], **more)


def routed(asked):
    return {"messages": chat(asked, _NOWHERE)["messages"], "tools": TOOLS}


class _Nowhere:
    base_url = url = ""


_NOWHERE = _Nowhere()

ENTRY_POINTS = {
    "completion": lambda q, s: completion(model=OPENAI, **chat(q, s)),
    "completion, positional": lambda q, s: completion(OPENAI, chat(q, s).pop("messages"), **_rest(chat(q, s))),
    "completion, stream": lambda q, s: completion(model=OPENAI, stream=True, **chat(q, s)),
    "acompletion": lambda q, s: acompletion(model=OPENAI, **chat(q, s)),
    "acompletion, positional": lambda q, s: acompletion(OPENAI, chat(q, s).pop("messages"), **_rest(chat(q, s))),
    "acompletion, stream": lambda q, s: acompletion(model=OPENAI, stream=True, **chat(q, s)),
    "acompletion, positional stream": lambda q, s: acompletion(
        OPENAI, chat(q, s).pop("messages"), stream=True, **_rest(chat(q, s))
    ),
    "batch_completion": lambda q, s: batch_completion(
        model=OPENAI, messages=[chat(q, s).pop("messages")], **_rest(chat(q, s))
    )[0],
    "Router.completion": lambda q, s: router(s).completion(model="agent", **routed(q)),
    "Router.completion, stream": lambda q, s: router(s).completion(model="agent", stream=True, **routed(q)),
    "Router.acompletion": lambda q, s: router(s).acompletion(model="agent", **routed(q)),
    "Router.acompletion, stream": lambda q, s: router(s).acompletion(model="agent", stream=True, **routed(q)),
    "responses": lambda q, s: litellm.responses(**responses(q, s)),
    "responses, stream": lambda q, s: litellm.responses(stream=True, **responses(q, s)),
    "aresponses": lambda q, s: litellm.aresponses(**responses(q, s)),
    "aresponses, stream": lambda q, s: litellm.aresponses(stream=True, **responses(q, s)),
    "aresponses, on Anthropic": lambda q, s: litellm.aresponses(**responses(q, s, ANTHROPIC)),
    "messages": lambda q, s: litellm.anthropic.messages.acreate(**anthropic(q, s, ANTHROPIC)),
    "messages, stream": lambda q, s: litellm.anthropic.messages.acreate(stream=True, **anthropic(q, s, ANTHROPIC)),
    "messages, on OpenAI": lambda q, s: litellm.anthropic.messages.acreate(**anthropic(q, s, OPENAI)),
    "messages, on OpenAI, stream": lambda q, s: litellm.anthropic.messages.acreate(
        stream=True, **anthropic(q, s, OPENAI)
    ),
}
"""name → call(question, server): a response, a stream, or an awaitable of one."""


def _rest(kwargs):
    return {key: value for key, value in kwargs.items() if key != "messages"}


async def read(result):
    """(text, whether it came as a stream) of whatever an entry point gave."""
    while inspect.isawaitable(result):
        result = await result
    if isinstance(result, AsyncIterator) or hasattr(result, "__anext__"):
        return "".join([piece(event) async for event in result]), True
    if isinstance(result, Iterator):
        return "".join([piece(event) for event in result]), True
    return whole(result), False


def piece(event):
    """The text in one event of a chat, Responses or Anthropic stream."""
    if isinstance(event, (bytes, str)):
        text = event.decode() if isinstance(event, bytes) else event
        data = [json.loads(line[5:]) for line in text.splitlines() if line.startswith("data:")]
        return "".join((d.get("delta") or {}).get("text", "") for d in data if d["type"] == "content_block_delta")
    if getattr(event, "choices", None):
        return event.choices[0].delta.content or ""
    return event.delta if getattr(event, "type", "") == "response.output_text.delta" else ""


def whole(response):
    if isinstance(response, dict):
        return "".join(block.get("text", "") for block in response["content"])
    if hasattr(response, "output"):
        return "".join(part.text for item in response.output for part in item.content)
    return response.choices[0].message.content


def ask(loop, call, asked, server):
    """Ask from a thread without a loop (sync entry points refuse one) or from the application's loop (async ones)."""
    if call[0] == "a" or call.startswith(("messages", "Router.a")):
        return loop.run(_ask(call, asked, server))
    return asyncio.run(read(ENTRY_POINTS[call](asked, server)))


async def _ask(call, asked, server):
    return await read(ENTRY_POINTS[call](asked, server))


def new_bodies(server, seen):
    return server.bodies[seen:]


@pytest.mark.parametrize("call", ENTRY_POINTS)
def test_smaller_once_and_then_from_the_cache(call, server, loop, on, log):
    """The model gets a smaller request with the question untouched; a repeat costs nothing and comes in kind."""
    asked, seen = question(), len(server.bodies)
    first, streamed = ask(loop, call, asked, server)
    bodies = new_bodies(server, seen)
    assert len(bodies) == 1
    sent = json.dumps(bodies[0])
    given = json.dumps(chat(asked, server))
    assert count_text(sent) < 0.4 * count_text(given)
    assert len(bodies[0]["tools"]) <= 10
    assert asked in sent

    again, streamed_again = ask(loop, call, asked, server)
    assert len(new_bodies(server, seen)) == 1
    assert (again, streamed_again) == (first, streamed)
    assert first

    log.wait(lambda calls: any(c["hit"] for c in calls) and any(not c["hit"] for c in calls))
    hits = [c for c in log.calls if c["hit"]]
    assert {c["cost"] for c in hits} <= {0}
    assert all(c["tokenopt"]["cache_hit"] == "exact" for c in hits)
    paid = next(c for c in log.calls if not c["hit"])
    assert streamed or paid["cost"] > 0  # OpenAI's streams say no usage unless asked
    assert paid["tokenopt"]["tokens_saved"] > 0


@pytest.mark.parametrize(
    ("plain", "stream"),
    [("acompletion", "acompletion, stream"), ("aresponses", "aresponses, stream"), ("messages", "messages, stream")],
)
@pytest.mark.parametrize("stream_first", [False, True])
def test_streams_and_plain_calls_share_answers(plain, stream, stream_first, server, loop, on):
    """What was answered one way is given again the other way, natively."""
    first, second = (stream, plain) if stream_first else (plain, stream)
    asked, seen = question(), len(server.bodies)
    text, _ = ask(loop, first, asked, server)
    again, streamed = ask(loop, second, asked, server)
    assert len(new_bodies(server, seen)) == 1
    assert again == text
    assert streamed is (second == stream)


def test_litellms_own_controls_hold(server, loop, on):
    """no-cache asks the model again, no-store leaves nothing behind, bypass sends the request as it is."""
    asked, seen = question(), len(server.bodies)

    def call(**more):
        return asyncio.run(read(completion(model=OPENAI, **chat(asked, server), **more)))

    call(cache={"no-store": True})
    call()
    assert len(new_bodies(server, seen)) == 2
    call(cache={"no-cache": True})
    call(metadata={"tokenopt": {"bypass": True}})
    bodies = new_bodies(server, seen)
    assert len(bodies) == 4
    assert len(bodies[-1]["tools"]) == len(TOOLS)
    assert bodies[-1]["messages"][0]["content"] == PROMPT
    call()
    assert len(new_bodies(server, seen)) == 4


def test_an_answer_may_be_too_old_for_a_caller(server, on):
    """``s-maxage`` (text too) refuses what is older, and the new answer takes its place."""
    asked, seen = question(), len(server.bodies)

    def asks_model(**controls):
        before = len(server.bodies)
        completion(model=OPENAI, **chat(asked, server), cache=controls)
        return len(server.bodies) - before

    assert [asks_model(), asks_model(**{"s-maxage": 600}), asks_model(**{"s-max-age": "600"})] == [1, 0, 0]
    assert [asks_model(**{"s-maxage": 0}), asks_model()] == [1, 0]
    assert len(new_bodies(server, seen)) == 2


@pytest.mark.parametrize("state", [{"previous_response_id": "resp_1"}, {"extra_body": {"conversation": "c"}}])
def test_what_leans_on_turns_kept_at_the_provider(state, server, loop, on):
    """No answer is taken from the cache, no tool and no word is left out: earlier turns may need them."""
    asked, seen = question(), len(server.bodies)
    for _ in range(2):
        loop.run(_read_responses(asked, server, state))
    bodies = new_bodies(server, seen)
    assert len(bodies) == 2
    for body in bodies:
        assert (body["instructions"], body["input"]) == (PROMPT, asked)
        assert [tool["name"] for tool in body["tools"]] == [tool["name"] for tool in RESPONSES_TOOLS]
        assert all(body[name] == value for name, value in state.get("extra_body", state).items())


async def _read_responses(asked, server, state):
    return await read(litellm.aresponses(**responses(asked, server), **state))


def test_a_callers_metadata_is_not_written_into(server, on):
    """A dict that an SDK caller passes to many calls stays the caller's."""
    mine = {"feature": "search"}
    for _ in range(2):
        completion(model=OPENAI, metadata=mine, **chat(question(), server))
    assert mine == {"feature": "search"}


def test_many_calls_at_once_lose_nothing(server, loop, on):
    """A hundred concurrent calls, each with a question of its own: each gets its own answer."""
    asked = [question() for _ in range(100)]

    async def all_at_once():
        return await asyncio.gather(*(read(acompletion(model=OPENAI, **chat(q, server))) for q in asked))

    first = loop.run(all_at_once())
    seen = len(server.bodies)
    assert loop.run(all_at_once()) == first
    assert len({text for text, _ in first}) == 100
    assert len(server.bodies) == seen


def test_what_a_mock_says_is_nobodys_answer(on, server):
    """A mocked reply is not kept, and a kept one doesn't take a mock's place."""
    asked = question()

    def said(**more):
        return completion(model=OPENAI, **chat(asked, server), **more).choices[0].message.content

    assert said(mock_response="MOCKED") == "MOCKED"
    real = said()
    assert real != "MOCKED"
    assert said(mock_response="MOCKED") == "MOCKED"
    assert said() == real


@pytest.mark.parametrize(
    "more", [lambda x: {"metadata": {"client": x}}, lambda x: {"headers": {"X-Tenant": x}}], ids=["metadata", "headers"]
)
def test_callers_that_name_themselves_share_nothing(more, on, server):
    """Metadata and headers of the caller's own part answers; the same ones find them again."""
    asked, seen = question(), len(server.bodies)
    for caller in ("ann", "bob", "ann"):
        completion(model=OPENAI, **chat(asked, server), **more(caller))
    assert len(server.bodies) - seen == 2

"""Every way into LiteLLM: the request arrives smaller, its repeat is answered without the model and logged as free."""

from __future__ import annotations

import asyncio
import json

import litellm
import pytest
from support.agent import PROMPT, RESPONSES_TOOLS, TOOLS, callers_tools, question
from support.entry_points import (
    ANTHROPIC,
    ENTRY_POINTS,
    OPENAI,
    acompletion,
    anthropic,
    chat,
    completion,
    read,
    responses,
)

from litellm_tokenopt.tokens import count_text


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
    assert len(callers_tools(bodies[0])) <= 10
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


MARKED = (
    f"<keep>Odo's motto: slow is smooth.</keep>\n\n<squeeze ratio=0.6>{PROMPT[-9_000:-6_000]}</squeeze>\n\n{PROMPT}"
)
CACHED = [{"type": "text", "text": MARKED, "cache_control": {"type": "ephemeral"}}]
WISHES = {"tokenopt": {"prompt": {"budget_tokens": 2_000, "always_include": ["Gift cards"]}}}


@pytest.mark.parametrize("wishes", [{}, WISHES], ids=["settings", "wishes"])
@pytest.mark.parametrize("surface", ["chat", "messages", "responses"])
def test_tags_and_a_requests_own_wishes(surface, wishes, server, loop, on):
    """What is marked to be kept arrives, no tag does; its own budget, rules aside, and headings hold in every API."""
    asked, seen = question(), len(server.bodies)
    loop.run(_ask_marked(surface, MARKED, asked, wishes, server))
    (body,) = new_bodies(server, seen)
    said = json.dumps(body, ensure_ascii=False)
    assert "Odo's motto: slow is smooth." in said
    assert not _tags_in(said)
    assert count_text(said) - count_text(json.dumps(body["tools"])) < (5_400 if wishes else 6_200)
    assert not wishes or "## Gift cards\\n" in said


@pytest.mark.parametrize("surface", ["chat", "messages"])
def test_tags_in_a_cached_block(surface, server, loop, on):
    """A block that carries the caller's ``cache_control`` is sent whole, without the tags."""
    asked, seen = question(), len(server.bodies)
    loop.run(_ask_marked(surface, CACHED, asked, {}, server))
    (body,) = new_bodies(server, seen)
    said = json.dumps(body, ensure_ascii=False)
    assert json.dumps(PROMPT, ensure_ascii=False)[1:-1] in said
    assert not _tags_in(said)


def _tags_in(text):
    return [tag for tag in ("<keep>", "</keep>", "<squeeze", "</squeeze>") if tag in text]


async def _ask_marked(surface, prompt, asked, wishes, server):
    return await read(_marked(surface, prompt, asked, wishes, server))


def _marked(surface, prompt, asked, wishes, server):
    given = {"metadata": wishes} if wishes else {}
    if surface == "chat":
        messages = [{"role": "system", "content": prompt}, {"role": "user", "content": asked}]
        return acompletion(model=OPENAI, **{**chat(asked, server), "messages": messages}, **given)
    if surface == "messages":
        call = {**anthropic(asked, server, ANTHROPIC), "system": prompt}
        return litellm.anthropic.messages.acreate(**call, **given)
    return litellm.aresponses(**{**responses(asked, server), "instructions": prompt}, **given)

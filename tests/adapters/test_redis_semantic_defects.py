"""What LiteLLM's own semantic cache (``redis-semantic``) answers wrongly, or loses, is answered right here."""

from __future__ import annotations

import asyncio
import json
from itertools import count

import litellm
import pytest
from support.agent import PROMPT

OPENAI = "openai/gpt-4o"
_users = count()


def asks(*parts, system="You are a shop's assistant.", **more):
    """The arguments of a request whose user turn is *parts*, behind *system*."""
    content = parts[0] if len(parts) == 1 else list(parts)
    messages = [{"role": "system", "content": system}, {"role": "user", "content": content}]
    return {"messages": messages, **more}


def image(url):
    return {"type": "image_url", "image_url": {"url": url}}


def said(*turns):
    """A conversation of roles and texts."""
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


def looked_up(arguments):
    """A conversation in which the model called a tool with *arguments*."""
    call = {"id": "c1", "type": "function", "function": {"name": "stock", "arguments": json.dumps(arguments)}}
    return {
        "messages": [
            {"role": "user", "content": "Which colours of this lamp are there?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "12"},
        ]
    }


TEXT = {"type": "text", "text": "What is in this picture?"}
DIFFERENT = {
    "another question behind a long system prompt": (
        asks("How do I return a lamp?", system=PROMPT), asks("Which lamps are waterproof?", system=PROMPT),
    ),
    "another system prompt": (
        asks("How long is the warranty?", system="You speak for Lumen Ltd."),
        asks("How long is the warranty?", system="You speak for Candela Inc."),
    ),
    "another who says it": (
        said(("user", "The lamp is green."), ("assistant", "Right."), ("user", "Which colour do I want?")),
        said(("user", "Right."), ("assistant", "The lamp is green."), ("user", "Which colour do I want?")),
    ),
    "another image": (asks(TEXT, image("https://a.example/1.png")), asks(TEXT, image("https://a.example/2.png"))),
    "other tool-call arguments": (looked_up({"lamp": 7}), looked_up({"lamp": 8})),
    "100 and 900 dollars": (
        asks("What is the fee for a payment of 100 dollars?"), asks("What is the fee for a payment of 900 dollars?"),
    ),
    "another tenant in the SDK's metadata": (
        asks("What does delivery cost?", metadata={"tenant": "blue"}),
        asks("What does delivery cost?", metadata={"tenant": "red"}),
    ),
}  # fmt: skip
"""name → two requests that must not share an answer."""


@pytest.fixture
def ask(server, loop, on):
    """Ask as a user of this test's own; whether the model was asked, and the response."""
    user = f"defects-{next(_users)}"

    async def call(kwargs):
        seen = len(server.bodies)
        response = await litellm.acompletion(
            model=OPENAI, api_base=server.base_url, api_key="none", user=user, **json.loads(json.dumps(kwargs))
        )
        await asyncio.sleep(0)
        return len(server.bodies) > seen, response

    return lambda kwargs: loop.run(call(kwargs))


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_differs_shares_no_answer(name, ask):
    """Each of the two goes to the model once, and its own repeat is answered from the cache."""
    one, other = DIFFERENT[name]
    assert [ask(one)[0], ask(other)[0]] == [True, True]
    assert [ask(one)[0], ask(other)[0]] == [False, False]


def test_a_miss_embeds_its_question_once(ask, on, monkeypatch):
    """Neither the look-up nor the store asks the model for what the other has asked for."""
    embedder = on.optimizer.parts.embedder.inner
    texts, embed = [], type(embedder).embed

    async def noted(self, given):
        texts.extend(given)
        return await embed(self, given)

    monkeypatch.setattr(type(embedder), "embed", noted)
    asked = f"How do lamps of series {next(_users)} get cleaned?"
    assert ask(asks(asked))[0]
    assert [text for text in texts if "series" in text] == [asked.rstrip("?")[0].lower() + asked.rstrip("?")[1:]]


def test_answers_come_back_as_they_were(ask, on, loop):
    """A hit is the response that was given, field by field; what is kept is JSON, and no text of a Python object."""
    request = asks(f"Does lamp {next(_users)} come with a \u201cEuro\u201d plug \u26a1?")
    _, first = ask(request)
    asked_model, again = ask(request)
    assert not asked_model
    for field in ("id", "model", "object", "created", "choices", "usage", "system_fingerprint"):
        assert _plain(again, field) == _plain(first, field)
    entries = loop.run(_entries(on))
    payload = next(entry.payload for entry in entries if entry.text == first.choices[0].message.content)
    assert payload["choices"][0]["message"]["content"] == first.choices[0].message.content
    assert json.loads(json.dumps(payload)) == payload


def _plain(response, field):
    return response.model_dump(mode="json", exclude_none=True).get(field)


async def _entries(plugin):
    return await plugin.portal.wait(plugin.optimizer.parts.cache.entries(limit=10))

"""Every way into LiteLLM: calls that ask a model server one question with an agent's prompt and tools."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Iterator

import litellm

from .agent import ANTHROPIC_TOOLS, PROMPT, RESPONSES_TOOLS, TOOLS

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
    "acompletion, on Anthropic": lambda q, s: acompletion(model=ANTHROPIC, **{**chat(q, s), "api_base": s.url}),
    "acompletion, on Anthropic, stream": lambda q, s: acompletion(
        model=ANTHROPIC, stream=True, **{**chat(q, s), "api_base": s.url}
    ),
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

NOT_KEPT = {
    "aresponses, on Anthropic, stream": lambda q, s: litellm.aresponses(stream=True, **responses(q, s, ANTHROPIC)),
}
"""The same; LiteLLM stores no reply that comes this way."""


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

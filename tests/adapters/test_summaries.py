"""Summaries of what was left out, by a model that LiteLLM asks beside the requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import litellm
import pytest
from aiohttp import web

from litellm_tokenopt.evaluation.model_server import ModelServer
from litellm_tokenopt.evaluation.script import ScriptedCall, ScriptedReply
from litellm_tokenopt.telemetry import Recorder

TOOL = {"type": "function", "function": {"name": "get_stock", "parameters": {"type": "object"}}}
TOPICS = ("tents", "bags", "stoves", "jackets", "ropes", "shoes", "torches", "filters", "maps", "axes", "chairs")
ASKED_BACK = "How many units of BAG-0105 were it?"
IN_SHORT = "in short: Stock so far."


class Replies(dict[str, Any]):
    """Summarises what it gets as a JSON string, and asks back for one question."""

    def get(self, question: str, default: Any = None) -> Any:
        if question.startswith('"'):
            lines = [line for line in json.loads(question).splitlines() if line.startswith("assistant: ")]
            said = " ".join(line.removeprefix("assistant: ") for line in lines)
            return (ScriptedReply(f"Stock so far. {said}"),)
        if question == ASKED_BACK:
            call = ScriptedCall("tokenopt_recall", json.dumps({"id": "m7"}))
            return (ScriptedReply("", (call,)), ScriptedReply("Now I know."))
        return default


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    with ModelServer() as server:
        server.model.script = Replies()
        monkeypatch.setenv("OPENAI_API_BASE", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        yield server


@pytest.fixture
def summarising(switch_on: Callable[..., Any]) -> Callable[..., Any]:
    def on(**context: Any) -> Any:
        shape = {"budget_tokens": 1_500, "condense_results": False, "summary_model": "openai/summariser", **context}
        return switch_on(
            redis={"url": "memory"}, cache={"enabled": False}, tools={"enabled": False}, context=shape
        )  # fmt: skip

    return on


def turn(topic: str, number: int) -> list[dict[str, Any]]:
    """About 330 tokens: a question, a call, its result, an answer."""
    rows = [{"sku": f"{topic[:3].upper()}-{number:02d}{row:02d}", "units": 17 * row + number} for row in range(12)]
    function = {"name": "get_stock", "arguments": json.dumps({"topic": topic})}
    return [
        {"role": "user", "content": f"How many {topic} do we have?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": f"c{number}", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": f"c{number}", "content": json.dumps(rows)},
        {"role": "assistant", "content": f"There are {sum(r['units'] for r in rows)} {topic} in Leeds."},
    ]


SESSION = [message for number in range(22) for message in turn(TOPICS[number % len(TOPICS)], number)]


def walk(plugin: Any, server: ModelServer) -> list[list[Any]]:
    """What the model gets of each request of the session, one after the other."""
    for end in range(1, len(SESSION)):
        if SESSION[end - 1]["role"] in ("user", "tool"):
            ask(SESSION[:end])
            plugin.portal.run(plugin.optimizer.parts.summarising.idle())
    return [body["messages"] for body in server.bodies if body["model"] == "gpt-4o"]


def ask(messages: list[dict[str, Any]]) -> str:
    response = litellm.completion(model="openai/gpt-4o", messages=messages, tools=[TOOL], max_retries=0)
    return str(response.choices[0].message.content)


def digest_of(messages: list[Any]) -> str:
    return next((m["content"] for m in messages if str(m.get("content")).startswith("[Earlier in")), "")


def test_a_models_summaries_stand_in_later_cuts(summarising, model, log):
    """Asked once for each stretch, as a call of its own; what is summarised can be read again."""
    plugin = summarising()
    litellm.callbacks.append(log)
    sent = walk(plugin, model)
    digests = list(dict.fromkeys(digest for messages in sent if (digest := digest_of(messages))))
    assert IN_SHORT not in digests[0]
    assert IN_SHORT in digests[-1]
    assert "[… m2-m" in digests[-1]
    rewritten = sum(after[: len(before)] != before for before, after in pairwise(sent))
    assert rewritten <= len(digests)
    asked = [body for body in model.bodies if body["model"] == "summariser"]
    assert len({json.dumps(body["messages"]) for body in asked}) == len(asked) > 1
    assert {body["temperature"] for body in asked} == {0}
    log.wait(lambda calls: any((c["tokenopt"] or {}).get("purpose") == "summary" for c in calls))

    assert ask([*SESSION, {"role": "user", "content": ASKED_BACK}]) == "Now I know."
    answer = model.bodies[-1]["messages"][-1]
    assert answer["role"] == "tool"
    assert '{"sku": "BAG-0105", "units": 86}' in answer["content"]


def test_a_model_that_fails_changes_nothing(summarising, model, monkeypatch):
    """What was quoted without it is quoted still; the error is counted, and nobody waits."""
    expected = walk(summarising(summary_model=None), model)
    failures: list[str] = []
    monkeypatch.setattr(Recorder, "record_failure", lambda _, where, error: failures.append(where))
    monkeypatch.setattr(Recorder, "record_summary", lambda _, result: failures.append(result))
    plugin = summarising()
    monkeypatch.setattr(model.model, "answer", failing(model.model.answer))
    before = len(expected)
    assert walk(plugin, model)[before:] == expected
    assert set(failures) == {"summary", "failed"}


def failing(answer: Callable[..., Any]) -> Callable[..., Any]:
    """The server breaks where a summary is asked for."""

    def broken(api: Any, body: Any, account: str) -> Any:
        if body["model"] == "summariser":
            raise web.HTTPBadRequest(text="no such model")
        return answer(api, body, account)

    return broken

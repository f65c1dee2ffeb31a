"""The demo's content holds together: tools, sessions and what the answers rest on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from litellm_tokenopt.request import tool_calls
from litellm_tokenopt.tokens import count_messages, count_text, count_tools

AGENT = Path(__file__).parents[2] / "examples" / "agent"
PROMPT = (AGENT / "system_prompt.md").read_text(encoding="utf-8")
TOOLS = json.loads((AGENT / "tools.json").read_text(encoding="utf-8"))
SCHEMAS = {tool["function"]["name"]: tool["function"]["parameters"] for tool in TOOLS}
SESSIONS = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((AGENT / "sessions").glob("*.json"))]


def calls_of(session: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for message in session["history"]:
        for _, name, arguments in tool_calls(message):
            yield name, json.loads(arguments)
    for turn in session["turns"]:
        for call in turn["calls"]:
            yield call["name"], call["arguments"]


def test_every_schema_is_a_schema() -> None:
    """Tools have names of their own and valid JSON Schemas (2020-12)."""
    assert len(SCHEMAS) == len(TOOLS)
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session["id"])
def test_every_call_is_valid(session: dict[str, Any]) -> None:
    """What the agent calls is what the tools accept."""
    for name, arguments in calls_of(session):
        jsonschema.validate(arguments, SCHEMAS[name], jsonschema.Draft202012Validator)


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session["id"])
def test_every_fact_stands_somewhere(session: dict[str, Any]) -> None:
    """Each evidence string stands verbatim in the system prompt, the history, or a result up to that turn."""
    seen = [PROMPT, *(message.get("content") or "" for message in session["history"])]
    for turn in session["turns"]:
        seen += [call["result"] for call in turn["calls"]]
        assert turn["evidence"]
        for fact in turn["evidence"]:
            assert any(fact in text for text in seen), fact
        assert set(turn["tools"]) <= set(SCHEMAS)
        seen.append(turn["answer"])


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session["id"])
def test_every_request_is_longer_than_50k_tokens(session: dict[str, Any]) -> None:
    """System prompt, tools and history alone exceed 50,000 tokens."""
    history = count_messages(session["history"])
    assert count_text(PROMPT) + count_tools(TOOLS) + history > 50_000


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session["id"])
def test_call_ids_are_answered_once(session: dict[str, Any]) -> None:
    """Each tool call of a history has one id and one result."""
    ids = [call_id for message in session["history"] for call_id, _, _ in tool_calls(message)]
    results = [message["tool_call_id"] for message in session["history"] if message["role"] == "tool"]
    assert len(set(ids)) == len(ids)
    assert sorted(ids) == sorted(results)


def test_prompt_and_tools_name_the_same_priorities() -> None:
    """Ticket priorities are those that the system prompt explains."""
    for name in ("create_ticket", "update_ticket"):
        words = SCHEMAS[name]["properties"]["priority"]["enum"]
        assert words == ["urgent", "high", "normal", "low"]
        assert all(f"`{word}`" in PROMPT for word in words)

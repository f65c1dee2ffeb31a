"""A chat conversation in the forms of the other two APIs, for asking the same question there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from ..request import Message, Tool, is_system, text_of, tool_calls

Body: TypeAlias = dict[str, Any]


def messages_body(conversation: Sequence[Message], tools: Sequence[Tool]) -> Body:
    """``system``, ``messages`` and ``tools`` for Anthropic's API."""
    blocks: list[Body] = []
    for message in conversation:
        if not is_system(message):
            _append(blocks, *_anthropic(message))
    return {"system": _system(conversation), "messages": blocks, "tools": [_anthropic_tool(tool) for tool in tools]}


def responses_body(conversation: Sequence[Message], tools: Sequence[Tool]) -> Body:
    """``instructions``, ``input`` and ``tools`` for the responses API."""
    items = [item for message in conversation if not is_system(message) for item in _items(message)]
    flat = [{"type": "function", **tool["function"]} for tool in tools]
    return {"instructions": _system(conversation), "input": items, "tools": flat}


def _system(conversation: Sequence[Message]) -> str:
    return "\n\n".join(text_of(message.get("content")) for message in conversation if is_system(message))


def _append(messages: list[Body], role: str, blocks: list[Body]) -> None:
    """Add *blocks*; neighbours of one role are one message there."""
    if messages and messages[-1]["role"] == role:
        messages[-1]["content"].extend(blocks)
    elif blocks:
        messages.append({"role": role, "content": blocks})


def _anthropic(message: Message) -> tuple[str, list[Body]]:
    text = text_of(message.get("content"))
    if message["role"] == "tool":
        result = {"type": "tool_result", "tool_use_id": message["tool_call_id"], "content": text}
        return "user", [result]
    uses = [
        {"type": "tool_use", "id": call_id, "name": name, "input": json.loads(arguments)}
        for call_id, name, arguments in tool_calls(message)
    ]
    return str(message["role"]), [*([{"type": "text", "text": text}] if text else []), *uses]


def _anthropic_tool(tool: Tool) -> Body:
    function: Mapping[str, Any] = tool["function"]
    head = {"name": function["name"], "description": function.get("description", "")}
    return {**head, "input_schema": function["parameters"]}


def _items(message: Message) -> list[Body]:
    text = text_of(message.get("content"))
    if message["role"] == "tool":
        return [{"type": "function_call_output", "call_id": message["tool_call_id"], "output": text}]
    calls = [
        {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
        for call_id, name, arguments in tool_calls(message)
    ]
    return [*([{"role": message["role"], "content": text}] if text else []), *calls]

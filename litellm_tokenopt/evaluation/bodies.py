"""Request bodies of the three APIs (chat, messages, responses), read as a provider reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..request import canonical, text_of
from ..tokens import count_message, count_text

Body: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Piece:
    """A tool, the system prompt or a message: what a provider's prompt cache compares, and its tokens."""

    text: str
    tokens: int


def conversation(body: Body) -> list[Mapping[str, Any]]:
    """The system prompt and the messages (items, for the responses API), in the order in which they are read."""
    items: list[Mapping[str, Any]] = []
    for key in ("system", "instructions"):
        if body.get(key):
            items.append({"role": "system", "content": body[key]})
    given = body.get("messages") or body.get("input") or ()
    return [*items, *([{"role": "user", "content": given}] if isinstance(given, str) else given)]


def pieces(body: Body) -> tuple[Piece, ...]:
    """A body as a provider reads it: its tools, then the system prompt, then the messages."""
    tools = [canonical(tool) for tool in body.get("tools") or ()]
    items = conversation(body)
    return (
        *(Piece(tool, count_text(tool)) for tool in tools),
        *(Piece(canonical(item), count_message(item)) for item in items),
    )


def count_body(body: Body) -> int:
    """Input tokens of a body."""
    return sum(piece.tokens for piece in pieces(body))


def question_of(body: Body) -> str:
    """The text of the last user message that is not a tool's result; empty when there is none."""
    items = conversation(body)
    at = _question_at(items)
    return text_of(items[at].get("content")).strip() if at >= 0 else ""


def names_of_results(body: Body) -> list[str]:
    """The tools whose results follow the last question; a tool that no message calls has no name here."""
    items = conversation(body)
    names = dict(_calls(items))
    return [names.get(call_id, "") for call_id in _results(items[_question_at(items) + 1 :])]


def tool_names(body: Body) -> frozenset[str]:
    """Names of the tools that a body offers."""
    tools = [tool.get("function") or tool for tool in body.get("tools") or ()]
    return frozenset(str(tool["name"]) for tool in tools if "name" in tool)


def plain_text(body: Body) -> str:
    """All that the system prompt and the messages say, with every run of white space as one blank."""
    return squeezed("\n".join(_strings(conversation(body))))


def squeezed(text: str) -> str:
    return " ".join(text.split())


def _question_at(items: Sequence[Mapping[str, Any]]) -> int:
    asked = (i for i, item in enumerate(items) if item.get("role") == "user" and text_of(item.get("content")).strip())
    return max(asked, default=-1)


def _calls(items: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """The (id, name) of every tool call."""
    for item in items:
        if item.get("type") == "function_call":
            yield str(item.get("call_id")), str(item.get("name"))
        for call in item.get("tool_calls") or ():
            yield str(call.get("id")), str((call.get("function") or {}).get("name"))
        for block in _blocks(item, "tool_use"):
            yield str(block.get("id")), str(block.get("name"))


def _results(items: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The call id of every tool result."""
    for item in items:
        if item.get("role") == "tool":
            yield str(item.get("tool_call_id"))
        elif item.get("type") == "function_call_output":
            yield str(item.get("call_id"))
        for block in _blocks(item, "tool_result"):
            yield str(block.get("tool_use_id"))


def _blocks(item: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    content = item.get("content")
    blocks = content if isinstance(content, (list, tuple)) else ()
    return [block for block in blocks if isinstance(block, Mapping) and block.get("type") == kind]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _arguments(item) if key == "arguments" else _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)


def _arguments(text: Any) -> Iterator[str]:
    """A call's arguments as they read, not as JSON escapes them."""
    try:
        return _strings(json.loads(text))
    except (TypeError, ValueError):
        return _strings(text)

"""Calls of our own tools in the three APIs: read from a reply, taken out of it, and answered in the next request.

A round is a request's reply that calls a tool of ours, and what is sent after it. What else the reply calls waits: the
model may call it again, now that it has read what it asked for. All that is needed stands in the request: how many
rounds there were is counted from its messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .own import is_own
from .request import Surface, canonical, field_of, text_of

Json = Mapping[str, Any]

THOUGHTS = ("reasoning", "thinking", "redacted_thinking")

_CHAT_KEYS = ("role", "content", "tool_calls", "thinking_blocks", "reasoning_content")
OTHER_CALLS = ("custom_tool_call", "computer_call", "local_shell_call", "shell_call", "apply_patch_call")
"""Calls of the responses API that a function's output doesn't answer."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call in a reply, whatever the API; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


# --- calls in a reply -----------------------------------------------------------------------------------------


def calls_in(surface: Surface, payload: Json) -> tuple[ToolCall, ...]:
    """Every call that the caller, or we, are to answer, of a finished reply in its API's own form."""
    return tuple(_CALLS[surface](payload))


def own_names(surface: Surface, payload: Json) -> tuple[str, ...]:
    """The names of the calls of our tools in a reply."""
    return tuple(call.name for call in calls_in(surface, payload) if is_own(call.name))


def asking_calls(surface: Surface, payload: Json) -> tuple[ToolCall, ...]:
    """All calls of a reply that calls a tool of ours; empty where it's the caller's turn."""
    calls = calls_in(surface, payload)
    if not any(is_own(call.name) for call in calls):
        return ()
    theirs_alone = surface == "responses" and any(item.get("type") in OTHER_CALLS for item in payload["output"])
    return () if theirs_alone else calls


def _chat_calls(payload: Json) -> Iterable[ToolCall]:
    for choice in payload.get("choices") or ():
        for call in (choice.get("message") or {}).get("tool_calls") or ():
            function = call.get("function") or call.get("custom") or {}
            yield ToolCall(str(call.get("id")), str(function.get("name")), str(function.get("arguments") or ""))


def _message_calls(payload: Json) -> Iterable[ToolCall]:
    for block in payload.get("content") or ():
        if block.get("type") == "tool_use":
            yield ToolCall(str(block.get("id")), str(block.get("name")), canonical(block.get("input") or {}))


def _response_calls(payload: Json) -> Iterable[ToolCall]:
    for item in payload.get("output") or ():
        if item.get("type") in ("function_call", *OTHER_CALLS):
            yield ToolCall(str(item.get("call_id")), str(item.get("name")), str(item.get("arguments") or ""))


_CALLS: Mapping[Surface, Callable[[Json], Iterable[ToolCall]]] = {
    "chat": _chat_calls,
    "messages": _message_calls,
    "responses": _response_calls,
}


def said_in(surface: Surface, payload: Json) -> list[Any]:
    """What a reply says to the caller, beside its calls: texts, or blocks or items with the thoughts before them."""
    if surface == "chat":
        text = text_of(payload["choices"][0]["message"].get("content"))
        return [text] if text else []
    if surface == "messages":
        return _with_thoughts(payload["content"], lambda block: block.get("type") == "text")
    return _with_thoughts(payload["output"], lambda item: item.get("type") == "message")


def _with_thoughts(parts: Sequence[Json], stays: Callable[[Json], bool]) -> list[Json]:
    """Those of a reply's *parts* that stay, each with the thoughts that led to it.

    Providers refuse a thought that has lost what it led to, and what has lost its thought.
    """
    kept: list[Json] = []
    thoughts: list[Json] = []
    before: Json = {}
    for part in parts:
        if part.get("type") in THOUGHTS:
            thoughts = [*(thoughts if before.get("type") in THOUGHTS else ()), part]
        elif stays(part):
            kept, thoughts = [*kept, *thoughts, part], []
        before = part
    return kept


# --- the next request -----------------------------------------------------------------------------------------


def is_decided(surface: Surface, kwargs: Json) -> bool:
    """Whether the request in *kwargs* has been through here: it holds a tool of ours, or calls of one."""
    return any(is_own(name_of(tool)) for tool in kwargs.get("tools") or ()) or rounds_in(surface, kwargs) > 0


def rounds_in(surface: Surface, kwargs: Json) -> int:
    """How many rounds the request in *kwargs* has behind it: callers never send calls of our tools."""
    if surface == "responses":
        given = kwargs.get("input")
        items = given if isinstance(given, (list, tuple)) else ()
        return len({_round_of(items, at) for at, item in enumerate(items) if is_own(field_of(item, "name"))})
    return sum(_calls_ours(surface, message) for message in kwargs.get("messages") or ())


def _round_of(items: Sequence[Any], at: int) -> int:
    """Where the run of items of one reply ends: several calls in it are one round."""
    outputs = (i for i in range(at, len(items)) if field_of(items[i], "type") == "function_call_output")
    return next(outputs, len(items))


def _calls_ours(surface: Surface, message: Any) -> bool:
    if surface == "chat":
        calls = field_of(message, "tool_calls") or ()
        return any(is_own(field_of(field_of(call, "function"), "name")) for call in calls)
    content = field_of(message, "content")
    blocks = content if isinstance(content, (list, tuple)) else ()
    return any(field_of(block, "type") == "tool_use" and is_own(field_of(block, "name")) for block in blocks)


def continued(surface: Surface, kwargs: Json, payload: Json, answers: Mapping[str, str]) -> dict[str, Any]:
    """The arguments that change so that the model gets its own reply, and the *answers* (call id → text) to it."""
    if surface == "responses":
        given = kwargs.get("input")
        before = [{"role": "user", "content": given}] if isinstance(given, str) else list(given or ())
        items = [_said(item) for item in payload["output"] if kwargs.get("store") is not False or _is_portable(item)]
        outputs = [{"type": "function_call_output", "call_id": key, "output": text} for key, text in answers.items()]
        return {"input": [*before, *items, *outputs]}
    messages = list(kwargs.get("messages") or ())
    if surface == "chat":
        message = payload["choices"][0]["message"]
        said: dict[str, Any] = {key: message[key] for key in _CHAT_KEYS if message.get(key) is not None}
        results = [{"role": "tool", "tool_call_id": key, "content": text} for key, text in answers.items()]
        return {"messages": [*messages, {"content": None, **said}, *results]}
    blocks = [{"type": "tool_result", "tool_use_id": key, "content": text} for key, text in answers.items()]
    reply = {"role": "assistant", "content": list(payload["content"])}
    return {"messages": [*messages, reply, {"role": "user", "content": blocks}]}


def _said(item: Json) -> dict[str, Any]:
    return {key: value for key, value in item.items() if value is not None}


def _is_portable(item: Json) -> bool:
    """Whether a provider that keeps nothing can read an item of its own again."""
    return item.get("type") != "reasoning" or bool(item.get("encrypted_content"))


def without_own_tools(tools: Iterable[Any]) -> list[Any]:
    """A request's *tools*, of any API, without ours."""
    return [tool for tool in tools if not is_own(name_of(tool))]


def name_of(tool: Any) -> str | None:
    """The name of a tool of any API."""
    name = field_of(field_of(tool, "function") or tool, "name")
    return name if isinstance(name, str) else None


# --- what callers get -----------------------------------------------------------------------------------------


def without_own_calls(surface: Surface, payload: Json) -> dict[str, Any]:
    """A reply as its caller may see it: calls of our tools taken out, with what led to them, and no claim that there
    are calls left.

    The responses API says in a reply which tools were sent: ours are none of the caller's.
    """
    if surface == "chat":
        return {**payload, "choices": [_without_calls(choice) for choice in payload["choices"]]}
    if surface == "messages":
        blocks = _without_ours(payload["content"])
        called = any(block.get("type") == "tool_use" for block in blocks)
        ended = payload.get("stop_reason") == "tool_use" and not called
        return {**payload, "content": blocks, **({"stop_reason": "end_turn"} if ended else {})}
    return without_echo({**payload, "output": _without_ours(payload["output"])})


def _without_ours(parts: Sequence[Json]) -> list[Json]:
    asks = any(map(_is_our_call, parts))
    return _with_thoughts(parts, lambda part: not _is_our_call(part)) if asks else list(parts)


def _is_our_call(part: Json) -> bool:
    return part.get("type") in ("tool_use", "function_call") and is_own(part.get("name"))


def without_echo(response: Json) -> dict[str, Any]:
    """A response of the responses API, finished or not, without our tools in what it says was sent."""
    tools = response.get("tools")
    return {**response, "tools": without_own_tools(tools)} if isinstance(tools, (list, tuple)) else dict(response)


def _without_calls(choice: Json) -> dict[str, Any]:
    message = dict(choice.get("message") or {})
    calls = [c for c in message.get("tool_calls") or () if not is_own(field_of(c.get("function"), "name"))]
    message["tool_calls"] = calls or None
    ended = choice.get("finish_reason") == "tool_calls" and not calls
    return {**choice, "message": message, **({"finish_reason": "stop"} if ended else {})}


def added(one: Any, other: Any) -> Any:
    """Two replies' token counts (nested mappings of numbers) as those of both; what is no number is *other*'s."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return {key: added(one.get(key), other.get(key)) for key in dict.fromkeys((*one, *other))}
    if _is_number(one) and _is_number(other):
        return one + other
    return one if other is None else other


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)

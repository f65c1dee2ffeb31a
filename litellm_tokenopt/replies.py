"""Finished answers of the three APIs, in and out: what a model replied as a `Reply`, and a stored one replayed.

A reply is kept as the API's own plain JSON object, whether it came plain or as a stream, so that either can be
given again as the other. LiteLLM replays chat and Responses streams itself; Anthropic's events are made here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .request import Reply, Surface, text_of

_FINISH = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls"}
_TOOL_ITEMS = ("function_call", "custom_tool_call", "mcp_call", "computer_call", "local_shell_call")


def reply_of(surface: Surface, response: Any) -> Reply | None:
    """The reply in *response* (a response object, its JSON, or Anthropic stream events); None if unreadable."""
    payload = payload_of(response)
    if payload is None:
        return None
    try:
        return _READERS[surface](payload)
    except (KeyError, IndexError, TypeError, AttributeError):
        return None


def payload_of(response: Any) -> Mapping[str, Any] | None:
    dump = getattr(response, "model_dump", None)
    if callable(dump):
        response = dump(mode="json")
    if isinstance(response, (str, bytes)):
        try:
            response = json.loads(response)
        except ValueError:
            return None
    if not isinstance(response, Mapping):
        return None
    events = next((v for v in response.values() if isinstance(v, (list, tuple)) and _are_events(v)), None)
    return message_from_events(events) if events is not None else response


def _are_events(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(v, (str, bytes)) and b"event:" in _bytes(v)[:64] for v in values[:1])


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _chat(payload: Mapping[str, Any]) -> Reply | None:
    if "choices" not in payload:
        return None
    choice = payload["choices"][0]
    message = choice["message"]
    called = bool(message.get("tool_calls") or message.get("function_call"))
    finish = choice.get("finish_reason") if len(payload["choices"]) == 1 else "several"
    return Reply(text=text_of(message.get("content")), finish=finish, has_tool_calls=called, payload=payload)


def _messages(payload: Mapping[str, Any]) -> Reply | None:
    blocks = payload["content"]
    called = any(block["type"] == "tool_use" for block in blocks)
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    reason = str(payload.get("stop_reason"))
    return Reply(text=text, finish=_FINISH.get(reason, reason), has_tool_calls=called, payload=payload)


def _responses(payload: Mapping[str, Any]) -> Reply | None:
    items = payload["output"]
    called = any(item["type"] in _TOOL_ITEMS for item in items)
    text = "".join(text_of(item.get("content")) for item in items if item["type"] == "message")
    finish = "stop" if payload.get("status") == "completed" else str(payload.get("status"))
    return Reply(text=text, finish=finish, has_tool_calls=called, payload=payload)


_READERS = {"chat": _chat, "messages": _messages, "responses": _responses}


def message_from_events(events: Iterable[str | bytes]) -> dict[str, Any] | None:
    """Anthropic's message object from the server-sent events of its stream.

    None when it never ended, or was cut amid the arguments of a call.
    """
    message: dict[str, Any] = {}
    ended = False
    for event in _parsed(events):
        kind = event.get("type")
        if kind == "message_start":
            message = {**event["message"], "content": []}
        elif kind == "content_block_start":
            message["content"].append({**event["content_block"]})
        elif kind == "content_block_delta":
            _add_delta(message["content"][event["index"]], event["delta"])
        elif kind == "content_block_stop":
            if not _closed(message["content"][event["index"]]):
                return None
        elif kind == "message_delta":
            message.update(event["delta"])
            message["usage"] = {**(message.get("usage") or {}), **(event.get("usage") or {})}
        ended = ended or kind == "message_stop"
    return message if ended and message else None


def _parsed(events: Iterable[str | bytes]) -> Iterator[dict[str, Any]]:
    for event in events:
        for line in _bytes(event).decode().splitlines():
            if line.startswith("data:"):
                yield json.loads(line.removeprefix("data:"))


def _add_delta(block: dict[str, Any], delta: Mapping[str, Any]) -> None:
    if delta["type"] == "input_json_delta":
        block["_json"] = block.get("_json", "") + delta["partial_json"]
        return
    for key in ("text", "thinking", "signature"):
        if key in delta:
            block[key] = block.get(key, "") + delta[key]
    if "citation" in delta:
        block["citations"] = [*(block.get("citations") or ()), delta["citation"]]


def _closed(block: dict[str, Any]) -> bool:
    """Whether *block*, which ends here, is whole: its arguments, which came in pieces, can be read."""
    text = block.pop("_json", None)
    if text:
        try:
            block["input"] = json.loads(text)
        except ValueError:
            return False
    return True


def events_from_message(message: Mapping[str, Any]) -> list[str]:
    """The server-sent events with which Anthropic would stream *message*."""
    usage = message.get("usage") or {}
    start = {
        **message,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": 0},
    }
    events: list[Mapping[str, Any]] = [{"type": "message_start", "message": start}]
    for index, block in enumerate(message["content"]):
        opening, deltas = _opened(block)
        events.append({"type": "content_block_start", "index": index, "content_block": opening})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    stop = {"stop_reason": message.get("stop_reason"), "stop_sequence": message.get("stop_sequence")}
    events.append({"type": "message_delta", "delta": stop, "usage": usage})
    events.append({"type": "message_stop"})
    return [f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n" for event in events]


def _opened(block: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A finished block as the block that opens it and the deltas that fill it."""
    kind = block["type"]
    if kind == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": block["text"]}]
    if kind == "tool_use":
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
    if kind == "thinking":
        signature = [{"type": "signature_delta", "signature": block["signature"]}] if block.get("signature") else []
        return {**block, "thinking": "", "signature": ""}, [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            *signature,
        ]
    return dict(block), []

"""A reply in the native formats of the three APIs, whole and as a stream of server-sent events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..tokens import count_text
from .script import ScriptedCall, ScriptedReply

Json: TypeAlias = dict[str, Any]

CREATED = 1_773_705_600
"""A fixed time (2026-03-17T00:00:00Z), so that equal requests get equal bytes."""

WORDS_PER_CHUNK = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """A reply with what its wire form needs besides: an id, the model's name, and token counts."""

    id: str
    model: str
    reply: ScriptedReply
    input_tokens: int
    cached_tokens: int

    @property
    def output_tokens(self) -> int:
        called = sum(count_text(call.name) + count_text(call.arguments) for call in self.reply.calls)
        return count_text(self.reply.text) + called

    def call_id(self, index: int) -> str:
        return f"call_{self.id[:16]}{index}"


def _sse(data: Json, event: str | None = None) -> str:
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {json.dumps(data, ensure_ascii=False)}\n\n"


def _chunks(text: str) -> list[str]:
    """*text* in pieces of a few words, which give it again when joined."""
    words = re.findall(r"\s*\S+\s*", text) or ([text] if text else [])
    return ["".join(words[at : at + WORDS_PER_CHUNK]) for at in range(0, len(words), WORDS_PER_CHUNK)]


# --- chat completions -----------------------------------------------------------------------------------------


def chat(made: Rendering) -> Json:
    """A ``chat.completion``."""
    message: Json = {"role": "assistant", "content": made.reply.text or None, "refusal": None}
    if made.reply.calls:
        message["tool_calls"] = _chat_calls(made)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _chat_finish(made)}
    return {**_chat_head(made, "chat.completion"), "choices": [choice], "usage": _chat_usage(made)}


def chat_events(made: Rendering, *, usage: bool = True) -> Iterator[str]:
    """``chat.completion.chunk`` events; *usage* asks for the last chunk with the token counts."""
    yield _chat_chunk(made, {"role": "assistant", "content": ""})
    for text in _chunks(made.reply.text):
        yield _chat_chunk(made, {"content": text})
    for index, call in enumerate(_chat_calls(made)):
        arguments = call["function"]["arguments"]
        head = {**call, "function": {**call["function"], "arguments": ""}}
        yield _chat_chunk(made, {"tool_calls": [{"index": index, **head}]})
        for part in _chunks(arguments):
            yield _chat_chunk(made, {"tool_calls": [{"index": index, "function": {"arguments": part}}]})
    yield _chat_chunk(made, {}, finish=_chat_finish(made))
    if usage:
        yield _sse({**_chat_head(made, "chat.completion.chunk"), "choices": [], "usage": _chat_usage(made)})
    yield "data: [DONE]\n\n"


def _chat_head(made: Rendering, kind: str) -> Json:
    return {"id": f"chatcmpl-{made.id}", "object": kind, "created": CREATED, "model": made.model}


def _chat_chunk(made: Rendering, delta: Json, finish: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _sse({**_chat_head(made, "chat.completion.chunk"), "choices": [choice]})


def _chat_calls(made: Rendering) -> list[Json]:
    return [
        {
            "id": made.call_id(index),
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for index, call in enumerate(made.reply.calls)
    ]


def _chat_finish(made: Rendering) -> str:
    return "tool_calls" if made.reply.calls else "stop"


def _chat_usage(made: Rendering) -> Json:
    return {
        "prompt_tokens": made.input_tokens,
        "completion_tokens": made.output_tokens,
        "total_tokens": made.input_tokens + made.output_tokens,
        "prompt_tokens_details": {"cached_tokens": made.cached_tokens},
    }


# --- responses ------------------------------------------------------------------------------------------------


def responses(made: Rendering) -> Json:
    """A finished ``response``."""
    return _response(made, _response_output(made), "completed")


def response_events(made: Rendering) -> Iterator[str]:
    """The responses API's events, numbered."""
    for number, event in enumerate(_response_events(made)):
        yield _sse({**event, "sequence_number": number}, event["type"])


_EMPTY: dict[str, Json] = {"message": {"content": []}, "function_call": {"arguments": ""}}


def _response_events(made: Rendering) -> Iterator[Json]:
    for kind in ("created", "in_progress"):
        yield {"type": f"response.{kind}", "response": _response(made, [], "in_progress")}
    for index, item in enumerate(_response_output(made)):
        started = {**item, "status": "in_progress", **_EMPTY[item["type"]]}
        yield {"type": "response.output_item.added", "output_index": index, "item": started}
        where = {"item_id": item["id"], "output_index": index}
        yield from _text_events(item, where) if item["type"] == "message" else _argument_events(item, where)
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": "response.completed", "response": responses(made)}


def _text_events(item: Json, where: Json) -> Iterator[Json]:
    place = {**where, "content_index": 0}
    part = item["content"][0]
    yield {"type": "response.content_part.added", **place, "part": {**part, "text": ""}}
    for text in _chunks(part["text"]):
        yield {"type": "response.output_text.delta", **place, "delta": text, "logprobs": []}
    yield {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **place, "part": part}


def _argument_events(item: Json, where: Json) -> Iterator[Json]:
    for text in _chunks(item["arguments"]):
        yield {"type": "response.function_call_arguments.delta", **where, "delta": text}
    done = {"name": item["name"], "arguments": item["arguments"]}
    yield {"type": "response.function_call_arguments.done", **where, **done}


def _response(made: Rendering, output: Sequence[Json], status: str) -> Json:
    finished = status == "completed"
    return {
        "id": f"resp_{made.id}", "object": "response", "created_at": CREATED, "status": status, "model": made.model,
        "output": list(output), "error": None, "incomplete_details": None, "instructions": None, "metadata": {},
        "parallel_tool_calls": True, "temperature": 1.0, "top_p": 1.0, "tool_choice": "auto", "tools": [],
        "usage": _response_usage(made) if finished else None,
    }  # fmt: skip


def _response_output(made: Rendering) -> list[Json]:
    output: list[Json] = []
    if made.reply.text or not made.reply.calls:
        part = {"type": "output_text", "text": made.reply.text, "annotations": [], "logprobs": []}
        head = {"type": "message", "id": f"msg_{made.id}", "status": "completed", "role": "assistant"}
        output.append({**head, "content": [part]})
    return [*output, *(_response_call(made, index, call) for index, call in enumerate(made.reply.calls))]


def _response_call(made: Rendering, index: int, call: ScriptedCall) -> Json:
    head = {"type": "function_call", "id": f"fc_{made.id[:16]}{index}", "call_id": made.call_id(index)}
    return {**head, "name": call.name, "arguments": call.arguments, "status": "completed"}


def _response_usage(made: Rendering) -> Json:
    return {
        "input_tokens": made.input_tokens,
        "input_tokens_details": {"cached_tokens": made.cached_tokens},
        "output_tokens": made.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": made.input_tokens + made.output_tokens,
    }


# --- messages -------------------------------------------------------------------------------------------------


def messages(made: Rendering) -> Json:
    """A finished Anthropic ``message``."""
    return {
        **_message_head(made),
        "content": _message_blocks(made),
        "stop_reason": _stop_reason(made),
        "usage": {**_message_usage(made), "output_tokens": made.output_tokens},
    }


def message_events(made: Rendering) -> Iterator[str]:
    """The messages API's events."""
    for event in _message_events(made):
        yield _sse(event, event["type"])


def _message_events(made: Rendering) -> Iterator[Json]:
    usage = {**_message_usage(made), "output_tokens": 1}
    yield {"type": "message_start", "message": {**_message_head(made), "content": [], "usage": usage}}
    for index, block in enumerate(_message_blocks(made)):
        yield from _block_events(index, block)
    delta = {"stop_reason": _stop_reason(made), "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": made.output_tokens}}
    yield {"type": "message_stop"}


def _block_events(index: int, block: Json) -> Iterator[Json]:
    is_text = block["type"] == "text"
    empty = {**block, "text": ""} if is_text else {**block, "input": {}}
    whole = block["text"] if is_text else json.dumps(block["input"])
    yield {"type": "content_block_start", "index": index, "content_block": empty}
    for text in _chunks(whole):
        delta = {"type": "text_delta", "text": text} if is_text else {"type": "input_json_delta", "partial_json": text}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _message_head(made: Rendering) -> Json:
    head = {"id": f"msg_{made.id}", "type": "message", "role": "assistant", "model": made.model}
    return {**head, "stop_reason": None, "stop_sequence": None}


def _message_blocks(made: Rendering) -> list[Json]:
    text = [{"type": "text", "text": made.reply.text}] if made.reply.text or not made.reply.calls else []
    uses = [
        {"type": "tool_use", "id": made.call_id(index), "name": call.name, "input": json.loads(call.arguments)}
        for index, call in enumerate(made.reply.calls)
    ]
    return [*text, *uses]


def _stop_reason(made: Rendering) -> str:
    return "tool_use" if made.reply.calls else "end_turn"


def _message_usage(made: Rendering) -> Json:
    """Input counts: here what is read from the cache is not part of ``input_tokens``."""
    return {
        "input_tokens": made.input_tokens - made.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": made.cached_tokens,
    }

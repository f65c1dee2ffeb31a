"""Items of the Responses API as messages of the inner form, and back: calls and their results in all their kinds.

Shells, patches and computers are called like functions, and their outputs are results like others; a screenshot is a
picture. What else there is (thoughts, what the provider's own tools did) is a block that nobody reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any, TypeGuard

from .request import Message, is_text_part

Item = Mapping[str, Any]

_DONE = ("local_shell_call", "shell_call", "apply_patch_call", "computer_call")
"""Calls of the provider's tools that the caller carries out."""

_SAID = ("action", "actions", "operation")
"""Where they say what is to be done."""

_RESULTS = ("function_call_output", "custom_tool_call_output", "local_shell_call_output", "apply_patch_call_output")
_STREAMS = ("stdout", "stderr")


def read(item: Item, calls: MutableMapping[str, str]) -> dict[str, Any]:
    """The message that *item* is. *calls* has of those read before the id that their results name, by the item's own:
    a local shell's results may name that."""
    kind = str(item.get("type", "message"))
    if kind == "message" and isinstance(item.get("role"), str):
        return {**item}
    if kind == "function_call":
        return _calling(call_of(item.get("call_id"), item.get("name"), str(item.get("arguments") or "")))
    if kind == "custom_tool_call":
        made = {"name": item.get("name"), "input": item.get("input")}
        return _calling({"id": item.get("call_id"), "type": "custom", "custom": made})
    if kind in _DONE and item.get("call_id"):
        calls[str(item.get("id"))] = item["call_id"]
        said = next((item[name] for name in _SAID if item.get(name)), None)
        return _calling(call_of(item["call_id"], kind.removesuffix("_call"), json.dumps(said, ensure_ascii=False)))
    content = _result(kind, item)
    if content is None:
        return {"role": "assistant", "content": [{**item}]}
    own = str(item.get("id"))
    return {"role": "tool", "tool_call_id": item.get("call_id") or calls.get(own, own), "content": content}


def call_of(call_id: Any, name: Any, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _calling(call: Item) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _result(kind: str, item: Item) -> Any:
    """What a result says, as a message's content; None where *item* is none that we read."""
    output = item.get("output")
    if kind in _RESULTS:
        return "" if output is None else output
    if kind == "computer_call_output" and isinstance(output, Mapping):
        return [output]
    return _blocks(output) if kind == "shell_call_output" and _are_chunks(output) else None


def _are_chunks(output: Any) -> TypeGuard[Sequence[Item]]:
    return isinstance(output, (list, tuple)) and all(
        isinstance(chunk, Mapping) and all(isinstance(chunk.get(name, ""), str) for name in _STREAMS)
        for chunk in output
    )


def _blocks(chunks: Sequence[Item]) -> list[dict[str, str]]:
    """A block of text for each stream of each command."""
    return [{"type": "text", "text": chunk.get(name, "")} for chunk in chunks for name in _STREAMS]


def written(item: Item, message: Message) -> dict[str, Any] | None:
    """*item* as *message* says it now; None where a message can't change it."""
    kind = item.get("type", "message")
    if kind == "message":
        return {**item, "content": message["content"]}
    if kind in _RESULTS:
        return {**item, "output": message["content"]}
    if kind == "shell_call_output":
        return {**item, "output": list(_chunks(item["output"], message["content"]))}
    return None


def _chunks(chunks: Sequence[Item], content: Sequence[Item]) -> Iterator[dict[str, Any]]:
    """*chunks* with the texts of *content*; where these were made one, the first chunk says it all."""
    texts = [block["text"] for block in content if is_text_part(block)]
    texts += [""] * (len(chunks) * len(_STREAMS) - len(texts))
    for at, chunk in enumerate(chunks):
        yield {**chunk, **dict(zip(_STREAMS, texts[len(_STREAMS) * at :], strict=False))}

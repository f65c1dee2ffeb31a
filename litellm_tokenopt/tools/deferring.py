"""The provider's own search: tools left out stay in the request, marked, and are no tokens until the model finds them.

What is deferred is decided by a session's opening and stays so: what the search finds is written into the history,
where the provider reads it, so that the prefix of a session stays the same whatever is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..request import DEFERRED, ChatRequest, Message, Tool, is_deferred
from .reading import called_names, chosen_names
from .select import Turn

_SEARCH = "tool_search"
"""What the types of providers' search tools begin with."""


def deferred(tool: Tool) -> Tool:
    """*tool* as one that the model gets to see once it has found it."""
    return {**tool, DEFERRED: True}


def is_arranged(tools: Iterable[Tool]) -> bool:
    """Whether the caller uses the provider's search already."""
    return any(is_deferred(tool) or str(tool.get("type", "")).startswith(_SEARCH) for tool in tools)


def opening(turns: Sequence[Turn]) -> list[Turn]:
    """The *turns* up to the first that says something, without what was called after them."""
    telling = next((at for at, turn in enumerate(turns) if turn.fit.says_something), len(turns))
    return [replace(turn, calls=()) for turn in turns[: telling + 1]]


def needed_names(request: ChatRequest, *, searched: bool) -> frozenset[str]:
    """The tools that must be there: what `tool_choice` names and what was called, unless the history shows it found."""
    called = called_names(request.messages)
    shown = frozenset(_found(request.messages)) if searched else frozenset[str]()
    return (called - shown) | chosen_names(request.tool_choice)


def _found(messages: Iterable[Message]) -> Iterator[str]:
    """Names of the tools that the provider's search has found, in Anthropic's and in the Responses API's form."""
    for message in messages:
        content = message.get("content")
        for block in content if isinstance(content, (list, tuple)) else ():
            for tool in _results(block):
                if isinstance(name := tool.get("tool_name") or tool.get("name"), str):
                    yield name


def _results(block: Any) -> Iterator[Mapping[str, Any]]:
    kind = block.get("type") if isinstance(block, Mapping) else None
    inner = block.get("content") if kind == "tool_search_tool_result" else None
    found = inner.get("tool_references") if isinstance(inner, Mapping) else None
    found = block.get("tools") if kind == "tool_search_output" else found
    yield from (tool for tool in found or () if isinstance(tool, Mapping))

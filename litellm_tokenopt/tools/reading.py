"""Read tools of any shape, without ever raising: what is no function tool has no name, no words and no schema."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar, cast

import orjson

from ..request import OWN_TOOL_PREFIX, Tool, forced_tool, tool_calls
from .words import split_identifier

T = TypeVar("T")

_CALLS = frozenset({"tool_calls", "function_call"})

DESCRIPTION_WORDS = 20
ARGUMENT_NAMES = 4
"""What goes into a tool's embedding of its description and arguments: more costs time, and finds no more."""


def function_of(tool: Tool) -> Mapping[str, Any]:
    """The ``function`` part of a tool; empty for a provider-side or unknown one."""
    function = tool.get("function") if isinstance(tool, Mapping) else None
    return function if isinstance(function, Mapping) else {}


def name_of(tool: Tool) -> str | None:
    """The name of a function tool; None for every other."""
    name = function_of(tool).get("name")
    return name if isinstance(name, str) and name else None


def description_of(tool: Tool) -> str:
    description = function_of(tool).get("description")
    return description if isinstance(description, str) else ""


def properties_of(tool: Tool) -> Mapping[str, Any]:
    """The arguments of a tool by name, at the top of its schema."""
    parameters = function_of(tool).get("parameters")
    properties = parameters.get("properties") if isinstance(parameters, Mapping) else None
    return properties if isinstance(properties, Mapping) else {}


def argument_texts(tool: Tool) -> Iterator[tuple[str, str]]:
    """(name, description) of each argument at the top of a tool's schema."""
    for name, schema in properties_of(tool).items():
        description = schema.get("description") if isinstance(schema, Mapping) else None
        yield str(name), description if isinstance(description, str) else ""


def summary(tool: Tool) -> str:
    """A tool in one short line, for its embedding: name, start of the description, argument names."""
    name = split_identifier(name_of(tool) or "")
    described = " ".join(description_of(tool).split()[:DESCRIPTION_WORDS])
    arguments = ", ".join(split_identifier(name) for name, _ in islice(argument_texts(tool), ARGUMENT_NAMES))
    return f"{name}: {described} ({arguments})" if arguments else f"{name}: {described}"


def is_marked(tool: Tool) -> bool:
    """Whether the caller has put a ``cache_control`` mark on a tool."""
    return isinstance(tool, Mapping) and ("cache_control" in tool or "cache_control" in function_of(tool))


def is_fixed(tool: Tool, always_include: frozenset[str]) -> bool:
    """Whether a tool stays whatever is asked: provider-side, marked for the prompt cache, our own, or listed."""
    name = name_of(tool)
    return name is None or name in always_include or name.startswith(OWN_TOOL_PREFIX) or is_marked(tool)


def chosen_names(tool_choice: Any) -> frozenset[str]:
    """The tools that `tool_choice` names: one, or OpenAI's ``allowed_tools``."""
    names = {forced_tool(tool_choice)}
    if isinstance(tool_choice, Mapping):
        allowed = tool_choice.get("allowed_tools")
        listed = (allowed if isinstance(allowed, Mapping) else tool_choice).get("tools")
        names.update(map(forced_tool, listed if isinstance(listed, Sequence) else ()))
    return frozenset(name for name in names if name)


def called_names(messages: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Names of the tools that these messages call, in the current or the older form."""
    calling = [message for message in messages if message.keys() & _CALLS]
    names = {name for message in calling for _, name, _ in tool_calls(message)}
    names.update(filter(None, map(_old_call, calling)))
    return frozenset(names)


def calls_after(messages: Sequence[Mapping[str, Any]], turns: Sequence[int]) -> Iterator[tuple[frozenset[str], ...]]:
    """For each of *turns* (indices of messages, ascending), the names of the tools that each message after it calls."""
    for start, end in zip(turns, (*turns[1:], len(messages)), strict=True):
        yield tuple(filter(None, (called_names((message,)) for message in messages[start:end])))


def _old_call(message: Mapping[str, Any]) -> str | None:
    call = message.get("function_call")
    return str(call["name"]) if isinstance(call, Mapping) and call.get("name") else None


def as_json(value: Any) -> str:
    """*value* as compact JSON in its own key order; what JSON has no form for is written by its type's name."""
    try:
        return orjson.dumps(value, _plain).decode()
    except TypeError:
        return _slowly(value)


def _slowly(value: Any) -> str:
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=_plain)
    except (TypeError, ValueError):
        return repr(value)


def copied(value: T) -> T:
    """*value* with all mappings and sequences in it new; other objects are the same ones."""
    if isinstance(value, Mapping):
        return cast(T, {key: copied(item) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return cast(T, [copied(item) for item in value] if isinstance(value, list) else tuple(map(copied, value)))
    return value


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else repr(value)

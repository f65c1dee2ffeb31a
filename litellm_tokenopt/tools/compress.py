"""One tool in fewer tokens, memoised by content and level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..memo import Memo
from ..request import Tool, digest
from ..settings import SchemaLevel
from ..tokens import count_tools
from .reading import as_json, description_of, function_of, is_marked, name_of, properties_of
from .schema import compress_schema
from .wording import WORDINGS, Wording

_compressed: Memo[str, Tool] = Memo(max_entries=8_000)
_NOTHING_GAINED: Tool = {}


def compress_tool(tool: Tool, level: SchemaLevel) -> Tool:
    """*tool* with a shorter description and schema that mean the same; the very object if nothing is gained.

    Provider-side tools and tools with the caller's ``cache_control`` mark stay as they are. What comes back is
    shared with later calls and may hold parts of *tool*: neither is to be changed.
    """
    wording = WORDINGS.get(level)
    if wording is None or not function_of(tool) or is_marked(tool):
        return tool
    return _compressed.get_or(digest(level, as_json(tool)), lambda: _compress(tool, wording)) or tool


def _compress(tool: Tool, wording: Wording) -> Tool:
    function = dict(function_of(tool))
    if isinstance(function.get("description"), str):
        function["description"] = wording.tool(function["description"], _names(tool))
    short = {**tool, "function": function}
    parameters = function.get("parameters")
    if isinstance(parameters, Mapping):
        function["parameters"] = compress_schema(
            _without_repetition(parameters, f"{name_of(tool)} {description_of(tool)}", wording),
            told=wording.told(name_of(tool) or "", description_of(short)),
            strict=function.get("strict") is True,
            wording=wording,
        )
    return short if count_tools([short]) < count_tools([tool]) else _NOTHING_GAINED


def _names(tool: Tool) -> str:
    """The names of *tool* and of its arguments."""
    return " ".join((name_of(tool) or "", *properties_of(tool)))


def _without_repetition(parameters: Mapping[str, Any], told: str, wording: Wording) -> Mapping[str, Any]:
    """*parameters* without a description that says no more than the tool's own."""
    description = parameters.get("description")
    if not isinstance(description, str) or wording.argument(description, told, ()):
        return parameters
    return {key: value for key, value in parameters.items() if key != "description"}

"""One tool in fewer tokens, memoised by content."""

from __future__ import annotations

from collections.abc import Mapping

from ..memo import Memo
from ..request import Tool
from ..tokens import count_tools
from .prose import adds_nothing, shorten_tool
from .reading import as_json, description_of, function_of, is_marked, name_of
from .schema import compress_schema

_compressed: Memo[str, Tool] = Memo(max_entries=4_000)
_NOTHING_GAINED: Tool = {}


def compress_tool(tool: Tool) -> Tool:
    """*tool* with a shorter description and schema that mean the same; the very object if nothing is gained.

    Provider-side tools and tools with the caller's ``cache_control`` mark stay as they are. What comes back is
    shared with later calls and may hold parts of *tool*: neither is to be changed.
    """
    if not function_of(tool) or is_marked(tool):
        return tool
    return _compressed.get_or(as_json(tool), lambda: _compress(tool)) or tool


def _compress(tool: Tool) -> Tool:
    function = dict(function_of(tool))
    if isinstance(function.get("description"), str):
        function["description"] = shorten_tool(function["description"])
    parameters = function.get("parameters")
    if isinstance(parameters, Mapping):
        told = f"{name_of(tool)} {description_of(tool)}"
        if isinstance(parameters.get("description"), str) and adds_nothing(parameters["description"], told):
            parameters = {key: value for key, value in parameters.items() if key != "description"}
        function["parameters"] = compress_schema(
            parameters, name=name_of(tool) or "", strict=function.get("strict") is True
        )
    short = {**tool, "function": function}
    return short if count_tools([short]) < count_tools([tool]) else _NOTHING_GAINED

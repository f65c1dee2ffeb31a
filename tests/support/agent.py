"""The demonstration's agent, in the form of each API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from litellm_tokenopt.rounds import without_own_tools

AGENT = Path(__file__).parents[2] / "examples" / "agent"
PROMPT = (AGENT / "system_prompt.md").read_text()
TOOLS = json.loads((AGENT / "tools.json").read_text())
ANTHROPIC_TOOLS = [
    {"name": f["name"], "description": f["description"], "input_schema": f["parameters"]}
    for f in (tool["function"] for tool in TOOLS)
]
RESPONSES_TOOLS = [{"type": "function", **tool["function"]} for tool in TOOLS]
_number = count()


def question() -> str:
    """A question that no other test asks."""
    return f"Which courier delivers order number {next(_number)} to Poland?"


def callers_tools(body: Mapping[str, Any]) -> list[Any]:
    """The tools of a body that are the caller's own, not this package's."""
    return without_own_tools(body["tools"])

"""``tokenopt_find_tools``: the model asks for tools that were left out, and gets the best of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, takewhile
from typing import Any

from ..own import Asked, Found
from ..request import OWN_TOOL_PREFIX, Tool
from ..tokens import count_text
from .reading import as_json, copied, description_of, name_of

NAME = f"{OWN_TOOL_PREFIX}find_tools"

FOUND_AT_ONCE = 5
"""So many tools are found by one call."""

LISTED_TOKENS, LISTED_SHARE, LISTED_LEAST = 120, 1 / 90, 18
"""What the list of the other tools may take in the description: so much of what they'd take, within two bounds."""

SOME_LEFT_OUT = "Get more tools, by task or name, when yours don't do. Also"
ALL_LEFT_OUT = "Get the tools that you need, by task or name, as soon as there's something to do. There are"

CHARS_A_TOKEN = 4
LINE_CHARS = 120
"""Of a found tool's description, what its line in the answer may take."""

_ALONE = "other"
_PREFIX = re.compile(r"^(?:mcp__)?[A-Za-z0-9]+?(?=[_.\-/]|(?<=[a-z])[A-Z])[_.\-/]*")
_SENTENCE = re.compile(r"(?<=[.!?])\s")
_NAME = re.compile(r"[\w.\-/]+")

Ranked = Callable[[str], Awaitable[Sequence[int]]]
"""Indices of all tools of a block, best for a text first."""


@dataclass(frozen=True, eq=False)
class FindTools:
    """What stands for the tools at *left_out* (indices in *tools*); *said* gives one of them as it'd be sent."""

    tools: tuple[Tool, ...]
    left_out: tuple[int, ...]
    ranked: Ranked
    said: Callable[[int], Tool]

    @cached_property
    def tool(self) -> Tool:
        left_out = [self.tools[index] for index in self.left_out]
        listed = listing([name_of(tool) or "" for tool in left_out], listed_tokens(len(as_json(left_out))))
        said = ALL_LEFT_OUT if len(left_out) == len(self.tools) else SOME_LEFT_OUT
        return _function(f"{said}: {listed}", {"query": {"type": "string"}}, ["query"])

    async def answer(self, asked: Asked) -> Found:
        query = asked.text("query")
        there = {name_of(tool) for tool in asked.sent.tools}
        order = await self._order(query)
        new = [index for index in order if name_of(self.tools[index]) not in there and index in self.left_out]
        tools = await asyncio.to_thread(lambda: tuple(copied(self.said(index)) for index in new[:FOUND_AT_ONCE]))
        if not tools:
            return Found("There are no more tools.")
        known = [name_of(self.tools[index]) for index in order[:1] if name_of(self.tools[index]) in there]
        lines = [f"You have {name} already." for name in known]
        return Found("\n".join([*lines, "These tools are yours now:", *map(line, tools)]), tools)

    async def about(self, _: Sequence[str]) -> str:
        return ""

    async def _order(self, query: str) -> list[int]:
        """Every tool, those that the query names first."""
        names = {name.lower() for name in _NAME.findall(query)}
        order = await self.ranked(query)
        return sorted(order, key=lambda index: (name_of(self.tools[index]) or "").lower() not in names)


def _function(description: str, properties: dict[str, Any], required: list[str]) -> Tool:
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": NAME, "description": description, "parameters": parameters}}


def line(tool: Tool) -> str:
    """A tool in one line."""
    said = _SENTENCE.split(" ".join(description_of(tool).split()), maxsplit=1)[0]
    short = said if len(said) <= LINE_CHARS else said[:LINE_CHARS].rsplit(" ", 1)[0] + " …"
    return f"- {name_of(tool)}: {short}" if short else f"- {name_of(tool)}"


def listed_tokens(chars: int) -> int:
    """What the list of tools may take that are *chars* long themselves, in tokens."""
    return round(min(LISTED_TOKENS, max(LISTED_LEAST, LISTED_SHARE * chars / CHARS_A_TOKEN)))


def listing(names: Sequence[str], limit: int = LISTED_TOKENS) -> str:
    """*names* by their common beginnings, in at most *limit* tokens: cut evenly, the rest as numbers.

    ``github_: create_issue, list_issues (+7); other: think``
    """
    groups = _groups(names)
    most = max(map(len, groups.values()), default=0)
    for each in sorted({most, 12, 8, 5, 3, 2, 1, 0}, reverse=True):
        text = "; ".join(_group(prefix, group, each) for prefix, group in groups.items())
        if each <= most and count_text(text) <= limit:
            return text
    return _shortened([_group(prefix, group, 0) for prefix, group in groups.items()], limit)


def _groups(names: Iterable[str]) -> dict[str, list[str]]:
    """Prefix → what follows it in each name; names that share theirs with no other come last."""
    by_prefix: dict[str, list[str]] = {}
    for name in names:
        found = _PREFIX.match(name)
        by_prefix.setdefault(found.group() if found else "", []).append(name)
    groups = {p: [n[len(p) :] for n in group] for p, group in by_prefix.items() if p and len(group) > 1}
    alone = [name for p, group in by_prefix.items() if p not in groups for name in group]
    return {**groups, _ALONE: alone} if alone else groups


def _group(prefix: str, names: Sequence[str], each: int) -> str:
    more = len(names) - each
    shown = ", ".join(names[:each])
    if more <= 0:
        return f"{prefix}: {shown}"
    return f"{prefix}: {shown} (+{more})" if shown else f"{prefix} ({more})"


def _shortened(groups: Sequence[str], limit: int) -> str:
    sizes = accumulate(count_text(f"{group}; ") for group in groups)
    kept = [group for group, _ in zip(groups, takewhile(lambda size: size < limit - 5, sizes), strict=False)]
    return "; ".join([*kept, f"and {len(groups) - len(kept)} kinds more"])

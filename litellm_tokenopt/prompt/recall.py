"""Answers ``tokenopt_recall`` for the instructions: the sections that fit a query; and what they say of found tools."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ..own import Asked, Found
from ..recall import TOOL, name_of_section, query_of
from ..request import Tool

Sections = Callable[[str], Awaitable[str]]
"""The text of the sections that fit a query best; may be empty."""
OfTools = Callable[[Sequence[str]], Awaitable[str]]
"""The text of the sections about tools of these names, as far as they aren't there; may be empty."""


@dataclass(frozen=True, eq=False)
class RecallSections:
    """Stands for a prompt of which sections were left out; *sections* and *of_tools* read it as it came in."""

    sections: Sections
    of_tools: OfTools

    @property
    def tool(self) -> Tool:
        return TOOL

    async def answer(self, asked: Asked) -> Found | None:
        query = query_of(asked) or name_of_section(asked)
        text = await self.sections(query) if query else ""
        return Found(text) if text else None

    async def about(self, names: Sequence[str]) -> str:
        return await self.of_tools(names)

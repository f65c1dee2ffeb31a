"""Answers ``tokenopt_recall`` for the instructions: the sections that fit a query."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..own import Asked, Found
from ..recall import TOOL, query_of
from ..request import Tool

Sections = Callable[[str], Awaitable[str]]
"""The text of the sections that fit a query best; may be empty."""


@dataclass(frozen=True, eq=False)
class RecallSections:
    """Stands for a prompt of which sections were left out; *sections* reads it as it came in."""

    sections: Sections

    @property
    def tool(self) -> Tool:
        return TOOL

    async def answer(self, asked: Asked) -> Found | None:
        query = query_of(asked)
        text = await self.sections(query) if query else ""
        return Found(text) if text else None

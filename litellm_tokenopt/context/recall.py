"""Answers ``tokenopt_recall`` for the conversation: the messages of an id, or the passages that fit a query."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from ..own import Asked, Found
from ..recall import RECALLED_TOKENS, TOOL, query_of
from ..request import ChatRequest, Message, Tool, is_system
from .cutting import LINE_TOKENS, lines
from .marks import MarksWithIds
from .ranking import Index, spread
from .units import Part, Unit, open_unit, part_of

_ID = re.compile(r"(?<![\w-])m?(\d{1,6})(?:\s*[-\u2013]\s*m?(\d{1,6}))?", re.IGNORECASE)
_FROM = re.compile(r"\s*@\s*(\d{1,6})")
"""Behind an id: so many passages were said before."""

MORE = "[There is more: ask for id {}, or with a query.]"


@dataclass(frozen=True, slots=True)
class RecallMessages:
    """Stands for a conversation of which something was left out."""

    @property
    def tool(self) -> Tool:
        return TOOL

    async def answer(self, asked: Asked) -> Found | None:
        """What of the conversation is asked for, as it was said; None where nothing is."""
        text = await asyncio.to_thread(recalled, asked.original, asked.text("id"), query_of(asked))
        return Found(text) if text else None

    async def about(self, _: Sequence[str]) -> str:
        return ""


def recalled(request: ChatRequest, name: str, query: str) -> str:
    """The messages that the id *name* stands for, and of those, or of all, what fits *query* best; may be empty.

    Where that is too long it ends with an id that stands for the rest.
    """
    units = list(_units(conversation(request)))
    named = _wanted(units, name)
    wanted = named or ([] if name and not query else [unit.parts[0] for unit in units])
    numbers = [number for part in wanted for number in part.numbers]
    order = (_by_relevance(units, numbers, query) if query else []) or (numbers if named or not query else [])
    begun = _FROM.search(name) if named else None
    rest = order[int(begun[1]) if begun else 0 :]
    costs = {number: cost for part in wanted for number, cost in zip(part.numbers, part.costs(), strict=True)}
    kept = _fitting(rest, costs)
    if not kept:
        return ""
    text = "\n".join(lines(units, kept, MarksWithIds()))
    if len(kept) == len(rest) or not (named or not query):
        return text
    whole = _FROM.sub("", name) if named else f"m1-m{len(units)}"
    return f"{text}\n{MORE.format(f'{whole}@{len(order) - len(rest) + len(kept)}')}"


def conversation(request: ChatRequest) -> tuple[Message, ...]:
    """The messages behind the system prompt; ids count them from 1."""
    front = len(tuple(takewhile(is_system, request.messages)))
    return request.messages[front:]


def _units(body: Sequence[Message]) -> Iterator[Unit]:
    """Each message by itself, its passages numbered through."""
    base = 0
    for place, message in enumerate(body):
        part = part_of(message, place, base)
        base += len(part.document.passages)
        yield open_unit(part)


def _wanted(units: Sequence[Unit], name: str) -> list[Part]:
    """The messages of an id; none where it is none."""
    parts = [unit.parts[0] for unit in units]
    spans = [(int(match[1]), int(match[2] or match[1])) for match in _ID.finditer(_FROM.sub("", name))]
    return [part for part in parts if any(first <= part.place + 1 <= last for first, last in spans)]


def _by_relevance(units: Sequence[Unit], numbers: Sequence[int], query: str) -> list[int]:
    """Those of *numbers* that have to do with *query*, best first."""
    index = Index()
    for unit in units:
        for passage in unit.parts[0].document.passages:
            index.add(passage)
    scores = spread(index.scores(index.query(query).weights))
    return sorted((number for number in numbers if scores[number] > 0), key=lambda number: (-scores[number], number))


def _fitting(order: Sequence[int], costs: dict[int, int]) -> set[int]:
    kept: set[int] = set()
    room = RECALLED_TOKENS
    for number in order:
        room -= costs[number] + LINE_TOKENS
        if room < 0:
            break
        kept.add(number)
    return kept

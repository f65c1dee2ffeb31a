"""Which blocks of a prompt are examples, and of what kind: the first few of a kind show what is meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set

from ..settings import PromptLevel
from .duties import binds
from .pieces import announces, is_item
from .sections import Section

FIRST: Mapping[PromptLevel, int] = {"light": 1_000_000, "normal": 3, "strong": 1}
"""How many examples of a kind may be sent of a section."""

_WORD = r"(?:examples?|samples?|beispiele?|ejemplos?|exemples?|例|示例|範例)"
_BEGINS = re.compile(
    rf"[ \t>*_`#-]*(?P<kind>(?:good |bad |another )?{_WORD}\b[^\n]{{0,40}}[:.\n]|(?:例|示例|範例)[ \d]*[:\uff1a\n]"
    r"|for (?:example|instance)\b|e\.g\.|input:|<example)",
    re.IGNORECASE,
)
_KIND = re.compile(r"good|bad|input|[a-z]+|\S", re.IGNORECASE)
_ASKS = re.compile(r"[ \t>*_`-]*(?:q|question|user|human|customer|guest|input)\b[^\n:]{0,20}[:\uff1a]", re.IGNORECASE)
_REPLIES = re.compile(
    r"[ \t>*_`-]*(?:a|answer|assistant|agent|ai|bot|output|response|reply|result|expected)\b[^\n:]{0,20}[:\uff1a]",
    re.IGNORECASE,
)
_OF_EXAMPLES = re.compile(rf"\b{_WORD}\b|few[ -]shot|例|示例|範例", re.IGNORECASE)
_ALL = re.compile(rf"(?:(?:few[ -]shot|good|bad|some|sample) )?{_WORD}:?", re.IGNORECASE)
_ONE = re.compile(
    r"(?P<kind>(?:good |bad )?(?:example|sample|beispiel|ejemplo|exemple|例|示例|範例|input))[ _#.:-]*\d*",
    re.IGNORECASE,
)


def surplus(title: str, blocks: Sequence[str], with_heads: Sequence[Set[int]], level: PromptLevel) -> Iterator[int]:
    """The *blocks* of a section that belong to examples beyond the first few of their kind."""
    seen: dict[str, int] = {}
    for kind, unit in _examples(title, blocks, with_heads):
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] > FIRST[level]:
            yield from unit


def surplus_sections(sections: Sequence[Section], paths: Sequence[Sequence[int]], level: PromptLevel) -> frozenset[int]:
    """Sections that are examples beyond the first few of a kind under one heading ("Example 4"), and all in these."""
    seen: dict[tuple[int | None, str], int] = {}
    beyond: set[int] = set()
    for i, section in enumerate(sections):
        match = _ONE.fullmatch(section.title.strip()) if section.kind in ("heading", "tag") else None
        if match is not None:
            key = section.parent, match["kind"].casefold()
            seen[key] = seen.get(key, 0) + 1
            if seen[key] > FIRST[level]:
                beyond.add(i)
    return frozenset(i for i, steps in enumerate(paths) if not beyond.isdisjoint(steps)) if beyond else frozenset()


def _examples(title: str, blocks: Sequence[str], with_heads: Sequence[Set[int]]) -> Iterator[tuple[str, list[int]]]:
    """Kind and blocks of each example, in order."""
    told = _OF_EXAMPLES.search(title) is not None
    listed = _ALL.fullmatch(title.strip()) is not None and all(len(steps) == 1 for steps in with_heads)
    b = 0
    while b < len(blocks):
        kind = _kind(blocks, with_heads, b, told=told, listed=listed)
        unit = [b]
        b += 1
        while kind and b < len(blocks) and _goes_on(blocks, unit, b):
            unit.append(b)
            b += 1
        if kind:
            yield kind, unit


def _kind(blocks: Sequence[str], with_heads: Sequence[Set[int]], b: int, *, told: bool, listed: bool) -> str:
    """What kind of example begins with a block, one of a list with that list; "" where none does.

    *told*: the section's title speaks of examples; *listed*: it says nothing else, so that items are some.
    """
    match = _BEGINS.match(blocks[b])
    line = announces(blocks[b])
    if match is not None and (not line or _is_title(line)):
        found = _KIND.search(match["kind"])
        return found[0].casefold() if found else ""
    if _OF_EXAMPLES.search(line):
        return f"item {b}"
    if is_item(blocks[b]):
        announced = (head for head in with_heads[b] - {b} if _OF_EXAMPLES.search(announces(blocks[head])))
        if (head := next(announced, None)) is not None:
            return f"item {head}"
        if listed and not binds(blocks[b]) and not _REPLIES.match(blocks[b]):
            return "item"
    return "dialogue" if told and _ASKS.match(blocks[b]) else ""


def _goes_on(blocks: Sequence[str], unit: Sequence[int], b: int) -> bool:
    """Whether a block belongs to the example that the *unit* before it began."""
    block, first = blocks[b], blocks[unit[0]]
    if _BEGINS.match(block) and not _ASKS.match(block):
        return False
    titled = _is_title(first) and len(unit) == 1
    listed = _is_title(announces(first)) and is_item(block)
    return titled or listed or _REPLIES.match(block) is not None or (_is_title(first) and bool(_ASKS.match(block)))


def _is_title(block: str) -> bool:
    """Whether a block says that there is an example, and nothing of it."""
    return _ONE.fullmatch(block.strip().strip("*_#>`: .\n").strip()) is not None

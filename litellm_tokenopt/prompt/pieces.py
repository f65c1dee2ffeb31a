"""What a section can be cut into: its blocks, and of long ones their sentences, lines and rows.

A piece that means something else without another one names that as its head: a table's row its header, an item of a
list the line that announces the list ("Never do this:"), a sentence within an item the item's beginning, a part of a
long code fence the fence's first line, and that one the last.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from .duties import binds, refers_back
from .sections import LONG_TEXT_CHARS, blocks, chopped, fences_of
from .tags import kept_spans
from .words import has_any, sentences_of

LONG_CHARS = 420
"""A block from this length on (about 100 tokens) is cut into sentences, lines and rows."""
LEAST_CHARS = 60
"""A shorter piece stays with the next one, but for a rule."""
MIXED_CHARS = 80
"""A block from this length on is cut where it holds a rule and says more."""

_ITEM = re.compile(r"[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]")
_ROW = re.compile(r"[ \t]*\|.*\|[ \t]*")
_RULER_ROW = re.compile(r"[ \t]*\|[ \t:|-]+\|[ \t]*")
_EXAMPLE = re.compile(
    r"\b(?:examples?|beispiele?|ejemplos?|exemples?|for instance|e\.g\.|input|output)\b", re.IGNORECASE
)
_NEXT_EXAMPLE = re.compile(
    r"(?<=\n)[ \t>*_`-]*(?:example|beispiel|ejemplo|exemple|input)[ _#]*\d*[*_]*:", re.IGNORECASE
)
"""Where in a paragraph of examples another one begins."""
_EXAMPLE_SIGNS = (
    "example", "beispiel", "ejemplo", "exemple", "for instance", "e.g.", "input", "output",
)  # fmt: skip
_FENCES = ("```", "~~~")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a section's body: its text, the place of its head, and whether it goes on in the line before it."""

    text: str
    head: int | None = None
    runs_on: bool = False


def pieces(body: str, cuts: Collection[int] = ()) -> tuple[Piece, ...]:
    """The pieces of *body*, in order, with one that begins at each of *cuts*; their texts joined are *body*."""
    found: list[Piece] = []
    announced: int | None = None
    for block in blocks(body):
        item = is_item(block)
        announced = announced if item else None
        first = len(found)
        parts = _parts(block)
        opens_with = first - 1 if first and refers_back(parts[0].text) else announced
        heads = (opens_with if part.head is None else part.head + first for part in parts)
        found += (Piece(part.text, head, part.runs_on) for part, head in zip(parts, heads, strict=True))
        if not item and announces(block):
            announced = first + next((n for n, part in enumerate(parts) if announces(part.text)), 0)
    return tuple(_divided(found, sorted(cuts)) if cuts else found)


def _divided(found: Sequence[Piece], cuts: Sequence[int]) -> Iterator[Piece]:
    """*found*, cut at *cuts* too, but for what users marked to be kept; what a cut begins leans on nothing."""
    parts: list[Piece] = []
    lasts: list[int] = []
    position = 0
    for piece in found:
        end = position + len(piece.text)
        within = [] if kept_spans(piece.text) else [cut - position for cut in cuts if position < cut < end]
        first, *rest = (piece.text[a:b] for a, b in pairwise([0, *within, len(piece.text)]))
        parts += [replace(piece, text=first), *map(Piece, rest)]
        lasts.append(len(parts) - 1)
        position = end
    yield from (part if part.head is None else replace(part, head=lasts[part.head]) for part in parts)


def is_item(text: str) -> bool:
    """Whether *text* is an item of a list."""
    return _ITEM.match(text) is not None


def announces(text: str) -> str:
    """The line of *text* that announces a list which begins there; "" where none does."""
    lines = [line for line in text.splitlines() if line.strip()]
    for line, after in pairwise(lines):
        if line.rstrip().rstrip("*_").endswith(":") and _ITEM.match(after):
            return line.strip()
    return ""


def _parts(block: str) -> list[Piece]:
    """The parts of one block, with heads among them."""
    if kept_spans(block):
        return [Piece(block)]
    if any(mark in block for mark in _FENCES) and (fences := fences_of(block)):
        return list(_around_fence(block, *fences[0]))
    if _is_example(block[:80]):
        starts = [0, *(match.start() for match in _NEXT_EXAMPLE.finditer(block)), len(block)]
        return [Piece(block[a:b]) for a, b in pairwise(starts)]
    if len(block) < LONG_CHARS and not (len(block) >= MIXED_CHARS and binds(block)):
        return [Piece(block)]
    texts = list(_joined(_cut(block)))
    found: list[Piece] = []
    begins: list[int] = []
    for n, text in enumerate(texts):
        runs_on = n > 0 and not texts[n - 1].endswith("\n")
        found.append(Piece(text, _head(texts, found, begins, n, runs_on=runs_on), runs_on))
        if not runs_on:
            begins.append(n)
    return found


def _around_fence(block: str, start: int, end: int) -> Iterator[Piece]:
    """A code fence with what stands before it, cut where it's long, and the parts of what follows it.

    Of a long one the first line and the last one come with each other, and with whatever stands in it.
    """
    after = block.find("\n", end) + 1 or len(block)
    if end - start <= LONG_TEXT_CHARS:
        yield Piece(block[:after])
        first = 1
    else:
        opens, closes = block.index("\n", start) + 1, block.rindex("\n", start, end) + 1
        inside = pieces(block[opens:closes])
        yield Piece(block[:opens], len(inside) + 1)
        yield from (Piece(part.text, 0 if part.head is None else part.head + 1, part.runs_on) for part in inside)
        yield Piece(block[closes:after], 0)
        first = len(inside) + 2
    if after < len(block):
        rest = _parts(block[after:])
        leans = first - 1 if refers_back(rest[0].text) else None
        yield from (Piece(part.text, leans if part.head is None else part.head + first, part.runs_on) for part in rest)


def _is_example(opening: str) -> bool:
    return has_any(opening, _EXAMPLE_SIGNS) and _EXAMPLE.search(opening) is not None


def _cut(block: str) -> list[str]:
    starts = [0, *(start for start, _ in sentences_of(block)[1:]), len(block)]
    lines = [block.rfind("\n", 0, start) + 1 for start in starts[1:-1]]
    starts[1:-1] = [
        line if not block[line:start].strip() else start for line, start in zip(lines, starts[1:-1], strict=True)
    ]
    return [text for a, b in pairwise(starts) for text in chopped(block[a:b])]


def _joined(texts: Sequence[str]) -> Iterator[str]:
    """*texts* where short ones, announcements and the head of a table, no rule, are one with what follows."""
    held = ""
    for n, text in enumerate(texts):
        held += text
        following = texts[n + 1] if n + 1 < len(texts) else ""
        if not (following and _belongs(held, text, following)):
            yield held
            held = ""


def _belongs(held: str, text: str, following: str) -> bool:
    opens = text.rstrip().rstrip("*_").endswith(":")
    if _ROW.fullmatch(following.strip("\n")):
        names_table = not _ROW.match(text) and (opens or not binds(text))
        return names_table or _RULER_ROW.fullmatch(following.strip("\n")) is not None
    return opens or (len(held.strip()) < LEAST_CHARS and not held.endswith("\n") and not binds(held))


def _head(texts: Sequence[str], before: Sequence[Piece], begins: Sequence[int], n: int, *, runs_on: bool) -> int | None:
    """The place among *texts* of the one that the *n*-th can't do without; *begins* begin a line each."""
    if n and refers_back(texts[n]):
        return n - 1
    if runs_on:
        return begins[-1] if _ITEM.match(texts[begins[-1]]) else before[begins[-1]].head
    if _ROW.match(texts[n]):
        return _table_head(texts, before, begins)
    own, item = _indent(texts[n]), _ITEM.match(texts[n])
    for m in reversed(begins):
        if _indent(texts[m]) < own:
            return m
        if item and not _ITEM.match(texts[m]):
            return m if announces(texts[m]) else None
    return None


def _table_head(texts: Sequence[str], before: Sequence[Piece], begins: Sequence[int]) -> int | None:
    """The last ruler's place; a row before knows it already."""
    for m in reversed(begins):
        if _RULER_ROW.search(texts[m]):
            return m
        if _ROW.match(texts[m]):
            return before[m].head
    return None


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" \t"))

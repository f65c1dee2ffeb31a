"""Old results of tools in fewer tokens, each where it stands: the gentle steps before a budget is full.

What matters less is cut first and most. What an earlier step or epoch has shortened stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .cutting import SMALL_TOKENS, Item, shortened
from .units import Level, Part, Unit

KEPT_SHARES = {Level.BACKGROUND: 0.3, Level.IMPORTANT: 0.6, Level.CRITICAL: 0.9}
"""Of a result of each level about this part stays, once a step has come to the level."""

GENTLE = 0.5
"""Where the model can't ask for what was left out, so much of the rest stays too."""


@dataclass(frozen=True, slots=True)
class Thinned:
    """What a step leaves: the items, the tokens that it saves, and the passages that it hides; `first` is the place
    among the items of its first change."""

    items: tuple[Item, ...]
    saved: int
    first: int
    hidden: frozenset[int]
    messages: int


def kept_shares(steps: int, recallable: bool) -> dict[Level, float]:
    """What stays of a result, by level, after so many *steps*: background alone, then important too, then all."""
    gentle = 0.0 if recallable else GENTLE
    return {level: KEPT_SHARES[level] + gentle * (1 - KEPT_SHARES[level]) if level < steps else 1.0 for level in Level}


def thin(
    items: Sequence[Item],
    units: Sequence[Unit],
    levels: Sequence[Level],
    shares: dict[Level, float],
    *,
    scores: Sequence[float],
    costs: Sequence[int],
) -> Thinned:
    """*items* with the results in *units* cut to *shares* by their *levels* (by place); the best passages stay."""
    results = {part.place: part for unit in units if _may_shorten(unit) for part in unit.parts if part.answers}
    out: list[Item] = []
    hidden: set[int] = set()
    saved = messages = 0
    first = len(items)
    for at, item in enumerate(items):
        part = results.get(item) if isinstance(item, int) else None
        kept = None if part is None else _best(part, shares[levels[part.place]], scores, costs)
        written = None if part is None or kept is None else shortened(part, kept)
        if part is not None and kept is not None and written is not None:
            saved += part.tokens - written.tokens
            hidden.update(number for number in part.numbers if number not in kept)
            messages += 1
            first = min(first, at)
        out.append(item if written is None else written.message)
    return Thinned(tuple(out), saved, first, frozenset(hidden), messages)


def _may_shorten(unit: Unit) -> bool:
    return unit.calls and not unit.fixed and not unit.open


def _best(part: Part, share: float, scores: Sequence[float], costs: Sequence[int]) -> set[int] | None:
    """The passages of a result that fill *share* of it, best first; None where it stays whole."""
    if share >= 1 or part.text_tokens <= SMALL_TOKENS:
        return None
    room = share * sum(costs[number] for number in part.numbers)
    kept: set[int] = set()
    for number in sorted(part.numbers, key=lambda number: (-scores[number], number)):
        if costs[number] <= room:
            room -= costs[number]
            kept.add(number)
    return kept

"""Finished agent conversations, generated: ``python -m litellm_tokenopt.models.training.trajectories FILE.jsonl``.

Five trades (support, coding, data, research, operations). In each the user asks for several things in a row; the agent
searches, reads more than it needs, errs, reads again, acts with ids that it has found, and sums up. Some questions go
back to what was found long before.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from .trades.coding import coding
from .trades.data import data
from .trades.operations import operations
from .trades.research import research
from .trades.support import support
from .trades.talk import Body

Trade: TypeAlias = Callable[[random.Random], list[Body]]
TRADES: tuple[Trade, ...] = (support, coding, data, research, operations)


def trajectories(seeds: Sequence[int], trades: Sequence[Trade] = TRADES) -> Iterator[Body]:
    """One finished conversation for each seed: {"id", "messages"}, the same for the same seed."""
    for seed in seeds:
        trade = trades[seed % len(trades)]
        yield {"id": f"{trade.__name__}-{seed}", "messages": trade(random.Random(seed))}


def main(arguments: Sequence[str]) -> int:
    """Write 200 of them to a file."""
    path = Path(arguments[0])
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in trajectories(range(200))), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

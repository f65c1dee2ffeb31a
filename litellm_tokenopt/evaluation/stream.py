"""How often an answer cache hits on a stream with repeats, and how often wrongly.

``python -m litellm_tokenopt.evaluation.stream [REPEATS.jsonl]``. Each line of a file is ``{"asked": [ … ]}``: the
wordings of one question. Without one it's the project's own stream, from many domains, that no weight or limit was
chosen on; its questions have look-alikes among each other. All wordings are asked in a shuffled order, `ORDERS` times,
each time of an empty cache; a hit on another question's answer is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..cache.build import build_verifier
from ..cache.manager import SemanticCacheManager
from ..cache.memory import MemoryAnswerStore
from ..errors import InputError, ModelUnavailable
from ..models.build import build_embedder
from ..settings import Settings

REPEATS = Path(__file__).parent / "data" / "repeats.jsonl"
ORDERS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Counts over all orders: `possible` hits are those on a question that was asked before."""

    asked: int
    possible: int
    hits: int
    wrong: int

    @property
    def shares(self) -> dict[str, float]:
        """Hits and wrong ones of all that was asked, of what was possible, and of the hits."""
        return {
            "hit_rate": round(self.hits / self.asked, 4),
            "ideal_hit_rate": round(self.possible / self.asked, 4),
            "wrong_share_of_hits": round(self.wrong / max(self.hits, 1), 4),
        }


def read_repeats(path: Path) -> list[list[str]]:
    """The wordings of each question in *path*. Raises `InputError` for a file without any repeat."""
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        found = [[str(text) for text in row["asked"]] for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: {error!r}") from None
    if all(len(wordings) < 2 for wordings in found):
        raise InputError(f'{path}: lines with wordings of one question are wanted: {{"asked": ["…", "…"]}}')
    return found


async def stream(repeats: Sequence[Sequence[str]], settings: Settings) -> Found:
    """Ask all wordings of *repeats*, as `ORDERS` streams, of the cache that *settings* ask for."""
    embedder, verifier = build_embedder(settings.embedder), build_verifier(settings)
    asked = [(text, at) for at, wordings in enumerate(repeats) for text in wordings]
    question_of, hits, wrong = dict(asked), 0, 0
    for order in range(ORDERS):
        random.Random(order).shuffle(asked)
        manager = SemanticCacheManager(settings.cache, MemoryAnswerStore(len(asked)), embedder, verifier)
        for text, question in asked:
            found = await manager.check(text)
            if found.entry is None:
                await manager.store(text, text)
                continue
            hits, wrong = hits + 1, wrong + (question_of[found.entry.text] != question)
    verifier.close()
    possible = (len(asked) - len(repeats)) * ORDERS
    return Found(asked=len(asked) * ORDERS, possible=possible, hits=hits, wrong=wrong)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="litellm_tokenopt.evaluation.stream", description=__doc__)
    parser.add_argument("repeats", nargs="?", type=Path, default=REPEATS, metavar="REPEATS.jsonl")
    found = asyncio.run(stream(read_repeats(parser.parse_args(arguments).repeats), Settings()))
    print(json.dumps({**asdict(found), **found.shares}))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (InputError, ModelUnavailable) as problem:
        sys.exit(f"error: {problem}")

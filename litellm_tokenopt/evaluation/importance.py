"""How well messages are told apart by importance: ``python -m litellm_tokenopt.evaluation.importance [FILES]``.

Each file holds finished conversations ({"messages": [...]} a line). They are cut at some of the model's turns; the
level of each message before a cut is compared with what all turns behind it used (`context.importance_training.used`).
Messages that a rule decides aren't counted. Without files: generated conversations of worlds and trades that were not
trained on. `least` is the lowest recall of any level in any file or family.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..context.importance import chances, judged
from ..context.importance_training import Labelled, labelled, read, unseen
from ..context.units import Level
from ..request import Message


@dataclass(frozen=True, slots=True)
class Score:
    """Of one level: how many messages have it, the share of them that are told right, and of those told, the right."""

    messages: int
    recall: float
    precision: float
    accuracy: float


def scores(conversations: Iterable[Sequence[Message]]) -> dict[str, Score]:
    """By level; `accuracy` is the share of all messages that are rightly told to be of the level, or not."""
    return compare(labelled(conversations))


def compare(data: Labelled) -> dict[str, Score]:
    some, much = chances(data.messages)
    told = np.array([judged(float(a), float(b)).level for a, b in zip(some, much, strict=True)])
    return {level.name.lower(): _score(data.levels == level, told == level) for level in reversed(Level)}


def _score(are: Any, told: Any) -> Score:
    right = int((are & told).sum())
    return Score(
        messages=int(are.sum()),
        recall=round(right / max(1, int(are.sum())), 4),
        precision=round(right / max(1, int(told.sum())), 4),
        accuracy=round(float((are == told).mean()), 4),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the files named, or generated conversations."""
    parser = argparse.ArgumentParser(prog="importance", description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE", type=Path)
    families = {str(path): list(read([path])) for path in parser.parse_args(arguments).files} or unseen()
    families = {"all": [one for family in families.values() for one in family], **families}
    found = {name: scores(conversations) for name, conversations in families.items()}
    for name, levels in found.items():
        print(f"{name}, {len(families[name])} conversations")
        for level, score in levels.items():
            print(
                f"  {level:<10} {score.messages:>7} messages  recall {score.recall:.3f}  "
                f"precision {score.precision:.3f}  accuracy {score.accuracy:.3f}"
            )
    recalls = {level: score.recall for level, score in found["all"].items()}
    least = min(score.recall for levels in found.values() for score in levels.values())
    print(json.dumps({"measure": "importance", **recalls, "least": least}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

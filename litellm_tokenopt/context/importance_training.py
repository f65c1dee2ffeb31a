"""Trains what tells how much a message matters: ``python -m litellm_tokenopt.context.importance_training [FILES]``.

Reads finished conversations ({"messages": [...]} a line; without files, generated ones and, in a checkout, the example
agent's), cuts each at some of the
model's turns, and labels what stands before by what the turns after it really used. Writes
``models/weights/message_importance.json``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.logistic import Logistic, save_logistic
from ..models.training.trades.coding import coding
from ..models.training.trades.data import data
from ..models.training.trades.operations import operations
from ..models.training.trades.research import research
from ..models.training.trades.support import support
from ..models.training.trajectories import trajectories
from ..models.training.wanderings import as_text, wanderings
from ..request import Message, canonical, digest, last_question
from .importance import (
    NAME,
    WEIGHTS,
    Heard,
    Listener,
    Reading,
    Weighable,
    certain,
    features,
)  # fmt: skip
from .units import Level

LEAST_MESSAGES = 10
CUT_EVERY = 3
WORLDS, TRADED = range(300), range(36)
"""Seeds of what is trained on: mostly invented worlds, so that no trade's habits are learnt."""

UNSEEN_SEEDS = range(10_000, 10_040)
LEARNT, UNLEARNT = (support, coding, research), (data, operations)
EXAMPLES = Path(__file__).parents[2] / "examples" / "agent" / "sessions"
PENALTY = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Messages that no rule decides, and their levels, shape (messages,)."""

    messages: Weighable
    levels: NDArray[np.int64]


def labelled(conversations: Iterable[Sequence[Message]]) -> Labelled:
    """The messages before each cut of *conversations*."""
    cuts = [one for messages in conversations for one in _cuts(messages)]
    rows, least, most = zip(*(found for found, _ in cuts), strict=True)
    found = Weighable(np.vstack(rows), np.concatenate(least), np.concatenate(most))
    return Labelled(found, np.concatenate([levels for _, levels in cuts]))


def _cuts(messages: Sequence[Message]) -> Iterator[tuple[Weighable, NDArray[np.int64]]]:
    turns = [n for n, message in enumerate(messages) if message.get("role") == "assistant" and n >= LEAST_MESSAGES]
    listener = Listener()
    every = [listener.heard(message) for message in messages]
    for cut in turns[::CUT_EVERY]:
        before = every[:cut]
        rules = certain(before)
        judged = [n for n, rule in enumerate(rules) if not rule]
        if judged:
            levels = used(before, rules, every[cut:])
            asked = listener.words(last_question(messages[:cut]))
            yield features(before, rules, judged, asked), levels[judged]


def used(before: Sequence[Heard], rules: Sequence[str], after: Sequence[Heard]) -> NDArray[np.int64]:
    """The level of each message of *before*, by what the model used of it in all turns behind it, up to *after*'s end.

    Critical: an id or number that it was the first to say. Important: another one, or some rare words. Background:
    nothing.
    """
    reading = Reading(before, rules)
    marks = reading.marks.last(reading.marks.at(reading.by_model))
    words = reading.words.last(reading.words.at(reading.by_model))
    for message in after:
        if message.role == "assistant":
            marks[reading.marks.terms[reading.marks.among(message.marks)]] = len(before)
            words[reading.words.terms[reading.words.among(message.words)]] = len(before)
    return reading.used(marks, reading.words_used(words))


def fit(rows: NDArray[np.float64], labels: NDArray[np.bool_]) -> Logistic:
    """The classifier that fits best, both classes weighing the same; by Newton's method, with a penalty on weights."""
    inputs = np.hstack([rows, np.ones((len(labels), 1))])
    share = labels.mean()
    counts = np.where(labels, 0.5 / share, 0.5 / (1 - share))
    weights = np.zeros(inputs.shape[1])
    ridge = np.full(len(weights), PENALTY)
    ridge[-1] = 1e-6
    for _ in range(20):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        slope = inputs.T @ (counts * (chance - labels)) + ridge * weights
        bend = (inputs.T * (counts * chance * (1 - chance))) @ inputs + np.diag(ridge)
        weights -= np.linalg.solve(bend, slope)
    return Logistic(weights[:-1], float(weights[-1]))


def heads(data: Labelled) -> dict[str, Logistic]:
    """What tells whether anything of a message is used, and whether its ids or numbers are; learnt where it's open."""
    return {"some": _head(data, Level.IMPORTANT), "much": _head(data, Level.CRITICAL)}


def _head(data: Labelled, level: Level) -> Logistic:
    still_open = (data.messages.least < level) & (data.messages.most >= level)
    return fit(data.messages.rows[still_open], data.levels[still_open] >= level)


def read(paths: Iterable[Path]) -> Iterator[Sequence[Message]]:
    """The conversations in JSONL files."""
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip():
                yield json.loads(line)["messages"]


def examples(folder: Path = EXAMPLES) -> Iterator[Sequence[Message]]:
    """The example agent's sessions, as finished conversations."""
    for path in sorted(folder.glob("*.json")):
        session = json.loads(path.read_text(encoding="utf-8"))
        yield [*session["history"], *(message for turn in session["turns"] for message in _turn(turn))]


def _turn(turn: Mapping[str, Any]) -> Iterator[Message]:
    yield {"role": "user", "content": turn["question"]}
    for number, call in enumerate(turn["calls"]):
        name = f"{digest(turn['question'])[:8]}_{number}"
        function = {"name": call["name"], "arguments": json.dumps(call["arguments"])}
        yield {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": name, "type": "function", "function": function}],
        }
        yield {"role": "tool", "tool_call_id": name, "content": call["result"]}
    yield {"role": "assistant", "content": turn["answer"]}


def generated() -> Iterator[Sequence[Message]]:
    """What is trained on without files, but for the examples."""
    yield from (row["messages"] for row in wanderings(WORLDS))
    yield from (row["messages"] for row in trajectories(TRADED, LEARNT))


def unseen(seeds: Sequence[int] = UNSEEN_SEEDS) -> dict[str, list[Sequence[Message]]]:
    """Conversations that are not trained on: of other worlds, of other trades, and of these as text without tools."""
    traded = [row["messages"] for row in trajectories(seeds, UNLEARNT)]
    return {
        "other worlds": [row["messages"] for row in wanderings(seeds)],
        "other trades": list[Sequence[Message]](traded),
        "other trades, as text": [as_text(messages, Random(n)) for n, messages in enumerate(traded)],
    }


def main(arguments: Sequence[str]) -> int:
    files = [Path(name) for name in arguments]
    conversations = list(read(files)) if files else [*generated(), *examples()]
    messages = labelled(conversations)
    found = digest(canonical(conversations))
    save_logistic(WEIGHTS, heads(messages), embedder=NAME, data_sha256=found)
    counts = ", ".join(f"{level.name.lower()} {int((messages.levels == level).sum())}" for level in Level)
    print(f"{len(conversations)} conversations, {len(messages.levels)} messages: {counts}; written to {WEIGHTS}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Trains the classifiers that conversations are matched with: ``python -m litellm_tokenopt.cache.training``.

Reads ``models/training/data``, writes ``models/weights/conversations.json``, and prints how well each does on rows
that it hasn't seen. Needs the packaged embedder.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelUnavailable
from ..models import minilm
from ..models.base import Embedder
from ..models.build import build_embedder
from ..models.logistic import Logistic, save_logistic
from ..settings import EmbedderSettings, Settings
from .asides import talk_signs
from .build import build_verifier
from .facts import question_signs, statement_signs
from .normalise import normalise
from .restated import Likeness, apart, restating_signs
from .situation import Clause, Situation, situation_of
from .standing import features, split_turn
from .telling import FACT, HINGES, RESTATED, SMALL_TALK, STANDING, VECTOR_SCALE, WEIGHTS

DATA = Path(__file__).parents[1] / "models" / "training" / "data"
CONVERSATIONS, LAST_TURNS, SMALL_TALK_ROWS = "conversations.jsonl", "last_turns.jsonl", "small_talk.jsonl"
FACTS, IN_PASSING, STATEMENTS, ASIDES = "facts.jsonl", "in_passing.jsonl", "statements.jsonl", "asides.jsonl"
FILES = (CONVERSATIONS, LAST_TURNS, SMALL_TALK_ROWS, FACTS, IN_PASSING, STATEMENTS, ASIDES)
FOLDS = 5
PENALTY = 3.0
SAMPLES = 8
"""At most so many of a row's variants."""

_CHOICE = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Features, shape (rows, features), and whether each row is of the class; rows of one group belong together."""

    features: NDArray[np.float64]
    labels: NDArray[np.bool_]
    groups: NDArray[np.int64]


async def standing_examples(embedder: Embedder, rows: Iterable[tuple[int, Sequence[Any], bool]]) -> Examples:
    """Examples of last turns: *rows* are (group, turns, whether the last stands alone)."""
    kept = list(rows)
    turns = [split_turn(turns[-1]["content"]) for _, turns, _ in kept]
    vectors = await embedder.embed([normalise(turn.core) for turn in turns])
    told = [
        features(turn, [message["content"] for message in messages[:-1]])
        for turn, (_, messages, _) in zip(turns, kept, strict=True)
    ]
    return _examples(np.hstack([np.array(told), vectors * VECTOR_SCALE]), kept)


async def small_talk_examples(embedder: Embedder, rows: Sequence[tuple[int, Clause, bool]]) -> Examples:
    """Examples of clauses: *rows* are (group, clause, whether it is small talk)."""
    vectors = await embedder.embed([clause.text for _, clause, _ in rows])
    return _examples(np.hstack([[talk_signs(clause) for _, clause, _ in rows], vectors * VECTOR_SCALE]), rows)


async def hinging_examples(embedder: Embedder, rows: Sequence[tuple[int, str, bool]]) -> Examples:
    """Examples of questions: *rows* are (group, question, whether its answer hinges on who asks)."""
    vectors = await embedder.embed([normalise(text) for _, text, _ in rows])
    return _examples(np.hstack([[question_signs(text) for _, text, _ in rows], vectors * VECTOR_SCALE]), rows)


async def fact_examples(embedder: Embedder, rows: Sequence[tuple[int, str, bool]]) -> Examples:
    """Examples of statements: *rows* are (group, statement, whether it tells a fact)."""
    vectors = await embedder.embed([text for _, text, _ in rows])
    return _examples(np.hstack([[statement_signs(text) for _, text, _ in rows], vectors * VECTOR_SCALE]), rows)


async def restated_examples(
    embedder: Embedder, likeness: Likeness, rows: Sequence[tuple[int, tuple[str, str], bool]]
) -> Examples:
    """Examples of pairs of turns: *rows* are (group, both texts, whether they say the same)."""
    found = []
    for _, (one, other), _ in rows:
        logit = await likeness(normalise(one), normalise(other))
        if logit is None:
            raise ModelUnavailable("turns are compared by the pair model, which can't be loaded")
        first, second = await embedder.embed([one, other])
        found.append(restating_signs(one, other, logit, float(first @ second)))
    return _examples(np.array(found), rows)


def fit(examples: Examples) -> Logistic:
    """The classifier that fits *examples*, by Newton's method, with a penalty on large weights."""
    inputs = np.hstack([examples.features, np.ones((len(examples.labels), 1))])
    weights = np.zeros(inputs.shape[1])
    ridge = np.full(len(weights), PENALTY)
    ridge[-1] = 1e-6
    for _ in range(25):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        slope = inputs.T @ (chance - examples.labels) + ridge * weights
        bend = (inputs.T * (chance * (1 - chance))) @ inputs + np.diag(ridge)
        weights -= np.linalg.solve(bend, slope)
    return Logistic(weights[:-1], float(weights[-1]))


def unseen(examples: Examples) -> NDArray[np.float64]:
    """For each row the probability that a classifier gives that was fitted without its group's fold."""
    found = np.zeros(len(examples.labels))
    for fold in range(FOLDS):
        held = examples.groups % FOLDS == fold
        rest = Examples(examples.features[~held], examples.labels[~held], examples.groups[~held])
        head = fit(rest)
        found[held] = [head.probability(row) for row in examples.features[held]]
    return found


def conversation_rows(pairs: Iterable[Any], start: int = 0) -> Iterator[tuple[int, Sequence[Any], bool]]:
    """The last turns of pairs of conversations whose kind tells whether they stand alone."""
    for group, pair in enumerate(pairs, start):
        if pair["kind"] in ("stands_alone", "leans", "detail", "intent"):
            yield from ((group, pair[side], pair["kind"] == "stands_alone") for side in ("a", "b"))


def hinging_rows() -> Iterator[tuple[int, str, bool]]:
    """(group, question, whether its answer hinges on facts that may have been told); a subject is one group."""
    subjects = read_rows(FACTS)
    for group, subject in enumerate(subjects):
        for question in subject["questions"]:
            yield from ((group, text, bool(question["needs"])) for text in question["ask"])
    for group, row in enumerate(read_rows(IN_PASSING), len(subjects)):
        if "ask" in row:
            yield group, row["ask"], bool(row["hinges"])


def fact_rows() -> Iterator[tuple[int, str, bool]]:
    """(group, statement, whether it tells a fact); a subject is one group. No small talk does."""
    subjects, told = read_rows(FACTS), read_rows(IN_PASSING)
    for group, subject in enumerate(subjects):
        yield from ((group, text, True) for fact in subject["facts"] for text in fact)
        yield from ((group, text, False) for text in subject["beside"])
    for group, row in enumerate((*told, *read_rows(SMALL_TALK_ROWS)), len(subjects)):
        if "fact" in row or row.get("small_talk") == 1:
            yield group, row["text"], bool(row.get("fact", 0))


def small_talk_rows() -> Iterator[tuple[int, Clause, bool]]:
    """(group, clause, whether it is small talk); no fact is."""
    subjects, clauses = read_rows(FACTS), [*read_rows(SMALL_TALK_ROWS), *read_rows(IN_PASSING)]
    for group, subject in enumerate(subjects):
        yield from ((group, Clause("u", text), False) for fact in subject["facts"] for text in fact)
    for group, row in enumerate(clauses, len(subjects)):
        if "small_talk" in row:
            yield group, Clause("u", row["text"]), bool(row["small_talk"])
    for group, row in enumerate(read_rows(ASIDES), len(subjects) + len(clauses)):
        for text in variants(row["text"], group):
            parts = (clause.text for clause in _spoken("user", text)) if row["small_talk"] else ()
            yield from (
                (group, Clause(row["by"], part), bool(row["small_talk"]))
                for part in {text: 0, **dict.fromkeys(parts, 0)}
            )


def restated_rows(pairs: Sequence[Any]) -> Iterator[tuple[int, tuple[str, str], bool]]:
    """(group, what two turns say apart, whether that's the same): of turns written as such, and of conversations."""
    statements = read_rows(STATEMENTS)
    for group, row in enumerate(statements):
        said, others = ([_spoken("user", text) for text in row[name]] for name in ("same", "other"))
        yield from ((group, apart(*pair), True) for pair in combinations(said, 2))
        yield from ((group, apart(*pair), False) for pair in product(said, others))
    for group, pair in enumerate(pairs, len(statements)):
        found = list(_apart(pair["a"], pair["b"])) if pair["kind"] in ("reworded", "detail", "intent") else []
        if pair["same"] or len(found) == 1:
            yield from ((group, texts, bool(pair["same"])) for texts in found)


def _apart(one: Sequence[Any], other: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """The earlier turns in which two conversations of as many turns differ."""
    for first, second in zip(one[:-1], other[:-1], strict=False) if len(one) == len(other) else ():
        said = (_spoken(first["role"], first["content"]), _spoken(second["role"], second["content"]))
        if all(said) and said[0] != said[1]:
            yield apart(*said)


def _spoken(role: str, text: str) -> Situation:
    return situation_of([(role, text)])


def variants(text: str, seed: int) -> list[str]:
    """Up to `SAMPLES` texts that choosing among the alternatives of *text* gives, the same for the same *seed*."""
    chance = random.Random(seed)
    made = (_CHOICE.sub(lambda m: chance.choice(m[1].split("|")), text) for _ in range(3 * SAMPLES))
    return list(dict.fromkeys(" ".join(one.split()) for one in made))[:SAMPLES]


def read_rows(name: str) -> list[Any]:
    """The rows of a file of training data."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def _examples(told: NDArray[Any], rows: Sequence[tuple[int, Any, bool]]) -> Examples:
    return Examples(
        np.asarray(told, np.float64), np.array([row[2] for row in rows]), np.array([row[0] for row in rows])
    )


def _report(name: str, examples: Examples) -> None:
    chance = unseen(examples)
    for least in (0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9):
        found = chance >= least
        print(
            f"{name:12} at {least}: found {found[examples.labels].mean():.3f}, "
            f"others taken for it {found[~examples.labels].mean():.3f}, of {len(found)} rows"
        )


async def _train() -> None:
    embedder, verifier = build_embedder(EmbedderSettings()), build_verifier(Settings())
    pairs, lone = read_rows(CONVERSATIONS), read_rows(LAST_TURNS)
    more = ((len(pairs) + n, row["turns"], bool(row["stands_alone"])) for n, row in enumerate(lone))
    examples = {
        STANDING: await standing_examples(embedder, [*conversation_rows(pairs), *more]),
        SMALL_TALK: await small_talk_examples(embedder, list(small_talk_rows())),
        HINGES: await hinging_examples(embedder, list(hinging_rows())),
        FACT: await fact_examples(embedder, list(fact_rows())),
        RESTATED: await restated_examples(embedder, verifier.likeness, list(restated_rows(pairs))),
    }  # fmt: skip
    for name, found in examples.items():
        _report(name, found)
    data = b"".join((DATA / name).read_bytes() for name in FILES)
    heads = {name: fit(found) for name, found in examples.items()}
    save_logistic(WEIGHTS, heads, embedder=minilm.NAME, data_sha256=hashlib.sha256(data).hexdigest())


if __name__ == "__main__":
    asyncio.run(_train())

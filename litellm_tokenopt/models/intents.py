"""Which kinds of tasks a text is about: a trained network over its vector and its words.

A category that the network doesn't know is told by how close the text comes to its description and examples.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ..taxonomy import Taxonomy, read_taxonomy
from .base import Embedder
from .intent_network import WEIGHTS, IntentNetwork, buckets, load_network

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

LIKELY = 0.3
"""A text is taken to be of each kind that has at least this probability, and of the likeliest."""

TALK = "conversation"
"""The kind of what needs no tool."""

STEP_WORDS, MAX_STEPS = 3, 6
SURE_STEP, STEP_SHARE = 0.5, 0.95
"""How likely a kind must be of a step to be of the whole; it gets at most this share of the likeliest one's chance."""

_JOINT = re.compile(
    r"(?<=[.;!?])\s+|;\s*|,?\s+(?:and|but|then|plus)\s+(?:then\s+|also\s+)?|,\s*(?:then|also)\s+", re.IGNORECASE
)

MAX_CHARS = 2_000
"""Longer texts are read from both their ends."""


@dataclass(frozen=True, slots=True)
class Intent:
    """How likely a text is of each category, 0 to 1; it may be of several, or of none."""

    all: Mapping[str, float]

    @property
    def category(self) -> str:
        """The likeliest; the first of the taxonomy where two are equal."""
        return max(self.all, key=lambda name: self.all[name])

    @property
    def confidence(self) -> float:
        """How likely the text is of that category."""
        return self.all[self.category]


class IntentModel:
    """Sorts texts into the categories of *taxonomy*. Loads nothing before its first text."""

    def __init__(self, embedder: Embedder, taxonomy: Taxonomy) -> None:
        self._embedder = embedder
        self._taxonomy = taxonomy

    @property
    def names(self) -> tuple[str, ...]:
        """The categories, in the order of the taxonomy."""
        return tuple(self._taxonomy.categories)

    async def classify(self, texts: Sequence[str]) -> list[Intent]:
        """The intents of *texts*. Raises `ModelUnavailable`."""
        rows = await self.probabilities(texts)
        return [Intent(dict(zip(self.names, map(float, row), strict=True))) for row in rows]

    async def probabilities(self, texts: Sequence[str]) -> Matrix:
        """The same as numbers, shape (texts, categories). Raises `ModelUnavailable`."""
        import numpy as np

        if "_own_examples" not in vars(self):
            await asyncio.to_thread(lambda: (self._network, self._own_examples))  # tens of milliseconds, once
        network = self._network
        shown = [shortened(text) for text in texts]
        steps = [steps_of(text) for text in shown]
        read = [*shown, *(step for found in steps for step in found)]
        vectors = await self._embedder.embed(read)
        chances = network.probabilities(vectors, [buckets(text) for text in read])
        vectors, chances = vectors[: len(shown)], _with_steps(chances, [len(found) for found in steps], network.names)
        told = dict(zip(network.names, chances.T, strict=True))
        for name, own in self._own_examples.items():
            examples = await self._embedder.embed(own)
            closest = np.asarray((vectors @ examples.T).max(axis=1), np.float64)
            near = network.near.probabilities(closest.reshape(-1, 1))
            told[name] = np.maximum(near, told[name]) if name in told else near
        nothing = np.zeros(len(shown))
        return np.stack([told.get(name, nothing) for name in self.names], axis=1)

    @cached_property
    def _own_examples(self) -> dict[str, list[str]]:
        """Of each category what the network wasn't taught: all of a new one, and what was added to a known one."""
        packaged = {text for kind in read_taxonomy().categories.values() for text in kind.texts}
        kinds = self._taxonomy.categories.items()
        own = {name: [text for text in kind.texts if text not in packaged] for name, kind in kinds}
        return {name: texts for name, texts in own.items() if texts}

    @cached_property
    def _network(self) -> IntentNetwork:
        return load_network(WEIGHTS, self._embedder.name)


def steps_of(text: str) -> list[str]:
    """What *text* asks for one after the other; nothing where it is one thing."""
    steps = [step for step in _JOINT.split(text) if len(step.split()) >= STEP_WORDS]
    return steps[:MAX_STEPS] if len(steps) > 1 else []


def _with_steps(chances: Matrix, counts: Sequence[int], names: Sequence[str]) -> Matrix:
    """*chances* of texts, of which *counts* have so many steps whose chances come behind theirs.

    What a step is surely of, other than talk, the whole is of, too; its likeliest kind stays that.
    """
    import numpy as np

    whole, at = chances[: len(counts)].copy(), len(counts)
    tasks = np.array([name != TALK for name in names])
    for row, count in zip(whole, counts, strict=True):
        if count:
            sure = np.where(chances[at : at + count] >= SURE_STEP, chances[at : at + count], 0.0).max(axis=0)
            np.maximum(row, np.minimum(sure * tasks, row.max() * STEP_SHARE), out=row)
        at += count
    return np.asarray(whole)


def shortened(text: str) -> str:
    """*text*, or its two ends where it is very long."""
    return text if len(text) <= MAX_CHARS else f"{text[: MAX_CHARS // 2]} {text[-MAX_CHARS // 2 :]}"

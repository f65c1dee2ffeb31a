"""Which words of a text are likely to be asked for: a small classifier over the tokens' states in MiniLM.

After LLMLingua-2 (https://arxiv.org/abs/2403.12968), which classifies tokens too; here the original's words are
weighed, so that whoever cuts them changes no character.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from ..lexical import STOP_WORDS
from ..memo import Memo
from .logistic import WEIGHTS_FOLDER, Logistic, load_logistic
from .onnx import Graph, OnnxEmbedder
from .workers import Workers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

Span: TypeAlias = tuple[int, int]

WEIGHTS = WEIGHTS_FOLDER / "importance.json"
HEAD = "answerable"

WINDOW_CHARS = 500
"""Words are read in windows of about this length: more costs more than it tells, and the model reads 256 tokens."""
MEMO_WINDOWS = 20_000
STATE_WEIGHT = 3.0
NEIGHBOURS = (-2, -1, 1, 2)


class TokenImportance:
    """Weighs words with the export that belongs to *embedder*. Loads nothing before its first text."""

    def __init__(self, embedder: OnnxEmbedder, threads: int = 2) -> None:
        self._embedder = embedder
        self._workers = Workers(threads, "tokenopt-words")
        self._known: Memo[tuple[str, tuple[Span, ...]], tuple[float, ...]] = Memo(MEMO_WINDOWS)

    async def weigh(self, text: str, words: Sequence[Span]) -> list[float]:
        """Of each of *words* (in order) how likely it is part of an answer, 0 to 1. Raises `ModelUnavailable`.

        Windows of text that were seen before cost nothing.
        """
        jobs = [self._window(*window) for window in windows(text, words)]
        return [weight for part in await asyncio.gather(*jobs) for weight in part]

    def close(self) -> None:
        """End the threads, and let go of the model. A later text starts them again."""
        self._workers.close()
        self._embedder.close()

    async def _window(self, text: str, words: tuple[Span, ...]) -> tuple[float, ...]:
        found = self._known.get((text, words))
        if found is None:
            graph = await self._embedder.graph()
            found = await self._workers.run(self._weigh, graph, text, words)
            self._known.put((text, words), found)
        return found

    def _weigh(self, graph: Graph, text: str, words: tuple[Span, ...]) -> tuple[float, ...]:
        weights: list[float] = self._head.probabilities(features(graph, text, words)).tolist()
        return tuple(weights)

    @cached_property
    def _head(self) -> Logistic:
        return load_logistic(WEIGHTS, self._embedder.name)[HEAD]


def windows(text: str, words: Sequence[Span]) -> list[tuple[str, tuple[Span, ...]]]:
    """*text* in windows that end at a sentence or line where they can, each with its own words' places in it."""
    found: list[tuple[str, tuple[Span, ...]]] = []
    group: list[Span] = []
    for n, (start, end) in enumerate(words):
        group.append((start, end))
        following = words[n + 1][0] if n + 1 < len(words) else len(text)
        length = end - group[0][0]
        ends = text[end - 1] in ".!?" or "\n" in text[end:following]
        if length >= 2 * WINDOW_CHARS or (length >= WINDOW_CHARS and ends) or n + 1 == len(words):
            first = group[0][0]
            found.append((text[first:end], tuple((a - first, b - first) for a, b in group)))
            group = []
    return found


def features(graph: Graph, text: str, words: Sequence[Span]) -> Matrix:
    """What the classifier is shown of *words*: their tokens' mean state, their shape, and their neighbours' shapes."""
    import numpy as np

    states = _mean_states(graph, text, words)
    lengths = np.linalg.norm(states, axis=1, keepdims=True).clip(1e-6)
    shapes = np.array(_shapes(text, words), np.float64)
    return np.hstack([states / lengths * STATE_WEIGHT, shapes, *(_shifted(shapes, by) for by in NEIGHBOURS)])


def _mean_states(graph: Graph, text: str, words: Sequence[Span]) -> Matrix:
    """Shape (words, dimensions); zeros for words beyond what the model reads."""
    import numpy as np

    offsets, states = graph.word_pieces(text)
    starts = np.array([start for start, _ in words])
    owner = np.searchsorted(starts, offsets[:, 0], side="right") - 1
    sums, counts = np.zeros((len(words), states.shape[1])), np.zeros(len(words))
    real = (offsets[:, 1] > offsets[:, 0]) & (owner >= 0)
    np.add.at(sums, owner[real], states[real])
    np.add.at(counts, owner[real], 1)
    return np.asarray(sums / counts.clip(1)[:, None])


def _shapes(text: str, words: Sequence[Span]) -> list[list[float]]:
    shapes = []
    begins = True
    for start, end in words:
        word = text[start:end]
        shapes.append(_shape(word, begins))
        begins = word[-1:] in ".!?:"
    return shapes


def _shape(word: str, begins: bool) -> list[float]:
    core = word.strip(".,;:!?()\"'")
    capital = core[:1].isupper()
    facts = (
        capital and not begins, capital and begins, any(map(str.isdigit, core)), core.lower() in STOP_WORDS,
        word[-1:] in ".!?", word[-1:] in ",;:", "`" in word, '"' in word, len(core) > 1 and core.isupper(),
    )  # fmt: skip
    return [min(len(core), 30) / 10, *map(float, facts)]


def _shifted(rows: Matrix, by: int) -> Matrix:
    import numpy as np

    shifted = np.zeros_like(rows)
    if by < 0:
        shifted[-by:] = rows[:by]
    else:
        shifted[:-by] = rows[by:]
    return shifted

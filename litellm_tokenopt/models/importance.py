"""Which words of a text are likely to be asked for: a small classifier over tokens' states in MiniLM's first layers.

After LLMLingua-2 (https://arxiv.org/abs/2403.12968), which classifies tokens too; here the original's words are
weighed, so that whoever cuts them changes no character.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import ModelUnavailable
from ..lexical import STOP_WORDS
from ..memo import Memo
from .export import WORD_GRAPH
from .logistic import WEIGHTS_FOLDER, Logistic, load_logistic
from .once import Once
from .onnx import CHARACTERS_PER_TOKEN, OnnxEmbedder, load_session, load_tokenizer
from .workers import Workers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

Span: TypeAlias = tuple[int, int]

WEIGHTS = WEIGHTS_FOLDER / "importance.json"
HEAD = "answerable"

WINDOW_CHARS = 500
"""Words are read in windows of about this length: more costs more than it tells, and the model reads 256 tokens."""
MAX_TOKENS = 256
MEMO_WINDOWS = 20_000
STATE_WEIGHT = 3.0
"""Of a word's own state; its neighbours' weigh 1."""
NEIGHBOURS = (-2, -1, 1, 2)


@dataclass(frozen=True, slots=True)
class WordGraph:
    """The loaded export; its methods may run in several threads at once."""

    session: Any
    tokenizer: Any

    def word_pieces(self, text: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Where each token of *text* stands, shape (tokens, 2) in characters; their states, (tokens, dimensions)."""
        import numpy as np

        read = self.tokenizer.encode(text[: MAX_TOKENS * CHARACTERS_PER_TOKEN].encode("utf-8", "replace").decode())
        states: NDArray[np.float32] = self.session.run(["states"], {"input_ids": np.array([read.ids], np.int64)})[0][0]
        return np.array(read.offsets, np.int64), states


def load_words(folder: Path) -> WordGraph:
    """The first layers of the model that is exported in *folder*."""
    return WordGraph(load_session(folder / WORD_GRAPH), load_tokenizer(folder, MAX_TOKENS))


class TokenImportance:
    """Weighs words with the export that belongs to *embedder*. Loads nothing before its first text."""

    def __init__(self, embedder: OnnxEmbedder, threads: int = 2) -> None:
        self._embedder = embedder
        self._graph = Once(self._load)
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
        self._graph.forget()

    async def _window(self, text: str, words: tuple[Span, ...]) -> tuple[float, ...]:
        found = self._known.get((text, words))
        if found is None:
            graph = await self._graph.get()
            found = await self._workers.run(self._weigh, graph, text, words)
            self._known.put((text, words), found)
        return found

    def _weigh(self, graph: WordGraph, text: str, words: tuple[Span, ...]) -> tuple[float, ...]:
        weights: list[float] = self._head.probabilities(features(graph, text, words)).tolist()
        return tuple(weights)

    @cached_property
    def _head(self) -> Logistic:
        return load_logistic(WEIGHTS, self._embedder.name)[HEAD]

    def _load(self) -> WordGraph:
        folder = self._embedder.exported()
        try:
            return load_words(folder)
        except Exception as error:
            raise ModelUnavailable(f"the classifier of words in {folder} can't be loaded: {error}") from error


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


def features(graph: WordGraph, text: str, words: Sequence[Span]) -> Matrix:
    """What the classifier is shown of *words*: their tokens' mean state and their shape, and their neighbours'."""
    import numpy as np

    states = _mean_states(graph, text, words)
    states /= np.linalg.norm(states, axis=1, keepdims=True).clip(1e-6)
    shapes = np.array(_shapes(text, words), np.float32)
    facts = np.hstack([states, shapes])
    return np.hstack([states * STATE_WEIGHT, shapes, *(_shifted(facts, by) for by in NEIGHBOURS)])


def _mean_states(graph: WordGraph, text: str, words: Sequence[Span]) -> Matrix:
    """Shape (words, dimensions); zeros for words beyond what the model reads."""
    import numpy as np

    offsets, states = graph.word_pieces(text)
    read = offsets[:, 1] > offsets[:, 0]  # markers of a text's begin and end aren't of it
    owner = np.searchsorted([start for start, _ in words], offsets[read, 0], side="right") - 1
    owners, firsts, counts = np.unique(owner, return_index=True, return_counts=True)
    means = np.zeros((len(words), states.shape[1]), np.float32)
    means[owners] = np.add.reduceat(states[read], firsts) / counts[:, None].astype(np.float32)
    return means


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

"""Embeddings by an API, through a function that is handed in (LiteLLM's, from the adapters)."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from ..errors import ModelUnavailable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SLOW_SECONDS = 0.2
PAUSE_SECONDS = 30.0
"""An API that fails after more than the first is left alone for the second: no request waits for it meanwhile."""

EmbedFunction: TypeAlias = Callable[[list[str]], Awaitable[list[list[float]]]]
TEXTS_PER_CALL = 64

logger = logging.getLogger(__name__)


class HostedEmbedder:
    """Asks an API for vectors, at most 64 texts a call.

    How long they are is known when *dimensions* is given, or once the first vector has come.
    """

    def __init__(self, name: str, embed_function: EmbedFunction, dimensions: int | None = None) -> None:
        self._name = name
        self._embed_function = embed_function
        self._dimensions = dimensions
        self._silent_until = 0.0

    @property
    def name(self) -> str:
        return self._name

    @property
    def dimensions(self) -> int:
        """Raises `ModelUnavailable` before the first vector has come."""
        if self._dimensions is None:
            raise ModelUnavailable(f"the dimensions of {self._name} are known once it has embedded a text")
        return self._dimensions

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of *texts*, shape (len(texts), dimensions).

        Raises `ModelUnavailable` when the API fails or answers something else than one vector a text.
        """
        import numpy as np

        vectors: list[list[float]] = []
        for start in range(0, len(texts), TEXTS_PER_CALL):
            vectors += await self._call([_sendable(text) for text in texts[start : start + TEXTS_PER_CALL]])
        if not vectors:
            return np.empty((0, self._dimensions or 0), np.float32)
        return self._unit(vectors)

    def close(self) -> None:
        """`Embedder.close`; there is nothing to let go of."""

    async def _call(self, texts: list[str]) -> list[list[float]]:
        begun = time.monotonic()
        if begun < self._silent_until:
            raise ModelUnavailable(f"{self._name} did not answer, and is left alone for {PAUSE_SECONDS:g} s")
        try:
            vectors = await self._embed_function(texts)
        except Exception as error:
            self._note(begun)
            raise ModelUnavailable(f"embedding with {self._name} failed: {type(error).__name__}: {error}") from error
        if len(vectors) != len(texts):
            raise ModelUnavailable(f"{self._name} gave {len(vectors)} vectors for {len(texts)} texts")
        return vectors

    def _note(self, begun: float) -> None:
        """Remember a failure that took long."""
        now = time.monotonic()
        if now - begun > SLOW_SECONDS:
            if now >= self._silent_until:
                logger.warning(
                    "embedding with %s took %.0f s and failed: requests pass on without it for %g s; check that "
                    "embedder.model's API can be reached", self._name, now - begun, PAUSE_SECONDS,
                )  # fmt: skip
            self._silent_until = now + PAUSE_SECONDS

    def _unit(self, vectors: list[list[float]]) -> NDArray[np.float32]:
        import numpy as np

        lengths = {len(vector) for vector in vectors} | ({self._dimensions} if self._dimensions else set())
        if len(lengths) != 1 or 0 in lengths:
            raise ModelUnavailable(f"{self._name} gave vectors of different lengths: {sorted(lengths)}")
        (self._dimensions,) = lengths
        rows = np.asarray(vectors, np.float32)
        return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), np.float32)


def _sendable(text: str) -> str:
    """APIs refuse empty texts and lone surrogates."""
    return text.encode("utf-8", "replace").decode() if text.strip() else "-"

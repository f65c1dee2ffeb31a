"""An embedder that needs no model: words hashed into a vector."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from litellm_tokenopt.lexical import term_counts


class HashedWords:
    """Unit vectors of a text's terms: texts that share words are near each other."""

    name = "hashed-words"
    dimensions = 256

    def __init__(self) -> None:
        self.calls = 0

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.calls += 1
        return np.stack([self._vector(text) for text in texts])

    def _vector(self, text: str) -> NDArray[np.float32]:
        vector = np.zeros(self.dimensions, np.float32)
        for term, count in term_counts(text).items():
            vector[int.from_bytes(hashlib.sha256(term.encode()).digest()[:4], "big") % self.dimensions] += count
        length = float(np.linalg.norm(vector))
        return vector / length if length else vector

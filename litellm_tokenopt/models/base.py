"""What every embedder offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    @property
    def name(self) -> str:
        """Model and backend, e.g. ``all-MiniLM-L6-v2-onnx-int8``: part of every index name and scope."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of a vector. Loads the model where that's not known without it."""
        ...

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of *texts*, shape (len(texts), dimensions), float32, C order; never blocks the event loop.

        Raises `ModelUnavailable` when the model can't be loaded.
        """
        ...

    def close(self) -> None:
        """Let go of the model and its threads; waits for texts that are being embedded. It can be used again."""
        ...

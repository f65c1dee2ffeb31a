"""What every text compressor offers."""

from __future__ import annotations

from typing import Protocol


class TextCompressor(Protocol):
    """Says a text in fewer tokens, in its own characters.

    What comes back is the text with pieces left out: their order is kept, and nothing is written anew but a blank or a
    line break between pieces that weren't neighbours. It has no more tokens than the text, and is the same each time.
    """

    @property
    def name(self) -> str:
        """Its name in settings and telemetry."""
        ...

    async def compress(self, text: str, ratio: float, question: str = "") -> str:
        """*text* in about *ratio* (0 to 1) of its tokens, what *question* asks for first, where there is one.

        What must not be lost may take more. A ratio of 1 gives *text* itself. Never blocks the event loop for long.
        Raises `ModelUnavailable` when the model can't be loaded.
        """
        ...

    def close(self) -> None:
        """Let go of what it loaded for itself. A later text loads it again."""
        ...

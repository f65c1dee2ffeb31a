"""Embeddings by sentence-transformers: any of its models, at the price of importing torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ModelUnavailable
from . import packages
from .once import Once
from .workers import Workers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HUB_SECONDS = 5.0


class SentenceTransformerEmbedder:
    """Serves the sentence-transformers model called *model* (a hub name), or that in *folder*.

    A call waits for the model at most until *patience_seconds* after its loading began.
    """

    def __init__(self, model: str, folder: Path | None = None, patience_seconds: float | None = None) -> None:
        self._model = model
        self._patience_seconds = patience_seconds
        self._source = str(folder or model)
        self._loaded = Once(self._load)
        # One thread: torch uses all cores for one call, and a model's tokenizer is not made for several.
        self._workers = Workers(1, "tokenopt-embed")

    @property
    def name(self) -> str:
        return f"{self._model}-sentence-transformers"

    @property
    def dimensions(self) -> int:
        """Loads the model. Raises `ModelUnavailable`."""
        return len(self._workers.submit(self._encode, self._loaded.wait(), ["dimensions"]).result()[0])

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of *texts*, shape (len(texts), dimensions). Raises `ModelUnavailable`."""
        import numpy as np

        model = await self._loaded.get(self._patience_seconds)
        rows = await self._workers.run(self._encode, model, list(texts) or ["dimensions"])
        return np.ascontiguousarray(rows[: len(texts)], np.float32)

    async def ready(self) -> None:
        """Wait, however long, until the model is loaded. Raises `ModelUnavailable`."""
        await self._loaded.get()

    def check(self) -> None:
        """Raises `ModelUnavailable` when sentence-transformers is not installed. Loads nothing."""
        packages.require(("sentence_transformers",), f"the model {self._model}")

    def warmup(self) -> None:
        """Load the model. Blocks; raises `ModelUnavailable`."""
        self._loaded.wait()

    def close(self) -> None:
        """`Embedder.close`."""
        self._workers.close()
        self._loaded.forget()

    @staticmethod
    def _encode(model: Any, texts: list[str]) -> Any:
        readable = [text.encode("utf-8", "replace").decode() for text in texts]
        return model.encode(readable, normalize_embeddings=True, show_progress_bar=False)

    def _load(self) -> Any:
        self.check()
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise ModelUnavailable(f"sentence-transformers can't be imported: {error}") from error
        try:
            return SentenceTransformer(self._source, local_files_only=True)
        except Exception:  # the hub's cache doesn't hold it, in one of many words
            return self._download(SentenceTransformer)

    def _download(self, load: Any) -> Any:
        try:
            self._ask_hub()
            return load(self._source)
        except Exception as error:
            raise ModelUnavailable(
                f"embedder.model {self._source} is neither a model's folder, nor in the hub's local cache, nor to be "
                f"had from the hub ({_first_line(error)}): give a folder that holds the model, or download it where "
                f"there is a network (`hf download {self._source}`), or leave embedder.model at all-MiniLM-L6-v2"
            ) from error

    def _ask_hub(self) -> None:
        """Once, and not for long: the hub's own loading asks for file after file, and again for minutes."""
        from huggingface_hub import HfApi, constants

        if not constants.HF_HUB_OFFLINE:
            HfApi().model_info(self._source, timeout=HUB_SECONDS)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__

"""From settings to an embedder, and what a command line wants to know about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ..errors import ModelUnavailable
from ..settings import EmbedderSettings
from .base import Embedder
from .files import WEIGHTS, cache_folder, find_model, is_exported, packaged_model, sha256_of
from .hosted import EmbedFunction, HostedEmbedder
from .importance import TokenImportance
from .memoised import MemoisedEmbedder, VectorStore
from .onnx import OnnxEmbedder
from .pairs import PairModel
from .sentence import SentenceTransformerEmbedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Facts: TypeAlias = dict[str, Any]

SHARED_CHARS = 400
"""A local model embeds a shorter text, alone, about as fast as Redis gives and takes its vector."""


class LocalEmbedder(Embedder, Protocol):
    """An embedder that runs on this machine."""

    def check(self) -> None:
        """Raises `ModelUnavailable` when packages or files are missing. Loads nothing."""
        ...

    def warmup(self) -> Path | None:
        """Load the model; the folder of its export, if it has one. Blocks; raises `ModelUnavailable`."""
        ...

    async def ready(self) -> None:
        """Wait, however long, until the model is loaded. Raises `ModelUnavailable`."""
        ...


class MissingEmbedder:
    """Stands for a model that can't be had: the reason comes with the first text, not at start."""

    def __init__(self, name: str, reason: str) -> None:
        self._name = name
        self._reason = reason

    @property
    def name(self) -> str:
        return self._name

    @property
    def dimensions(self) -> int:
        """Raises `ModelUnavailable`."""
        raise ModelUnavailable(self._reason)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Raises `ModelUnavailable`."""
        raise ModelUnavailable(self._reason)

    def check(self) -> None:
        """Raises `ModelUnavailable`."""
        raise ModelUnavailable(self._reason)

    def warmup(self) -> Path | None:
        """Raises `ModelUnavailable`."""
        raise ModelUnavailable(self._reason)

    async def ready(self) -> None:
        """Raises `ModelUnavailable`."""
        raise ModelUnavailable(self._reason)

    def close(self) -> None:
        """`Embedder.close`; there is nothing to let go of."""


def build_embedder(
    settings: EmbedderSettings,
    *,
    shared: VectorStore | None = None,
    hosted: EmbedFunction | None = None,
    patience_seconds: float | None = None,
) -> MemoisedEmbedder:
    """The embedder that *settings* ask for, remembering what it embedded; loads and checks nothing yet.

    *shared* keeps vectors for other processes; *hosted* is the API's function, for the backend ``litellm``. Callers
    wait for a local model at most until *patience_seconds* after its loading began.
    """
    if settings.backend == "litellm":
        return MemoisedEmbedder(_hosted(settings, hosted), settings.memo_entries, shared)
    local = _local(settings, patience_seconds)
    return MemoisedEmbedder(local, settings.memo_entries, shared, shared_chars=SHARED_CHARS)


async def ready(embedder: MemoisedEmbedder) -> None:
    """Wait until a local model is loaded; an API is not asked. Raises `ModelUnavailable`."""
    inner: Any = embedder.inner
    if not isinstance(inner, HostedEmbedder):
        await inner.ready()


def build_pair_model(settings: EmbedderSettings) -> PairModel | None:
    """The packaged pair model, whichever embedder is set; None where the local packages are missing. Loads nothing."""
    onnx = packaged_embedder(settings)
    return PairModel(onnx) if _works(onnx) else None


def build_importance(settings: EmbedderSettings) -> TokenImportance:
    """The packaged classifier of words, whichever embedder is set. Loads and checks nothing yet."""
    return TokenImportance(packaged_embedder(settings), settings.threads)


def packaged_embedder(settings: EmbedderSettings) -> OnnxEmbedder:
    """The packaged model, whichever embedder is set. Loads and checks nothing yet."""
    return OnnxEmbedder(packaged_model(), cache_folder(settings.cache_dir), settings.threads)


def check(settings: EmbedderSettings) -> None:
    """Raises `ModelUnavailable`, saying what to install, when the model can't be had. Loads nothing."""
    if settings.backend != "litellm":
        _local(settings).check()


def warmup(settings: EmbedderSettings) -> Path | None:
    """Export the model if need be, and load it. Blocks; raises `ModelUnavailable`.

    Returns the folder of the export; None when the backend needs none.
    """
    return None if settings.backend == "litellm" else _local(settings).warmup()


def describe(settings: EmbedderSettings) -> Facts:
    """The state of the model, read from disk (its weights too) without loading it.

    Keys: ``backend``, ``model``, ``ok``; ``problem`` where not ok; for a local model also ``name``; for one that is
    exported ``files`` (folder or None), ``weights_ok`` (None without files), ``exported`` (bool), ``export_folder``,
    ``export_bytes``.
    """
    facts: Facts = {"backend": settings.backend, "model": settings.model, "ok": True}
    if settings.backend == "litellm":
        return facts
    embedder = _local(settings)
    facts["name"] = embedder.name
    if isinstance(embedder, OnnxEmbedder):
        facts |= _export_facts(embedder)
    try:
        embedder.check()
    except ModelUnavailable as error:
        facts |= {"ok": False, "problem": str(error)}
    return facts


def _hosted(settings: EmbedderSettings, hosted: EmbedFunction | None) -> Embedder:
    if hosted is None:
        return MissingEmbedder(settings.model, "embedder.backend litellm works where the plugin is enabled in LiteLLM")
    return HostedEmbedder(settings.model, hosted)


def _local(settings: EmbedderSettings, patience_seconds: float | None = None) -> LocalEmbedder:
    files, cache = find_model(settings.model), cache_folder(settings.cache_dir)
    onnx = OnnxEmbedder(files, cache, settings.threads, patience_seconds) if files else None
    if onnx and (settings.backend == "onnx" or (settings.backend == "auto" and _works(onnx))):
        return onnx
    if settings.backend == "onnx":
        return MissingEmbedder(
            settings.model,
            f"embedder.model {settings.model} can't be exported: backend onnx takes all-MiniLM-L6-v2, or the folder of "
            "a BERT-like sentence-transformers model (model.safetensors, tokenizer.json, modules.json)",
        )
    name, folder = (files.name, files.folder) if files else (settings.model, None)
    return SentenceTransformerEmbedder(name, folder, patience_seconds)


def _works(embedder: LocalEmbedder) -> bool:
    try:
        embedder.check()
    except ModelUnavailable:
        return False
    return True


def _export_facts(embedder: OnnxEmbedder) -> Facts:
    files, target = embedder.files, embedder.folder
    weights_ok = sha256_of(files.folder / WEIGHTS) == files.weights_sha256 if files.folder else None
    exported = is_exported(target)
    return {
        "files": str(files.folder) if files.folder else None,
        "weights_ok": weights_ok,
        "exported": exported,
        "export_folder": str(target),
        "export_bytes": sum(path.stat().st_size for path in target.iterdir()) if exported else 0,
    }

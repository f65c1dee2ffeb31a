"""Where a model's files are, and where its export is kept."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from . import minilm

WEIGHTS = "model.safetensors"
PAIR_WEIGHTS = Path(__file__).parent / "weights" / "pairs.npz"
EXPORT_FORMAT = 9
EXPORT_FILE = "export.json"
EXPORTABLE_MODULES = ("Transformer", "Pooling", "Normalize")
EXPORTABLE_TYPES = frozenset({"bert", "camembert", "distilbert", "electra", "mpnet", "roberta", "xlm-roberta"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFiles:
    """A model on disk. *folder* is None where only its export may be there."""

    name: str
    folder: Path | None
    weights_sha256: str
    dimensions: int

    def export_folder(self, cache_folder: Path) -> Path:
        """Where the export of just these weights is kept."""
        return cache_folder / f"{self.name}-{self.weights_sha256[:16]}-{EXPORT_FORMAT}"


def find_model(model: str) -> ModelFiles | None:
    """The exportable files of *model* (an alias of the packaged one, or a folder); None when there are none."""
    if model in minilm.ALIASES:
        return packaged_model()
    folder = Path(model).expanduser()
    return _read_folder(folder.resolve()) if is_exportable(folder) else None


def packaged_model() -> ModelFiles:
    """The files of the model that comes as a package."""
    return ModelFiles(
        name=minilm.NAME,
        folder=minilm.packaged_folder(),
        weights_sha256=minilm.WEIGHTS_SHA256,
        dimensions=minilm.DIMENSIONS,
    )


def is_exportable(folder: Path) -> bool:
    """Whether *folder* holds a BERT-like sentence-transformers model of the modules that the export knows."""
    if not all((folder / name).is_file() for name in (WEIGHTS, "tokenizer.json", "config.json", "modules.json")):
        return False
    try:
        modules = tuple(module["type"].rsplit(".", 1)[-1] for module in read_json(folder / "modules.json"))
        model_type = read_json(folder / "config.json")["model_type"]
    except (ValueError, LookupError, TypeError, AttributeError):
        return False
    return modules in (EXPORTABLE_MODULES, EXPORTABLE_MODULES[:2]) and model_type in EXPORTABLE_TYPES


def is_exported(target: Path) -> bool:
    """Whether *target* holds a finished export: folders appear there whole or not at all."""
    return (target / EXPORT_FILE).is_file()


def user_cache_folder() -> Path:
    """The operating system's folder for files that can be made again."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(base) if base else Path.home() / ".cache"


def cache_folder(configured: str | None) -> Path:
    """Where exports are kept: the setting ``embedder.cache_dir``, else a folder in the user's cache."""
    return Path(configured).expanduser() if configured else user_cache_folder() / "litellm_tokenopt" / "models"


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_folder(folder: Path) -> ModelFiles:
    state = (folder / WEIGHTS).stat()
    config = read_json(folder / "config.json")
    sha256 = _cached_sha256(folder / WEIGHTS, state.st_size, state.st_mtime_ns)
    return ModelFiles(
        name=f"{folder.name}-{sha256[:8]}",
        folder=folder,
        weights_sha256=sha256,
        dimensions=int(config.get("hidden_size") or config["dim"]),
    )


@lru_cache(maxsize=16)
def _cached_sha256(path: Path, size: int, mtime_ns: int) -> str:
    return sha256_of(path)

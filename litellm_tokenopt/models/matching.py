"""What a request and the tools for it have in common: a trained map of their vectors.

Sentence vectors put "move my 4 o'clock" near other talk of time. Two maps of low rank, one for requests and one for
tools, are learnt from pairs of both, so that a request comes near the tools that serve it (as adapters of LoRA's form
over a frozen encoder; Hu et al., 2022).
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ModelUnavailable
from .logistic import WEIGHTS_FOLDER, check_trained_for

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

WEIGHTS = WEIGHTS_FOLDER / "matching.npz"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matching:
    """The maps, each of two matrices: into few dimensions (dimensions, rank), and back (rank, dimensions)."""

    asked_in: Matrix
    asked_out: Matrix
    offered_in: Matrix
    offered_out: Matrix

    def asked(self, vectors: Matrix) -> Matrix:
        """Unit vectors of requests, shape (texts, dimensions), in the space that they share with tools."""
        return _unit(vectors + vectors @ self.asked_in @ self.asked_out)

    def offered(self, vectors: Matrix) -> Matrix:
        """The same of tools."""
        return _unit(vectors + vectors @ self.offered_in @ self.offered_out)


def _unit(vectors: NDArray[np.floating]) -> Matrix:
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0), np.float32)


def load_matching(path: Path, embedder_name: str) -> Matching:
    """The maps in *path*. Raises `ModelUnavailable` for another embedder's or format's, and for a broken file."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as kept:
            facts = json.loads(str(kept["facts"]))
            maps = Matching(**{field.name: kept[field.name].astype(np.float32) for field in fields(Matching)})
        format_, embedder = facts["format"], str(facts["embedder"])
    except (OSError, EOFError, ValueError, LookupError, TypeError, zipfile.BadZipFile) as error:
        raise ModelUnavailable(f"{path.name} can't be read: {error}") from error
    check_trained_for(path, format_, FORMAT, embedder, embedder_name)
    return maps


def save_matching(path: Path, maps: Matching, *, embedder: str, data_sha256: str) -> None:
    """Write *maps* to *path*, readable by `load_matching`; weights are rounded to half precision."""
    import numpy as np

    facts = {"format": FORMAT, "embedder": embedder, "data_sha256": data_sha256}
    kept = {field.name: getattr(maps, field.name).astype(np.float16) for field in fields(Matching)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez_compressed(file, facts=np.array(json.dumps(facts)), **kept)

"""Small trained classifiers of two classes: a weighted sum through a sigmoid, kept as JSON in the package."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ModelUnavailable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHTS_FOLDER = Path(__file__).parent / "weights"
FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class Logistic:
    """Weights for as many features as `weights` has, shape (features,)."""

    weights: NDArray[np.float64]
    bias: float

    def probability(self, features: NDArray[np.float64]) -> float:
        """How likely *features*, shape (features,), are of the class that was learnt; 0 to 1."""
        total = float(self.weights @ features) + self.bias
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))

    def probabilities(self, features: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """The same for many rows, shape (rows, features)."""
        import numpy as np

        totals = np.asarray(features @ self.weights.astype(features.dtype) + self.bias, np.float64)
        return np.asarray(1 / (1 + np.exp(-totals.clip(-50.0, 50.0))))


def load_logistic(path: Path, embedder_name: str) -> dict[str, Logistic]:
    """The classifiers in *path* by name. Raises `ModelUnavailable` for another embedder's, and for a broken file."""
    import numpy as np

    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        heads = {
            name: Logistic(np.array(head["weights"], np.float64), float(head["bias"]))
            for name, head in kept["heads"].items()
        }
        format_, embedder = kept["format"], str(kept["embedder"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelUnavailable(f"{path.name} can't be read: {error}") from error
    check_trained_for(path, format_, FORMAT, embedder, embedder_name)
    return heads


def check_trained_for(path: Path, format_: object, wanted: int, embedder: str, embedder_name: str) -> None:
    """Raise `ModelUnavailable` unless weights of *format_*, trained on *embedder*, fit the one that is used."""
    if format_ != wanted:
        raise ModelUnavailable(f"{path.name} has format {format_}, not {wanted}")
    if embedder_name != embedder and not embedder_name.startswith(f"{embedder}-"):
        raise ModelUnavailable(f"{path.name} was trained on {embedder}, not on {embedder_name}")


def save_logistic(path: Path, heads: dict[str, Logistic], *, embedder: str, data_sha256: str) -> None:
    """Write *heads* to *path*, readable by `load_logistic`; numbers are rounded to five digits."""
    kept = {
        "format": FORMAT, "embedder": embedder, "data_sha256": data_sha256,
        "heads": {
            name: {"bias": round(head.bias, 5), "weights": [round(float(weight), 5) for weight in head.weights]}
            for name, head in heads.items()
        },
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept, separators=(",", ":")) + "\n", encoding="utf-8")

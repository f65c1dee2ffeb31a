"""The trained network that tells intents: a hidden layer over a text's vector, and weights of words and their pieces.

It is kept as numbers of half precision in the package, about 1 MB.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ModelUnavailable
from ..lexical import terms
from .logistic import WEIGHTS_FOLDER, Logistic, check_trained_for

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

_WORD = re.compile(r"[^\W_]+")

WEIGHTS = WEIGHTS_FOLDER / "intents.npz"
FORMAT = 3

BUCKETS = 8_192
"""Words and their pieces are told apart by a hash of so many values."""

PIECES = (3, 4)
"""Letters in the pieces: these tell words that are misspelt, unknown or of other languages."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layers:
    """Weights: `hidden` (dimensions, units), `out` (units, intents), `words` (`BUCKETS`, intents), and two biases."""

    hidden: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    out: NDArray[np.float32]
    out_bias: NDArray[np.float32]
    words: NDArray[np.float32]

    def sums(self, vectors: NDArray[np.float32], words: Sequence[Sequence[int]]) -> Matrix:
        """What speaks for each intent, shape (texts, intents), from the texts' vectors and the `buckets` of each."""
        import numpy as np

        inner = np.maximum(vectors @ self.hidden + self.hidden_bias, 0)
        told = inner @ self.out + self.out_bias
        for row, found in enumerate(words):
            if found:
                told[row] += self.words[list(found)].sum(axis=0) / len(found) ** 0.5
        return np.asarray(told, np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IntentNetwork:
    """`layers`, what makes probabilities of their sums (for each of `names`), and how `near` texts are of one kind.

    `calibration` has the shape (intents, 3): weights of the sum and of its `odds`, and a bias.
    """

    names: tuple[str, ...]
    layers: Layers
    calibration: Matrix
    near: Logistic

    def probabilities(self, vectors: NDArray[np.float32], words: Sequence[Sequence[int]]) -> Matrix:
        """How likely each text is of each of `names`, shape (texts, intents)."""
        return calibrated(self.layers.sums(vectors, words), self.calibration)


def buckets(text: str) -> list[int]:
    """The hashes of *text*'s words and of their pieces, each once, ascending."""
    told = {*terms(text), *(piece for word in set(_WORD.findall(text.lower())) for piece in _pieces(f"<{word}>"))}
    return sorted({zlib.crc32(each.encode()) % BUCKETS for each in told})


def _pieces(word: str) -> Iterator[str]:
    """The pieces of *word*, marked so that none is taken for a word."""
    return (f"#{word[at : at + size]}" for size in PIECES for at in range(len(word) - size + 1))


def odds(sums: Matrix) -> Matrix:
    """Of each intent the log-odds of being the one, if a text were of one alone (softmax)."""
    import numpy as np

    grown = np.exp(sums - sums.max(axis=1, keepdims=True))
    share = (grown / grown.sum(axis=1, keepdims=True)).clip(1e-9, 1 - 1e-9)
    return np.asarray(np.log(share / (1 - share)))


def calibrated(sums: Matrix, calibration: Matrix) -> Matrix:
    """The probabilities that *sums* stand for (Platt, 1999), of each intent by itself: a text may be of several."""
    import numpy as np

    told = sums * calibration[:, 0] + odds(sums) * calibration[:, 1] + calibration[:, 2]
    return np.asarray(1 / (1 + np.exp(-told.clip(-50.0, 50.0))))


def load_network(path: Path, embedder_name: str) -> IntentNetwork:
    """The network in *path*. Raises `ModelUnavailable` for another embedder's or format's, and for a broken file."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as kept:
            facts = json.loads(str(kept["facts"]))
            layers = Layers(**{field.name: kept[field.name].astype(np.float32) for field in fields(Layers)})
        format_, embedder = facts["format"], str(facts["embedder"])
        names = tuple(map(str, facts["names"]))
        near = Logistic(np.array([facts["near"][0]], np.float64), float(facts["near"][1]))
        calibration = np.array(facts["calibration"], np.float64)
        if calibration.shape != (len(names), 3) or layers.out.shape[1] != len(names):
            raise ValueError("its parts don't fit together")
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise ModelUnavailable(f"{path.name} can't be read: {error}") from error
    check_trained_for(path, format_, FORMAT, embedder, embedder_name)
    return IntentNetwork(names=names, layers=layers, calibration=calibration, near=near)


def save_network(path: Path, network: IntentNetwork, *, embedder: str, data_sha256: str) -> None:
    """Write *network* to *path*, readable by `load_network`; weights are rounded to half precision."""
    import numpy as np

    facts = {
        "format": FORMAT, "embedder": embedder, "data_sha256": data_sha256, "names": list(network.names),
        "calibration": network.calibration.round(5).tolist(),
        "near": [round(float(network.near.weights[0]), 5), round(network.near.bias, 5)],
    }  # fmt: skip
    layers = {field.name: getattr(network.layers, field.name).astype(np.float16) for field in fields(Layers)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez_compressed(file, facts=np.array(json.dumps(facts)), **layers)

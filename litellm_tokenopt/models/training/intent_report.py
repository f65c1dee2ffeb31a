"""How well intents are told: the share of right ones by class, with intervals, and how true the confidence is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SURE = (0.3, 0.5, 0.7, 0.9)
BINS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What was told of texts: `chances` and true `labels` of shape (texts, intents), in the order of `names`.

    `first` is the intent of each text that it is counted under.
    """

    names: Sequence[str]
    chances: NDArray[np.float64]
    labels: NDArray[np.bool_]
    first: NDArray[Any]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the likeliest intent is one of the text's."""
        return np.asarray(self.labels[np.arange(len(self.chances)), self.chances.argmax(axis=1)])

    @property
    def confidence(self) -> NDArray[np.float64]:
        return np.asarray(self.chances.max(axis=1))

    def of(self, rows: NDArray[np.bool_]) -> Told:
        """The same for some of the texts."""
        return Told(self.names, self.chances[rows], self.labels[rows], self.first[rows])


def interval(right: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Where a share lies with 95 % of certainty (Wilson, 1927)."""
    if not count:
        return 0.0, 1.0
    share, spread = right / count, z * z / count
    middle = share + spread / 2
    half = z * (share * (1 - share) / count + spread / (4 * count)) ** 0.5
    return (middle - half) / (1 + spread), (middle + half) / (1 + spread)


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """How far confidence is from the share of right ones, on average over `BINS` of equal width (Naeini, 2015)."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs((confidence[bins == bin] - right[bins == bin]).sum()) for bin in range(BINS)]
    return float(sum(gaps) / len(right))


def print_report(title: str, told: Told) -> None:
    """Print all of that for *told*."""
    right, confidence = told.right, told.confidence
    print(f"{title}: {len(right)} texts")
    for name in (*told.names, "all"):
        rows = right[(told.first == name) | (name == "all")]
        if len(rows):
            low, high = interval(int(rows.sum()), len(rows))
            print(f"  {name:20} {rows.mean():.3f}  ({low:.2f} to {high:.2f}, {len(rows)} texts)")
    print(f"  calibration error {calibration_error(confidence, right):.3f}")
    for least in SURE:
        sure = confidence >= least
        if sure.any():
            print(f"  confidence ≥ {least}: {sure.mean():.2f} of the texts, right {right[sure].mean():.3f}")

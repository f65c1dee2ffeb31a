"""How well intents are told: the share of right ones by class, with intervals, and how true the confidence is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..intents import LIKELY
from .intent_texts import Text

UNSURE = 0.5
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

    @property
    def all_likely(self) -> NDArray[np.bool_]:
        """Whether each of a text's intents is as likely as `LIKELY`."""
        return np.asarray((self.labels <= (self.chances >= LIKELY)).all(axis=1))

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


def told_of(texts: Sequence[Text], names: Sequence[str], chances: NDArray[np.float64]) -> Told:
    """What was told of *texts*; each is counted under its first intent, or under none."""
    labels = np.array([[name in text.intents for name in names] for text in texts])
    return Told(names, chances, labels, np.array([text.intents[0] if text.intents else "" for text in texts]))


def print_report(title: str, told: Told) -> None:
    """Print all of that for *told*, and how texts of several intents or of none are told."""
    counts = told.labels.sum(axis=1)
    none, several = np.asarray(counts == 0), np.asarray(counts > 1)
    some = told.of(~none)
    print(f"{title}: {len(none)} texts")
    print_shares(some.right, some.first)
    print_shares(some.right, ["all"] * len(some.right))
    print_shares(told.all_likely[several], ["each of several"] * int(several.sum()))
    print_shares(told.confidence[none] < UNSURE, ["of none, unsure"] * int(none.sum()))
    print(f"  calibration error {calibration_error(told.confidence, told.right):.3f}")
    for least in SURE:
        sure = told.confidence >= least
        if sure.any():
            print(f"  confidence ≥ {least}: {sure.mean():.2f} of the texts, right {told.right[sure].mean():.3f}")


def print_shares(right: NDArray[np.bool_], groups: Sequence[str] | NDArray[Any]) -> None:
    """Print the share of right ones in each of *groups*."""
    for group in sorted(set(groups)):
        rows = right[np.asarray(groups) == group]
        low, high = interval(int(rows.sum()), len(rows))
        print(f"  {group:20} {rows.mean():.3f}  ({low:.2f} to {high:.2f}, {len(rows)} texts)")

"""Two questions as the pair model reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INPUTS = ("input_ids", "second", "shared", "text", "padding")


def pair_inputs(
    pairs: Sequence[tuple[Sequence[int], Sequence[int]]], first: int, last: int
) -> dict[str, NDArray[np.int64]]:
    """The arrays named `INPUTS`, each of shape (pairs, tokens), from the questions' ids without special ones.

    *first* and *last* are the ids that begin a text and end each part of it.
    """
    import numpy as np

    width = max(len(a) + len(b) for a, b in pairs) + 3
    arrays: dict[str, Any] = {name: np.zeros((len(pairs), width), np.int64) for name in INPUTS}
    for row, (a, b) in enumerate(pairs):
        middle, end = len(a) + 1, len(a) + len(b) + 3
        arrays["input_ids"][row, :end] = [first, *a, last, *b, last]
        arrays["second"][row, middle + 1 : end] = 1
        ours, theirs = set(a), set(b)
        arrays["shared"][row, 1:middle] = [piece in theirs for piece in a]
        arrays["shared"][row, middle + 1 : end - 1] = [piece in ours for piece in b]
        arrays["text"][row, 1:middle] = arrays["text"][row, middle + 1 : end - 1] = 1
        arrays["padding"][row, end:] = 1
    return arrays

"""Which entries of a column stand out: what a table, or a log, is read for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping
from itertools import accumulate

FEW_VALUES, RARE_SHARE, FAR_DEVIATIONS = 5, 0.1, 3.0
"""A value stands out in a column of few values if it has at most this share, with those that are rarer; a number, if
it's so far off."""


def far_off(numbers: Mapping[int, float]) -> set[int]:
    """Of *numbers* by row the rows whose number lies far from the others."""
    count = len(numbers)
    if not count:
        return set()
    mean = math.fsum(numbers.values()) / count
    deviation = math.sqrt(math.fsum((number - mean) ** 2 for number in numbers.values()) / count)
    return {row for row, number in numbers.items() if abs(number - mean) > FAR_DEVIATIONS * deviation > 0}


def rare(values: Mapping[int, Hashable]) -> set[int]:
    """Of *values* by row the rows whose value few others have; none where nearly every row has one of its own."""
    counts = Counter(values.values())
    if not 1 < len(counts) <= FEW_VALUES:
        return set()
    fewest_first = sorted(counts, key=counts.__getitem__)
    shares = accumulate(counts[value] / len(values) for value in fewest_first)
    few = {value for value, share in zip(fewest_first, shares, strict=True) if share <= RARE_SHARE}
    return {row for row, value in values.items() if value in few}

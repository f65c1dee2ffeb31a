"""As much of PromQL as the alert rules use, over made-up series: a second reading where promtool isn't installed.

Counters are taken to rise steadily: `rate` and `increase` know neither resets nor the edges of a range.
"""

from __future__ import annotations

import math
import operator
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Labels: TypeAlias = frozenset[tuple[str, str]]
Vector: TypeAlias = dict[Labels, float]
Value: TypeAlias = Vector | float

STALE_SECONDS = 300
NONE: Labels = frozenset()
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_TOKEN = re.compile(
    r"\s*(\d+[smhd]\b|\d+(?:\.\d+)?|[a-z_]+(?=\s*[({\[])|\w+|>=|==|!=|=~|[-+*/<>=(){}\[\],]|\"[^\"]*\")"
)
_COMPARED: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt, "<": operator.lt, ">=": operator.ge, "==": operator.eq,
}  # fmt: skip
_COUNTED: Mapping[str, Callable[[float, float], float]] = {
    "*": operator.mul, "/": lambda one, other: one / other if other else math.nan,
}  # fmt: skip


def seconds(text: str) -> int:
    """``30m`` in seconds."""
    return int(text[:-1]) * _UNITS[text[-1]]


@dataclass(frozen=True)
class Series:
    """Values at every *interval* seconds from 0 on."""

    name: str
    labels: Labels
    interval: int
    values: Sequence[float]

    @classmethod
    def read(cls, selector: str, values: str, interval: int) -> Series:
        """As in promtool's files: ``up{job="a"}``, ``0+60x30 5x3``."""
        name, _, braces = selector.partition("{")
        return cls(name, frozenset(re.findall(r"(\w+)=\"([^\"]*)\"", braces)), interval, list(_written_out(values)))

    def between(self, start: float, end: float) -> list[tuple[float, float]]:
        """(seconds, value) later than *start*, up to *end*."""
        times = ((n * self.interval, value) for n, value in enumerate(self.values))
        return [(at, value) for at, value in times if start < at <= end]


def _written_out(values: str) -> list[float]:
    found: list[float] = []
    for part in values.split():
        first, step, times = re.fullmatch(r"(-?\d+)(?:\+(\d+))?x(\d+)", part).groups()  # type: ignore[union-attr]
        found += [int(first) + int(step or 0) * n for n in range(int(times) + 1)]
    return found


class Evaluation:
    """One expression at one moment, *at* seconds."""

    def __init__(self, expression: str, series: Sequence[Series], at: float) -> None:
        self._tokens = _TOKEN.findall(expression)
        assert "".join(self._tokens) == re.sub(r"\s", "", expression), expression
        self._series = series
        self._at = at

    def value(self) -> Value:
        found = self._either()
        assert not self._tokens, self._tokens
        return found

    def _either(self) -> Value:
        found = self._both()
        while self._is("or"):
            other = self._both()
            assert isinstance(found, dict)
            assert isinstance(other, dict)
            found = {**other, **found}
        return found

    def _both(self) -> Value:
        found = self._compared()
        while self._is("and"):
            other = self._compared()
            assert isinstance(found, dict)
            assert isinstance(other, dict)
            found = {labels: value for labels, value in found.items() if labels in other}
        return found

    def _compared(self) -> Value:
        found = self._counted()
        while self._tokens and self._tokens[0] in _COMPARED:
            holds = _COMPARED[self._tokens.pop(0)]
            pairs = _paired(found, self._counted())
            found = {labels: one for labels, (one, other) in pairs.items() if holds(one, other)}
        return found

    def _counted(self) -> Value:
        found = self._one()
        while self._tokens and self._tokens[0] in _COUNTED:
            count = _COUNTED[self._tokens.pop(0)]
            other = self._one()
            if isinstance(found, float) and isinstance(other, float):
                found = count(found, other)
            else:
                found = {labels: count(*pair) for labels, pair in _paired(found, other).items()}
        return found

    def _one(self) -> Value:
        if self._is("("):
            return self._closed(self._either())
        word = self._tokens.pop(0)
        if word[0].isdigit():
            return float(word)
        if word in ("sum", "min"):
            return self._gathered(sum if word == "sum" else min)
        if word in ("rate", "increase"):
            self._is("(")
            return self._closed(self._risen(self._tokens.pop(0), per_second=word == "rate"))
        if word in ("scalar", "vector"):
            self._is("(")
            inner = self._closed(self._either())
            return {NONE: inner} if isinstance(inner, float) else inner.get(NONE, math.nan)
        if word == "histogram_quantile":
            self._is("(")
            share = self._either()
            self._is(",")
            return _quantile(share, self._closed(self._either()))
        return {labels: found[-1][1] for labels, found in self._selected(word, STALE_SECONDS).items()}

    def _risen(self, name: str, *, per_second: bool) -> Vector:
        found = self._selected(name, None)
        rates = {labels: (s[-1][1] - s[0][1]) / (s[-1][0] - s[0][0]) for labels, s in found.items() if len(s) > 1}
        return rates if per_second else {labels: rate * self._span for labels, rate in rates.items()}

    def _selected(self, name: str, span: int | None) -> dict[Labels, list[tuple[float, float]]]:
        matchers = self._matchers()
        if span is None:
            _, span = self._tokens.pop(0), seconds(self._tokens.pop(0))
            self._tokens.pop(0)
        self._span = span
        end = self._at - (seconds(self._tokens.pop(0)) if self._is("offset") else 0)
        chosen = [one for one in self._series if one.name == name and _fits(dict(one.labels), matchers)]
        return {one.labels: found for one in chosen if (found := one.between(end - span, end))}

    def _matchers(self) -> list[tuple[str, str, str]]:
        found: list[tuple[str, str, str]] = []
        if self._is("{"):
            while not self._is("}"):
                name, how, text = (self._tokens.pop(0) for _ in range(3))
                found.append((name, how, text.strip('"')))
                self._is(",")
        return found

    def _gathered(self, gather: Callable[[list[float]], float]) -> Vector:
        names: list[str] = []
        if self._is("by"):
            self._is("(")
            while not self._is(")"):
                names.append(self._tokens.pop(0))
                self._is(",")
        self._is("(")
        inner = self._closed(self._either())
        assert isinstance(inner, dict)
        groups: dict[Labels, list[float]] = defaultdict(list)
        for labels, value in inner.items():
            groups[frozenset(pair for pair in labels if pair[0] in names)].append(value)
        return {labels: gather(values) for labels, values in groups.items()}

    def _is(self, token: str) -> bool:
        if self._tokens and self._tokens[0] == token:
            self._tokens.pop(0)
            return True
        return False

    def _closed(self, found: Value) -> Value:
        assert self._is(")"), self._tokens
        return found


def _paired(found: Value, other: Value) -> dict[Labels, tuple[float, float]]:
    """What stands on both sides under the same labels; a number stands under all."""
    if isinstance(other, float):
        assert isinstance(found, dict)
        return {labels: (value, other) for labels, value in found.items()}
    if isinstance(found, float):
        return {labels: (found, value) for labels, value in other.items()}
    return {labels: (value, other[labels]) for labels, value in found.items() if labels in other}


def _fits(labels: Mapping[str, str], matchers: Sequence[tuple[str, str, str]]) -> bool:
    return all(
        (re.fullmatch(text, labels.get(name, "")) is not None) if how == "=~" else labels.get(name, "") == text
        for name, how, text in matchers
    )


def _quantile(share: Value, buckets: Value) -> Vector:
    """Of one histogram, linear within its bucket."""
    assert isinstance(share, float)
    assert isinstance(buckets, dict)
    bounds = sorted((float(dict(labels)["le"]), count) for labels, count in buckets.items())
    wanted, below, before = share * bounds[-1][1], 0.0, 0.0
    for bound, count in bounds:
        if count >= wanted and count > before:
            return {NONE: below + (bound - below) * (wanted - before) / (count - before)}
        below, before = bound, count
    return {}


def firing(expression: str, held_for: str, series: Sequence[Series], at: float, every: int = 60) -> Vector:
    """What an alert fires for *at* that moment, with its values: what held at each look since *held_for* before."""
    looks = range(0, seconds(held_for) + 1, every)
    vectors = [Evaluation(expression, series, at - ago).value() for ago in looks]
    assert all(isinstance(vector, dict) for vector in vectors)
    now: Vector = vectors[0]  # type: ignore[assignment]
    return {labels: value for labels, value in now.items() if all(labels in vector for vector in vectors)}  # type: ignore[operator]

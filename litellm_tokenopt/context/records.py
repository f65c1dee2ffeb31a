"""JSON: the same content in fewer characters, and as passages that leave it valid.

Rows that are alike become a table, ``{"columns": [...], "rows": [[...], ...]}``; every value stays as it was written.
"""

from __future__ import annotations

import json
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .passages import PASSAGE_CHARS, Branch, Form, Passage, Shelf
from .weighing import ERROR_WEIGHT, REPEAT_WEIGHT, is_blob, says_error, weigh_prose

JSON_DEPTH = 8
"""Deeper containers are one passage each, and stay as they are written but for white space."""

TABLE_ROWS = 4
"""Fewer rows are no table."""

FEW_VALUES, RARE_SHARE, FAR_DEVIATIONS = 5, 0.1, 3.0
"""A value stands out in a column of few values if it has at most this share; a number, if it's so far off."""

_BLANK = re.compile(r"[ \t\n\r]*")
_TOKEN = re.compile(r'("(?:[^"\\]|\\.)*")|[ \t\n\r]+')
_TABLE = re.compile(r'\{"columns":\[(?:"(?:[^"\\]|\\.)*",?)+\],"rows":\[')
_decoder = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Member:
    """Where a member of a JSON container starts, where its value does, and where it ends."""

    start: int
    value: int
    end: int


def is_json(text: str) -> bool:
    """Whether *text* is a JSON container and nothing else."""
    start = _blank(text, 0)
    if text[start : start + 1] not in ("{", "["):
        return False
    try:
        _, end = _decoder.raw_decode(text, start)
    except (ValueError, RecursionError):
        return False
    return _blank(text, end) == len(text)


def condense(text: str) -> str:
    """The JSON container *text* without white space between its values, and like rows as tables. Idempotent."""
    start = _blank(text, 0)
    return _condensed(text, start, _decoder.raw_decode(text, start)[1], JSON_DEPTH)


def read(text: str, shelf: Shelf) -> Branch:
    """The passages of the JSON container *text*."""
    start = _blank(text, 0)
    _, end = _decoder.raw_decode(text, start)
    node = _Reader(text, shelf).value(start, end, "", JSON_DEPTH)
    return node if isinstance(node, Branch) else Branch("text", (node,))


# --- in fewer characters ----------------------------------------------------------------------------------------


def _condensed(text: str, start: int, end: int, depth: int) -> str:
    first = text[start]
    if first not in "{[":
        return text[start:end]
    if depth == 0:
        return _TOKEN.sub(lambda match: match[1] or "", text[start:end])
    members = _members(text, start, first)
    if first == "[":
        values = [_condensed(text, one.value, one.end, depth - 1) for one in members]
        plain = f"[{','.join(values)}]"
        table = _table(values)
        return table if table is not None and len(table) < len(plain) else plain
    return "{" + ",".join(_key(text, one) + _condensed(text, one.value, one.end, depth - 1) for one in members) + "}"


def _key(text: str, member: Member) -> str:
    return text[member.start : member.value].rstrip(" \t\n\r:") + ":"


def _table(values: Sequence[str]) -> str | None:
    """Condensed objects with the same keys as a table."""
    if len(values) < TABLE_ROWS or not all(value.startswith("{") for value in values):
        return None
    rows = [[(_key(value, one), value[one.value : one.end]) for one in _members(value, 0, "{")] for value in values]
    columns = [key for key, _ in rows[0]]
    if not columns or len(set(columns)) < len(columns) or any({key for key, _ in row} != set(columns) for row in rows):
        return None
    if any(len(row) != len(columns) for row in rows):
        return None
    head = ",".join(key[:-1] for key in columns)
    cells = (",".join(dict(row)[key] for key in columns) for row in rows)
    return f'{{"columns":[{head}],"rows":[{",".join(f"[{row}]" for row in cells)}]}}'


def _members(text: str, start: int, first: str) -> list[Member]:
    """The members of the JSON container at *start*."""
    members = []
    place = _blank(text, start + 1)
    while text[place] not in "]}":
        value = place
        if first == "{":
            _, end = _decoder.raw_decode(text, place)
            value = _blank(text, _blank(text, end) + 1)
        _, end = _decoder.raw_decode(text, value)
        members.append(Member(place, value, end))
        place = _blank(text, end)
        if text[place] == ",":
            place = _blank(text, place + 1)
    return members


def _blank(text: str, start: int) -> int:
    match = _BLANK.match(text, start)
    return match.end() if match else start


# --- as passages ------------------------------------------------------------------------------------------------


class _Reader:
    def __init__(self, text: str, shelf: Shelf) -> None:
        self._text = text
        self._shelf = shelf

    def value(self, start: int, end: int, key: str, depth: int) -> Passage | Branch:
        """The value at ``text[start:end]``, written behind *key* (``"name":`` or nothing)."""
        text, first = self._text, self._text[start]
        if end - start <= PASSAGE_CHARS or depth == 0 or first not in '{["':
            return self._shelf.put(key + text[start:end])
        if first == '"':
            return self._string(json.loads(text[start:end]), key)
        table = _TABLE.match(text, start, end)
        if table is not None:
            return self._rows(table.end() - 1, key + text[start : table.end()], depth)
        form: Form = "dict" if first == "{" else "list"
        parts = tuple(self._grouped(_members(text, start, first), depth - 1))
        return Branch(form, parts, key + first, text[end - 1], "items" if form == "list" else "fields")

    def _string(self, value: str, key: str) -> Branch:
        lines = weigh_prose(value.splitlines(keepends=True))
        return Branch("string", tuple(self._shelf.lines(lines)), key)

    def _rows(self, start: int, head: str, depth: int) -> Branch:
        """A table's rows, each a passage of its own."""
        members = _members(self._text, start, "[")
        weights = row_weights([json.loads(self._text[one.value : one.end]) for one in members])
        rows = tuple(
            self._shelf.put(self._text[one.value : one.end], weight)
            for one, weight in zip(members, weights, strict=True)
        )
        return Branch("list", rows, head, "]}", "rows")

    def _grouped(self, members: list[Member], depth: int) -> Iterator[Passage | Branch]:
        """Small members side by side share a passage; a large one is a branch of its own."""
        group: list[Member] = []
        for one in members:
            large = one.end - one.start > PASSAGE_CHARS
            if group and (large or one.end - group[0].start > PASSAGE_CHARS):
                yield self._together(group)
                group = []
            if large:
                yield self.value(one.value, one.end, self._text[one.start : one.value], depth)
            else:
                group.append(one)
        if group:
            yield self._together(group)

    def _together(self, group: Sequence[Member]) -> Passage:
        text = self._text[group[0].start : group[-1].end]
        weight = ERROR_WEIGHT if says_error(text) else REPEAT_WEIGHT if is_blob(text) else 0.0
        return self._shelf.put(text, weight, len(group))


def row_weights(rows: Sequence[Sequence[Any]]) -> list[float]:
    """What speaks for each row of a table: it tells of an error, is far off, holds a rare value, or is at an end."""
    odd = _odd_rows(rows)
    weights = [ERROR_WEIGHT if index in odd or says_error(repr(row)) else 0.0 for index, row in enumerate(rows)]
    for end in (0, -1):
        weights[end] = max(weights[end], ERROR_WEIGHT / 2)
    return weights


def _odd_rows(rows: Sequence[Sequence[Any]]) -> set[int]:
    odd: set[int] = set()
    for column in zip(*rows, strict=True):
        numbers = [value for value in column if isinstance(value, (int, float)) and not isinstance(value, bool)]
        if len(numbers) == len(column):
            odd |= _far_off(numbers)
        elif all(isinstance(value, (str, bool)) or value is None for value in column):
            odd |= _rare(column)
    return odd


def _far_off(numbers: Sequence[float]) -> set[int]:
    mean, deviation = statistics.fmean(numbers), statistics.pstdev(numbers)
    return {index for index, number in enumerate(numbers) if abs(number - mean) > FAR_DEVIATIONS * deviation > 0}


def _rare(column: Sequence[Any]) -> set[int]:
    counts = Counter(column)
    if not 1 < len(counts) <= FEW_VALUES:
        return set()
    return {index for index, value in enumerate(column) if counts[value] <= RARE_SHARE * len(column)}

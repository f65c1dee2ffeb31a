"""JSON: the same content in fewer characters, and as passages that leave it valid.

Objects that are alike become a table, ``{"columns": [...], "rows": [[...], ...]}``: members of a member have columns
of their own (``price.net``), what all rows have in common is said once, before them (``"all_rows": {...}``). Where some
lack members, ``"absent"`` says what stands in the cells of those: a text that no other cell holds. Lists of such lists
have ``"groups"`` of rows; where rows come again in several groups each is said once, and the groups name them by the
column ``"groups_of"``. Of an object of objects ``"keyed_by"`` names the column that holds the keys. Numbers stay as
they were written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeAlias

from .outliers import far_off, rare
from .passages import PASSAGE_CHARS, Branch, Form, Passage, Shelf
from .plain import plain_kind, weighed
from .weighing import ERROR_WEIGHT, REPEAT_WEIGHT, is_blob, says_error
from .written import Members, Number, list_of, object_of, parsed, quoted, sendable

JSON_DEPTH = 8
"""Deeper containers are one passage each, and stay as they are written but for white space."""

TABLE_ROWS = 2
"""Fewer rows are no table."""

MOST_OF_PLAIN = 0.85
"""Of the length of what it stands for a table has at most this part: it's harder to read."""

KEY = "(key)"

ABSENT = ("-", "~", "(absent)")
MOST_ABSENT = 0.5
"""Of a table's cells at most this part may be absent: else its rows have little in common."""

_BLANK = re.compile(r"[ \t\n\r]*")

_TABLES = frozenset(
    (*keyed, *absent, *common, "columns", *form)
    for keyed in ((), ("keyed_by",))
    for absent in ((), ("absent",))
    for common in ((), ("all_rows",))
    for form in (("rows",), ("groups",), ("groups_of", "groups", "rows"))
)
_MOST_KEYS = 6
_NAME_STARTS = frozenset('"-0123456789')
_LEVELS = {"keyed_by": 0, "absent": 0, "all_rows": 1, "columns": 1, "groups_of": 0, "rows": 2, "groups": 3}
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


def condense_lines(text: str) -> str:
    """Lines that are a JSON object each as one table; *text* itself where they aren't, or have little in common."""
    lines = text.strip().split("\n")
    if len(lines) < TABLE_ROWS or not all(line[:1] == "{" and is_json(line) for line in lines):
        return text
    short = condense(f"[{','.join(lines)}]")
    return short if short.startswith("{") else text


def condense(text: str) -> str:
    """The JSON container *text* without white space between its values, and like rows as tables. Idempotent."""
    return sendable(_Writer().write(parsed(text)))


def values_of(text: str) -> list[tuple[str, str]]:
    """The members of the JSON container that *text* is: their keys (empty in a list), and their values as written."""
    found = _members(text, 0, text[0])
    keys = [_decoder.raw_decode(text, one.start)[0] if one.start < one.value else "" for one in found]
    return [(key, text[one.value : one.end]) for key, one in zip(keys, found, strict=True)]


def read(text: str, shelf: Shelf) -> Branch:
    """The passages of the JSON container *text*."""
    start = _blank(text, 0)
    _, end = _decoder.raw_decode(text, start)
    node = _Reader(text, shelf).value(start, end, "", JSON_DEPTH)
    return node if isinstance(node, Branch) else Branch("text", (node,))


# --- in fewer characters ----------------------------------------------------------------------------------------


Path: TypeAlias = tuple[str, ...]
"""The keys that lead to a member of a member."""


class _Writer:
    """Writes a JSON value, each container once."""

    def __init__(self) -> None:
        self._written: dict[int, tuple[str, bool]] = {}

    def write(self, value: Any) -> str:
        if isinstance(value, Number):
            return value
        return self._container(value)[0] if isinstance(value, (Members, list)) else quoted(value)

    def _container(self, value: Any) -> tuple[str, bool]:
        """The text of a list or object, and whether that is a table."""
        if id(value) not in self._written:
            plain, table = self._plain(value), self._table(value)
            better = table is not None and len(table) <= MOST_OF_PLAIN * len(plain)
            self._written[id(value)] = (table, True) if better and table is not None else (plain, False)
        return self._written[id(value)]

    def _plain(self, value: Any) -> str:
        if isinstance(value, Members) and is_table(value.names):
            return object_of((key, self._laid_out(item, _LEVELS[key])) for key, item in value)
        return self._laid_out(value, 1)

    def _laid_out(self, value: Any, levels: int) -> str:
        """*value* with no table in its first *levels* levels."""
        if levels and isinstance(value, Members):
            return object_of((key, self._laid_out(item, levels - 1)) for key, item in value)
        if levels and isinstance(value, list):
            return list_of(self._laid_out(item, levels - 1) for item in value)
        return self.write(value)

    def _table(self, value: Any) -> str | None:
        if isinstance(value, Members):
            return None if is_table(value.names) else self._keyed(value)
        if all(isinstance(one, Members) for one in value):
            return self._rows(value)
        if all(isinstance(one, list) and one and all(isinstance(each, Members) for each in one) for one in value):
            return self._groups(value)
        return None

    def _rows(self, objects: Sequence[Members]) -> str | None:
        alike = self._alike(objects)
        return None if alike is None else _as_table(alike, '"rows"', alike.rows)

    def _groups(self, lists: Sequence[Sequence[Members]]) -> str | None:
        alike = self._alike([one for each in lists for one in each])
        if alike is None:
            return None
        rows = iter(alike.rows)
        whole = _as_table(alike, '"groups"', [list_of(islice(rows, len(each))) for each in lists])
        return min(filter(None, (whole, _linked(alike, list(map(len, lists))))), key=len)

    def _keyed(self, value: Members) -> str | None:
        """An object of objects: the keys are a column of their own, if none says the same."""
        keys = [key for key, _ in value]
        if len(set(keys)) < len(keys) or not all(isinstance(one, Members) for _, one in value):
            return None
        alike = self._alike([one for _, one in value])
        if alike is None or KEY in alike.names:
            return None
        said = list(map(quoted, keys))
        name = next((name for name, cells in alike.cells.items() if cells == said), None)
        if name is None:
            name, alike = KEY, replace(alike, cells={KEY: said, **alike.cells})
        return _as_table(alike, '"rows"', alike.rows, f'"keyed_by":{quoted(name)},')

    def _alike(self, objects: Sequence[Members]) -> _Alike | None:
        """The columns of *objects*; None where they have little in common."""
        if len(objects) < TABLE_ROWS or not all(one.is_single for one in objects):
            return None
        ways = ([dict(leaves(one)) for one in objects] for leaves in (self._deep, self._shallow))
        return next(filter(None, map(_in_columns, ways)), None)

    def _shallow(self, value: Members) -> Iterator[tuple[Path, str]]:
        return (((key,), self.write(item)) for key, item in value)

    def _deep(self, value: Members) -> Iterator[tuple[Path, str]]:
        """(path, text) of what is no object, and of what is a table."""
        for key, item in value:
            if isinstance(item, Members) and item and item.is_single and not self._is_table(item):
                yield from (((key, *path), text) for path, text in self._deep(item))
            else:
                yield (key,), self.write(item)

    def _is_table(self, value: Members) -> bool:
        return is_table(value.names) or self._container(value)[1]


@dataclass(frozen=True, slots=True)
class _Alike:
    """Objects that are alike: by column its cells, what all of them have in common, and what stands for members that
    some lack; empty where none do."""

    cells: dict[str, list[str]]
    common: dict[str, str]
    absent: str

    @property
    def names(self) -> set[str]:
        return self.cells.keys() | self.common.keys()

    @property
    def rows(self) -> list[str]:
        return list(map(list_of, zip(*self.cells.values(), strict=True)))


def _in_columns(rows: Sequence[Mapping[Path, str]]) -> _Alike | None:
    """*rows* as columns; None where too many cells would be absent, or two columns have one name."""
    paths = dict.fromkeys(path for row in rows for path in row)
    lacking = sum(len(paths) - len(row) for row in rows)
    if any("." in key for path in paths for key in path) or lacking > MOST_ABSENT * len(paths) * len(rows):
        return None
    absent = _absent(rows) if lacking else ""
    if absent is None:
        return None
    columns = {".".join(path): [row.get(path, absent) for row in rows] for path in paths}
    common = {name: cells[0] for name, cells in columns.items() if len(set(cells)) == 1}
    if len(common) == len(columns):
        return None
    return _Alike({name: cells for name, cells in columns.items() if name not in common}, common, absent)


def _absent(rows: Sequence[Mapping[Path, str]]) -> str | None:
    """A text that none of the cells hold."""
    cells = {cell for row in rows for cell in row.values()}
    return next((mark for mark in map(quoted, ABSENT) if mark not in cells), None)


def _as_table(alike: _Alike, form: str, rows: Sequence[str], before: str = "") -> str:
    before += f'"absent":{alike.absent},' if alike.absent else ""
    common = f'"all_rows":{object_of(alike.common.items())},' if alike.common else ""
    return f'{{{before}{common}"columns":{list_of(map(quoted, alike.cells))},{form}:{list_of(rows)}}}'


def _linked(alike: _Alike, sizes: Sequence[int]) -> str:
    """Groups of *sizes*, each row said once; empty where none comes again, or no column tells them apart."""
    name = _names_of_rows(alike)
    if name is None:
        return ""
    cells = iter(alike.cells[name])
    groups = list_of(list_of(islice(cells, size)) for size in sizes)
    return _as_table(alike, f'"groups_of":{quoted(name)},"groups":{groups},"rows"', list(dict.fromkeys(alike.rows)))


def _names_of_rows(alike: _Alike) -> str | None:
    """The first column whose texts or numbers tell rows apart that come again."""
    distinct = len(set(alike.rows))
    if distinct == len(alike.rows):
        return None
    named = (name for name, cells in alike.cells.items() if all(cell[0] in _NAME_STARTS for cell in cells))
    return next((name for name in named if len(set(alike.cells[name]) - {alike.absent}) == distinct), None)


def is_table(keys: Sequence[str]) -> bool:
    """Whether an object with these members is a table as it's written here."""
    return tuple(keys) in _TABLES


# --- as passages ------------------------------------------------------------------------------------------------


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
        members = _members(text, start, first)
        if first == "{" and self._is_table(members):
            return self._rows(members, key + text[start : members[-1].value + 1])
        form: Form = "dict" if first == "{" else "list"
        parts = tuple(self._grouped(members, depth - 1))
        return Branch(form, parts, key + first, text[end - 1], "items" if form == "list" else "fields")

    def _is_table(self, members: Sequence[Member]) -> bool:
        keys = [self._read(one.start) for one in members[: _MOST_KEYS + 1]]
        return is_table(keys) and self._text[members[-1].value] == "["

    def _read(self, start: int) -> Any:
        return _decoder.raw_decode(self._text, start)[0]

    def _string(self, value: str, key: str) -> Branch:
        lines = weighed(value, plain_kind(value))
        return Branch("string", tuple(self._shelf.lines(lines)), key)

    def _rows(self, table: Sequence[Member], head: str) -> Branch:
        """A table's rows, or groups of rows, each a passage of its own."""
        parts = {self._read(one.start): one.value for one in table}
        members = _members(self._text, table[-1].value, "[")
        absent = self._read(parts["absent"]) if "absent" in parts else None
        weights = row_weights([self._read(one.value) for one in members], absent)
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


def row_weights(rows: Sequence[Any], absent: str | None = None) -> list[float]:
    """What speaks for each row of a table: it tells of an error, is far off, holds a rare value, or is at an end.

    *absent* stands in the cells of members that a row lacks.
    """
    odd = _odd_rows(rows, absent) if all(map(_is_plain, rows)) and len(set(map(len, rows))) == 1 else set()
    weights = [ERROR_WEIGHT if index in odd or says_error(repr(row)) else 0.0 for index, row in enumerate(rows)]
    for end in (0, -1) if rows else ():
        weights[end] = max(weights[end], ERROR_WEIGHT / 2)
    return weights


def _is_plain(row: Any) -> bool:
    """Whether a row is one of values, not a group of rows, or a mark."""
    return isinstance(row, list) and not (row and isinstance(row[0], list))


def _odd_rows(rows: Sequence[Sequence[Any]], absent: str | None) -> set[int]:
    odd: set[int] = set()
    for column in zip(*rows, strict=True):
        held = {row: value for row, value in enumerate(column) if value is not None and value != absent}
        if len(held) < len(column):
            odd |= rare({row: row in held for row in range(len(column))})
        if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in held.values()):
            odd |= far_off(held)
        elif all(isinstance(value, (str, bool)) for value in held.values()):
            odd |= rare(held)
    return odd

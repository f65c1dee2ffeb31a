"""JSON that has the keys of an earlier value: its own values alone, in the order of those keys.

A reader must not have to count far. So an object of a few members is the list of its values; a larger one keeps the
keys of what holds more than a value, and of its plain values each few that stand side by side are one list, under the
first and the last of their keys (``"from..price": [...]``). Rows of a table are lists, as the rows of the earlier table
are; what all its rows have in common stands beside them (``{"all_rows": {...}, "rows": [...]}``). What has other keys
than the earlier value keeps them: where an object or a table stood, a list holds values, and an object is itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from ..memo import Memo
from .records import KEY, is_table
from .written import Members, Number, Value, list_of, object_of, parsed, quoted, sendable, written

MOST_LISTED = 6
"""So many values at most stand in a list without keys, but for a table's row."""

LEAST_LISTED = 3
"""Fewer plain values side by side keep their keys."""

AND_ON, ALL_ROWS, MORE = "..", "all_rows", "more_columns"

Row: TypeAlias = dict[str, Value]
"""An object's plain values and lists by the names of their columns (``price.net``)."""


class _Unfit(Exception):
    """The value can't be told this way: a reader would take it for something else."""


@dataclass(frozen=True, slots=True)
class _Named:
    """An object: what stands under each key; not `plain` where nobody could tell which key a value has."""

    members: Mapping[str, Shape]
    plain: bool


@dataclass(frozen=True, slots=True)
class _Each:
    """A list whose members are like its first."""

    item: Shape


@dataclass(frozen=True, slots=True)
class _Columns:
    """A table."""

    columns: Sequence[str]
    common: Sequence[str]
    absent: Value
    keyed_by: Value
    form: str
    groups_of: Value


Shape: TypeAlias = _Named | _Each | _Columns | None
"""None: no keys are to be told."""

_shapes: Memo[str, Shape] = Memo(max_entries=1_000)


def following(base: str, text: str) -> str:
    """The members of an object that tells the JSON container *text* with the keys of *base*; empty where none can."""
    value = parsed(text)
    if isinstance(value, Members) and not {"keys_as", "values"}.isdisjoint(value.names):
        return ""
    try:
        shape = shape_of(base)
        told = sendable(_told(shape, value)) if shape is not None else ""
    except (_Unfit, RecursionError):
        return ""
    return told[1:-1] if told.startswith("{") else f'"values":{told}' if told else ""


def names_in(text: str) -> frozenset[str]:
    """The keys of the JSON container *text*, and the names of its tables' columns."""
    return frozenset(_names(shape_of(text)))


def shape_of(text: str) -> Shape:
    return _shapes.get_or(text, lambda: _shape(parsed(text)))


def _names(shape: Shape) -> Iterator[str]:
    if isinstance(shape, _Columns):
        yield from (*shape.columns, *shape.common)
    elif isinstance(shape, _Each):
        yield from _names(shape.item)
    elif shape is not None:
        for key, inner in shape.members.items():
            yield key
            yield from _names(inner)


def _shape(value: Value) -> Shape:
    if isinstance(value, Members):
        if is_table(value.names):
            return _columns(value)
        return _Named({key: _shape(item) for key, item in value}, _has_plain_names(value))
    item = _shape(value[0]) if isinstance(value, list) and value else None
    return None if item is None else _Each(item)


def _has_plain_names(value: Members) -> bool:
    """Whether each key stands there once, and none could be taken for the first of several."""
    return value.is_single and not any(key.endswith(AND_ON) for key in value.names)


def _columns(table: Members) -> _Columns | None:
    """The shape of what is written as a table; None where it is none, though it has the keys of one."""
    parts = dict(table)
    columns, common = parts["columns"], parts.get(ALL_ROWS, Members())
    names = [parts.get(name) for name in ("absent", "keyed_by", "groups_of")]
    groups = [parts["rows"]] if "rows" in parts else parts["groups"]
    if not (_is_list(columns) and isinstance(common, Members) and _is_list(groups) and all(map(_is_list, groups))):
        return None
    if not all(map(_is_text, columns)) or not all(name is None or _is_text(name) for name in names):
        return None
    if not all(_is_list(row) and len(row) == len(columns) for group in groups for row in group):
        return None
    absent, keyed_by, groups_of = names
    return _Columns(columns, common.names, absent, keyed_by, "groups" if "groups" in parts else "rows", groups_of)


def _is_list(value: Value) -> bool:
    return isinstance(value, list)


def _is_text(value: Value) -> bool:
    return isinstance(value, str) and not isinstance(value, Number)


# --- told by a shape --------------------------------------------------------------------------------------------


def _told(shape: Shape, value: Value) -> str:
    if shape is None or not isinstance(value, (Members, list)):
        return written(value)
    if isinstance(shape, _Named):
        return _by_names(shape, value)
    return _by_columns(shape, value) if isinstance(shape, _Columns) else _one_by_one(shape, value)


def _by_names(shape: _Named, value: Value) -> str:
    if not isinstance(value, Members) or not shape.plain or not _has_plain_names(value):
        raise _Unfit
    if is_table(value.names):
        return written(value)
    texts = {key: _told(shape.members.get(key), item) for key, item in value}
    if len(texts) <= MOST_LISTED and list(texts) == list(shape.members):
        return list_of(texts.values())
    return object_of(_in_runs(list(shape.members), value, texts))


def _in_runs(order: Sequence[str], value: Members, texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(key, text) of the members; plain values that stand side by side in *order*, too, are one list."""
    following_key = dict(pairwise(order))
    run: list[str] = []
    for key, item in value:
        plain = not isinstance(item, (Members, list))
        if run and not (plain and following_key.get(run[-1]) == key and len(run) < MOST_LISTED):
            yield from _run(run, texts)
            run = []
        if plain:
            run.append(key)
        else:
            yield key, texts[key]
    yield from _run(run, texts)


def _run(keys: Sequence[str], texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if len(keys) < LEAST_LISTED:
        yield from ((key, texts[key]) for key in keys)
    else:
        yield f"{keys[0]}{AND_ON}", list_of(texts[key] for key in keys)


def _one_by_one(shape: _Each, value: Value) -> str:
    if isinstance(value, list):
        return list_of(_told(shape.item, one) for one in value)
    rows = _rows_of(value)
    if rows is None:
        return written(value)
    return min(written(value), list_of(_told(shape.item, _object(row)) for row in rows), key=len)


def _by_columns(shape: _Columns, value: Value) -> str:
    groups = _groups_of(shape, value)
    told = _laid_out(shape, groups) if groups is not None else ""
    if isinstance(value, Members):
        if shape.form in value.names and not is_table(value.names):
            raise _Unfit
        return min(filter(None, (written(value), told)), key=len)
    if not told and not all(_is_itself(one, 1 if shape.form == "groups" else 0) for one in value):
        raise _Unfit
    return told or written(value)


def _is_itself(value: Value, depth: int) -> bool:
    """Whether *value* is an object, or a list of such up to *depth*: nobody takes that for a row."""
    if isinstance(value, list) and depth:
        return all(_is_itself(one, depth - 1) for one in value)
    return isinstance(value, Members)


def _laid_out(shape: _Columns, groups: Sequence[Sequence[Row]]) -> str:
    """*groups* of rows in the columns of *shape*, and what they have beside them; empty where they lack some."""
    rows = [row for group in groups for row in group]
    if not rows or not all(_fits(shape, row) for row in rows):
        return ""
    others = [name for name in dict.fromkeys((*shape.common, *rows[0])) if name not in shape.columns]
    if any(row.keys() - {*shape.columns, *others} or not row.keys() >= set(others) for row in rows):
        return ""
    beside = {name: [written(row[name]) for row in rows] for name in others}
    common = {name: cells[0] for name, cells in beside.items() if len(set(cells)) == 1}
    more = [name for name in others if name not in common]
    said = [[list_of(written(row.get(name, shape.absent)) for name in (*shape.columns, *more)) for row in group]
            for group in groups]  # fmt: skip
    parts = []
    if common:
        parts.append((ALL_ROWS, object_of(common.items())))
    if more:
        parts.append((MORE, list_of(map(quoted, more))))
    if shape.form == "rows":
        return object_of((*parts, ("rows", list_of(said[0])))) if parts else list_of(said[0])
    linked = _linked(shape, groups, said)
    if linked:
        return object_of((*parts, *linked))
    laid_out = list_of(map(list_of, said))
    return object_of((*parts, ("groups", laid_out))) if parts else laid_out


def _linked(
    shape: _Columns, groups: Sequence[Sequence[Row]], said: Sequence[Sequence[str]]
) -> Sequence[tuple[str, str]]:
    """Groups that name rows, and the rows, each said once, where the table of *shape* does that, too."""
    if shape.groups_of is None:
        return ()
    names = [[written(row.get(shape.groups_of, shape.absent)) for row in group] for group in groups]
    rows = {row: name for texts, by in zip(said, names, strict=True) for row, name in zip(texts, by, strict=True)}
    if len(set(rows.values())) < len(rows):
        return ()
    return (("groups", list_of(map(list_of, names))), ("rows", list_of(rows)))


def _fits(shape: _Columns, row: Row) -> bool:
    if shape.absent is None:
        return row.keys() >= set(shape.columns)
    return all(written(cell) != quoted(shape.absent) for cell in row.values())


# --- rows -------------------------------------------------------------------------------------------------------


def _groups_of(shape: _Columns, value: Value) -> Sequence[Sequence[Row]] | None:
    """The rows that *value* stands for, in groups; None where it is nothing of the kind of *shape*."""
    if shape.keyed_by is not None:
        rows = _keyed_rows(shape.keyed_by, value) if isinstance(value, Members) else None
        return None if rows is None else [rows]
    if shape.form == "rows":
        rows = _rows_of(value)
        return None if rows is None else [rows]
    if isinstance(value, Members):
        return _table_groups(value)
    found = list(map(_rows_of, value))
    return None if None in found else [rows for rows in found if rows is not None]


def _table_groups(value: Members) -> Sequence[Sequence[Row]] | None:
    table = dict(value)
    if not is_table(value.names) or "groups" not in table or _columns(value) is None:
        return None
    if "groups_of" not in table:
        return [_cells(table, group) for group in table["groups"]]
    by_name = {written(row[table["groups_of"]]): row for row in _cells(table, table["rows"])}
    return [[by_name[written(name)] for name in group] for group in table["groups"]]


def _rows_of(value: Value) -> list[Row] | None:
    """The rows of a table or a list of objects; None for others, and where keys or groups say more."""
    if isinstance(value, Members):
        table = dict(value)
        plain = is_table(value.names) and table.keys().isdisjoint(("groups", "keyed_by"))
        return _cells(table, table["rows"]) if plain and _columns(value) is not None else None
    rows = [_row(one) for one in value if isinstance(one, Members)] if isinstance(value, list) else []
    return [row for row in rows if row is not None] if rows and None not in rows and len(rows) == len(value) else None


def _keyed_rows(name: str, value: Members) -> list[Row] | None:
    """The rows of an object of objects whose keys stand in the column *name*."""
    table = dict(value)
    if is_table(value.names):
        return _cells(table, table["rows"]) if table.get("keyed_by") == name and _columns(value) is not None else None
    rows = [_row(item) if isinstance(item, Members) else None for item in table.values()]
    if None in rows or not value.is_single:
        return None
    named = [(key, row) for key, row in zip(table, rows, strict=True) if row is not None]
    keyed = [{**row, name: key} if name == KEY else row for key, row in named]
    return keyed if all(row.get(name) == key for key, row in zip(table, keyed, strict=True)) else None


def _cells(table: Mapping[str, Value], rows: Sequence[Sequence[Value]]) -> list[Row]:
    common, absent = dict(table.get(ALL_ROWS, ())), table.get("absent")
    kept = [
        {name: cell for name, cell in zip(table["columns"], row, strict=True) if absent is None or cell != absent}
        for row in rows
    ]
    return [{**common, **row} for row in kept]


def _row(value: Members) -> Row | None:
    """An object's members by their paths; None where these would say something else."""
    found = list(_leaves(value))
    row = {".".join(path): item for path, item in found}
    return row if len(row) == len(found) and not any("." in key for path, _ in found for key in path) else None


def _leaves(value: Members) -> Iterator[tuple[tuple[str, ...], Value]]:
    for key, item in value:
        if isinstance(item, Members) and item and not is_table(item.names):
            yield from (((key, *path), leaf) for path, leaf in _leaves(item))
        else:
            yield (key,), item


def _object(row: Row) -> Members:
    """The object that *row* stands for."""
    inner: dict[str, Row] = {}
    for name, item in row.items():
        key, _, rest = name.partition(".")
        inner.setdefault(key, {})[rest] = item
    return Members((key, cells[""] if "" in cells else _object(cells)) for key, cells in inner.items())

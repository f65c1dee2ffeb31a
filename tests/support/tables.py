"""Reads tables as a model is to read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litellm_tokenopt.context import records


def spread_out(value: object) -> object:
    """*value* with every table as the rows that it stands for."""
    if isinstance(value, dict) and records.is_table(list(value)):
        common = value.get("all_rows", {})
        groups = linked(value) if "groups_of" in value else value.get("groups") or [value["rows"]]
        absent = value.get("absent", object())
        cells = [[dict(zip(value["columns"], row, strict=True)) for row in group] for group in groups]
        listed = [[nested(common, {k: v for k, v in row.items() if v != absent}) for row in group] for group in cells]
        if "keyed_by" in value:
            at = value["columns"].index(value["keyed_by"])
            return {
                row[at]: {key: item for key, item in one.items() if key != records.KEY}
                for row, one in zip(value["rows"], listed[0], strict=True)
            }
        return listed if "groups" in value else listed[0]
    if isinstance(value, dict):
        return {key: spread_out(item) for key, item in value.items()}
    return [spread_out(item) for item in value] if isinstance(value, list) else value


def nested(common: dict[str, object], cells: dict[str, object]) -> dict[str, object]:
    """A row's cells as the object that it was."""
    found: dict[str, object] = {}
    for name, cell in (common | cells).items():
        *path, last = name.split(".")
        inner = found
        for key in path:
            inner = inner.setdefault(key, {})  # type: ignore[assignment]
        inner[last] = spread_out(cell)
    return found


def linked(table: Mapping[str, Any]) -> list[list[Any]]:
    """The groups of a table whose rows stand there once."""
    at = table["columns"].index(table["groups_of"])
    by_name = {row[at]: row for row in table["rows"]}
    return [[by_name[name] for name in group] for group in table["groups"]]


def by_keys(base: Any, told: Any) -> Any:
    """*told* with the keys of *base*: a list where *base* has an object or a table holds values in its order."""
    if isinstance(base, dict) and records.is_table(list(base)):
        return _rows(base, told)
    if isinstance(base, list):
        return [by_keys(base[0], one) for one in told] if has_keys(base) and isinstance(told, list) else told
    if not isinstance(base, dict) or not isinstance(told, (dict, list)):
        return told
    if isinstance(told, dict) and records.is_table(list(told)):
        return told
    if isinstance(told, list):
        return {key: by_keys(base[key], one) for key, one in zip(base, told, strict=True)}
    found: dict[str, Any] = {}
    keys = list(base)
    for key, one in told.items():
        if key.endswith(".."):
            at = keys.index(key[:-2])
            found |= dict(zip(keys[at : at + len(one)], one, strict=True))
        else:
            found[key] = by_keys(base[key], one) if key in base else one
    return found


def has_keys(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and has_keys(value[0]))


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _rows(table: Mapping[str, Any], told: Any) -> Any:
    is_groups = "groups" in table
    if isinstance(told, list):
        if all(isinstance(one, dict) or (is_groups and _are_objects(one)) for one in told):
            return told
        told = {"groups" if is_groups else "rows": told}
    if not isinstance(told, dict) or records.is_table(list(told)) or {"rows", "groups"}.isdisjoint(told):
        return told
    common = told.get("all_rows", {})
    known = {key: table[key] for key in ("keyed_by", "absent") if key in table}
    columns = {"all_rows": common, "columns": [*table["columns"], *told.get("more_columns", ())]}
    links = {"groups_of": table["groups_of"]} if {"rows", "groups"} <= told.keys() else {}
    return {**known, **columns, **links, **{key: told[key] for key in ("groups", "rows") if key in told}}

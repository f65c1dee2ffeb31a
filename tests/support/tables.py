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

"""Spans from a file: OTLP's JSON, as a collector's file exporter writes it, a batch a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import InputError

Span: TypeAlias = Mapping[str, Any]

OWN_PREFIX = "tokenopt."


def read_spans(path: str | Path, told: list[str]) -> Iterator[Span]:
    """Our own spans in *path*, as `Collector.spans` gives them (name, span_id, parent_span_id, start_ns, end_ns,
    attributes); what is wrong with a line, such as the last of a file that is being written, is *told*.

    Raises `InputError` for a file that can't be read.
    """
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield from _in_line(line, f"{path}:{number}", told)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from None


def _in_line(line: str, where: str, told: list[str]) -> Iterable[Span]:
    try:
        return list(_in_batch(json.loads(line)))
    except json.JSONDecodeError as error:
        told.append(f"{where}: not JSON: {error.msg} at column {error.colno}")
    except (KeyError, TypeError, ValueError, AttributeError):
        told.append(f"{where}: not OTLP's JSON: an object with resourceSpans is wanted")
    return ()


def _in_batch(batch: Mapping[str, Any]) -> Iterator[Span]:
    for group in batch["resourceSpans"]:
        for scoped in group.get("scopeSpans", ()):
            for span in scoped.get("spans", ()):
                if span["name"].startswith(OWN_PREFIX):
                    yield _span(span)


def _span(span: Mapping[str, Any]) -> Span:
    return {
        "name": span["name"],
        "span_id": span["spanId"],
        "parent_span_id": span.get("parentSpanId", ""),
        "start_ns": int(span["startTimeUnixNano"]),
        "end_ns": int(span["endTimeUnixNano"]),
        "attributes": {pair["key"]: _value(pair["value"]) for pair in span.get("attributes", ())},
    }


def _value(value: Mapping[str, Any]) -> Any:
    """What an attribute says; 64-bit integers are texts in JSON."""
    kind, said = next(iter(value.items()), ("", ""))
    return int(said) if kind == "intValue" else said

"""The fields of an answer's hash in Redis, and how they are written and asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .stores import Entry, Selection

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCOPE, VECTOR, ENTRY, NOTE = "scope", "vector", "entry", "note"
TENANT, TAGS, MODEL, CREATED, SIZE = "tenant", "tags", "model", "created", "size"

SEPARATOR = "\x1f"
"""Between the values of a tag field: in no tag, and in no part of a tenant's label."""

_PUNCTUATION = re.compile(r"([\x20-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e])")


def hash_of(entry: Entry, packed: bytes, vector: NDArray[np.float32] | None) -> dict[Any, Any]:
    """What is stored of *entry*: its *packed* bytes, and beside them what the indexes read."""
    fields: dict[Any, Any] = {
        SCOPE: entry.scope,
        TENANT: _writable(SEPARATOR.join(entry.tenant.split())),
        TAGS: _writable(SEPARATOR.join(entry.tags)),
        MODEL: _writable(entry.model),
        CREATED: entry.created,
        ENTRY: packed,
    }
    if vector is not None:
        fields[VECTOR] = vector_bytes(vector)
    return {**fields, SIZE: len(packed) + len(fields.get(VECTOR, b""))}


def vector_bytes(vector: NDArray[np.float32]) -> bytes:
    return vector.astype("<f4").tobytes()


def query_of(selection: Selection) -> str:
    """*selection*, its key aside, in RediSearch's language (dialect 2)."""
    return " ".join(_conditions(selection)) or "*"


def _conditions(selection: Selection) -> Iterator[str]:
    if selection.tag is not None:
        yield f"@{TAGS}:{{{_escaped(selection.tag)}}}"
    if selection.model is not None:
        name = _escaped(selection.model)
        yield f"@{MODEL}:{{{name}|*\\/{name}}}"
    yield from (f"@{TENANT}:{{{_escaped(part)}}}" for part in (selection.tenant or "").split())
    if selection.created_until is not None:
        yield f"@{CREATED}:[-inf {selection.created_until!r}]"


def _writable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # a lone surrogate has no bytes


def _escaped(text: str) -> str:
    return _PUNCTUATION.sub(r"\\\1", _writable(text))

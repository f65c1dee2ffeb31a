"""Entries as bytes."""

from __future__ import annotations

import dataclasses
import json
import math
import zlib
from typing import Any

from .stores import Entry

COMPRESSION_LEVEL = 1

_TOKEN, _COMPRESSED = b"gAAAA", b"x\x01"
"""What sealed and unsealed entries begin with: Fernet's version, zlib's header at this level."""


class Packer:
    """Packs entries as compressed JSON, sealed with *key* (Fernet: AES-128-CBC with HMAC-SHA256) where there is one."""

    def __init__(self, key: str | None = None) -> None:
        self._fernet = None
        if key is not None:
            from cryptography.fernet import Fernet

            self._fernet = Fernet(key)

    def pack(self, entry: Entry) -> bytes:
        kept = {field.name: getattr(entry, field.name) for field in dataclasses.fields(entry)}
        data = zlib.compress(json.dumps(kept, separators=(",", ":")).encode("ascii"), COMPRESSION_LEVEL)
        return data if self._fernet is None else self._fernet.encrypt(data)

    def unpack(self, key: str, data: bytes) -> Entry | None:
        """The entry packed in *data*; None when it isn't one, not that of *key*, or sealed otherwise than by us."""
        opened = self._opened(data)
        if opened is None:
            return None
        try:
            kept = json.loads(zlib.decompress(opened))
            entry = Entry(**{**kept, "tags": _listed(kept["tags"])})
        except (zlib.error, ValueError, TypeError, KeyError):
            return None
        return entry if entry.key == key and _is_whole(entry) else None

    def is_anothers(self, data: bytes) -> bool:
        """Whether *data*, which can't be read here, is sealed with another key, or not as ours is."""
        return data.startswith(_TOKEN) or (self._fernet is not None and data.startswith(_COMPRESSED))

    def _opened(self, data: bytes) -> bytes | None:
        if self._fernet is None:
            return data
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(data)
        except InvalidToken:
            return None


def _listed(tags: object) -> tuple[Any, ...]:
    """JSON's list of *tags*. Raises TypeError for one text, which would be read as its letters, and all else."""
    if not isinstance(tags, list):
        raise TypeError("tags is no list")
    return tuple(tags)


def _is_whole(entry: Entry) -> bool:
    """Whether each field is of its kind: what isn't would fail wherever the entry is used."""
    texts = (entry.scope, entry.question, entry.text, entry.model, entry.tenant, entry.situation, *entry.tags)
    numbers = (entry.created, entry.seconds, entry.expires)
    return (
        isinstance(entry.payload, dict)
        and isinstance(entry.finish, str | None)
        and all(isinstance(text, str) for text in texts)
        and all(isinstance(number, int | float) and math.isfinite(number) for number in numbers)
    )

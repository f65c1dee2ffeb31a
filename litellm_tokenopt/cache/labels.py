"""Whose entry it is, in words that people can read and filter by."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..request import Tenant, digest

LABEL_CHARS = 64
_HASH = re.compile(r"[0-9a-f]{32,}")
_SECRET = re.compile(r"key|token|secret|passw", re.I)


def tenant_label(tenant: Tenant) -> str:
    """``team:blue user:ann key:1f3870be274f`` as far as it's known; of keys, the first letters of a hash alone.

    The parts stand between blanks and hold none themselves. Empty where nothing is known.
    """
    parts = (*_team(tenant.team), ("user", tenant.user), ("end_user", tenant.end_user), ("key", tenant.key))
    return " ".join(f"{name}:{_plain(name, value)}" for name, value in parts if value)


def _team(team: str | None) -> Iterator[tuple[str, str]]:
    """The SDK's team is what the caller wrote into metadata: a JSON object."""
    written = _object(team)
    if written is None:
        yield "team", team or ""
    else:
        yield from ((_words(name), str(value)) for name, value in written.items())


def _object(text: str | None) -> Mapping[str, Any] | None:
    try:
        value = json.loads(text or "")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _plain(name: str, value: str) -> str:
    if not _SECRET.search(name):
        return _words(value)
    return (value if _HASH.fullmatch(value) else digest(value))[:12]


def _words(text: str) -> str:
    return re.sub(r"[\s\x00-\x1f]+", "_", text)[:LABEL_CHARS]

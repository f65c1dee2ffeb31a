"""Entries as JSON, and conditions from what people typed: for the command line and the proxy's routes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .stores import Entry

CONDITIONS = ("key", "tag", "model", "tenant", "older_than")
"""What people may choose entries by; `SemanticCacheManager.entries` has them as arguments, the age in seconds."""

VERDICTS = ("right", "wrong")

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")


def conditions_of(typed: Mapping[str, str | None]) -> dict[str, Any]:
    """The manager's arguments for what was *typed* under the names `CONDITIONS`.

    Raises ValueError for an empty text, which could mean nothing or everything, and for a wrong age.
    """
    given = {name: text for name in CONDITIONS if (text := typed.get(name)) is not None}
    empty = [name for name, text in given.items() if not text.strip()]
    if empty:
        raise ValueError(f"{empty[0]} is empty: name one, or leave it out")
    age = given.pop("older_than", None)
    return dict(given) if age is None else {**given, "older_than_seconds": seconds_of(age)}


def seconds_of(text: str, name: str = "older_than") -> float:
    """``90``, ``90s``, ``15m``, ``12h`` or ``7d`` in seconds; ValueError for anything else, given as *name*."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{name} is {text!r}; a number of seconds is allowed, or one with s, m, h or d (12h)")
    return float(found[1]) * _UNITS[found[2]]


def verdict_of(text: str | None) -> bool:
    """Whether an answer was right; ValueError for anything but ``right`` and ``wrong``."""
    if text not in VERDICTS:
        raise ValueError(f"verdict is {text!r}; right or wrong is allowed")
    return text == "right"


def described(entry: Entry, age_seconds: float) -> dict[str, Any]:
    """*entry* as JSON values, its payload aside; what can't be printed is a question mark."""
    return {
        "key": entry.key,
        "model": _printable(entry.model),
        "tenant": _printable(entry.tenant),
        "tags": [_printable(tag) for tag in entry.tags],
        "age_seconds": round(age_seconds, 1),
        "question": _printable(entry.question),
        "text": _printable(entry.text),
        "finish": entry.finish,
    }


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()

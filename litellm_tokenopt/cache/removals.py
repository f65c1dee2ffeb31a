"""What was removed lately, as a list in Redis tells it: so that no answer lands that was under way then."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from itertools import takewhile

from .stores import Entry, Selection

KEPT_REMOVALS = 1_000


def record_of(selection: Selection) -> str:
    """One removal as text, unlike any other."""
    return json.dumps([secrets.token_hex(8), asdict(selection)], separators=(",", ":"))


def meant(entry: Entry, records: Sequence[bytes], since: str) -> bool:
    """Whether *entry* was meant by one of the *records*, newest first, after *since* (empty: before all).

    Where *since* isn't among them any more, it may have been.
    """
    stamp = since.encode()
    new = list(takewhile(lambda record: record != stamp, records))
    lost = len(new) == len(records) and (since or len(records) >= KEPT_REMOVALS)
    return bool(lost) or any(_selection(record).means(entry) for record in new)


def _selection(record: bytes) -> Selection:
    _, conditions = json.loads(record)
    return Selection(**conditions)

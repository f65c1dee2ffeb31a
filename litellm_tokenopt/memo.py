"""A bounded memo that keeps what was used last; safe to use from threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(Generic[K, V]):
    """Maps content to what was computed from it, at most *max_entries* of them."""

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """The value of *key*, now the most recently used; None when there is none."""
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key]

    def get_all(self, keys: Sequence[K]) -> list[V | None]:
        """`get` for many *keys* at once."""
        with self._lock:
            entries = self._entries
            for key in keys:
                if key in entries:
                    entries.move_to_end(key)
            return [entries.get(key) for key in keys]

    def values(self) -> list[V]:
        """All that is remembered, as of now."""
        with self._lock:
            return list(self._entries.values())

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            if len(self._entries) > self._max_entries:
                self._entries.popitem(last=False)

    def pop(self, key: K) -> V | None:
        with self._lock:
            return self._entries.pop(key, None)

    def get_or(self, key: K, compute: Callable[[], V]) -> V:
        """The value of *key*, computed (outside the lock, perhaps twice) when it isn't there."""
        found = self.get(key)
        if found is None:
            found = compute()
            self.put(key, found)
        return found

"""Answers kept in this process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..request import canonical
from .stores import Entry, Hit, Holdings, Selection

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class _Kept:
    entry: Entry
    vector: NDArray[np.float32] | None
    expires: float
    note: str = ""


class MemoryAnswerStore:
    """An answer store in process: at most *max_entries*, least used first out. Safe to use from threads and loops.

    *clock* gives seconds.
    """

    def __init__(self, max_entries: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_entries = max_entries
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._shelves: dict[str, _Shelf] = {}
        self._lock = threading.Lock()

    async def get_exact(self, key: str) -> Entry | None:
        return self.peek(key)

    async def get_noted(self, key: str) -> Hit | None:
        with self._lock:
            entry = self._fresh(key)
            return None if entry is None else Hit(entry, 1.0, self._kept[key].note)

    async def search(self, scope: str, vector: NDArray[np.float32], k: int, threshold: float) -> list[Hit]:
        with self._lock:
            shelf = self._shelves.get(scope)
            ranked = shelf.ranked(vector, threshold) if shelf else []
            hits: list[Hit] = []
            for key, similarity in ranked:
                if len(hits) < k and (entry := self._fresh(key)) is not None:
                    hits.append(Hit(entry, similarity, self._kept[key].note))
            return hits

    def stamp(self, key: str) -> str:
        """`AnswerStore.stamp`; no other process removes anything."""
        return ""

    async def put(
        self, entry: Entry, vector: NDArray[np.float32] | None, ttl_seconds: float, since: str | None = None
    ) -> str:
        self.keep(entry, vector, ttl_seconds)
        return self.stamp(entry.key)

    async def note(self, key: str, change: Callable[[str], str]) -> str | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept.expires <= self._clock():
                return None
            self._kept[key] = noted = replace(kept, note=change(kept.note))
            return noted.note

    async def drop(self, key: str) -> None:
        with self._lock:
            self._remove(key)

    async def select(self, selection: Selection, limit: int) -> list[Entry]:
        found = sorted((kept.entry for kept in self._meant(selection)), key=lambda entry: -entry.created)
        return found[:limit]

    async def remove(self, selection: Selection) -> int:
        with self._lock:
            meant = [kept.entry.key for kept in self._live() if selection.holds(kept.entry)]
            for key in meant:
                self._remove(key)
        return len(meant)

    async def holdings(self) -> list[Holdings]:
        by_model: dict[str, list[_Kept]] = {}
        for kept in self._meant(Selection()):
            by_model.setdefault(kept.entry.model, []).append(kept)
        return [_held(model, of_model) for model, of_model in by_model.items()]

    async def health(self) -> Mapping[str, Any]:
        return {"store": "memory", "reachable": True, "entries": len(self._kept), "max_entries": self._max_entries}

    def peek(self, key: str) -> Entry | None:
        """`get_exact`, without a loop."""
        with self._lock:
            return self._fresh(key)

    def keep(self, entry: Entry, vector: NDArray[np.float32] | None, ttl_seconds: float) -> None:
        """`put`, without a loop: done when it returns."""
        with self._lock:
            self._remove(entry.key)
            self._kept[entry.key] = _Kept(entry, vector, self._clock() + ttl_seconds)
            if vector is not None:
                self._shelves.setdefault(entry.scope, _Shelf(len(vector))).add(entry.key, vector)
            while len(self._kept) > self._max_entries:
                self._remove(next(iter(self._kept)))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
            self._shelves.clear()

    def _meant(self, selection: Selection) -> list[_Kept]:
        with self._lock:
            return [kept for kept in self._live() if selection.holds(kept.entry)]

    def _live(self) -> Iterable[_Kept]:
        now = self._clock()
        return (kept for kept in self._kept.values() if kept.expires > now)

    def _fresh(self, key: str) -> Entry | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.expires <= self._clock():
            self._remove(key)
            return None
        self._kept.move_to_end(key)
        return kept.entry

    def _remove(self, key: str) -> None:
        kept = self._kept.pop(key, None)
        if kept is None or kept.vector is None:
            return
        shelf = self._shelves[kept.entry.scope]
        shelf.remove(key)
        if not shelf.keys:
            del self._shelves[kept.entry.scope]


def _held(model: str, kept: list[_Kept]) -> Holdings:
    created = [one.entry.created for one in kept]
    size = sum(map(_size, kept))
    return Holdings(model=model, entries=len(kept), bytes=size, oldest=min(created), newest=max(created))


def _size(kept: _Kept) -> int:
    """About how many bytes an entry is; text is counted in characters."""
    entry = kept.entry
    vector = 0 if kept.vector is None else kept.vector.nbytes
    return len(entry.question) + len(entry.text) + len(canonical(entry.payload)) + vector


class _Shelf:
    """The vectors of one scope, as rows of one growing matrix; a removed row is filled with the last."""

    def __init__(self, dimensions: int) -> None:
        import numpy as np

        self.keys: list[str] = []
        self._rows: dict[str, int] = {}
        self._matrix = np.zeros((4, dimensions), dtype=np.float32)

    def add(self, key: str, vector: NDArray[np.float32]) -> None:
        import numpy as np

        row = len(self.keys)
        if row == len(self._matrix):
            self._matrix = np.concatenate([self._matrix, np.zeros_like(self._matrix)])
        self._matrix[row] = vector
        self._rows[key] = row
        self.keys.append(key)

    def remove(self, key: str) -> None:
        row, last = self._rows.pop(key), self.keys.pop()
        if last != key:
            self._matrix[row] = self._matrix[len(self.keys)]
            self.keys[row], self._rows[last] = last, row

    def ranked(self, vector: NDArray[np.float32], threshold: float) -> list[tuple[str, float]]:
        """(key, cosine) of every row at *threshold* or above, nearest first; ties by key."""
        if len(vector) != self._matrix.shape[1]:
            return []
        import numpy as np

        # Not `@`: BLAS starts its threads for this, and they wait for each other on a busy machine (20 ms for 1).
        cosines = np.einsum("ij,j->i", self._matrix[: len(self.keys)], vector)
        found = [(self.keys[row], float(cosines[row])) for row in (cosines >= threshold).nonzero()[0]]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))

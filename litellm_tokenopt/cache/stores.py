"""What a store of answers offers, and what is kept in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A stored answer: `payload` is the surface's JSON, `created` in Unix seconds, `question` as it was asked.

    `text` and `finish` are the reply's, so that it can be given again as it came. `situation` is what earlier turns
    established (`situation.pack`), where that must be compared.
    """

    key: str
    scope: str
    question: str
    payload: Mapping[str, Any]
    text: str
    finish: str | None
    created: float
    model: str
    situation: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry whose question is like the one asked; `similarity` is the vectors' cosine."""

    entry: Entry
    similarity: float


class AnswerStore(Protocol):
    """Keeps answers, each for its time to live, which a hit does not lengthen.

    Every method but `health` raises `UnavailableError` when the store can't be reached.
    """

    async def get_exact(self, key: str) -> Entry | None:
        """The entry stored under *key*."""
        ...

    async def search(self, scope: str, vector: NDArray[np.float32], k: int, threshold: float) -> list[Hit]:
        """At most *k* entries of *scope* with a cosine of at least *threshold* to the unit *vector*, nearest first."""
        ...

    async def put(self, entry: Entry, vector: NDArray[np.float32] | None, ttl_seconds: float) -> None:
        """Store *entry* for *ttl_seconds*, in place of one with its key. Without *vector*, `search` won't find it."""
        ...

    async def drop(self, key: str) -> None:
        """Remove the entry under *key*, if there is one."""
        ...

    async def health(self) -> Mapping[str, Any]:
        """How the store does, for people; always ``store`` and ``reachable``. Never raises for one out of reach."""
        ...

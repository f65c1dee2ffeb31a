"""What was embedded once is not embedded again: a memo in process, and one that workers share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import UnavailableError
from ..memo import Memo
from ..request import digest
from .base import Embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

TEXTS_PER_TASK = 128
"""Texts that are embedded, and remembered, together: the more, the fuller the batches of one width."""


class VectorStore(Protocol):
    """Vectors as bytes, by key, shared between processes. May raise `UnavailableError`."""

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The value of each key, None where there is none."""
        ...

    async def put_many(self, items: Mapping[str, bytes]) -> None: ...


class MemoisedEmbedder:
    """An embedder that remembers vectors by content: at most *memo_entries* in process, and in *shared*.

    Identical texts of one call are embedded once. Without its shared store it works on. A single new text of less than
    *shared_chars* is not shared: a question that is asked once, and embedded in the time of the two ways to the store.
    """

    def __init__(
        self, inner: Embedder, memo_entries: int, shared: VectorStore | None = None, *, shared_chars: int = 0
    ) -> None:
        self.inner = inner
        self._memo: Memo[str, NDArray[np.float32]] = Memo(memo_entries)
        self._shared = shared
        self._shared_chars = shared_chars
        self._shared_works = True
        self._pending: dict[str, asyncio.Task[dict[str, NDArray[np.float32]]]] = {}

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def dimensions(self) -> int:
        return self.inner.dimensions

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of *texts*, shape (len(texts), dimensions). Raises `ModelUnavailable`."""
        import numpy as np

        if not texts:
            return await self.inner.embed(texts)
        keys = [digest(text) for text in texts]
        known = {key: row for key in keys if (row := self._memo.get(key)) is not None}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            known |= await self._find_once(missing)
        return np.stack([known[key] for key in keys])

    def close(self) -> None:
        """`Embedder.close`; what was embedded stays known."""
        self.inner.close()

    async def _find_once(self, missing: dict[str, str]) -> dict[str, NDArray[np.float32]]:
        """`_find`, but what is under way already is waited for, and a caller that gives up loses nothing.

        A request has little time, and the first sight of a long prompt takes more: the next one must find it done.
        """
        fresh = {key: text for key, text in missing.items() if key not in self._pending}
        items = list(fresh.items())
        for start in range(0, len(items), TEXTS_PER_TASK):
            batch = dict(items[start : start + TEXTS_PER_TASK])
            task = asyncio.ensure_future(self._find(batch))
            task.add_done_callback(partial(self._forget, tuple(batch)))
            self._pending.update(dict.fromkeys(batch, task))
        tasks = {self._pending[key] for key in missing}
        found: dict[str, NDArray[np.float32]] = {}
        for task in tasks:
            found |= await asyncio.shield(task)
        return found

    def _forget(self, keys: tuple[str, ...], task: asyncio.Task[Any]) -> None:
        for key in keys:
            self._pending.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever waited has raised it; nobody else needs to

    async def _find(self, missing: dict[str, str]) -> dict[str, NDArray[np.float32]]:
        """The vectors of *missing* texts, from the shared store or the model, now in the memo."""
        worth = len(missing) > 1 or any(len(text) >= self._shared_chars for text in missing.values())
        found = await self._recall(list(missing)) if worth else {}
        rest = {key: text for key, text in missing.items() if key not in found}
        if rest:
            rows = await self.inner.embed(list(rest.values()))
            computed = {key: row.copy() for key, row in zip(rest, rows, strict=True)}
            if worth:
                await self._share(computed)
            found |= computed
        for key, row in found.items():
            row.flags.writeable = False
            self._memo.put(key, row)
        return found

    async def _recall(self, keys: list[str]) -> dict[str, NDArray[np.float32]]:
        if self._shared is None:
            return {}
        try:
            stored = await self._shared.get_many([self._shared_key(key) for key in keys])
        except UnavailableError as error:
            self._note_failure(error)
            return {}
        self._shared_works = True
        rows = zip(keys, map(_decode, stored), strict=True)
        return {key: row for key, row in rows if row is not None}

    async def _share(self, computed: dict[str, NDArray[np.float32]]) -> None:
        if self._shared is None or not self._shared_works:
            return
        try:
            await self._shared.put_many({self._shared_key(key): _encode(row) for key, row in computed.items()})
        except UnavailableError as error:
            self._note_failure(error)

    def _shared_key(self, key: str) -> str:
        return f"{self.name}:{key}"

    def _note_failure(self, error: UnavailableError) -> None:
        if self._shared_works:
            logger.warning("embeddings are not shared between processes for now: %s", error)
        self._shared_works = False


def _encode(row: Any) -> bytes:
    return bytes(row.astype("<f4").tobytes())


def _decode(data: bytes | None) -> NDArray[np.float32] | None:
    """The vector in *data*; None unless it is a unit vector, whatever else may be under that key."""
    import numpy as np

    if not data or len(data) % 4:
        return None
    row = np.frombuffer(data, "<f4").astype(np.float32)
    size = float(np.linalg.norm(row.astype(np.float64)))
    return row if abs(size - 1) < 1e-3 else None

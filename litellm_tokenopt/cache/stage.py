"""The stage that answers repeated questions."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UnavailableError
from ..models.base import Embedder
from ..request import ChatRequest, Reply
from ..settings import CacheSettings
from ..stage import Answer, Detail, Keep, Verdict
from .cacheable import lookup_refusal, reply_refusal
from .normalise import normalise
from .scope import Scope, entry_key, scope_of
from .stores import AnswerStore, Entry, Hit
from .veto import veto

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

CANDIDATES = 5
SIMILAR_MAX_CHARS = 1_000
"""Longer questions are answered by their exact repeats alone: an embedder reads no more than about this much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreReply:
    """The follow-up of a miss: keeps the model's reply under the question that it answers.

    `vector` is the question's where that's known; None and `similar` has it made when the reply is there.
    """

    store: AnswerStore
    embedder: Embedder
    scope: str
    key: str
    question: str
    model: str
    ttl_seconds: float
    max_answer_bytes: int
    similar: bool
    vector: NDArray[np.float32] | None
    clock: Callable[[], float]

    async def __call__(self, reply: Reply) -> None:
        refusal = reply_refusal(reply, self.max_answer_bytes)
        if refusal is not None:
            logger.debug("reply not stored: %s", refusal)
            return
        try:
            await self.store.put(self._entry(reply), await self._vector(), self.ttl_seconds)
        except UnavailableError as error:
            logger.debug("reply not stored: %s", error)

    def _entry(self, reply: Reply) -> Entry:
        return Entry(
            key=self.key, scope=self.scope, question=self.question, payload=reply.payload, text=reply.text,
            finish=reply.finish, created=self.clock(), model=self.model,
        )  # fmt: skip

    async def _vector(self) -> NDArray[np.float32] | None:
        if self.vector is not None or not self.similar:
            return self.vector
        try:
            vectors = await self.embedder.embed([normalise(self.question)])
        except UnavailableError:
            return None
        vector: NDArray[np.float32] = vectors[0]
        return vector


class CacheStage:
    """Answers a question that was answered before; else has the model's reply stored.

    Reasons: ``exact`` and ``semantic`` for answers; ``miss``, ``veto:…`` and ``skip:…`` for requests that go on.
    *clock* gives Unix seconds.
    """

    name = "cache"

    def __init__(
        self, settings: CacheSettings, store: AnswerStore, embedder: Embedder, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._store = store
        self._embedder = embedder
        self._clock = clock
        self._failing = False

    async def __call__(self, request: ChatRequest) -> Verdict:
        refusal = lookup_refusal(request)
        if refusal is not None:
            return Keep(f"skip:{refusal}")
        scope = scope_of(request, self._settings, self._embedder.name)
        if request.controls.no_cache:
            return Keep("skip:no_cache", then=self._storing(request, scope, None))
        try:
            return await self._looked_up(request, scope)
        except UnavailableError as error:
            self._failed(error)
            return Keep("miss", then=self._storing(request, scope, None), detail={"error": type(error).__name__})

    async def _looked_up(self, request: ChatRequest, scope: Scope) -> Verdict:
        entry = await self._store.get_exact(self._key(scope))
        if entry is not None and self._young(entry, request):
            return self._answer(entry, "exact")
        if not self._may_be_similar(scope):
            return Keep("miss", then=self._storing(request, scope, None))
        vector = (await self._embedder.embed([normalise(scope.question)]))[0]
        hits = await self._store.search(scope.id, vector, CANDIDATES, self._settings.threshold)
        self._failing = False
        return self._chosen([hit for hit in hits if self._young(hit.entry, request)], request, scope, vector)

    def _chosen(self, hits: Sequence[Hit], request: ChatRequest, scope: Scope, vector: NDArray[np.float32]) -> Verdict:
        """The nearest answer that no veto stops; else the first veto, or a miss."""
        reason = "miss"
        detail: Detail = {}
        for hit in hits:
            objection = veto(scope.question, hit.entry.question)
            if objection is None:
                return self._answer(hit.entry, "semantic", hit.similarity)
            if reason == "miss":
                reason, detail = f"veto:{objection}", {"similarity": round(hit.similarity, 4)}
        return Keep(reason, then=self._storing(request, scope, vector), detail=detail)

    def _answer(self, entry: Entry, reason: str, similarity: float = 1.0) -> Answer:
        detail = {"similarity": round(similarity, 4), "age_seconds": round(self._age(entry), 3)}
        reply = Reply(text=entry.text, finish=entry.finish, has_tool_calls=False, payload=entry.payload)
        return Answer(reply, reason, detail)

    def _storing(self, request: ChatRequest, scope: Scope, vector: NDArray[np.float32] | None) -> StoreReply | None:
        controls = request.controls
        ttl_seconds = self._settings.ttl_seconds if controls.ttl_seconds is None else controls.ttl_seconds
        if controls.no_store or ttl_seconds <= 0:
            return None
        return StoreReply(
            store=self._store, embedder=self._embedder, scope=scope.id, key=self._key(scope), question=scope.question,
            model=request.model, ttl_seconds=ttl_seconds, max_answer_bytes=self._settings.max_answer_bytes,
            similar=self._may_be_similar(scope), vector=vector, clock=self._clock,
        )  # fmt: skip

    def _key(self, scope: Scope) -> str:
        literal = self._settings.max_wrong_rate == 0
        return entry_key(scope, scope.question if literal else normalise(scope.question))

    def _may_be_similar(self, scope: Scope) -> bool:
        return scope.similar and self._settings.max_wrong_rate > 0 and len(scope.question) <= SIMILAR_MAX_CHARS

    def _young(self, entry: Entry, request: ChatRequest) -> bool:
        limit = request.controls.max_age_seconds
        return limit is None or self._age(entry) <= limit

    def _age(self, entry: Entry) -> float:
        return max(0.0, self._clock() - entry.created)

    def _failed(self, error: UnavailableError) -> None:
        if not self._failing:
            logger.warning("the answer cache is left out for now: %s", error)
        self._failing = True

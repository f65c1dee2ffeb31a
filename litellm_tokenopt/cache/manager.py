"""The answer cache itself: look a question up, store an answer, and decide which answers may be shared."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import UnavailableError
from ..models.base import Embedder
from ..request import Reply
from ..settings import CacheSettings
from .normalise import normalise
from .scope import entry_key
from .stores import AnswerStore, Entry, Hit
from .verifier import RuleVerifier, Verifier

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

CANDIDATES = 5
SITUATED_CANDIDATES = 20
"""Short questions that lean on their situation ("how much?") are alike in many."""
SIMILAR_MAX_CHARS = 1_000
"""Longer questions are answered by their exact repeats alone: an embedder reads no more than about this much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What `check` found. `entry` is None for a miss; `reason` is one of few words.

    exact and semantic for hits; miss, ``veto:…`` and unverified for misses. `similarity` is the cosine with the
    nearest question that was compared, `confidence` the verifier's probability that both ask the same (None where it
    wasn't asked). `vector` is
    the question's, where it was made.
    """

    reason: str
    entry: Entry | None = None
    similarity: float = 0.0
    confidence: float | None = None
    vector: NDArray[np.float32] | None = None


class SemanticCacheManager:
    """Answers by question, within scopes that share nothing.

    `check` and `store` take a question and the scope it was asked in: a text that must be equal before two questions
    may share an answer (tenant, model, system prompt, …). *clock* gives Unix seconds.
    """

    def __init__(
        self,
        settings: CacheSettings,
        store: AnswerStore,
        embedder: Embedder,
        verifier: Verifier | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.answers = store
        self.embedder = embedder
        self._verifier = verifier or RuleVerifier()
        self._clock = clock

    async def check(
        self, question: str, *, scope: str = "", similar: bool = True, max_age_seconds: float | None = None
    ) -> Lookup:
        """The answer to *question*, or to one that asks the same, not older than *max_age_seconds*.

        Without *similar* only the literal repeat is looked up. Raises `UnavailableError` where a model or store that
        is needed can't be had.
        """
        entry = await self.answers.get_exact(self.key(question, scope))
        if entry is not None and self._young(entry, max_age_seconds):
            return Lookup(reason="exact", entry=entry, similarity=1.0)
        if not similar:
            return Lookup(reason="miss")
        return await self.similar(question, scope=scope, max_age_seconds=max_age_seconds)

    async def similar(
        self,
        question: str,
        *,
        scope: str = "",
        max_age_seconds: float | None = None,
        accepts: Callable[[Entry], Awaitable[bool]] | None = None,
    ) -> Lookup:
        """The answer to a question that asks the same as *question*, of the entries that *accepts* agrees to.

        Raises `UnavailableError`.
        """
        if not self.may_be_similar(question):
            return Lookup(reason="miss")
        vector = (await self.embedder.embed([normalise(question)]))[0]
        candidates = CANDIDATES if accepts is None else SITUATED_CANDIDATES
        hits = await self.answers.search(scope, vector, candidates, self.settings.threshold)
        young = [hit for hit in hits if self._young(hit.entry, max_age_seconds)]
        return await self._chosen(question, young, vector, accepts)

    async def store(
        self,
        question: str,
        reply: Reply | str,
        *,
        scope: str = "",
        similar: bool = True,
        ttl_seconds: float | None = None,
        model: str = "",
        vector: NDArray[np.float32] | None = None,
        key: str | None = None,
        situation: str = "",
    ) -> str:
        """Keep *reply* as the answer to *question* for *ttl_seconds* (the setting's where None); returns its key.

        *vector* is the question's, where that's known; *key* is one to find it under that isn't its own, *situation*
        what `similar` may have to compare. Raises `UnavailableError`.
        """
        if isinstance(reply, str):
            reply = Reply(text=reply, finish="stop", has_tool_calls=False, payload={"text": reply})
        entry = Entry(
            key=key or self.key(question, scope), scope=scope, question=question, payload=reply.payload,
            text=reply.text, finish=reply.finish, created=self._clock(), model=model, situation=situation,
        )  # fmt: skip
        if vector is None and similar and self.may_be_similar(question):
            vector = await self._vector(question)
        await self.answers.put(entry, vector, self.settings.ttl_seconds if ttl_seconds is None else ttl_seconds)
        return entry.key

    async def invalidate(self, key: str) -> None:
        """Remove the entry under *key*. Raises `UnavailableError`."""
        await self.answers.drop(key)

    async def health(self) -> Mapping[str, Any]:
        """How the store does; never raises for one out of reach."""
        return await self.answers.health()

    def key(self, question: str, scope: str) -> str:
        """The key of the answer to *question* within *scope*: equal for what is typed differently at most."""
        return entry_key(scope, question if self.settings.max_wrong_rate == 0 else normalise(question))

    def may_be_similar(self, question: str) -> bool:
        """Whether *question* may be answered by what answered another one."""
        return self.settings.max_wrong_rate > 0 and len(question) <= SIMILAR_MAX_CHARS

    def age(self, entry: Entry) -> float:
        """Seconds since *entry* was stored."""
        return max(0.0, self._clock() - entry.created)

    async def _chosen(
        self,
        question: str,
        hits: Sequence[Hit],
        vector: NDArray[np.float32],
        accepts: Callable[[Entry], Awaitable[bool]] | None,
    ) -> Lookup:
        """The nearest answer that nothing speaks against; else why the nearest one was refused."""
        refused: Lookup | None = None
        for hit in hits:
            if accepts is None or await accepts(hit.entry):
                found = await self._judged(question, hit, vector)
            else:
                found = Lookup(reason="veto:situation", similarity=hit.similarity, vector=vector)
            if found.entry is not None:
                return found
            refused = refused or found
        return refused or Lookup(reason="miss", vector=vector)

    async def _judged(self, question: str, hit: Hit, vector: NDArray[np.float32]) -> Lookup:
        judged = await self._verifier.judge(question, hit.entry.question)
        return Lookup(
            reason=judged.objection or "semantic",
            entry=None if judged.objection else hit.entry,
            similarity=hit.similarity,
            confidence=judged.confidence,
            vector=vector,
        )

    async def _vector(self, question: str) -> NDArray[np.float32] | None:
        try:
            vectors = await self.embedder.embed([normalise(question)])
        except UnavailableError:
            return None
        vector: NDArray[np.float32] = vectors[0]
        return vector

    def _young(self, entry: Entry, max_age_seconds: float | None) -> bool:
        return max_age_seconds is None or self.age(entry) <= max_age_seconds

"""The stage: answer repeated questions from the cache, and keep the answers of new ones."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ..errors import UnavailableError
from ..request import ChatRequest, Reply
from ..saying import Sayings
from ..stage import Answer, Keep, Verdict
from .cacheable import lookup_refusal
from .conversations import Conversation, Conversations
from .flights import Flights
from .labels import tenant_label
from .manager import Lookup, SemanticCacheManager
from .scope import Scope, scope_of
from .sharing import Turn
from .stores import Entry
from .storing import StoreReply

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)


class CacheStage:
    """Answers a question that was answered before; else has the model's reply stored.

    Reasons: ``exact``, ``semantic`` and ``shared`` (*flights*: somebody else was asking at the same time) for answers;
    ``miss``, ``veto:…`` and ``skip:…`` for requests that go on, and ``error:timeout`` where no like question was found
    within *similar_seconds* (a model may have to be loaded). The literal repeat has the store's own time, and the
    reply is stored in any case.
    """

    name = "cache"

    def __init__(
        self, manager: SemanticCacheManager, flights: Flights | None = None, *, similar_seconds: float | None = None
    ) -> None:
        self._manager = manager
        self._flights = flights
        self._similar_seconds = similar_seconds
        self._say = Sayings(logger)
        self._conversations = Conversations(manager)
        self._failing = False

    async def __call__(self, request: ChatRequest) -> Verdict:
        refusal = lookup_refusal(request)
        if refusal is not None:
            return Keep(f"skip:{refusal}")
        scope = scope_of(request, self._manager.settings, self._manager.embedder.name)
        conversation = self._conversations.read(request, scope)
        storing = partial(self._storing, request, scope, conversation)
        if request.controls.no_cache:
            return Keep("skip:no_cache", then=storing(None))
        try:
            found = await self._found(scope, conversation, request.controls.max_age_seconds)
        except UnavailableError as error:
            self._failed(error)
            return Keep("miss", then=storing(None), detail={"error": type(error).__name__})
        self._failing = self._failing and found.vector is None
        if found.entry is not None:
            return _answer(self._manager, found.entry, found)
        detail = {"similarity": round(found.similarity, 4)} if found.reason != "miss" else {}
        keeping = storing(found.vector)
        miss = Keep(found.reason, then=keeping, detail=detail)
        if self._flights is None:
            return miss
        turn = Turn(
            flights=self._flights, key=self._manager.key(scope.question, scope.id), miss=miss, storing=keeping,
            stored=partial(self._stored, scope, request.controls.max_age_seconds),
        )  # fmt: skip
        return await turn.decision()

    async def _stored(self, scope: Scope, max_age_seconds: float | None) -> Answer | None:
        """The answer to the very same request that somebody has got in the meantime."""
        try:
            found = await self._manager.check(
                scope.question, scope=scope.id, similar=False, max_age_seconds=max_age_seconds
            )
        except UnavailableError:
            return None
        return None if found.entry is None else _answer(self._manager, found.entry, replace(found, reason="shared"))

    async def _found(self, scope: Scope, conversation: Conversation | None, max_age_seconds: float | None) -> Lookup:
        found = await self._manager.exact(scope.question, scope=scope.id, max_age_seconds=max_age_seconds)
        if found.entry is not None or not scope.similar:
            return found
        clock = asyncio.timeout(self._similar_seconds)
        try:
            async with clock:
                return await self._like(scope, conversation, max_age_seconds)
        except TimeoutError:
            if not clock.expired():
                raise
            self._say("timeout", "no time to look for questions alike; said once, counted each time")
            return Lookup(reason="error:timeout")

    async def _like(self, scope: Scope, conversation: Conversation | None, max_age_seconds: float | None) -> Lookup:
        if conversation is not None:
            return await self._conversations.check(conversation, max_age_seconds=max_age_seconds)
        return await self._manager.similar(scope.question, scope=scope.id, max_age_seconds=max_age_seconds)

    def _storing(
        self,
        request: ChatRequest,
        scope: Scope,
        conversation: Conversation | None,
        vector: NDArray[np.float32] | None,
    ) -> StoreReply | None:
        controls = request.controls
        ttl_seconds = self._manager.settings.ttl_seconds if controls.ttl_seconds is None else controls.ttl_seconds
        if controls.no_store or ttl_seconds <= 0:
            return None
        return StoreReply(
            manager=self._manager, conversations=self._conversations, scope=scope, conversation=conversation,
            model=request.model, tenant=tenant_label(request.tenant), tags=controls.tags, ttl_seconds=ttl_seconds,
            vector=vector,
        )  # fmt: skip

    def _failed(self, error: UnavailableError) -> None:
        if not self._failing:
            logger.warning("the answer cache is left out for now: %s", error)
        self._failing = True


def _answer(manager: SemanticCacheManager, entry: Entry, found: Lookup) -> Answer:
    detail = {"similarity": round(found.similarity, 4), "age_seconds": round(manager.age(entry), 3)}
    reply = Reply(text=entry.text, finish=entry.finish, has_tool_calls=False, payload=entry.payload)
    return Answer(reply, found.reason, detail)

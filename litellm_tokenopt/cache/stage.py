"""The stage: answer repeated questions from the cache, and keep the answers of new ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from ..errors import UnavailableError
from ..request import ChatRequest, Reply
from ..savings import MODEL_SECONDS
from ..saying import Sayings
from ..stage import Answer, Detail, Followup, Keep, Verdict
from .cacheable import lookup_refusal, seconds_kept
from .conversations import Conversation, Conversations
from .flights import Flights
from .kinds import Kind
from .labels import tenant_label
from .manager import Lookup, SemanticCacheManager
from .scope import Scope, scope_of
from .second_look import CheckHit, SecondLooks
from .sharing import Turn
from .sorting import Sorter
from .stores import Entry
from .storing import StoreReply
from .turns import Turns

logger = logging.getLogger(__name__)

SIMILAR_AT_ONCE = 8
"""Look-ups of like questions at once: of a crowd the first are done in time then, where all together would be late."""
HOSTED_AT_ONCE = 64
"""The same where vectors come from an API, whose time is spent waiting."""

Storing: TypeAlias = Callable[[Lookup], StoreReply | None]


class CacheStage:
    """Answers a question that was answered before; else has the model's reply stored.

    Reasons: ``exact``, ``semantic`` and ``shared`` (*flights*: somebody else was asking at the same time) for answers;
    ``miss``, ``veto:…`` and ``skip:…`` for requests that go on, and ``error:timeout`` where neither the question nor
    one like it was found within *similar_seconds* (a model may have to be loaded, many may ask at once). Such a
    request is a miss as others are: it waits for identical ones, and its reply is stored.
    """

    name = "cache"

    def __init__(
        self,
        manager: SemanticCacheManager,
        flights: Flights | None = None,
        looks: SecondLooks | None = None,
        *,
        similar_seconds: float | None = None,
        similar_at_once: int = SIMILAR_AT_ONCE,
    ) -> None:
        self._manager = manager
        self._flights = flights
        self._looks = looks
        self._similar_seconds = similar_seconds
        self._say = Sayings(logger)
        self._conversations = Conversations(manager)
        self._sorter = Sorter(manager.embedder)
        self._turns = Turns(similar_at_once)
        self._failing = False

    async def __call__(self, request: ChatRequest) -> Verdict:
        refusal = lookup_refusal(request, self._manager.settings)
        if refusal is not None:
            return Keep(f"skip:{refusal}")
        scope = scope_of(request, self._manager.settings, self._manager.embedder.name)
        conversation = self._conversations.read(request, scope)
        storing = partial(self._storing, request, scope, conversation)
        if request.controls.no_cache:
            return Keep("skip:no_cache", then=storing(Lookup(reason="miss")))
        try:
            found = await self._found(request, scope, conversation)
        except UnavailableError as error:
            self._failed(error)
            return Keep("miss", then=storing(Lookup(reason="miss")), detail={"error": type(error).__name__})
        self._failing = self._failing and found.vector is None
        if found.entry is not None:
            return _answer(self._manager, found.entry, found, self._check(found, scope, storing))
        if found.kind is not None and self._kept(request, found.kind) <= 0:
            return Keep(f"skip:{found.kind}")
        detail = {"similarity": round(found.similarity, 4)} if found.reason != "miss" else {}
        keeping = self._looking(found, scope, storing(found))
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
        if found.entry is None:
            return None
        return _answer(self._manager, found.entry, replace(found, reason="shared"), None)

    async def _found(self, request: ChatRequest, scope: Scope, conversation: Conversation | None) -> Lookup:
        age, now = request.controls.max_age_seconds, asyncio.get_running_loop().time
        until = None if self._similar_seconds is None else now() + self._similar_seconds
        clock = asyncio.timeout_at(until)
        try:
            async with clock:
                found = await self._manager.exact(scope.question, scope=scope.id, max_age_seconds=age)
                if found.entry is not None or not scope.similar:
                    return found
                async with self._turns.turn():
                    kind = await self._sorter.kind_of_last(request.messages)
                    if self._kept(request, kind) <= 0:
                        return replace(found, kind=kind)
                    # A personal question is about its very conversation.
                    matched = None if kind == "personal" else conversation
                    return replace(await self._like(scope, matched, age), kind=kind)
        except TimeoutError:
            if not clock.expired():
                raise
            self._say("timeout", "no time to look a question up; said once, counted each time")
            return Lookup(reason="error:timeout")

    async def _like(self, scope: Scope, conversation: Conversation | None, max_age_seconds: float | None) -> Lookup:
        if conversation is not None:
            return await self._conversations.check(conversation, max_age_seconds=max_age_seconds)
        return await self._manager.similar(scope.question, scope=scope.id, max_age_seconds=max_age_seconds)

    def _kept(self, request: ChatRequest, kind: Kind) -> float:
        return seconds_kept(kind, request.controls, self._manager.settings)

    def _check(self, found: Lookup, scope: Scope, storing: Storing) -> CheckHit | None:
        if self._looks is None:
            return None
        return self._looks.of_hit(found, scope.question, storing(found))

    def _looking(self, found: Lookup, scope: Scope, keeping: StoreReply | None) -> StoreReply | None:
        """*keeping*, with a second look at what was refused."""
        if self._looks is None or found.near is None:
            return keeping
        self._looks.judge(found, scope.question)
        return keeping and replace(keeping, look=self._looks.of_miss(found, scope.question))

    def _storing(
        self, request: ChatRequest, scope: Scope, conversation: Conversation | None, found: Lookup
    ) -> StoreReply | None:
        controls = request.controls
        if controls.no_store or controls.ttl_seconds == 0 or (found.kind and self._kept(request, found.kind) <= 0):
            return None
        return StoreReply(
            manager=self._manager, conversations=self._conversations, sorter=self._sorter, request=request,
            scope=scope, conversation=conversation, tenant=tenant_label(request.tenant), kind=found.kind,
            vector=found.vector, since=self._manager.since(scope.id),
        )  # fmt: skip

    def _failed(self, error: UnavailableError) -> None:
        if not self._failing:
            logger.warning("questions are answered by their literal repeats alone for now: %s", error)
        self._failing = True


def _answer(manager: SemanticCacheManager, entry: Entry, found: Lookup, then: Followup | None) -> Answer:
    detail: Detail = {
        "similarity": round(found.similarity, 4), "age_seconds": round(manager.age(entry), 3), "key": entry.key,
    }  # fmt: skip
    if entry.seconds:
        detail = {**detail, MODEL_SECONDS: round(entry.seconds, 3)}
    reply = Reply(text=entry.text, finish=entry.finish, has_tool_calls=False, payload=entry.payload)
    return Answer(reply, found.reason, detail, then)

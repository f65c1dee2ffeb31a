"""The second half of a miss: keep the model's reply."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..errors import UnavailableError
from ..request import ChatRequest, Reply
from .cacheable import reply_refusal, seconds_kept
from .conversations import Conversation, Conversations
from .counting import with_usage
from .flights import Ending, Flight
from .kinds import Kind
from .manager import SemanticCacheManager
from .scope import Scope
from .sorting import Sorter
from .stores import Since

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreReply:
    """The follow-up of a miss: keeps the model's reply under the question that it answers, and ends its `flight`.

    `kind` is the question's, if there was time to tell; `begun` when the request went on to the model, `since` which
    removals were known then. `look` sees the reply then.
    """

    manager: SemanticCacheManager
    conversations: Conversations
    sorter: Sorter
    request: ChatRequest
    scope: Scope
    conversation: Conversation | None
    tenant: str
    kind: Kind | None
    vector: NDArray[np.float32] | None
    since: Since
    flight: Flight | None = None
    look: Callable[[Reply], None] | None = None
    begun: float = field(default_factory=perf_counter)

    async def __call__(self, reply: Reply) -> str:
        ending: Ending = "refused"
        try:
            result = await self._result(reply)
            ending = "stored" if result == "stored" else "refused"
        finally:
            self._ended(ending)
        if self.look is not None:
            self.look(reply)
        return result

    def abandon(self) -> None:
        self._ended("lost")

    def _ended(self, ending: Ending) -> None:
        if self.flight is not None:
            self.flight.ended(ending)

    async def _result(self, reply: Reply) -> str:
        refusal = reply_refusal(reply, self.manager.settings.max_answer_bytes)
        if refusal is not None:
            return f"skip:{refusal}"
        kind = self.kind or await self.sorter.kind_of_last(self.request.messages)
        seconds = seconds_kept(kind, self.request.controls, self.manager.settings)
        if seconds <= 0:
            return f"skip:{kind}"
        try:
            await self._store(reply, kind, seconds)
        except UnavailableError as error:
            logger.debug("reply not stored: %s", error)
            return f"error:{type(error).__name__}"
        return "stored"

    async def _store(self, reply: Reply, kind: Kind, seconds: float) -> None:
        options: dict[str, Any] = {
            "ttl_seconds": seconds, "model": self.request.model, "tenant": self.tenant,
            "tags": self.request.controls.tags, "vector": self.vector,
            "seconds": perf_counter() - self.begun, "since": self.since,
        }  # fmt: skip
        reply = await with_usage(self.request, reply)
        if self.conversation is not None and kind != "personal":
            await self.conversations.store(self.conversation, reply, options)
            return
        scope = self.scope
        await self.manager.store(scope.question, reply, scope=scope.id, similar=scope.similar, **options)

"""The store of answers, the verifier and the single flight that the settings ask for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ..asking import AskModel
from ..background import Background
from ..models.base import Embedder
from ..models.build import build_pair_model
from ..models.pairs import calibration
from ..redis.locks import RedisLocks
from ..redis.pool import RedisPool
from ..settings import CacheSettings, Settings
from .agreement import AnswerComparer
from .flights import Flights
from .judge import Judge
from .learner import Learner, Tell
from .memory import MemoryAnswerStore
from .packing import Packer
from .scope import FORMAT_VERSION
from .second_look import SecondLooks
from .shared_text import RedisText
from .stores import AnswerStore
from .verifier import PairVerifier, RuleVerifier, Verifier


def build_store(settings: Settings, pool: RedisPool, embedder: Embedder) -> AnswerStore:
    """Redis with this process's memory in front of it, or memory alone where *pool* has no Redis. Connects nowhere."""
    memory = MemoryAnswerStore(settings.cache.max_entries_in_process)
    if not pool.enabled:
        return memory
    from .redisvl_store import RedisAnswerStore
    from .tiered import TieredAnswerStore

    key = settings.cache.encryption_key
    packer = Packer(None if key is None else key.get_secret_value())
    shared = RedisAnswerStore(
        pool,
        settings.redis.prefix,
        embedder.name,
        packer=packer,
        index=settings.cache.index,
        max_entries=settings.cache.max_entries,
    )
    return TieredAnswerStore(memory, shared)


def build_verifier(settings: Settings) -> Verifier:
    """The trained verifier, or the rules alone where that is set or the model's packages are missing."""
    model = build_pair_model(settings.embedder) if settings.cache.verifier == "auto" else None
    if model is None:
        return RuleVerifier()
    return PairVerifier(model, calibration(), settings.cache.max_wrong_rate)


def build_flights(settings: Settings, pool: RedisPool) -> Flights | None:
    """Single flight, with other processes where *pool* has a Redis; None where it's off, or nothing is answered."""
    seconds = settings.cache.single_flight_seconds
    if seconds == 0 or settings.mode != "on":
        return None
    return Flights(seconds, RedisLocks(pool, f"{settings.redis.prefix}:flight:") if pool.enabled else None)


CHORES_PER_MINUTE = 600


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who hears of what goes on in the background: outcomes of checks, the judge's tokens, and errors."""

    outcome: Tell
    tokens: Callable[[int], None]
    error: Callable[[BaseException], None]


def build_learner(
    settings: Settings, pool: RedisPool, embedder: Embedder, answers: AnswerStore, listeners: Listeners
) -> Learner:
    """What keeps outcomes, in Redis where *pool* has one. Connects nowhere."""
    shared = None
    if pool.enabled:
        name = re.sub(r"[^\w.-]", "_", embedder.name)
        shared = RedisText(pool, f"{settings.redis.prefix}:answer-outcomes:v{FORMAT_VERSION}:{name}")
    return Learner(settings.cache, answers, shared, tell=listeners.outcome)


class Beside:
    """What the cache does beside requests: second looks, and the calls of models that they take."""

    def __init__(
        self, settings: CacheSettings, learner: Learner, embedder: Embedder, ask: AskModel | None, listeners: Listeners
    ) -> None:
        judge = Judge(ask, listeners.tokens) if ask is not None and settings.judge_model is not None else None
        self.calls = Background(settings.checks_per_minute, listeners.error)
        self.chores = Background(CHORES_PER_MINUTE, listeners.error)
        self.looks = SecondLooks(
            settings, learner, AnswerComparer(embedder, judge), judge, calls=self.calls, chores=self.chores
        )

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        await self.calls.idle()
        await self.chores.idle()

    async def aclose(self) -> None:
        """Cancel what is under way."""
        await self.calls.aclose()
        await self.chores.aclose()

"""The store of answers, the verifier and the single flight that the settings ask for."""

from __future__ import annotations

from ..models.base import Embedder
from ..models.build import build_pair_model
from ..models.pairs import calibration
from ..redis.locks import RedisLocks
from ..redis.pool import RedisPool
from ..settings import Settings
from .flights import Flights
from .memory import MemoryAnswerStore
from .packing import Packer
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
    shared = RedisAnswerStore(pool, settings.redis.prefix, embedder.name, packer=packer, index=settings.cache.index)
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

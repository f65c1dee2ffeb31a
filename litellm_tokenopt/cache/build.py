"""The store of answers that the settings ask for."""

from __future__ import annotations

from ..models.base import Embedder
from ..redis.pool import RedisPool
from ..settings import Settings
from .memory import MemoryAnswerStore
from .stores import AnswerStore


def build_store(settings: Settings, pool: RedisPool, embedder: Embedder) -> AnswerStore:
    """Redis with this process's memory in front of it, or memory alone where *pool* has no Redis. Connects nowhere."""
    memory = MemoryAnswerStore(settings.cache.max_entries_in_process)
    if not pool.enabled:
        return memory
    from .redisvl_store import RedisAnswerStore
    from .tiered import TieredAnswerStore

    return TieredAnswerStore(memory, RedisAnswerStore(pool, settings.redis.prefix, embedder.name))

"""The store of answers that the settings ask for."""

from __future__ import annotations

from ..models.base import Embedder
from ..redis.pool import RedisPool
from ..settings import Settings
from .memory import MemoryAnswerStore
from .packing import Packer
from .stores import AnswerStore


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

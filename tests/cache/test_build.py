"""Which store the settings lead to."""

from __future__ import annotations

from typing import Any

from litellm_tokenopt.cache.build import build_store
from litellm_tokenopt.cache.memory import MemoryAnswerStore
from litellm_tokenopt.cache.tiered import TieredAnswerStore
from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.settings import load_settings


def test_memory_alone(embedder: Any) -> None:
    """Without Redis answers stay in this process."""
    settings = load_settings({"redis": {"url": "memory"}})
    assert isinstance(build_store(settings, RedisPool(settings.redis), embedder), MemoryAnswerStore)


def test_redis_behind_memory(embedder: Any) -> None:
    """With a Redis URL there are two tiers, and nothing connects yet."""
    settings = load_settings({"redis": {"url": "redis://127.0.0.1:1"}})
    assert isinstance(build_store(settings, RedisPool(settings.redis), embedder), TieredAnswerStore)

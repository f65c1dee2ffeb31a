"""Texts in Redis that are written once."""

from __future__ import annotations

import asyncio

from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.redis.texts import RedisTexts


async def test_the_first_text_stays(pool: RedisPool) -> None:
    """Whoever comes later gets what was written first, also at the same time."""
    texts = RedisTexts(pool, "tokenopt:summary:", 60)
    found = await asyncio.gather(*(texts.first("a", f"text {n}") for n in range(8)))
    assert len(set(found)) == 1
    assert await texts.first("a", "another") == found[0]
    assert await texts.get_many(["missing", "a"]) == [None, found[0]]


async def test_texts_are_kept_as_they_are_and_expire(pool: RedisPool) -> None:
    """Any text, an empty one too; each under its begin, with a TTL."""
    texts = RedisTexts(pool, "tokenopt:summary:", 60)
    for key, text in (("empty", ""), ("odd", "Grüße\n東京 🙂")):
        assert await texts.first(key, text) == text
    assert await texts.get_many(["empty", "odd"]) == ["", "Grüße\n東京 🙂"]
    assert await RedisTexts(pool, "other:", 60).get_many(["odd"]) == [None]
    assert 0 < await pool.call(lambda client: client.ttl("tokenopt:summary:odd")) <= 60
    assert await texts.get_many([]) == []

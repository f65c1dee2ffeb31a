"""Encryption of what is kept in Redis."""

from __future__ import annotations

import base64
import dataclasses
import os
from types import SimpleNamespace

import numpy as np
import pytest

from litellm_tokenopt.cache.build import build_store
from litellm_tokenopt.cache.packing import Packer
from litellm_tokenopt.cache.redisvl_store import RedisAnswerStore
from litellm_tokenopt.cache.stores import Selection
from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.settings import load_settings

VECTOR = np.eye(64, dtype=np.float32)[0]


def new_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


async def everything(pool: RedisPool) -> bytes:
    async def dump(client):
        return b"".join([repr(await client.hgetall(key)).encode() for key in await client.keys("*answer:*")])

    return await pool.call(dump)


async def test_nothing_to_read_in_redis(pool: RedisPool, make: SimpleNamespace) -> None:
    """Question, text and payload are sealed; with the key everything comes back, both ways."""
    store = RedisAnswerStore(pool, "test", "m", packer=Packer(new_key()))
    entry = make.entry(question="Who is Zorro?", text="Don Diego.", payload={"said": "Don Diego."}, tags=("t",))
    await store.put(entry, VECTOR, 60)
    stored = await everything(pool)
    assert not any(word in stored for word in (b"Zorro", b"Diego", b"x\\x01"))
    assert await store.get_exact(entry.key) == entry
    assert [hit.entry for hit in await store.search("s1", VECTOR, 5, 0.9)] == [entry]
    assert await store.select(Selection(tag="t"), 5) == [entry]


@pytest.mark.parametrize("keys", [(new_key(), new_key()), (new_key(), None), (None, new_key())])
async def test_a_wrong_key_is_a_miss(pool: RedisPool, make: SimpleNamespace, keys: tuple[str | None, ...]) -> None:
    """Look-ups and listings with another key find nothing, and leave the entry for who can read it."""
    one, other = (RedisAnswerStore(pool, "test", "m", packer=Packer(key)) for key in keys)
    entry = make.entry()
    await one.put(entry, VECTOR, 60)
    assert await other.select(Selection(), 5) == []
    assert await one.get_exact(entry.key) == entry
    assert await other.get_exact(entry.key) is None
    assert await other.search("s1", VECTOR, 5, 0.9) == []
    assert await one.get_exact(entry.key) == entry


async def test_unreadable_entries_can_be_removed(pool: RedisPool, make: SimpleNamespace) -> None:
    """Removing needs no key: it goes by what is written on the entries."""
    await RedisAnswerStore(pool, "test", "m", packer=Packer(new_key())).put(make.entry(tags=("t",)), None, 60)
    assert await RedisAnswerStore(pool, "test", "m").remove(Selection(tag="t")) == 1


async def test_the_setting_seals(pool: RedisPool, make: SimpleNamespace, embedder: object) -> None:
    """``cache.encryption_key`` is what the store seals with."""
    settings = load_settings({"cache": {"encryption_key": new_key()}, "redis": {"prefix": "test"}})
    store = build_store(settings, pool, embedder)
    await store.put(make.entry(question="Who is Zorro?"), None, 60)
    assert b"Zorro" not in await everything(pool)
    assert len(await store.select(Selection(), 5)) == 1
    assert await RedisAnswerStore(pool, "test", embedder.name).select(Selection(), 5) == []


@pytest.mark.parametrize(
    "field",
    [{"question": 5}, {"text": None}, {"expires": "soon"}, {"created": float("nan")}, {"tags": [1]}, {"tags": "blue"}],
)
def test_a_field_of_another_kind_is_no_entry(make: SimpleNamespace, field: dict[str, object]) -> None:
    """What reads as JSON, but would fail where it's used, isn't taken for an entry."""
    packer, entry = Packer(), make.entry()
    assert packer.unpack(entry.key, packer.pack(entry)) == entry
    assert packer.unpack(entry.key, packer.pack(dataclasses.replace(entry, **field))) is None

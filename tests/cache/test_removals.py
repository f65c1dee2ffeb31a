"""What is removed while its request is under way, in whichever process, isn't stored after it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from litellm_tokenopt.cache.manager import SemanticCacheManager
from litellm_tokenopt.cache.memory import MemoryAnswerStore
from litellm_tokenopt.cache.redisvl_store import RedisAnswerStore
from litellm_tokenopt.cache.removals import KEPT_REMOVALS, meant, record_of
from litellm_tokenopt.cache.stores import Selection
from litellm_tokenopt.cache.tiered import TieredAnswerStore
from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.settings import CacheSettings

QUESTION, SCOPE = "What is a llama?", "s1"
LABELS: dict[str, Any] = {"tags": ["zoo"], "model": "m", "tenant": "team:blue key:k"}
WAYS: list[dict[str, Any]] = [
    {"tag": "zoo"}, {"model": "m"}, {"tenant": "team:blue"}, {"older_than_seconds": 0}, {"older_than_seconds": 3600},
    {"tag": "zoo", "model": "m"}, {},
]  # fmt: skip


@pytest.fixture(params=["redis", "cluster"])
def workers(request: pytest.FixtureRequest, embedder: Any) -> tuple[SemanticCacheManager, SemanticCacheManager]:
    """Two workers' caches on one Redis, which know nothing of each other."""
    pool: RedisPool = request.getfixturevalue("pool" if request.param == "redis" else "cluster_pool")
    one, other = (
        SemanticCacheManager(
            CacheSettings(),
            TieredAnswerStore(MemoryAnswerStore(10), RedisAnswerStore(pool, "test", embedder.name)),
            embedder,
        )
        for _ in range(2)
    )
    return one, other


async def _remove(cache: SemanticCacheManager, way: dict[str, Any]) -> None:
    await (cache.invalidate(**way) if way else cache.clear())


@pytest.mark.parametrize("way", [*WAYS, {"key": True}], ids=str)
async def test_an_answer_under_way_does_not_outlive_its_removal(
    workers: tuple[SemanticCacheManager, SemanticCacheManager], way: dict[str, Any]
) -> None:
    """Removed by another process after the request went on: its answer isn't kept, anywhere; the next one's is."""
    one, other = workers
    way = way if "key" not in way else {"key": one.key(QUESTION, SCOPE)}
    await other.store("What is a tapir?", "Removed before.", scope=SCOPE, **LABELS)
    await _remove(other, {"tag": "zoo"})
    assert (await one.check(QUESTION, scope=SCOPE)).entry is None
    since = one.since(SCOPE)
    await _remove(other, way)
    await one.store(QUESTION, "Of before.", scope=SCOPE, since=since, **LABELS)
    for cache in workers:
        assert (await cache.check(QUESTION, scope=SCOPE)).entry is None
    assert await other.entries() == []
    await one.store(QUESTION, "Of after.", scope=SCOPE, since=one.since(SCOPE), **LABELS)
    for cache in workers:
        found = (await cache.check(QUESTION, scope=SCOPE)).entry
        assert found is not None
        assert found.text == "Of after."


async def test_an_answer_that_is_still_embedded_does_not_outlive_its_removal(
    workers: tuple[SemanticCacheManager, SemanticCacheManager], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is stored directly, without a word of when it went on, is under way until its question has its vector."""
    one, other = workers
    embed = one.embedder.embed
    await _remove(other, {"tag": "zoo"})  # of before: no hindrance

    async def slow(texts: Any) -> Any:
        assert await other.invalidate(tag="zoo") == 1
        return await embed(texts)

    with monkeypatch.context() as patched:
        patched.setattr(one.embedder, "embed", slow)
        await one.store(QUESTION, "Of before.", scope=SCOPE, **LABELS)
    assert await other.entries() == []
    await one.store(QUESTION, "Of after.", scope=SCOPE, **LABELS)
    assert (await other.similar(QUESTION, scope=SCOPE)).entry is not None


async def test_what_was_not_meant_lands(workers: tuple[SemanticCacheManager, SemanticCacheManager]) -> None:
    """Removals of other answers, however many, are no hindrance, and the answer can be found by its vector too."""
    one, other = workers
    await one.check(QUESTION, scope=SCOPE)
    since = one.since(SCOPE)
    for tag in ("farm", "map"):
        await other.invalidate(tag=tag, model="m")
    await one.store(QUESTION, "An animal.", scope=SCOPE, since=since, **LABELS)
    found = await other.similar(QUESTION, scope=SCOPE)
    assert found.entry is not None


async def test_an_emptied_redis_keeps_out_what_was_under_way(
    pool: RedisPool, redis_store: RedisAnswerStore, make: SimpleNamespace
) -> None:
    """Where the removals known before are gone, nobody can tell: a miss is no harm."""
    await redis_store.remove(Selection(tag="zoo"))
    await redis_store.get_exact("k")
    since = redis_store.stamp("k")
    await pool.call(lambda client: client.flushall())
    assert await redis_store.put(make.entry(key="k"), None, 60, since) is None
    assert await redis_store.get_exact("k") is None
    assert await redis_store.put(make.entry(key="k"), None, 60, redis_store.stamp("k")) == ""


async def test_removals_are_few_in_redis(pool: RedisPool, redis_store: RedisAnswerStore) -> None:
    """The list of removals doesn't grow for ever."""
    for _ in range(KEPT_REMOVALS // 2 + 1):
        await redis_store.remove(Selection(key="k"))
    (name,) = await pool.call(lambda client: client.keys("test:answer-removals:*"))
    assert await pool.call(lambda client: client.llen(name)) == KEPT_REMOVALS


def test_what_cannot_be_told_counts(make: SimpleNamespace) -> None:
    """Of the records those after the stamp are looked at; where it's too long ago, any may be meant."""
    entry = make.entry(tags=("zoo",))
    zoo, farm = (record_of(Selection(tag=tag)).encode() for tag in ("zoo", "farm"))
    assert not meant(entry, [farm, zoo], zoo.decode())
    assert meant(entry, [zoo, farm], farm.decode())
    assert not meant(entry, [farm], "")
    assert meant(entry, [farm], record_of(Selection(tag="zoo")))
    assert meant(entry, [farm] * KEPT_REMOVALS, "")

"""A cluster of three masters: what is looked up together is together, and nothing else has to be."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from support.servers import PASSWORD, Cluster

from litellm_tokenopt.cache.conversations import conversation_of
from litellm_tokenopt.cache.learner import Learner
from litellm_tokenopt.cache.manager import SemanticCacheManager
from litellm_tokenopt.cache.redisvl_store import RedisAnswerStore
from litellm_tokenopt.cache.scope import HOMES, entry_key, home_of, scope_of
from litellm_tokenopt.cache.shared_text import RedisText
from litellm_tokenopt.cache.stores import Selection
from litellm_tokenopt.redis.locks import RedisLocks
from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.redis.vectors import RedisVectorStore
from litellm_tokenopt.settings import CacheSettings
from litellm_tokenopt.tools.learning import UsageStore
from litellm_tokenopt.tools.usage import Event

QUESTION, REWORDED = "How do I reset my password today?", "How do I reset my password today please?"


def manager_on(pool: RedisPool, embedder: Any, **more: Any) -> SemanticCacheManager:
    settings = CacheSettings(**more)
    store = RedisAnswerStore(pool, "test", embedder.name, max_entries=more.get("max_entries"))
    return SemanticCacheManager(settings, store, embedder, learner=Learner(settings, store, RedisText(pool, "test:t")))


async def test_answers_are_shared_by_processes(cluster_pool: RedisPool, embedder: Any) -> None:
    """What one stores another finds, by its words and by like ones, in each of many scopes; and may remove it."""
    one, other = manager_on(cluster_pool, embedder), manager_on(cluster_pool, embedder)
    scopes = [f"{home}-tenant" for home in HOMES]
    for scope in scopes:
        await one.store(QUESTION, f"Answer of {scope}", scope=scope, tags=[scope], model="m")
    for scope in scopes:
        exact, similar = await other.check(QUESTION, scope=scope), await other.similar(REWORDED, scope=scope)
        assert exact.entry is not None
        assert similar.entry is not None
        assert exact.entry.text == similar.entry.text == f"Answer of {scope}"
    assert (await other.stats()).by_model == {"m": len(HOMES)}
    assert [entry.scope for entry in await other.entries(limit=3)] == scopes[:-4:-1]
    assert await other.invalidate(tag=scopes[3]) == 1
    assert (await one.check(QUESTION, scope=scopes[3])).entry is None
    assert await other.report(one.key(QUESTION, scopes[4]), same=False)
    assert await other.clear() == len(HOMES) - 2


async def test_all_masters_take_part(cluster: Cluster, cluster_pool: RedisPool, embedder: Any) -> None:
    """Scopes are spread over the masters, and so are the entries."""
    manager = manager_on(cluster_pool, embedder)
    for home in HOMES:
        await manager.store(QUESTION, "Answer", scope=f"{home}-tenant")
    held = [sum(b":answer:v" in name for name in server.ask("KEYS", "*")) for server in cluster.servers]
    assert sum(held) == len(HOMES)
    assert all(held)


async def test_the_oldest_go_wherever_they_are(cluster_pool: RedisPool, embedder: Any, make: SimpleNamespace) -> None:
    """`max_entries` counts the whole cluster's."""
    store = RedisAnswerStore(cluster_pool, "test", embedder.name, max_entries=20)
    for n in range(30):
        scope = f"{HOMES[n % 16]}-tenant"
        await store.put(make.entry(scope=scope, key=entry_key(scope, str(n)), created=float(n)), None, 60)
    kept = await store.select(Selection(), 100)
    assert [int(entry.created) for entry in kept] == list(range(29, 9, -1))


async def test_a_slot_that_moves(cluster: Cluster, cluster_pool: RedisPool, embedder: Any) -> None:
    """An entry whose slot went to another master is found there, by its words at once, and by like ones soon."""
    manager = manager_on(cluster_pool, embedder)
    await manager.store(QUESTION, "Answer", scope="a-tenant")
    move_slot(cluster, "{a}")
    assert (await manager.check(QUESTION, scope="a-tenant")).entry is not None
    deadline = time.monotonic() + 10  # the new master reads what it got before it finds it
    while (await manager.similar(REWORDED, scope="a-tenant")).reason != "semantic":
        assert time.monotonic() < deadline
    await manager.store("Where is my parcel?", "On its way", scope="a-tenant")
    assert (await manager.similar("Where is my parcel please?", scope="a-tenant")).reason == "semantic"


async def test_the_other_things_in_redis(cluster_pool: RedisPool) -> None:
    """Locks, embeddings, texts that many change, and counts of tools do not care where keys are."""
    locks = RedisLocks(cluster_pool, "test:flight:")
    vectors = RedisVectorStore(cluster_pool, "test", "e", 60)
    usage = UsageStore(cluster_pool, "test")
    names = [f"k{n}" for n in range(20)]
    for name in names:
        assert await locks.take(name, "me", 60)
        await locks.release(name, "me")
        assert await locks.take(name, "you", 60)
    await vectors.put_many({name: name.encode() for name in names})
    assert await vectors.get_many([*names, "none"]) == [*(name.encode() for name in names), None]
    assert await RedisText(cluster_pool, "test:text").change(lambda text: text + "a") == "a"
    events = [Event(key=f"s{n}", tool="search", what="chosen") for n in range(3)]
    for tenant in ("", "team:a}b", "team:{c"):
        assert await usage.count(tenant, events) == events
        assert await usage.count(tenant, events) == []
    assert list(await usage.counts()) == ["", "team:a}b", "team:{c"]


async def test_locks_hold_from_the_first_moment(cluster_pool: RedisPool) -> None:
    """A crowd that is the first to ask a cluster takes, renews, replaces and lets go of locks, each its own."""
    locks = RedisLocks(cluster_pool, "test:crowd:")

    async def one(key: str) -> tuple[bool, bool, str | None, str | None]:
        taken = await locks.take(key, "me", 60)
        await locks.replace(key, "you", "stolen", 60)
        renewed = await locks.renew(key, "me", 60) and not await locks.renew(key, "you", 60)
        await locks.replace(key, "me", "note", 60)
        noted = await locks.holder(key)
        await locks.release(key, "note")
        return taken, renewed, noted, await locks.holder(key)

    assert set(await asyncio.gather(*(one(f"k{n}") for n in range(100)))) == {(True, True, "note", None)}


async def test_health_is_that_of_all_masters(cluster: Cluster, cluster_pool: RedisPool) -> None:
    """It names the cluster and its size, and no password."""
    health = await cluster_pool.health()
    assert health["reachable"]
    assert health["search"]
    assert health["server"].endswith("cluster of 3")
    assert PASSWORD not in str(health)
    assert health["url"].startswith("redis+cluster://127.0.0.1:")


@pytest.mark.parametrize("lasting", ["", "I am vegan. "])
def test_a_conversation_is_at_home_where_its_last_question_is(make: SimpleNamespace, lasting: str) -> None:
    """All scopes and keys of one request lead to one place; another tenant's to one of its own."""
    settings = CacheSettings()
    before = (("user", f"{lasting}What is tofu?"), ("assistant", "Pressed soy milk."))
    request = make.request("How long does it keep?", *before)
    scope = scope_of(request, settings, "e")
    talk = conversation_of(request, scope, settings, "e")
    assert talk is not None
    alone = scope_of(make.request("How long does it keep?"), settings, "e")
    homes = {home_of(text) for text in (scope.id, alone.id, talk.bare, talk.shelf, entry_key(scope.id, "q"))}
    assert len(homes) == 1


def move_slot(cluster: Cluster, name: str) -> None:
    """Give the slot of *name*, and the keys in it, to another master."""
    source = next(server for server in cluster.servers if holds(server, name))
    target = next(server for server in cluster.servers if server is not source)
    slot = source.ask("CLUSTER KEYSLOT", name)
    ids = {server: _text(server.ask("CLUSTER MYID")) for server in (source, target)}
    target.ask("CLUSTER SETSLOT", slot, "IMPORTING", ids[source])
    source.ask("CLUSTER SETSLOT", slot, "MIGRATING", ids[target])
    keys = source.ask("CLUSTER GETKEYSINSLOT", slot, 100)
    source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 2000, "AUTH", PASSWORD, "KEYS", *keys)
    for server in (target, source, *(one for one in cluster.servers if one not in (source, target))):
        server.ask("CLUSTER SETSLOT", slot, "NODE", ids[target])


def holds(server: Any, name: str) -> bool:
    try:
        server.ask("EXISTS", name)
    except redis.ResponseError:
        return False
    return True


def _text(answer: Any) -> str:
    return answer.decode() if isinstance(answer, bytes) else str(answer)

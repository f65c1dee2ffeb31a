"""A rewording that was answered once is answered again without a model, by what its entry is then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from litellm_tokenopt.cache.learner import Learner
from litellm_tokenopt.cache.manager import SemanticCacheManager
from litellm_tokenopt.cache.memory import MemoryAnswerStore
from litellm_tokenopt.cache.redisvl_store import RedisAnswerStore
from litellm_tokenopt.cache.shared_text import RedisText
from litellm_tokenopt.cache.tiered import TieredAnswerStore
from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.settings import CacheSettings

QUESTION, REWORDED = "How do I reset my password on the website?", "How do I reset my password on your website?"


@pytest.fixture
def processes(pool: RedisPool, embedder: Any, clock: Any) -> Callable[[], SemanticCacheManager]:
    """Makes caches that share nothing but the server."""

    def start() -> SemanticCacheManager:
        settings = CacheSettings()
        shared = RedisAnswerStore(pool, "test", embedder.name)
        store = TieredAnswerStore(MemoryAnswerStore(100), shared, clock=clock)
        learner = Learner(settings, store, RedisText(pool, "test:outcomes"), clock=clock)
        return SemanticCacheManager(settings, store, embedder, learner=learner, clock=clock)

    return start


async def test_the_second_time_needs_no_model(processes: Callable[[], SemanticCacheManager], embedder: Any) -> None:
    """It's found by its own words, with all that is known of the pair, while another rewording is not."""
    here = processes()
    await processes().store(QUESTION, "Open Settings.", scope="shop")
    first = await here.check(REWORDED, scope="shop")
    asked = len(embedder.texts)
    again = await here.exact(REWORDED, scope="shop")
    assert again.entry is not None
    assert (again.entry, again.reason, again.pair) == (first.entry, "semantic", first.pair)
    assert (again.similarity, again.confidence) == (first.similarity, first.confidence)
    assert len(embedder.texts) == asked
    assert (await here.exact(REWORDED, scope="other")).entry is None
    assert (await here.exact(f"{REWORDED} Now.", scope="shop")).entry is None


async def test_another_process_has_to_find_it_first(processes: Callable[[], SemanticCacheManager]) -> None:
    """What one process found out it keeps for itself."""
    one, other = processes(), processes()
    await one.store(QUESTION, "Open Settings.")
    assert (await one.check(REWORDED)).entry is not None
    assert (await other.exact(REWORDED)).entry is None


async def test_an_answer_of_its_own_comes_first(processes: Callable[[], SemanticCacheManager]) -> None:
    """What was stored for the very words is given for them."""
    one, other = processes(), processes()
    await one.store(QUESTION, "Open Settings.")
    assert (await one.check(REWORDED)).entry is not None
    await other.store(REWORDED, "Ask us.", similar=False)
    found = await one.exact(REWORDED)
    assert found.entry is not None
    assert (found.entry.text, found.reason) == ("Ask us.", "exact")


async def dropped(other: SemanticCacheManager, key: str, clock: Any) -> None:
    await other.answers.drop(key)


async def removed(other: SemanticCacheManager, key: str, clock: Any) -> None:
    assert await other.invalidate(tag="help") == 1


async def reported(other: SemanticCacheManager, key: str, clock: Any) -> None:
    assert await other.report(key, same=False)


async def checked_and_wrong(other: SemanticCacheManager, key: str, clock: Any) -> None:
    pair = (await other.check(REWORDED)).pair
    assert pair is not None
    await other.learner.checked(pair, "different")


async def expired(other: SemanticCacheManager, key: str, clock: Any) -> None:
    clock.seconds += 3_601


@pytest.mark.parametrize("happens", [dropped, removed, reported, checked_and_wrong, expired])
async def test_what_happens_to_an_entry_holds_at_once(
    processes: Callable[[], SemanticCacheManager],
    clock: Any,
    happens: Callable[[SemanticCacheManager, str, Any], Awaitable[None]],
) -> None:
    """Whichever process an entry is dropped, removed, reported or found wrong in, the next look-up knows."""
    here, other = processes(), processes()
    key = await other.store(QUESTION, "Open Settings.", tags=["help"], ttl_seconds=3_600)
    assert (await here.check(REWORDED)).entry is not None
    assert (await here.exact(REWORDED)).entry is not None
    await happens(other, key, clock)
    assert (await here.exact(REWORDED)).entry is None
    assert (await here.check(REWORDED)).entry is None


async def test_a_copy_ends_with_its_entry(processes: Callable[[], SemanticCacheManager], clock: Any) -> None:
    """What was found in Redis is kept in process, and for no longer than the entry itself."""
    here, other = processes(), processes()
    await other.store(QUESTION, "Open Settings.", ttl_seconds=3_600)
    assert (await here.exact(QUESTION)).entry is not None
    clock.seconds += 3_601
    assert (await here.exact(QUESTION)).entry is None


async def test_another_answer_under_the_same_words(processes: Callable[[], SemanticCacheManager]) -> None:
    """A newer answer to the entry's question is the rewording's as well."""
    here, other = processes(), processes()
    await other.store(QUESTION, "Open Settings.")
    assert (await here.check(REWORDED)).entry is not None
    await other.store(QUESTION, "Open the menu.")
    found = await here.exact(REWORDED)
    assert found.entry is not None
    assert found.entry.text == "Open the menu."


async def test_as_many_are_known_as_answers_are_kept(
    processes: Callable[[], SemanticCacheManager], pool: RedisPool, embedder: Any
) -> None:
    """What is kept is bounded."""
    store = RedisAnswerStore(pool, "test", embedder.name)
    cache = SemanticCacheManager(CacheSettings(max_entries_in_process=1), store, embedder)
    await cache.store(QUESTION, "Open Settings.")
    other = "How can I reset my password on the website?"
    assert (await cache.check(REWORDED)).entry is not None
    assert (await cache.check(other)).entry is not None
    assert (await cache.exact(other)).entry is not None
    assert (await cache.exact(REWORDED)).entry is None

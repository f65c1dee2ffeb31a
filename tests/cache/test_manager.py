"""The cache as its keepers use it: removing, looking, counting; and how entries are stored."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from litellm_tokenopt.cache.inspection import conditions_of, described, seconds_of
from litellm_tokenopt.cache.manager import JITTER, SemanticCacheManager, jittered
from litellm_tokenopt.cache.memory import MemoryAnswerStore
from litellm_tokenopt.cache.redisvl_store import RedisAnswerStore
from litellm_tokenopt.cache.stage import CacheStage
from litellm_tokenopt.cache.stores import AnswerStore, Removals, Selection
from litellm_tokenopt.cache.tiered import TieredAnswerStore
from litellm_tokenopt.cache.veto import veto
from litellm_tokenopt.errors import UnavailableError
from litellm_tokenopt.request import Controls, Tenant
from litellm_tokenopt.settings import CacheSettings
from litellm_tokenopt.stage import Keep

LONG = "How do I bake a large loaf of brown bread with seeds in my small old gas oven at home on Sunday morning "


@pytest.fixture
def cache(store: AnswerStore, embedder: Any, clock: Any) -> SemanticCacheManager:
    return SemanticCacheManager(CacheSettings(), store, embedder, clock=clock)


async def test_invalidate_by_each_condition(cache: SemanticCacheManager, clock: Any) -> None:
    """Entries go by key, tag, model, tenant or age, and by several at once; the number is theirs."""
    llama = await cache.store("What is a llama?", "An animal.", tags=["zoo"], model="m1", tenant="team:blue")
    await cache.store("What is a poodle?", "A dog.", tags=["zoo"], model="m2", tenant="team:red")
    clock.seconds += 100
    await cache.store("What is a fjord?", "A bay.", tags=["map"], model="m1", tenant="team:red")
    assert await cache.invalidate(tag="zoo", model="m3") == 0
    assert await cache.invalidate(tag="zoo", tenant="team:red") == 1
    assert await cache.invalidate(key=llama) == 1
    assert (await cache.check("What is a llama?")).reason == "miss"
    assert await cache.invalidate(older_than_seconds=50) == 0
    clock.seconds += 60
    assert await cache.invalidate(older_than_seconds=50) == 1


@pytest.mark.parametrize("tag", ["zoo", "map"])
async def test_what_is_under_way_does_not_land_after_its_removal(store: AnswerStore, embedder: Any, tag: str) -> None:
    """An answer that is being stored while it's invalidated is gone as well; others stay."""
    asked, removed = asyncio.Event(), asyncio.Event()

    class Slow:
        name = embedder.name

        async def embed(self, texts: Any) -> Any:
            asked.set()
            await removed.wait()
            return await embedder.embed(texts)

    cache = SemanticCacheManager(CacheSettings(), store, Slow())
    storing = asyncio.create_task(cache.store("What is a llama?", "An animal.", tags=["zoo"]))
    await asked.wait()
    await cache.invalidate(tag=tag)
    removed.set()
    key = await storing
    assert bool(await cache.entries(key=key)) is (tag == "map")


async def test_a_reply_to_what_was_asked_before_a_removal_is_not_kept(
    cache: SemanticCacheManager, make: SimpleNamespace
) -> None:
    """It may be made of what the removal was for; what is asked afterwards is kept."""
    stage, request = CacheStage(cache), make.request("What is a llama?")
    for removed in (True, False):
        verdict = await stage(request)
        assert isinstance(verdict, Keep)
        assert verdict.then is not None
        if removed:
            await cache.clear()
        await verdict.then(make.reply("An animal."))
        assert bool(await cache.entries()) is not removed


def test_removals_that_are_too_many_to_know_count(make: SimpleNamespace) -> None:
    """Of the latest it's told which entries they meant; beyond them they may have meant any."""
    removals, entry = Removals(), make.entry(tags=("zoo",))
    removals.note(Selection(tag="zoo"))
    assert [removals.meant(entry, since) for since in (0, 1)] == [True, False]
    for _ in range(2_000):
        removals.note(Selection(tag="map"))
    assert [removals.meant(entry, since) for since in (1, 1_500)] == [True, False]


async def test_invalidate_needs_a_condition(cache: SemanticCacheManager) -> None:
    """Nothing given is an error rather than everything; clearing is a word of its own."""
    await cache.store("What is a llama?", "An animal.")
    with pytest.raises(ValueError, match="no condition"):
        await cache.invalidate()
    with pytest.raises(ValueError, match="tag is empty"):
        await cache.invalidate(tag="")
    for never in (-5, float("nan")):
        with pytest.raises(ValueError, match="older_than_seconds is"):
            await cache.invalidate(older_than_seconds=never)
    assert await cache.clear() == 1


async def test_entries_and_stats(cache: SemanticCacheManager, clock: Any) -> None:
    """Entries come newest first; the counts are by model, the ages in seconds."""
    await cache.store("What is a llama?", "An animal.", model="m1", tags=["zoo"], tenant="user:ann")
    clock.seconds += 10
    await cache.store("What is a poodle?", "A dog.", model="m1")
    await cache.store("What is a fjord?", "A bay.", model="m2")
    clock.seconds += 5
    assert [entry.text for entry in await cache.entries(model="m1")] == ["A dog.", "An animal."]
    (entry,) = await cache.entries(tag="zoo", limit=1)
    assert described(entry, cache.age(entry)) == {
        "key": entry.key, "model": "m1", "tenant": "user:ann", "tags": ["zoo"], "age_seconds": 15.0,
        "question": "What is a llama?", "text": "An animal.", "finish": "stop",
    }  # fmt: skip
    stats = await cache.stats()
    assert (stats.entries, dict(stats.by_model)) == (3, {"m1": 2, "m2": 1})
    assert (stats.oldest_seconds, stats.newest_seconds) == (15.0, 5.0)
    assert stats.bytes > 3 * 64 * 4


async def test_stats_of_nothing(cache: SemanticCacheManager) -> None:
    """An empty cache has no ages."""
    stats = await cache.stats()
    assert (stats.entries, stats.bytes, stats.oldest_seconds, stats.newest_seconds) == (0, 0, None, None)


async def test_the_stage_labels_what_it_stores(cache: SemanticCacheManager, make: SimpleNamespace) -> None:
    """An entry carries the caller's tags, and says whose request it answered."""
    request = make.request(tenant=Tenant(team="blue", user="ann"), controls=Controls(tags=("docs", "v2")))
    verdict = await CacheStage(cache)(request)
    assert isinstance(verdict, Keep)
    assert verdict.then is not None
    await verdict.then(make.reply())
    (entry,) = await cache.entries(tag="v2", tenant="team:blue", model="gpt-4o")
    assert (entry.tenant, entry.tags) == ("team:blue user:ann", ("docs", "v2"))


async def test_an_answer_that_is_being_stored_is_found(redis_store: RedisAnswerStore, embedder: Any) -> None:
    """From the moment that a reply is handed in, its process has it: the slow part, Redis and vectors, comes after."""
    store = TieredAnswerStore(MemoryAnswerStore(300), redis_store)
    cache = SemanticCacheManager(CacheSettings(), store, embedder)
    questions = [f"What does part {n} cost?" for n in range(200)]
    storing = [asyncio.create_task(cache.store(q, f"{q} Money.")) for q in questions]
    await asyncio.sleep(0)
    assert not any(task.done() for task in storing)
    found = await asyncio.gather(*(cache.check(q) for q in questions))
    assert [(one.reason, one.entry and one.entry.text) for one in found] == [
        ("exact", f"{q} Money.") for q in questions
    ]
    await asyncio.gather(*storing)


async def test_of_two_stored_at_once_one_stays(store: AnswerStore, embedder: Any) -> None:
    """Answers to almost the same wording that come in together don't remove each other."""
    cache = SemanticCacheManager(CacheSettings(), store, embedder)
    both = (LONG * 9 + "how", LONG * 9 + "well")
    await asyncio.gather(*(cache.store(q, "An answer.") for q in both))
    assert [(await cache.check(q)).entry is not None for q in both] == [True, True]
    assert len(await cache.entries()) == 1


async def test_almost_the_same_question_is_one_entry(cache: SemanticCacheManager, clock: Any) -> None:
    """A question that differs in next to nothing takes the earlier one's place, and both get the new answer."""
    await cache.store(LONG * 9 + "how", "old")
    clock.seconds += 1
    await cache.store(LONG * 9 + "well", "new")
    assert [entry.text for entry in await cache.entries()] == ["new"]
    assert (await cache.check(LONG * 9 + "how")).entry.text == "new"


async def test_an_answer_that_is_late_in_the_store_is_still_the_older(cache: SemanticCacheManager, clock: Any) -> None:
    """Of two almost the same questions the later one's answer stays, whichever was stored first."""
    clock.seconds += 1
    await cache.store(LONG * 9 + "well", "new")
    clock.seconds -= 1
    await cache.store(LONG * 9 + "how", "old")
    assert [entry.text for entry in await cache.entries()] == ["new"]


async def test_what_differs_stays_apart(cache: SemanticCacheManager) -> None:
    """A veto, a lesser likeness and another scope each keep two entries."""
    await cache.store(LONG * 9 + "for 2 people", "a")
    await cache.store(LONG * 9 + "for 3 people", "b")
    await cache.store(LONG, "c")
    await cache.store(LONG * 9 + "for 2 people", "d", scope="other")
    assert {entry.text for entry in await cache.entries()} == set("abcd")


async def test_what_says_it_all_may_be_farther(cache: SemanticCacheManager, embedder: Any) -> None:
    """A text with a word for each of another's is found below the threshold, but not one with a word more."""
    stored, asked = "Is it impossible to park here?", "Is it not possible to park here?"
    more = "Is it impossible to come and park in here?"
    near = {text: float(embedder.vector(text) @ embedder.vector(stored)) for text in (asked, more)}
    assert all(cache.settings.threshold > cosine > 0.7 for cosine in near.values()), near
    assert veto(more, stored) is None
    await cache.store(stored, "Yes, but at night.")
    assert (await cache.check(asked)).reason == "semantic"
    assert (await cache.check(more)).reason == "miss"


def test_jitter_is_small_and_the_same_each_time() -> None:
    """Times to live are up to a few per cent shorter, spread over keys, and equal for the same key."""
    times = [jittered(1_000, f"key{n}") for n in range(500)]
    assert times == [jittered(1_000, f"key{n}") for n in range(500)]
    assert 1_000 * (1 - JITTER) <= min(times) < 960 < 990 < max(times) <= 1_000
    assert len(set(times)) > 490


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("1.5m", 90), ("12h", 43_200), ("7d", 604_800), (" 5s ", 5)])
def test_ages(text: str, seconds: float) -> None:
    """An age is a number with a unit, seconds where there is none."""
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("typed", [{"older_than": "soon"}, {"older_than": "-5"}, {"tag": ""}, {"older_than": ""}])
def test_wrong_conditions_are_named(typed: dict[str, str]) -> None:
    """What can't be meant is refused, by name."""
    with pytest.raises(ValueError, match=next(iter(typed))):
        conditions_of(typed)


async def test_one_text_is_no_list_of_tags(cache: SemanticCacheManager) -> None:
    """Its letters would be taken for tags, and nobody would find the entry by them."""
    with pytest.raises(ValueError, match=r"give a list of tags, such as \['help'\]"):
        await cache.store("What is a llama?", "An animal.", tags="help")
    assert await cache.entries() == []


async def test_closed(cache: SemanticCacheManager) -> None:
    """After the end every call says that the cache is closed; health says it without raising."""
    await cache.store("What is a llama?", "An animal.")
    cache.close()
    for call in (cache.check("What is a llama?"), cache.store("a", "b"), cache.invalidate(key="k"), cache.clear(),
                 cache.entries(), cache.report("k", True), cache.stats()):  # fmt: skip
        with pytest.raises(UnavailableError, match="the cache is closed"):
            await call
    assert await cache.health() == {"store": "closed", "reachable": False, "error": "the cache is closed"}


async def test_another_language_is_answered_by_its_own_repeats_alone(cache: SemanticCacheManager) -> None:
    """What the embedder can't read has no like question; the same one, greeting aside, is known."""
    await cache.store("Wie alt ist der Rhein?", "old")
    assert (await cache.check("Guten Tag! Wie alt ist der Rhein?")).reason == "exact"
    assert (await cache.check("Wie alt ist der Main?")).reason == "miss"
    assert not cache.may_be_similar("Wie alt ist der Main?")

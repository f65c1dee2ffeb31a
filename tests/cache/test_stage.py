"""The cache stage's decisions, on the in-process store."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from litellm_tokenopt.cache.flights import Flights
from litellm_tokenopt.cache.manager import SIMILAR_MAX_CHARS, SemanticCacheManager
from litellm_tokenopt.cache.memory import MemoryAnswerStore
from litellm_tokenopt.cache.redisvl_store import RedisAnswerStore
from litellm_tokenopt.cache.stage import SIMILAR_AT_ONCE, CacheStage
from litellm_tokenopt.cache.stores import Entry, Hit
from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.request import ChatRequest, Controls, Tenant
from litellm_tokenopt.settings import CacheSettings, RedisSettings
from litellm_tokenopt.stage import Answer, Keep, Stage, Verdict, Wait


class Cache:
    """A stage, and the model behind it."""

    def __init__(self, embedder: Any, clock: Any, make: SimpleNamespace, store: Any = None, **settings: Any) -> None:
        self.make = make
        store = store or MemoryAnswerStore(100, clock)
        self.stage: Stage = CacheStage(SemanticCacheManager(CacheSettings(**settings), store, embedder, clock=clock))

    async def ask(self, question: Any = "What is a llama?", *before: tuple[str, str], **more: Any) -> Verdict:
        return await self.stage(self.make.request(question, *before, **more))

    async def fill(self, question: Any = "What is a llama?", *before: tuple[str, str], **more: Any) -> None:
        """Ask, and let the model reply."""
        verdict = await self.ask(question, *before, **more)
        assert isinstance(verdict, Keep)
        assert verdict.then is not None
        await verdict.then(self.make.reply())


@pytest.fixture
def cache(embedder: Any, clock: Any, make: SimpleNamespace) -> Cache:
    return Cache(embedder, clock, make)


async def test_miss_then_exact(cache: Cache, clock: Any) -> None:
    """The first request is a miss, the second gets the very payload, with its age."""
    await cache.fill()
    clock.seconds += 5
    verdict = await cache.ask()
    assert isinstance(verdict, Answer)
    assert (verdict.reason, verdict.reply) == ("exact", cache.make.reply())
    assert verdict.detail["age_seconds"] == 5


async def test_exact_needs_no_embedding(cache: Cache, embedder: Any) -> None:
    """A repeat, however polite, is found by its key."""
    await cache.fill()
    embedder.texts.clear()
    verdict = await cache.ask("Hi! what is a llama, please?")
    assert verdict.reason == "exact"
    assert embedder.texts == []


class ColdEmbedder:
    """An embedder whose model takes a minute to load."""

    name = "cold"
    dimensions = 64

    async def embed(self, texts: Any) -> Any:
        await asyncio.sleep(60)


async def test_a_cold_model_costs_no_answer(make: SimpleNamespace, clock: Any, caplog: Any) -> None:
    """Where like questions take too long to find, the request goes on, its reply is kept, and its repeat is a hit."""
    manager = SemanticCacheManager(CacheSettings(), MemoryAnswerStore(100, clock), ColdEmbedder(), clock=clock)
    stage = CacheStage(manager, similar_seconds=0.05)
    verdict = await stage(make.request())
    assert isinstance(verdict, Keep)
    assert verdict.reason == "error:timeout"
    assert verdict.then is not None
    storing = asyncio.ensure_future(verdict.then(make.reply()))
    await asyncio.sleep(0)
    assert (await stage(make.request())).reason == "exact"
    assert (await stage(make.request("What is a poodle?"))).reason == "error:timeout"
    assert len(caplog.records) == 1
    storing.cancel()


class StuckStore(MemoryAnswerStore):
    """Looks nothing up in time."""

    async def get_exact(self, key: str) -> Entry | None:
        await asyncio.sleep(60)
        return None


async def test_a_slow_look_up_costs_no_answer(
    make: SimpleNamespace, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the store is too slow, the request is a miss like others: its reply is kept, and identical ones wait."""
    monkeypatch.setattr("litellm_tokenopt.cache.sharing.LOOK_SECONDS", 0.05)
    manager = SemanticCacheManager(CacheSettings(), StuckStore(100), embedder)
    stage = CacheStage(manager, Flights(10), similar_seconds=0.05)
    verdict = await stage(make.request())
    assert isinstance(verdict, Keep)
    assert verdict.reason == "error:timeout"
    assert isinstance(await stage(make.request()), Wait)
    assert verdict.then is not None
    verdict.then.abandon()


class CountingStore(MemoryAnswerStore):
    """Counts the searches under way."""

    under_way = most = 0

    async def search(self, *given: Any) -> list[Hit]:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0.001)
        self.under_way -= 1
        return await super().search(*given)


async def test_a_crowd_takes_turns(make: SimpleNamespace, embedder: Any, clock: Any) -> None:
    """Of a hundred questions at once a few are looked up at a time, the first to come first; all get their turn."""
    store = CountingStore(200, clock)
    stage = CacheStage(SemanticCacheManager(CacheSettings(), store, embedder, clock=clock), similar_seconds=60)
    done: list[int] = []

    async def ask(number: int) -> None:
        assert (await stage(make.request(f"What is beast number {number} of the old books?"))).reason == "miss"
        done.append(number)

    await asyncio.gather(*map(ask, range(100)))
    assert store.most == SIMILAR_AT_ONCE
    assert all(abs(number - place) <= SIMILAR_AT_ONCE for place, number in enumerate(done))


class SlowStore(MemoryAnswerStore):
    async def get_exact(self, key: str) -> Entry | None:
        await asyncio.sleep(0.1)
        return await super().get_exact(key)

    async def search(self, *given: Any) -> list[Hit]:
        await asyncio.sleep(0.01)
        return await super().search(*given)


async def test_a_slow_store_costs_no_answer(make: SimpleNamespace, embedder: Any, clock: Any) -> None:
    """What the literal repeat took is taken from the time for like questions: the whole stays within the budget."""
    manager = SemanticCacheManager(CacheSettings(), SlowStore(100, clock), embedder, clock=clock)
    assert (await CacheStage(manager, similar_seconds=60)(make.request())).reason == "miss"
    verdict = await CacheStage(manager, similar_seconds=0.05)(make.request())
    assert isinstance(verdict, Keep)
    assert (verdict.reason, verdict.then is not None) == ("error:timeout", True)


async def test_semantic(cache: Cache) -> None:
    """Another wording of the same question is answered, and says how near it was."""
    await cache.fill("How do I delete my account and all my data?")
    verdict = await cache.ask("How can I delete my account and all my data?")
    assert isinstance(verdict, Answer)
    assert verdict.reason == "semantic"
    assert 0.85 <= float(verdict.detail["similarity"]) < 1


async def test_veto(cache: Cache) -> None:
    """A question that is near but asks something else goes on, with the reason; its own answer is stored."""
    await cache.fill("How do I enable the second factor for my work account?")
    other = "How do I disable the second factor for my work account?"
    assert (await cache.ask(other)).reason == "veto:antonym"
    await cache.fill(other)
    assert (await cache.ask(other)).reason == "exact"


async def test_next_candidate_after_a_veto(cache: Cache) -> None:
    """The nearest entry being another question does not hide one that is the same."""
    await cache.fill("How do I move 10 files to my new laptop today please friend".replace(" today", ""))
    await cache.fill("How do I move 20 files to my new laptop please friend")
    verdict = await cache.ask("How can I move 20 files to my new laptop please friend")
    assert isinstance(verdict, Answer)


async def test_embeds_once(cache: Cache, embedder: Any) -> None:
    """A miss that is stored embeds its question once."""
    await cache.fill()
    assert embedder.texts == ["what is a llama"]


@pytest.mark.parametrize(
    "more",
    [
        {"tenant": Tenant(user="bob")}, {"options": {"temperature": 1}}, {"surface": "messages"},
        {"controls": Controls(namespace="n")}, {"tool_choice": "required"},
    ],
)  # fmt: skip
async def test_no_hit_across_scopes(cache: Cache, more: dict[str, Any]) -> None:
    """The same question in another scope is a miss."""
    await cache.fill()
    assert (await cache.ask(**more)).reason == "miss"
    assert (await cache.ask("What's a llama?", **more)).reason == "miss"
    assert (await cache.ask("What is a llama?", ("user", "Hi"), ("assistant", "Hi"))).reason == "miss"


async def test_skips(cache: Cache) -> None:
    """What is not cacheable is neither looked up nor stored."""
    verdict = await cache.ask("What's the latest news?")
    assert (verdict.reason, getattr(verdict, "then", 0)) == ("skip:time_bound", None)
    assert (await cache.ask(controls=Controls(bypass=True))).reason == "skip:bypass"


async def test_no_cache_still_stores(cache: Cache, embedder: Any) -> None:
    """no-cache asks the model anew, and its answer replaces the old one, found both ways."""
    await cache.fill()
    await cache.fill("What is a quick brown llama?", controls=Controls(no_cache=True))
    assert (await cache.ask(controls=Controls(no_cache=True))).reason == "skip:no_cache"
    assert (await cache.ask("What is a quick brown llama?")).reason == "exact"
    assert (await cache.ask("What's a quick brown llama? I wonder")).reason in ("semantic", "miss")


async def test_no_store(cache: Cache) -> None:
    """no-store is answered from what is there, and leaves nothing behind."""
    verdict = await cache.ask(controls=Controls(no_store=True))
    assert (verdict.reason, getattr(verdict, "then", 0)) == ("miss", None)
    await cache.fill()
    assert (await cache.ask(controls=Controls(no_store=True))).reason == "exact"


async def test_time_to_live_and_age(cache: Cache, clock: Any) -> None:
    """The caller's ttl bounds how long an answer is kept, max age how old one may be for this request."""
    await cache.fill(controls=Controls(ttl_seconds=100))
    clock.seconds += 60
    assert (await cache.ask(controls=Controls(max_age_seconds=50))).reason == "miss"
    assert (await cache.ask("What's a llama?", controls=Controls(max_age_seconds=50))).reason == "miss"
    assert (await cache.ask(controls=Controls(max_age_seconds=70))).reason == "exact"
    clock.seconds += 60
    assert (await cache.ask()).reason == "miss"


async def test_zero_ttl_stores_nothing(cache: Cache) -> None:
    """A time to live of nothing is no-store."""
    verdict = await cache.ask(controls=Controls(ttl_seconds=0))
    assert getattr(verdict, "then", 0) is None


async def test_literal_repeats_alone(embedder: Any, clock: Any, make: SimpleNamespace) -> None:
    """With a wrong rate of 0 only the letter-for-letter same request is answered, and nothing is embedded."""
    cache = Cache(embedder, clock, make, max_wrong_rate=0)
    await cache.fill()
    assert (await cache.ask()).reason == "exact"
    assert (await cache.ask("what is a llama?")).reason == "miss"
    assert embedder.texts == []


async def test_long_questions_and_tool_results_are_exact(cache: Cache, embedder: Any) -> None:
    """What the embedder can't read whole, and what follows a tool's result, is answered by exact repeats alone."""
    question = "Summarise: " + "word " * SIMILAR_MAX_CHARS
    await cache.fill(question)
    assert (await cache.ask(question)).reason == "exact"
    result = ({"role": "user", "content": "q"}, {"role": "tool", "tool_call_id": "1", "content": "42"})
    request = ChatRequest(model="m", messages=result)
    verdict = await cache.stage(request)
    assert isinstance(verdict, Keep)
    assert verdict.then is not None
    await verdict.then(cache.make.reply())
    assert (await cache.stage(request)).reason == "exact"
    assert embedder.texts == []


@pytest.mark.parametrize("changes", [{"has_tool_calls": True}, {"finish": "length"}, {"text": ""}])
async def test_bad_replies_are_not_stored(cache: Cache, changes: dict[str, Any]) -> None:
    """Tool calls, cut-off and empty replies leave the next request a miss."""
    verdict = await cache.ask()
    assert isinstance(verdict, Keep)
    assert verdict.then is not None
    assert str(await verdict.then(cache.make.reply(**changes))).startswith("skip:")
    assert (await cache.ask()).reason == "miss"


async def test_model_out_of_order(cache: Cache, embedder: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Without an embedder exact repeats still hit; the rest are misses, said once in the log."""
    embedder.broken = True
    with caplog.at_level(logging.WARNING):
        await cache.fill()
        await cache.ask("What is a dog?")
    assert (await cache.ask()).reason == "exact"
    verdict = await cache.ask("What's a llama?")
    assert (verdict.reason, dict(verdict.detail)) == ("miss", {"error": "ModelUnavailable"})
    assert len(caplog.records) == 1


async def test_store_out_of_reach(embedder: Any, clock: Any, make: SimpleNamespace) -> None:
    """A store that is away makes a miss, and its follow-up fails quietly."""
    away = RedisAnswerStore(RedisPool(RedisSettings(url="unix:///nowhere/redis.sock")), "test", "m")
    cache = Cache(embedder, clock, make, store=away)
    verdict = await cache.ask()
    assert (verdict.reason, dict(verdict.detail)) == ("miss", {"error": "RedisUnavailable"})
    await cache.fill()


async def test_on_redis(embedder: Any, clock: Any, make: SimpleNamespace, redis_store: RedisAnswerStore) -> None:
    """On a real server the decisions are the same, many at a time."""
    cache = Cache(embedder, clock, make, store=redis_store)
    questions = [f"How do I bake {n} loaves of bread in my small oven?" for n in range(1, 9)]
    await asyncio.gather(*map(cache.fill, questions))
    assert {(await cache.ask(question)).reason for question in questions} == {"exact"}
    assert (await cache.ask("How can I bake 3 loaves of bread in my small oven?")).reason == "semantic"
    assert (await cache.ask("How can I bake 99 loaves of bread in my small oven?")).reason == "veto:number"


@pytest.mark.parametrize(
    ("question", "kind"),
    [("Tell me a joke", "creative"), ("Roll a die", "random"), ("What's my account balance?", "personal")],
)
async def test_each_kind_has_its_time(cache: Cache, embedder: Any, clock: Any, question: str, kind: str) -> None:
    """What must not repeat goes to the model each time, or after the time that the settings give it."""
    assert (await cache.ask(question)).reason == f"skip:{kind}"
    kept = Cache(embedder, clock, cache.make, ttl_by_class={kind: 60})
    await kept.fill(question)
    assert (await kept.ask(question)).reason == "exact"
    clock.seconds += 61
    assert (await kept.ask(question)).reason == "miss"


async def test_a_caller_who_wants_the_cache_gets_it(cache: Cache) -> None:
    """``use-cache`` keeps any kind of answer; a ``ttl`` alone doesn't."""
    controls = Controls(use_cache=True)
    await cache.fill("Tell me a joke", controls=controls)
    assert (await cache.ask("Tell me a joke", controls=controls)).reason == "exact"
    assert (await cache.ask("Tell me a joke", controls=Controls(ttl_seconds=60))).reason == "skip:creative"


async def test_why_a_reply_was_not_stored_is_told(cache: Cache) -> None:
    """A follow-up says what became of the reply."""
    verdict = await cache.ask()
    assert isinstance(verdict, Keep)
    assert verdict.then is not None
    assert await verdict.then(cache.make.reply("I can't help with that.")) == "skip:refusal"
    assert await verdict.then(cache.make.reply()) == "stored"

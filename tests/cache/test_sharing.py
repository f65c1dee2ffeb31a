"""Single flight: of identical questions at once, one goes to the model, in one process and in several."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from litellm_tokenopt.cache.flights import LEASE_SECONDS, Flights
from litellm_tokenopt.cache.manager import SemanticCacheManager
from litellm_tokenopt.cache.memory import MemoryAnswerStore
from litellm_tokenopt.cache.redisvl_store import RedisAnswerStore
from litellm_tokenopt.cache.scope import scope_of
from litellm_tokenopt.cache.stage import CacheStage
from litellm_tokenopt.cache.stores import Entry
from litellm_tokenopt.cache.tiered import TieredAnswerStore
from litellm_tokenopt.errors import RedisUnavailable
from litellm_tokenopt.pipeline import Pipeline
from litellm_tokenopt.redis.locks import RedisLocks
from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.request import ChatRequest, Controls, Reply
from litellm_tokenopt.settings import CacheSettings, RedisSettings
from litellm_tokenopt.stage import Answer, Keep


async def count(request: ChatRequest) -> int:
    return 3


class Model:
    """What it replies, after a while, and how often it was asked."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.calls = 0
        self.failures = 0
        self.seconds = 0.05

    async def __call__(self) -> Reply:
        self.calls += 1
        fails = self.calls <= self.failures
        await asyncio.sleep(self.seconds)
        if fails:
            raise ConnectionError("no model")
        return self.reply


class Worker:
    """A pipeline with the cache alone, as one process has it, in front of *model*."""

    def __init__(self, embedder: Any, make: SimpleNamespace, model: Model, **given: Any) -> None:
        store, locks = given.pop("store", None) or MemoryAnswerStore(100), given.pop("locks", None)
        settings = CacheSettings(**given)
        self.flights = Flights(settings.single_flight_seconds, locks)
        self.manager = SemanticCacheManager(settings, store, embedder)
        stage = CacheStage(self.manager, self.flights)
        self.pipeline = Pipeline([stage], counter=lambda: count, budget_seconds=5.0)
        self.make, self.model = make, model

    async def ask(self, question: str = "What is a llama?", **more: Any) -> str:
        """Ask the cache, then the model if need be; why it was answered or not."""
        outcome = await self.pipeline.before(self.make.request(question, **more))
        if outcome.reply is None:
            try:
                reply = await self.model()
            except BaseException:
                self.pipeline.abandon(outcome)
                raise
            await self.pipeline.after(outcome, reply)
        return outcome.steps[0].verdict.reason

    async def ask_often(self, times: int, **more: Any) -> list[Any]:
        return await asyncio.gather(*(self.ask(**more) for _ in range(times)), return_exceptions=True)


@pytest.fixture
def model(make: SimpleNamespace) -> Model:
    return Model(make.reply())


@pytest.fixture
def worker(embedder: Any, make: SimpleNamespace, model: Model) -> Worker:
    return Worker(embedder, make, model)


async def test_fifty_at_once_make_one_call(worker: Worker, model: Model) -> None:
    """The first goes to the model, the others get its answer, and are counted as such."""
    reasons = await worker.ask_often(50)
    assert model.calls == 1
    assert sorted(reasons) == ["miss"] + ["shared"] * 49
    assert await worker.ask() == "exact"


async def test_different_questions_do_not_wait(worker: Worker, model: Model) -> None:
    """Only the very same request is waited for."""
    model.seconds = 0.2
    first = asyncio.create_task(worker.ask())
    await asyncio.sleep(0.02)
    assert await worker.pipeline.before(worker.make.request("What is a camel?")) is not None
    assert not first.done()
    await first


async def test_a_failed_call_is_made_once_more_and_then_by_everybody(worker: Worker, model: Model) -> None:
    """One failure costs one more call; where that fails too, the rest go on by themselves, all at once."""
    model.failures = 1
    reasons = await worker.ask_often(20)
    assert model.calls == 2
    assert [isinstance(reason, ConnectionError) for reason in reasons].count(True) == 1
    model.calls, model.failures = 0, 99
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await worker.ask_often(20, controls=Controls(namespace="other"))
    assert model.calls == 20
    assert loop.time() - begun < 20 * model.seconds


@pytest.mark.parametrize("changes", [{"finish": "length"}, {"has_tool_calls": True}, {"text": " "}])
async def test_an_answer_that_may_not_be_shared(worker: Worker, model: Model, changes: dict[str, Any]) -> None:
    """The others make their own calls, at once."""
    model.reply = replace(model.reply, **changes)
    assert await worker.ask_often(10) == ["miss"] * 10
    assert model.calls == 10


async def test_a_cancelled_leader(worker: Worker, model: Model) -> None:
    """Somebody who waits takes over."""
    leader = asyncio.create_task(worker.ask())
    await asyncio.sleep(0.02)
    rest = asyncio.create_task(worker.ask_often(10))
    await asyncio.sleep(0.02)
    leader.cancel()
    assert sorted(await rest) == ["miss"] + ["shared"] * 9
    assert model.calls == 2


async def test_who_gives_up_waiting_harms_nobody(worker: Worker, model: Model) -> None:
    """A follower that is cancelled leaves the leader and the others alone."""
    model.seconds = 0.2
    tasks = [asyncio.create_task(worker.ask()) for _ in range(5)]
    await asyncio.sleep(0.05)
    tasks[3].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[3], asyncio.CancelledError)
    assert [results[n] for n in (0, 1, 2, 4)] == ["miss", "shared", "shared", "shared"]
    assert model.calls == 1


async def test_the_wait_has_an_end(embedder: Any, make: SimpleNamespace, model: Model) -> None:
    """Beyond the limit each makes its own call; the answer is kept all the same."""
    worker = Worker(embedder, make, model, single_flight_seconds=0.1)
    model.seconds = 0.5
    assert await worker.ask_often(3) == ["miss"] * 3
    assert model.calls == 3
    assert await worker.ask() == "exact"


async def test_waiting_takes_nothing_from_the_time_budget(embedder: Any, make: SimpleNamespace, model: Model) -> None:
    """Who has waited, and was let down, still has all its time for the stages behind."""

    class Behind:
        name = "behind"

        async def __call__(self, request: ChatRequest) -> Keep:
            await asyncio.sleep(0.3)
            return Keep("done")

    worker = Worker(embedder, make, model, single_flight_seconds=0.6)
    worker.pipeline = Pipeline([*worker.pipeline.stages, Behind()], counter=lambda: count, budget_seconds=0.5)
    model.seconds = 2
    first = asyncio.create_task(worker.ask())
    await asyncio.sleep(0.1)
    waited = await worker.pipeline.before(worker.make.request())
    assert [step.verdict.reason for step in waited.steps] == ["miss", "done"]
    assert waited.seconds > 0.7
    first.cancel()


async def test_who_may_not_store_waits_but_is_not_waited_for(worker: Worker, model: Model) -> None:
    """A request with no-store has nothing to give; with no-cache it wants an answer of its own."""
    assert await worker.ask_often(3, controls=Controls(no_store=True)) == ["miss"] * 3
    leader = asyncio.create_task(worker.ask())
    await asyncio.sleep(0.02)
    assert await worker.ask(controls=Controls(no_store=True)) == "shared"
    assert await worker.ask(controls=Controls(no_cache=True)) == "skip:no_cache"
    await leader


async def test_closing_lets_everybody_go_on(worker: Worker, model: Model) -> None:
    """Nobody waits for a call whose end nobody will tell."""
    outcome = await worker.pipeline.before(worker.make.request())
    waiting = asyncio.create_task(worker.pipeline.before(worker.make.request()))
    await asyncio.sleep(0.02)
    await worker.flights.aclose()
    assert isinstance((await waiting).steps[0].verdict, Keep)
    assert outcome.followups


async def test_a_request_that_a_later_stage_answers_is_not_waited_for(worker: Worker, model: Model) -> None:
    """No model call follows: whoever waits has to be told."""

    class Answers:
        name = "answers"

        async def __call__(self, request: ChatRequest) -> Answer:
            return Answer(model.reply, "known")

    pipeline = Pipeline([*worker.pipeline.stages, Answers()], counter=lambda: count, budget_seconds=5.0)
    assert (await pipeline.before(worker.make.request())).reply is not None
    assert await worker.ask_often(2) == ["miss", "shared"]


@pytest.fixture
def processes(pool: RedisPool, embedder: Any, make: SimpleNamespace, model: Model) -> Callable[..., Worker]:
    """Makes workers that share nothing but the server."""

    def start(**given: Any) -> Worker:
        store = TieredAnswerStore(MemoryAnswerStore(100), RedisAnswerStore(pool, "test", embedder.name))
        return Worker(embedder, make, model, store=store, locks=RedisLocks(pool, "test:flight:"), **given)

    return start


async def test_several_processes_make_one_call(processes: Callable[..., Worker], model: Model) -> None:
    """A lock in Redis says who asks; the others find the answer there."""
    one, other = processes(), processes()
    results = await asyncio.gather(one.ask_often(25), other.ask_often(25))
    assert model.calls == 1
    assert sorted(results[0] + results[1]) == ["miss"] + ["shared"] * 49


async def test_another_processs_failure(processes: Callable[..., Worker], model: Model) -> None:
    """One of those who wait, in any process, makes the call once more."""
    one, other = processes(), processes()
    model.failures = 1
    await asyncio.gather(one.ask_often(10), other.ask_often(10))
    assert model.calls == 2


async def test_another_processs_answer_that_may_not_be_shared(processes: Callable[..., Worker], model: Model) -> None:
    """It's known in all processes, which go on at once."""
    one, other = processes(), processes()
    model.reply = replace(model.reply, finish="length")
    await asyncio.gather(one.ask_often(3), other.ask_often(3))
    assert model.calls == 6


DYING = """
import asyncio, sys
from litellm_tokenopt.cache.flights import LEASE_SECONDS, Flights
from litellm_tokenopt.redis.locks import RedisLocks
from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.settings import RedisSettings

async def main():
    pool = RedisPool(RedisSettings(url="embedded", timeout_seconds=5))
    flights = Flights(30, RedisLocks(pool, "test:flight:"))
    assert await flights.start(sys.argv[1]) is not None
    print("leads", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_process_that_died_is_not_waited_for(processes: Callable[..., Worker], model: Model) -> None:
    """Alive it's waited for longer than its lock lasts without it; killed, no longer than that."""
    alive = processes()
    key = alive.manager.key("What is a llama?", scope_of(alive.make.request(), CacheSettings(), "word-counts").id)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DYING, key, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"leads\n"
        asking = asyncio.create_task(alive.ask_often(10))
        await asyncio.wait([asking], timeout=LEASE_SECONDS + 0.5)
        assert model.calls == 0
    finally:
        process.kill()
        await process.wait()
    killed = asyncio.get_running_loop().time()
    assert sorted(await asking) == ["miss"] + ["shared"] * 9
    assert asyncio.get_running_loop().time() - killed < LEASE_SECONDS + 1


async def test_a_silent_redis_changes_nothing_within_a_process(
    embedder: Any, make: SimpleNamespace, model: Model
) -> None:
    """Each process is on its own then."""
    silent = RedisPool(RedisSettings(url="redis://127.0.0.1:1/0", timeout_seconds=0.1, connect_timeout_seconds=0.1))
    worker = Worker(embedder, make, model, locks=RedisLocks(silent, "test:"))
    assert sorted(await worker.ask_often(10)) == ["miss"] + ["shared"] * 9
    assert model.calls == 1
    await silent.aclose()


class SlowRedis(MemoryAnswerStore):
    """A Redis that a crowd keeps waiting: the answer's second look-up, and the lock, take a minute."""

    def __init__(self) -> None:
        super().__init__(100)
        self.looks = 0

    async def get_exact(self, key: str) -> Entry | None:
        self.looks += 1
        await asyncio.sleep(60 if self.looks == 11 else 0)
        return await super().get_exact(key)

    async def take(self, key: str, token: str, seconds: float) -> bool:
        await asyncio.sleep(60)
        return True

    async def renew(self, key: str, token: str, seconds: float) -> bool:
        return True

    async def holder(self, key: str) -> str | None:
        return None

    async def release(self, key: str, token: str) -> None: ...

    async def replace(self, key: str, token: str, note: str, seconds: float) -> None: ...


async def test_who_leads_does_not_wait_for_a_slow_redis(
    embedder: Any, make: SimpleNamespace, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He asks the model when his time to look is over, and the others of this process get his answer."""
    monkeypatch.setattr("litellm_tokenopt.cache.flights.TAKE_SECONDS", 0.05)
    monkeypatch.setattr("litellm_tokenopt.cache.sharing.LOOK_SECONDS", 0.05)
    redis = SlowRedis()
    worker = Worker(embedder, make, model, store=redis, locks=redis)
    assert sorted(await worker.ask_often(10)) == ["miss"] + ["shared"] * 9
    assert model.calls == 1
    await worker.flights.aclose()


class BusyRedis(SlowRedis):
    """Another process holds the lock; the server answers who it is only after so many *silences*."""

    def __init__(self, silences: int) -> None:
        super().__init__()
        self.silences = silences

    async def take(self, key: str, token: str, seconds: float) -> bool:
        return False

    async def holder(self, key: str) -> str | None:
        self.silences -= 1
        if self.silences >= 0:
            raise RedisUnavailable("no answer in time")
        return None


@pytest.mark.parametrize(("silences", "ending"), [(3, "stored"), (10**9, "lost")])
async def test_another_process_is_waited_for_while_redis_is_busy(
    silences: int, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that fails isn't the end of its call; when all fail for as long as its lock lasts, this process calls."""
    monkeypatch.setattr("litellm_tokenopt.cache.flights.LEASE_SECONDS", 0.3)
    flights = Flights(10, BusyRedis(silences))
    assert await flights.start("key") is None
    assert await flights.wait("key", 5) == ending
